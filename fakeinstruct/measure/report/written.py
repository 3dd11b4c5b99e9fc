"""Every table of what was written, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fakeinstruct.measure.report.boxes import box_tables
from fakeinstruct.measure.report.cells import Table, part
from fakeinstruct.measure.report.open import open_tables
from fakeinstruct.measure.report.words import word_tables

WRITTEN: dict[str, Callable[[Mapping[str, Any]], list[Table]]] = {
    "words": word_tables,
    "boxes": box_tables,
    "open": open_tables,
}
"""Tables by the part of `figures.json` that they are of."""


def written_tables(figures: Mapping[str, Any]) -> list[Table]:
    """The tables of words, boxes and open questions, as far as there are any."""
    return [table for name, made in WRITTEN.items() if part(figures, name) for table in made(figures[name])]
