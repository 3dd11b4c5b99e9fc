"""Drawings of what an expert wrote: its verdicts, the flaws it claims, and what a judge gave it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fakeinstruct.measure.report.plots import (
    BAND,
    BASELINES,
    EXPERT,
    FAKE,
    GREY,
    INK,
    PAPER,
    REAL,
    canvas,
    shortened,
    svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Mapping[str, Mapping[str, Any]]

OUTCOMES = {"fake": FAKE, "real": REAL, "nothing": GREY}
"""What a text says, in the colours of what it says."""

MARKS = (BASELINES[0], BAND, EXPERT)
"""Colours of a judge's marks 0, 1 and 2."""

WIDTH = 5.0
"""Of a drawing, in inches: two stand side by side on the page."""

FEWEST_INSIDE = 0.06
"""Share from which on a part of a bar has room for its number."""


def word_drawings(words: Mapping[str, Any]) -> dict[str, str]:
    """The drawings that `words` of the figures allow, as SVG; what has no figure has no drawing."""
    found = {}
    outcomes = {f"{label}s": row for label, row in words["verdict"]["outcomes"].items() if any(row.values())}
    if outcomes:
        found["outcomes"] = verdict_bars(outcomes)
    judge = words["judge"]
    if judge and any(sum(counts) for counts in judge["given"].values()):
        found["marks"] = mark_bars(judge["given"])
    flaws = words["attributes"]
    rows: Rows = flaws.get("per_attribute", {})
    if any(row["annotated"] for row in rows.values()):
        found["attributes"] = attribute_bars(rows, flaws["n"])
    if any(row["on_real"] for row in rows.values()):
        found["claimed"] = claim_bars(rows, flaws["n_real"])
    return found


def attribute_bars(rows: Rows, fakes: int) -> str:
    """F1 of each annotated attribute, its precision and recall as marks, most often annotated first.

    Where no attribute was ever judged absent there is no F1, and the bars are of recall.

    Args:
        rows: Figures by attribute.
        fakes: Fakes with an annotated flaw.
    """
    known = sorted(
        (name for name in rows if rows[name]["annotated"]), key=lambda name: -rows[name]["annotated"]
    )
    bar = "f1" if any(rows[name]["f1"] is not None for name in known) else "recall"
    called = {"f1": "F1", "recall": "recall"}[bar]
    with canvas("attributes", WIDTH, 1.9 + 0.3 * len(known)) as (figure, (axes,)):
        _bars(axes, [rows[name] for name in known], bar, EXPERT, called)
        if bar == "f1":
            for what, colour, shape in (("precision", BASELINES[0], "D"), ("recall", REAL, "o")):
                values = [_or_nan(rows[name][what]) for name in known]
                places = range(len(known))
                axes.plot(
                    values, places, shape, color=colour, markeredgecolor=PAPER, markersize=6.5, label=what
                )
        axes.set_yticks(range(len(known)), [f"{shortened(n, 26)} ({rows[n]['annotated']:,})" for n in known])
        axes.set(ylim=(len(known) - 0.4, -0.6), xlim=(-0.02, 1.02))
        axes.set_xlabel(f"{called} (thin line: 95 % interval;\nin brackets: texts about such images)")
        _head(axes, f"Flaws claimed of {fakes:,} fakes that have some")
        return svg(figure, "attributes", f"{called} of claimed flaws by attribute, {fakes:,} fakes")


def claim_bars(rows: Rows, reals: int) -> str:
    """Share of the real images of which each flaw is claimed, most often claimed first.

    Args:
        rows: Figures by attribute.
        reals: Real images that were written about.
    """
    known = sorted((name for name in rows if rows[name]["on_real"]), key=lambda name: -rows[name]["on_real"])
    with canvas("claimed", WIDTH, 1.5 + 0.3 * len(known)) as (figure, (axes,)):
        _bars(axes, [rows[name] for name in known], "claimed_on_real", FAKE)
        axes.set_yticks(range(len(known)), [f"{shortened(n, 26)} ({rows[n]['on_real']:,})" for n in known])
        axes.set(ylim=(len(known) - 0.4, -0.6), xlim=(0, 1.02))
        axes.set_xlabel("share of the reals (thin line: 95 % interval;\nin brackets: texts that claim it)")
        _title(axes, f"Flaws claimed of {reals:,} real images")
        return svg(figure, "claimed", f"Flaws claimed of {reals:,} real images by attribute")


