"""Drawings of how well a detector ranks and how far its probabilities can be believed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from fakeinstruct.measure.calibration import Reliability
from fakeinstruct.measure.report.plots import (
    BAND,
    BASELINES,
    DASHED,
    EXPERT,
    FAKE,
    GREY,
    INK,
    REAL,
    canvas,
    shortened,
    svg,
)
from fakeinstruct.measure.scores import Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_GENERATORS = 60
"""Generators with a bar each; of more the worst are drawn, and the table has them all."""


def roc(expert: Scores, baselines: Mapping[str, Scores], who: str = "expert") -> str:
    """ROC curves of the expert, or whoever is measured, and the baselines on the test images."""
    from sklearn.metrics import roc_curve

    with canvas("roc", 3.6, 3.5) as (figure, (axes,)):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=DASHED)
        for (name, scores), colour in zip(baselines.items(), BASELINES * len(baselines), strict=False):
            x, y, _ = roc_curve(scores.fake, rankdata(scores.margin))
            axes.plot(x, y, color=colour, linewidth=1.2, label=shortened(name, 24))
        x, y, _ = roc_curve(expert.fake, rankdata(expert.margin))  # infinite margins have a rank too
        axes.plot(x, y, color=EXPERT, label=who)
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        axes.set(xlabel="share of reals called fake", ylabel="share of fakes called fake")
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], labels[::-1], loc="lower right")
        return svg(figure, "roc", f"ROC curves of {' and '.join([f'the {who}', *baselines])}")


def margins(scores: Scores) -> str:
    """Histogram of the margin for fakes and reals; infinite ones, of probability 0 or 1, in the outermost bins."""
    with canvas("margins", 4.4, 3.5) as (figure, (axes,)):
        finite = scores.margin[np.isfinite(scores.margin)]
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (-1.0, 1.0)
        pad = max(1e-3, 0.02 * (high - low))
        _by_truth(
            axes,
            np.clip(scores.margin, low, high),
            scores.fake,
            np.linspace(low - pad, high + pad, min(41, 13 + len(scores) // 20)),
        )
        if scores.logit.all():
            axes.axvline(0, color=INK, linewidth=0.8)
        what = "margin: logit of fake minus real (0: probability 0.5)" if scores.logit.all() else "score"
        axes.set(xlabel=what, ylabel="images")
        axes.legend()
        return svg(figure, "margins", "Histogram of the margins of fakes and of reals")


def reliability_diagram(name: str, bins: Reliability, p: NDArray[np.float64], fake: NDArray[np.bool_]) -> str:
    """A reliability diagram with the band of a perfectly calibrated scorer; below it the probabilities by truth.

    Args:
        name: Which probability: `unfitted`, `calibrated`.
        bins: The diagram.
        p: Probability of fake, shape (n,).
        fake: Truth, shape (n,).
    """
    with canvas(f"reliability-{name}", 4.0, 5.1, rows=(3, 1), sharex=True) as (figure, (above, below)):
        above.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=DASHED)
        above.vlines(bins.said, bins.low, bins.high, color=BAND, linewidth=5)
        above.plot(bins.said, bins.were, "o-", color=EXPERT, markersize=4, linewidth=1)
        above.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="share of fakes in the bin")
        above.set_title(f"{name}\nECE {bins.ece:.3f}; a perfect scorer: up to {bins.ece_band:.3f}")
        _by_truth(below, p, fake, np.linspace(0, 1, 26))
        below.set(xlabel="probability of fake", ylabel="images")
        below.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, 1.35))
        title = (
            f"Reliability diagram, {name}, ECE {bins.ece:.3f}, and the probabilities of fakes and of reals"
        )
        return svg(figure, f"reliability-{name}", title)


def _by_truth(axes: Axes, values: NDArray[Any], fake: NDArray[np.bool_], edges: NDArray[np.float64]) -> None:
    """Two histograms over one another."""
    axes.locator_params(axis="y", integer=True)
    for mask, colour, name in ((~fake, REAL, "real"), (fake, FAKE, "fake")):
        axes.hist(
            values[mask], bins=edges.tolist(), color=colour, alpha=0.55, label=f"{name} ({mask.sum():,})"
        )


def generator_bars(rows: Mapping[str, Mapping[str, Any]], worst: str | None) -> str:
    """AUC per generator with its interval, a bar for the expert and for each baseline, worst of the expert first.

    Args:
        rows: Expert or baseline name to its `per_generator` table; the first names the generators.
        worst: The generator with the expert's lowest AUC, which is marked.
    """
    first = next(iter(rows.values()))
    known = sorted(
        (name for name in first if first[name]["auc"] is not None), key=lambda name: first[name]["auc"]
    )
    names = known[:MOST_GENERATORS]
    thick = 0.8 / len(rows)
    height = 0.9 + len(names) * max(0.34, 0.17 * len(rows))
    with canvas("generators", 7.2, height) as (figure, (axes,)):
        for index, (who, table) in enumerate(rows.items()):
            colour = (EXPERT, *BASELINES * len(rows))[index]
            places = np.arange(len(names)) - 0.4 + thick * (index + 0.5)
            some = [table.get(name, {}) for name in names]
            areas = [_or_nan(row.get("auc")) for row in some]  # no bar where there is no figure
            axes.barh(places, areas, thick * 0.86, color=colour, alpha=0.82, label=who)
            low, high = ([_or_nan(row.get(end)) for row in some] for end in ("auc_low", "auc_high"))
            axes.hlines(places, low, high, color=INK, linewidth=1.1)
        axes.axvline(0.5, color=GREY, linewidth=0.8, linestyle=DASHED)
        axes.set_yticks(range(len(names)), [shortened(name) + " (worst)" * (name == worst) for name in names])
        axes.invert_yaxis()
        axes.set(xlim=(0, 1), xlabel="AUC (thin line: 95 % interval; dashed: chance)")
        if len(rows) > 1:
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return svg(figure, "generators", f"AUC per generator with intervals; worst: {worst}")


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
