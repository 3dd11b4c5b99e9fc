"""What a protocol adds to figures, as tables for the terminal, the page and the Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakeinstruct.measure.evaluations.contents import HELD_OUT, SEEN
from fakeinstruct.measure.report.cells import Table, interval

LEAKS = {
    "extension": "file extension",
    "extension_any_case": "file extension, letter case aside",
    "names": "file names",
    "headers": "file headers",
}
"""What is said of each row of `leaks`."""

GENERATOR_FIGURES = ("average_precision", "accuracy_half")
"""Figures of a generator's row beside its AUC."""


def protocol_tables(figures: Mapping[str, Any]) -> dict[str, Table]:
    """The tables that a protocol adds, see `evaluate`; none of figures that no protocol is behind.

    Args:
        figures: The contents of `figures.json`.

    Returns:
        `leaks`, and where the protocol asks for them `content`, `own_reals`.
    """
    added = figures.get("protocol")
    if not added:
        return {}
    found = {"leaks": leak_table(added["leaks"])}
    if added.get("by_content"):
        found["content"] = content_table(added["by_content"], added["by_content_beside"])
    if own := own_reals(figures, added):
        found["own_reals"] = generator_table(own, figures["per_generator"])
    return found


def leak_table(leaks: Mapping[str, Any]) -> Table:
    """How well files alone tell the label, of each set of items."""
    head = ("what the files alone tell", "n", "auc", "95 % interval", "accuracy", "commoner label")
    rows = [
        (
            f"{LEAKS[name]} ({folder})" if len(leaks) > 1 else LEAKS[name],
            *(row["n"], row["auc"], interval(row), row["accuracy"], row.get("rule")),
        )
        for folder, some in leaks.items()
        for name, row in some.items()
    ]
    return Table("names and headers, no pixel, cross-validated on the test split", head, tuple(rows))


def content_table(by_content: Mapping[str, Any], beside: Mapping[str, Any]) -> Table:
    """Figures by what images show; after processing only of what was seen in training and what was held out of it.

    Args:
        by_content: The expert's figures by condition and content.
        beside: The same of other experts by name, of whom only these two rows are shown.
    """
    head = ("content", "condition", "n", "auc", "95 % interval", "accuracy_half", "ece", "ece, calibrated")
    rows = [
        (name, condition, *_content_cells(row))
        for condition, some in by_content.items()
        for name, row in some.items()
        if condition == "clean" or name in (SEEN, HELD_OUT)
    ]
    rows += [
        (f"{other}: {name}", condition, *_content_cells(some[name]))
        for other, theirs in beside.items()
        for condition, some in theirs.items()
        for name in (SEEN, HELD_OUT)
        if name in some
    ]
    return Table("test split by content", head, tuple(rows))


def _content_cells(row: Mapping[str, Any]) -> tuple[Any, ...]:
    known = (row["n"], row["auc"], interval(row), row["accuracy_half"], row["ece"])
    return (*known, row["calibrated"]["ece"])


def own_reals(figures: Mapping[str, Any], evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Rows of generators against their own reals, where the protocol is about them."""
    if "mapped_reals" in evaluation:
        return dict(evaluation["mapped_reals"]["per_generator"])
    if evaluation["protocol"]["measure"]["reals"] != "own":
        return {}
    return {name: row["own_reals"] or {} for name, row in figures["per_generator"].items()}


def generator_table(rows: Mapping[str, Any], shared: Mapping[str, Any]) -> Table:
    """Each generator against its own reals; one that has none against all of them, which its row says.

    Args:
        rows: Rows against own reals, empty or of no real where there are none.
        shared: Rows against all reals.
    """
    head = ("generator", "against", "fakes", "reals", "auc", "95 % interval", *GENERATOR_FIGURES)
    shown = []
    for name, row in rows.items():
        has_own = bool(row.get("n_real"))
        used = row if has_own else shared[name]
        counts = (used["n_fake"], used["n_real"])
        figures = (used["auc"], interval(used), *(used[each] for each in GENERATOR_FIGURES))
        shown.append((name, "own reals" if has_own else "all reals", *counts, *figures))
    title = "test split, each generator against its own reals"
    if any(row[1] == "all reals" for row in shown):
        title += "; against all where it has none, and then in no mean over own reals"
    return Table(title, head, tuple(shown))
