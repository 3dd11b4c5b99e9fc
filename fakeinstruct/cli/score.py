"""`fakeinstruct score`: chains or pairs, asked of an expert -> answers."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fakeinstruct.base.errors import ExitStatus, Rejects, UsageError, printable
from fakeinstruct.base.progress import console
from fakeinstruct.cli.common import ImageRoot, MaxRejects, close

if TYPE_CHECKING:
    from fakeinstruct.chains.store import ChainSet
    from fakeinstruct.forensics.answers import AnswerSet
    from fakeinstruct.forensics.protocol import Protocol


def score(
    expert: Annotated[str, typer.Argument(help="The expert's folder, or a server's address.")],
    items: Annotated[Path, typer.Argument(help="A chain set or a pair set.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder to write to; --dry-run and --show-views need none.",
            file_okay=False,
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Name that a server serves the model by, if it serves several."),
    ] = None,
    protocol_name: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            help="How to ask: zero-shot, yes-no, sentence, scan, or a YAML file; by default as expert.json says.",
        ),
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option("--split", help="Split to ask about; may be repeated.")
    ] = None,
    readout: Annotated[
        str | None, typer.Option("--readout", help="Readout of expert.json, if not its first.")
    ] = None,
    prompts: Annotated[
        int | None, typer.Option("--prompts", help="Wordings of the question, asked in one pass.", min=1)
    ] = None,
    held_out: Annotated[
        int | None, typer.Option("--held-out", help="How many of them it was never trained on.", min=0)
    ] = None,
    aggregation: Annotated[
        str | None,
        typer.Option("--aggregation", help="logsumexp, FakeScope's sum of logits, mean, or a single pair."),
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            "--condition",
            help="Ask again of the perturbed picture: jpeg-50, webp-80, resize-0.5, blur-1, noise-4, crop-2x2; "
            "may be repeated.",
        ),
    ] = None,
    intervene: Annotated[
        list[str] | None,
        typer.Option(
            "--intervene",
            help="Ask again with each cited region repaired from the twin (repair) or masked (mask), and random ones "
            "beside it; may be repeated.",
        ),
    ] = None,
    prior: Annotated[
        bool | None,
        typer.Option("--prior/--no-prior", help="Ask about blank, grey and noise pictures first (default)."),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option("--samples", help="Rationales sampled before a verdict that is scanned for.", min=1),
    ] = None,
    explain: Annotated[
        bool | None, typer.Option("--explain", help="Also let it explain each verdict in words.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", help="Images asked at once, if not as many as pay.", min=1)
    ] = None,
    processes: Annotated[
        int, typer.Option("--processes", help="Processes that share the images: one a GPU.", min=1)
    ] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be asked and how it is read; ask nothing.")
    ] = False,
    show_views: Annotated[
        Path | None,
        typer.Option(
            "--show-views", help="Draw one item under every condition to this picture; ask nothing."
        ),
    ] = None,
    image_root: ImageRoot = None,
    max_rejects: MaxRejects = 0.2,
) -> None:
    """Read an expert's probability from its label tokens, zero-shot: every item once, resumable.

    Of chains the verdict is asked; of pairs, those that one token answers (multiple choice, one-word verdicts).

    **Examples**

        fakeinstruct score runs/train/expert runs/chains --out runs/answers

        fakeinstruct score runs/train/expert runs/chains --prompts 5 --held-out 2 --out runs/answers

        fakeinstruct score runs/train/expert runs/chains --processes 8 --out runs/answers

        torchrun --nproc_per_node 8 -m fakeinstruct score runs/train/expert runs/chains --out runs/answers

        fakeinstruct score runs/train/expert runs/chains --condition jpeg-50 --condition blur-1 --out runs/jpeg

        fakeinstruct score runs/train/expert runs/chains --intervene repair --intervene mask --out runs/regions

        fakeinstruct score runs/train/expert runs/pairs --split test --out runs/choices

        fakeinstruct score models/smolvlm runs/photos --protocol zero-shot --out runs/answers

        fakeinstruct score http://localhost:8000/v1 runs/chains --protocol zero-shot --out runs/served
    """
    from fakeinstruct.chains.store import ChainSet, open_chains
    from fakeinstruct.expand.pair import open_pairs
    from fakeinstruct.forensics.intervene import survey
    from fakeinstruct.forensics.processes import launch
    from fakeinstruct.forensics.protocol import load_protocol
    from fakeinstruct.forensics.score import score as ask
    from fakeinstruct.forensics.server import open_expert

    if out is None and not (dry_run or show_views):
        raise UsageError("there is no folder to write to", hint="Name one with --out.")
    is_pairs = (items / "manifest.json").is_file()
    source = (
        open_pairs(items, image_root=image_root) if is_pairs else open_chains(items, image_root=image_root)
    )
    protocol = load_protocol(
        protocol_name,
        splits=split,
        readout=readout,
        prompts=prompts,
        held_out=held_out,
        aggregation=aggregation,
        conditions=condition,
        interventions=intervene,
        prior=prior,
        samples=samples,
        explain=explain,
    )
    rejects = Rejects(max_rejects)
    launched, first = "WORLD_SIZE" in os.environ, os.environ.get("RANK", "0") == "0"
    if show_views:
        from fakeinstruct.forensics.contact_sheet import contact_sheet

        if not isinstance(source, ChainSet):
            raise UsageError("is a pair set; --show-views draws an item of a chain set", file=items)
        print(f"{contact_sheet(source, protocol, show_views).id} in {show_views}")
        return
    if isinstance(source, ChainSet) and split is None and not launched:
        say_left_out(source, protocol)
    if dry_run or out is None:
        from fakeinstruct.forensics.dry_run import dry_run as lines

        for line in lines(open_expert(expert, model), source, protocol, rejects, batch=batch):
            print(printable(line))
        close(rejects)
        return
    if isinstance(source, ChainSet) and protocol.interventions and not launched:
        for line in survey(source, protocol):
            print(line, file=sys.stderr)
    if processes > 1 and not launched:
        launch(sys.argv[1:], processes)
        raise typer.Exit(ExitStatus.REJECTS if (out / "rejects.jsonl").is_file() else ExitStatus.CLEAN)
    answers = ask(open_expert(expert, model), source, out, protocol, batch=batch, rejects=rejects)
    if first:
        say_mass(answers)
        say_silent(answers)
        print(answers.folder)
        with suppress(typer.Exit) if launched else nullcontext():  # a launcher takes any status for a crash
            close(rejects, answers.folder)


def say_left_out(chains: ChainSet, protocol: Protocol) -> None:
    """Say how many images of the train split are not asked about, which nobody asked for."""
    if "train" in protocol.splits:
        return
    splits = [str(chain.split) for chain in chains.read(Rejects(1.0))]
    if left := splits.count("train"):
        console.print(
            f"note: {left:,} of {len(splits):,} images are in the train split and are not asked about; "
            "--split train --split validation --split test asks about all",
            highlight=False,
            soft_wrap=True,
        )


def say_silent(answers: AnswerSet) -> None:
    """Say how many rationales give no figure; their question is answered where another one does."""
    silent, written = answers.silent()
    if silent:
        text = f"no verdict to read in {silent:,} of {written:,} written answers"
        console.print(text, highlight=False, soft_wrap=True)


def say_mass(answers: AnswerSet) -> None:
    """Say how probable it was that the expert answers with a label word at all."""
    import numpy as np

    from fakeinstruct.forensics.probability import MASS_FLOOR

    masses = answers.table(["label_mass"])["label_mass"].drop_null().to_numpy()
    if not len(masses):
        return
    low = int((masses < MASS_FLOOR).sum())
    text = f"label mass: {np.mean(masses):.3f} on average, under {MASS_FLOOR} in {low:,} of {len(masses):,} answers"
    if low:
        text += ". There the expert rather says something else, and the margin tells little; --dry-run shows the words"
    console.print(text, highlight=False, soft_wrap=True)
