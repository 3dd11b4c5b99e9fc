"""What an expert wrote, as a part of its figures: words and boxes, where there are texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from fakeinstruct.base.errors import Rejects, UsageError
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.forensics.answers import AnswerSet
from fakeinstruct.measure.boxes import box_figures
from fakeinstruct.measure.judge.marks import Judgement
from fakeinstruct.measure.judge.run import Judge
from fakeinstruct.measure.words.figures import word_figures
from fakeinstruct.measure.words.open import Rows, open_figures, open_rows
from fakeinstruct.measure.words.said import chains_of
from fakeinstruct.measure.words.similarity import Encoder

COLUMNS = (
    *(
        "item",
        "chain",
        "kind",
        "look",
        "condition",
        "template",
        "trace",
        "position",
        "label",
        "group",
        "split",
    ),
    *("margin", "text", "verdict", "boxes"),
)
"""Columns of an answer set that figures of texts are computed from."""

JUDGED = "judge"
"""Where a judge's replies are kept, beside the figures."""


@dataclass(frozen=True)
class Readers:
    """Who reads the texts beside us; not every evaluator has them.

    Attributes:
        encoder: Compares meanings.
        judge: Marks explanations.
        kept: Folder for the judge's replies.
    """

    encoder: Encoder | None
    judge: Judge | None
    kept: Path

    def check(self, chains: ChainSet | None) -> None:
        """See that there is something to compare with.

        Raises:
            UsageError: If no chain set was given.
        """
        if chains is None and (self.encoder or self.judge):
            who = "a judge" if self.judge else "a sentence encoder"
            raise UsageError(
                f"{who} compares with annotators' own words, and no chain set was given",
                field="chains",
                hint="Name the one that was asked about with --chains.",
            )


def written_figures(
    answers: Sequence[AnswerSet],
    chains: ChainSet | None,
    *,
    seed: int,
    readers: Readers | None = None,
    rejects: Rejects | None,
) -> dict[str, Any]:
    """`words`, empty where nothing was written, `boxes`, empty where no text names a box, and `open` by question.

    Args:
        answers: Answer sets of one expert.
        chains: What annotators wrote and marked.
        seed: Seed of the draws behind intervals.
        readers: An encoder and a judge, if any.
        rejects: Collects chains that cannot be read, each once, and texts that the judge's server refuses. Without it
            the first is raised.

    Raises:
        FakeInstructError: If the chains cannot be read, or there is a judge and it does not answer.
    """
    tables = (each.table(COLUMNS) for each in answers)
    wanted = pc.field("text").is_valid() | (pc.field("kind") == "open")
    every = [row for table in tables for row in table.filter(wanted).to_pylist()]
    rows, asked = [row for row in every if row["kind"] != "open"], open_rows(every)
    marked = _marked(rows, asked, chains, readers, rejects)
    again = None if rejects is None else Rejects(1.0)  # the same chains: whatever is wrong was listed by then
    about = {row["chain"] or row["item"] for some in asked.values() for row in some}
    known = chains_of(chains, about, again if marked else rejects) if asked else {}
    encoder = readers.encoder if readers else None
    boxed = rows if any(row["boxes"] for row in rows) else []  # where none was named, none was asked for
    return {
        "words": word_figures(
            rows,
            chains,
            seed=seed,
            encoder=encoder,
            judgement=marked.get(None),
            rejects=again if marked or asked else rejects,
        )
        if rows
        else {},
        "boxes": box_figures(boxed, chains, seed=seed, rejects=again) if boxed else {},
        "open": {
            name: open_figures(some, known, seed, encoder=encoder, judgement=marked.get(name))
            for name, some in asked.items()
        },
    }


def _marked(
    rows: Sequence[dict[str, Any]],
    asked: dict[str, list[dict[str, Any]]],
    chains: ChainSet | None,
    readers: Readers | None,
    rejects: Rejects | None,
) -> dict[str | None, Judgement]:
    """What the judge said of explanations (under None), and of the answers to each open question."""
    if readers is None or readers.judge is None or chains is None:
        return {}
    parts: dict[str | None, Rows] = {None: rows}
    parts |= dict(asked.items())
    return readers.judge.mark(parts, chains, readers.kept, rejects)