def verdict_bars(rows: Rows) -> str:
    """What texts say, by what the image is."""
    names = [{"fake": "says fake", "real": "says real", "nothing": "no verdict"}[name] for name in OUTCOMES]
    counts = [list(row.values()) for row in rows.values()]
    with canvas("outcomes", WIDTH, 1.5 + 0.45 * len(rows)) as (figure, (axes,)):
        _stacked(axes, list(rows), counts, dict(zip(names, OUTCOMES.values(), strict=True)))
        axes.set(xlabel="share of the texts (numbers: texts)")
        _head(axes, f"Verdicts of {sum(map(sum, counts)):,} texts, by truth")
        return svg(figure, "outcomes", f"What {sum(map(sum, counts)):,} texts say, of fakes and of reals")


def mark_bars(given: Mapping[str, Sequence[int]]) -> str:
    """How many replies of a judge give 0, 1 and 2, by aspect."""
    with canvas("marks", WIDTH, 1.5 + 0.45 * len(given)) as (figure, (axes,)):
        colours = {f"mark {mark}": colour for mark, colour in enumerate(MARKS)}
        _stacked(axes, list(given), list(given.values()), colours)
        replies = max(map(sum, given.values()))
        axes.set(xlabel="share of the replies (numbers: replies)")
        _head(axes, f"A judge's marks in {replies:,} replies")
        return svg(figure, "marks", f"Marks in {replies:,} replies of a judge by aspect")


def _bars(axes: Axes, rows: Sequence[Mapping[str, Any]], name: str, colour: str, label: str = "") -> None:
    """A bar a row with its interval; none where there is no figure."""
    places = range(len(rows))
    axes.barh(places, [_or_nan(row[name]) for row in rows], 0.62, color=colour, alpha=0.82, label=label)
    low, high = ([_or_nan(row[f"{name}_{end}"]) for row in rows] for end in ("low", "high"))
    axes.hlines(places, low, high, color=INK, linewidth=1.1)


def _stacked(
    axes: Axes, names: Sequence[str], counts: Sequence[Sequence[int]], parts: Mapping[str, str]
) -> None:
    """A bar of length 1 a row, cut into parts by their counts, each with its number where there is room."""
    for place, row in enumerate(counts):
        start, total = 0.0, max(1, sum(row))
        for count, (label, colour) in zip(row, parts.items(), strict=True):
            share = count / total
            axes.barh(place, share, 0.62, start, color=colour, alpha=0.85, label="" if place else label)
            if share >= FEWEST_INSIDE:
                ink = INK if colour == BAND else PAPER
                axes.text(
                    start + share / 2, place, f"{count:,}", ha="center", va="center", color=ink, fontsize=9.5
                )
            start += share
    axes.set_yticks(range(len(names)), [f"{n} ({sum(row):,})" for n, row in zip(names, counts, strict=True)])
    axes.set(ylim=(len(names) - 0.5, -0.5), xlim=(0, 1))


def _title(axes: Axes, title: str) -> None:
    """A title over the whole drawing: long names beside the bars leave little room over the bars themselves."""
    axes.get_figure(root=True).suptitle(title, x=0.01, ha="left", fontsize=11)  # type: ignore[union-attr]


def _head(axes: Axes, title: str) -> None:
    """The title, and the legend in a row under it, where it hides nothing."""
    _title(axes, title)
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, borderaxespad=0.2, columnspacing=1.4)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
