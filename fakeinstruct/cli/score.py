"""`fakeinstruct score`: chains or pairs, asked of an expert -> answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fakeinstruct.base.errors import Rejects
from fakeinstruct.cli.common import ImageRoot, MaxRejects, Out, close


def score(
    expert: Annotated[Path, typer.Argument(help="The expert's folder.")],
    items: Annotated[Path, typer.Argument(help="A chain set or a pair set.")],
    out: Out,
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
    explain: Annotated[
        bool | None, typer.Option("--explain", help="Also let it explain each verdict in words.")
    ] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Images asked at once.", min=1)] = None,
    image_root: ImageRoot = None,
    max_rejects: MaxRejects = 0.2,
) -> None:
    """Read an expert's probability from its label tokens, zero-shot: every item once, resumable.

    Of chains the verdict is asked; of pairs, those that one token answers (multiple choice, one-word verdicts).

    **Examples**

        fakeinstruct score runs/train/expert runs/chains --out runs/answers

        fakeinstruct score runs/train/expert runs/chains --prompts 5 --held-out 2 --out runs/answers

        fakeinstruct score runs/train/expert runs/pairs --split test --out runs/choices
    """
    from fakeinstruct.chains.store import open_chains
    from fakeinstruct.expand.pair import open_pairs
    from fakeinstruct.forensics.expert import load_expert
    from fakeinstruct.forensics.protocol import make_protocol
    from fakeinstruct.forensics.score import score as ask

    is_pairs = (items / "manifest.json").is_file()
    source = (
        open_pairs(items, image_root=image_root) if is_pairs else open_chains(items, image_root=image_root)
    )
    protocol = make_protocol(
        splits=split,
        readout=readout,
        prompts=prompts,
        held_out=held_out,
        aggregation=aggregation,
        explain=explain,
    )
    rejects = Rejects(max_rejects)
    answers = ask(load_expert(expert), source, out, protocol, batch=batch, rejects=rejects)
    print(answers.folder)
    close(rejects, answers.folder)
