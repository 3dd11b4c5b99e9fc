"""Drawings of what a figure depends on: processing, wording, the generator fitted on, the region changed."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fakeinstruct.measure.report.plots import (
    BAND,
    DASHED,
    EXPERT,
    FAKE,
    GREY,
    INK,
    PAPER,
    canvas,
    shortened,
    svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STRONGER_BELOW = frozenset({"jpeg", "webp", "resize"})
"""Kinds of processing whose amount is what is kept: the smaller, the stronger."""


def families(names: Sequence[str]) -> dict[str, list[str]]:
    """Conditions by their kind, the weakest first: `jpeg-90` and `jpeg-50` are one family.

    A condition without an amount is a family of its own.
    """
    found: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for name in names:
        amount = re.fullmatch(r"(.+)-(\d+(?:\.\d+)?)", name)
        kind = amount[1] if amount else name
        strength = float(amount[2]) if amount else 0.0
        found[kind].append((-strength if kind in STRONGER_BELOW else strength, name))
    return {kind: [name for _, name in sorted(some)] for kind, some in sorted(found.items())}


def robustness(clean: Mapping[str, Any], conditions: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """AUC and calibration error by strength of processing, one drawing a family of conditions.

    Args:
        clean: Figures of the unprocessed images, where every curve begins.
        conditions: Figures by condition.
    """
    low = min([row["auc"] for row in (clean, *conditions.values()) if row["auc"] is not None], default=0.5)
    return {
        kind: _curves(number, kind, ["clean", *names], {"clean": clean, **conditions}, min(low, 0.5))
        for number, (kind, names) in enumerate(families(list(conditions)).items())
    }


def _curves(number: int, kind: str, names: list[str], rows: Mapping[str, Any], floor: float) -> str:
    height = 4.0
    name = f"condition-{number}"
    with canvas(name, 2.5 + 0.35 * len(names), height, rows=(1, 1), sharex=True) as (figure, (above, below)):
        places = np.arange(len(names))
        for place, each in zip(places, names, strict=True):
            if rows[each]["auc_low"] is not None:
                above.vlines(place, rows[each]["auc_low"], rows[each]["auc_high"], color=BAND, linewidth=5)
        _line(above, [rows[each]["auc"] for each in names], EXPERT, "o-")
        above.axhline(0.5, color=GREY, linewidth=0.8, linestyle=DASHED)
        above.set(ylim=(max(0.0, floor - 0.05), 1.02), ylabel="AUC", title=shortened(kind, 24))
        _line(below, [rows[each]["ece"] for each in names], FAKE, "o-", "unfitted")
        _line(below, [rows[each]["calibrated"]["ece"] for each in names], EXPERT, "s--", "calibrated")
        errors = [each for name in names for each in (rows[name]["ece"], rows[name]["calibrated"]["ece"])]
        most = max((each for each in errors if each is not None), default=0.0)
        below.set(ylim=(0, max(0.05, 1.15 * most)), ylabel="ECE", xlim=(-0.4, len(names) - 0.6))
        labels = [each if each == "clean" else each.removeprefix(f"{kind}-") for each in names]
        below.set_xticks(places, [shortened(label, 12) for label in labels])
        if most:
            below.legend(loc="best")
        return svg(figure, name, f"AUC and calibration error of clean images and after {kind}")


def _line(axes: Axes, values: Sequence[float | None], colour: str, style: str, label: str = "") -> None:
    known = [math.nan if value is None else value for value in values]
    if not all(map(math.isnan, known)):
        axes.plot(known, style, color=colour, markersize=4.5, linewidth=1.2, label=label)


def prompt_dots(rows: Sequence[Mapping[str, Any]]) -> str:
    """AUC of each prompt with its interval, numbered as in the table; hollow where it was never trained on."""
    with canvas("prompts", 5.6, 1.0 + 0.28 * len(rows)) as (figure, (axes,)):
        for place, row in enumerate(rows):
            _dot(axes, place, row, EXPERT, hollow=row["trained"] is False)
        axes.set_yticks(range(len(rows)), [str(place + 1) for place in range(len(rows))])
        areas = [row["auc"] for row in rows if row["auc"] is not None]
        if max(areas) - min(areas) < 0.1:  # a spread of nothing shall not look like one
            middle = (max(areas) + min(areas)) / 2
            ends = [row[end] for row in rows for end in ("auc_low", "auc_high") if row[end] is not None]
            axes.set_xlim(min([middle - 0.05, *ends]) - 0.01, min(max([middle + 0.05, *ends]) + 0.01, 1.005))
        axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel="AUC (pale: 95 % interval; hollow: never trained on)")
        axes.set_ylabel("prompt")
        return svg(figure, "prompts", "AUC by prompt")


def content_dots(
    by_content: Mapping[str, Any], beside: Mapping[str, Any], colours: Mapping[str, str], held_out: str
) -> str:
    """AUC by what clean images show, with its interval; hollow where the detector was not trained on any of it.

    Args:
        by_content: The expert's figures by content.
        beside: The same of others, by name.
        colours: Colour of each of them.
        held_out: Name of the row that nothing was trained on.
    """
    rows = [(name, name, row, EXPERT) for name, row in by_content.items()]
    rows += [
        (f"{other}: {name}", name, row, colours[other])
        for other, theirs in beside.items()
        for name, row in theirs.items()
    ]
    with canvas("content", 7.2, 1.0 + 0.28 * len(rows)) as (figure, (axes,)):
        for place, (_, name, row, colour) in enumerate(rows):
            _dot(axes, place, row, colour, hollow=name == held_out)
        axes.set_yticks(range(len(rows)), [shortened(title, 40) for title, *_ in rows])
        axes.set(
            ylim=(len(rows) - 0.5, -0.5), xlabel="AUC (pale: 95 % interval; hollow: held out of training)"
        )
        axes.set_xlim(right=min(axes.get_xlim()[1], 1.005))
        return svg(figure, "content", "AUC by what the images show")


def _dot(axes: Axes, place: int, row: Mapping[str, Any], colour: str, *, hollow: bool) -> None:
    """An AUC, if there is one, with its interval."""
    if row["auc"] is None:
        return
    if row["auc_low"] is not None:
        axes.hlines(place, row["auc_low"], row["auc_high"], color=BAND, linewidth=5)
    axes.plot(row["auc"], place, "o", color=colour, markerfacecolor=PAPER if hollow else colour, markersize=6)


def attribute_dots(kind: str, row: Mapping[str, Any]) -> str:
    """Drop of the margin by attribute, where the cited region is changed and where a random one is.

    Args:
        kind: `repair` or `mask`.
        row: Its figures.
    """
    names = [name for name, each in row["per_attribute"].items() if each["cited"] is not None]
    with canvas(f"drop-{kind}", 4.8, 1.3 + 0.28 * (len(names) + 1)) as (figure, (axes,)):
        for place, each in enumerate([row, *(row["per_attribute"][name] for name in names)]):
            axes.plot([each["random"], each["cited"]], [place, place], color=BAND, linewidth=3, zorder=1)
            axes.plot(each["random"], place, "o", color=GREY, markerfacecolor=PAPER, markersize=6)
            axes.plot(each["cited"], place, "o", color=EXPERT, markersize=6)
        axes.axvline(0, color=INK, linewidth=0.8)
        labels = [f"{shortened(name, 26)} ({row['per_attribute'][name]['n']})" for name in names]
        axes.set_yticks(range(len(names) + 1), [f"all ({row['n']})", *labels])
        axes.set(
            ylim=(len(names) + 0.5, -0.5), title=kind, xlabel="drop of the margin\n(hollow: random region)"
        )
        return svg(figure, f"drop-{kind}", f"Drop of the margin by attribute, {kind}")


def heat_map(rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float | None]]) -> str:
    """Calibration error by the generator that was fitted on and the one tested on, the figure in each cell.

    Args:
        rows: Names of what was fitted on.
        columns: Names of what was tested on.
        values: Shape (rows, columns), 0 to 1; none where there is no figure.
    """
    from matplotlib.colors import LinearSegmentedColormap

    table = np.array([[math.nan if each is None else each for each in row] for row in values], dtype=float)
    most = max(0.2, float(np.nanmax(table)) if np.isfinite(table).any() else 0.2)
    with canvas("transfer", 2.2 + 0.75 * len(columns), 1.4 + 0.42 * len(rows)) as (figure, (axes,)):
        axes.pcolormesh(
            np.ma.masked_invalid(table), cmap=LinearSegmentedColormap.from_list("ece", ["#eef2f9", FAKE]),
            vmin=0, vmax=most, edgecolors=PAPER, linewidth=1.5,
        )  # fmt: skip
        for y, x in np.ndindex(table.shape):
            value = table[y, x]
            # a cell has its own colour, the same in the dark, and so has its ink
            ink = INK if math.isnan(value) else "#fffffe" if value > 0.6 * most else "#111827"
            text = "–" if math.isnan(value) else f"{value:.3f}"
            axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=9, color=ink)
        axes.set_xticks(
            np.arange(len(columns)) + 0.5, [shortened(name, 18) for name in columns], rotation=30, ha="right"
        )
        axes.set_yticks(np.arange(len(rows)) + 0.5, [shortened(name, 18) for name in rows])
        axes.invert_yaxis()
        axes.set(xlabel="tested on", ylabel="fitted on")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        return svg(figure, "transfer", "ECE after scale and bias fitted on one generator, tested on another")
