"""`fakeinstruct score`: chains or pairs, asked of an expert -> answers."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fakeinstruct.base.errors import Rejects
from fakeinstruct.cli.common import ImageRoot, MaxRejects, Out, close


class Join(StrEnum):
    """How the words of a label are joined."""

    LOGSUMEXP = "logsumexp"
    SUM = "sum"


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
    aggregation: Annotated[
        Join, typer.Option("--aggregation", help="logsumexp, or FakeScope's sum of logits.")
    ] = Join.LOGSUMEXP,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also let it explain each verdict in words.")
    ] = False,
    batch: Annotated[int, typer.Option("--batch", help="Items asked at once.", min=1)] = 32,
    image_root: ImageRoot = None,
    max_rejects: MaxRejects = 0.2,
) -> None:
    """Read an expert's probability from its label tokens, zero-shot: every item once, resumable.

    Of chains the verdict is asked; of pairs, those that one token answers (multiple choice, one-word verdicts).

    **Examples**

        fakeinstruct score runs/train/expert runs/chains --out runs/answers

        fakeinstruct score runs/train/expert runs/pairs --split test --out runs/choices
    """
    from fakeinstruct.chains.store import open_chains
    from fakeinstruct.expand.pair import open_pairs
    from fakeinstruct.forensics.expert import load_expert
    from fakeinstruct.forensics.score import score as ask

    is_pairs = (items / "manifest.json").is_file()
    source = (
        open_pairs(items, image_root=image_root) if is_pairs else open_chains(items, image_root=image_root)
    )
    rejects = Rejects(max_rejects)
    answers = ask(
        load_expert(expert),
        source,
        out,
        splits=split or ["validation", "test"],
        readout=readout,
        aggregation=aggregation.value,
        explain=explain,
        batch=batch,
        rejects=rejects,
    )
    print(answers.folder)
    close(rejects, answers.folder)
