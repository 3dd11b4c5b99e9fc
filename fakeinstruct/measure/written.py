"""What an expert wrote, as a part of its figures: words and boxes, where there are texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow.compute as pc

from fakeinstruct.base.errors import Rejects
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.forensics.answers import AnswerSet
from fakeinstruct.measure.boxes import box_figures
from fakeinstruct.measure.words import word_figures

COLUMNS = (
    *("item", "chain", "kind", "look", "condition", "trace", "position", "label", "group", "split"),
    *("margin", "text", "verdict", "boxes"),
)
"""Columns of an answer set that figures of texts are computed from."""


def written_figures(
    answers: Sequence[AnswerSet], chains: ChainSet | None, *, seed: int, rejects: Rejects | None
) -> dict[str, Any]:
    """`words`, empty where nothing was written, and `boxes`, empty where no text names a box.

    Args:
        answers: Answer sets of one expert.
        chains: What annotators wrote and marked.
        seed: Seed of the draws behind intervals.
        rejects: Collects chains that cannot be read, each once. Without it the first is raised.

    Raises:
        FakeInstructError: If the chains cannot be read.
    """
    tables = (each.table(COLUMNS) for each in answers)
    rows = [row for table in tables for row in table.filter(pc.field("text").is_valid()).to_pylist()]
    boxed = rows if any(row["boxes"] for row in rows) else []  # where none was named, none was asked for
    again = None if rejects is None else Rejects()  # the same chains: whatever is wrong is known by then
    return {
        "words": word_figures(rows, chains, seed=seed, rejects=rejects) if rows else {},
        "boxes": box_figures(boxed, chains, seed=seed, rejects=again) if boxed else {},
    }
