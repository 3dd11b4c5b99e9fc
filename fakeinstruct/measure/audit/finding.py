"""Finding: one thing that an audit saw, with examples; sections and tables around it; the whole audit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from fakeinstruct.base.config import StrictModel

Level = Literal["problem", "warning", "note"]
"""A problem gives the label away or breaks training; a warning may; a note only says what was seen."""

LEVELS: tuple[Level, ...] = ("problem", "warning", "note")
"""Worst first: the order in which findings are shown."""

Cell = str | int | float | None
"""One cell of a table; None where there is no value."""


class Example(StrictModel):
    """A record that shows a finding. `image` is a path relative to the image root, shown as a thumbnail."""

    text: str
    label: str | None = None
    image: str | None = None


class Finding(StrictModel):
    """One thing that was seen, what it means in figures, and what to do about it."""

    level: Level
    title: str
    detail: str
    hint: str | None = None
    examples: tuple[Example, ...] = ()


class Table(StrictModel):
    """Figures behind the findings. `missing` says why some are not there, one sentence each."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    missing: tuple[str, ...] = ()


class Section(StrictModel):
    """One question that was put to the data. `skipped` says why it could not be answered."""

    name: str
    summary: str
    findings: tuple[Finding, ...] = ()
    tables: tuple[Table, ...] = ()
    skipped: str | None = None


class Audit(StrictModel):
    """Everything that one audit found.

    Attributes:
        kind: What was audited.
        source: Its name, never a path of this machine.
        n: Records looked at.
        seed: Seed of folds and samples.
        sections: The questions, in the order they were put.
        versions: What the figures were made with.
    """

    kind: Literal["chains", "pairs"]
    source: str
    n: int
    seed: int
    sections: tuple[Section, ...]
    versions: dict[str, str]

    def findings(self) -> Iterator[tuple[Section, Finding]]:
        """Every finding with its section, worst first, otherwise in the order of the sections."""
        for level in LEVELS:
            for section in self.sections:
                yield from ((section, each) for each in section.findings if each.level == level)

    def count(self, level: Level) -> int:
        """How many findings are of one level."""
        return sum(finding.level == level for _, finding in self.findings())
