"""Drawings of two detectors side by side: margins against margins, both ROC curves, differences by generator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fakeinstruct.measure.report.plots import (
    BASELINES,
    DASHED,
    EXPERT,
    FAKE,
    GREY,
    REAL,
    canvas,
    shortened,
    svg,
)
from fakeinstruct.measure.scores import Scores

MOST_POINTS = 1500
"""Images of each label that are drawn: more would only blacken the drawing and fill the page."""

MOST_BARS = 40
"""Generators that are drawn, those with the largest differences; the table has them all."""


def margins_against(a: Scores, b: Scores, seed: int) -> str:
    """The margin of A against that of B, a point an image, coloured by truth.

    Args:
        a: Scores of A.
        b: Scores of B, of the same images.
        seed: Seed of which images are drawn, where there are more than `MOST_POINTS` of a label.
    """
    rng = np.random.default_rng(seed)
    x, y = _finite(b.margin), _finite(a.margin)
    with canvas("against", 5.0, 4.4) as (figure, (axes,)):
        for mask, colour, name in ((~a.fake, REAL, "real"), (a.fake, FAKE, "fake")):
            index = np.flatnonzero(mask)
            shown = rng.permutation(index)[:MOST_POINTS]
            label = f"{name} ({len(index):,})"
            axes.scatter(x[shown], y[shown], s=9, color=colour, alpha=0.45, linewidths=0, label=label)
        if a.logit.all() and b.logit.all():
            axes.axhline(0, color=GREY, linewidth=0.8)
            axes.axvline(0, color=GREY, linewidth=0.8)
            low, high = min(x.min(), y.min()), max(x.max(), y.max())
            axes.plot([low, high], [low, high], color=GREY, linewidth=0.8, linestyle=DASHED)
        axes.set(xlabel="score of B, higher for fake", ylabel="score of A, higher for fake")
        axes.legend(loc="upper left", bbox_to_anchor=(0, 1.1), ncols=2, borderpad=0, markerscale=2)
        return svg(figure, "against", "Scores of A against scores of B, by truth")


def _finite(margin: Any) -> Any:
    """Infinite margins, of probabilities of exactly 0 or 1, a little beyond the others."""
    known = margin[np.isfinite(margin)]
    reach = np.abs(known).max(initial=1) * 1.05
    return np.clip(margin.astype(np.float64), -reach, reach)


def both_rocs(a: Scores, b: Scores) -> str:
    """ROC curves of both on the same images."""
    with canvas("rocs", 4.2, 4.0) as (figure, (axes,)):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=DASHED)
        for name, scores, colour in (("A", a, EXPERT), ("B", b, BASELINES[0])):
            x, y = _curve(scores)
            axes.plot(x, y, color=colour, label=name)
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        axes.set(xlabel="share of reals called fake", ylabel="share of fakes called fake")
        axes.legend(loc="lower right")
        return svg(figure, "rocs", "ROC curves of A and B")


def _curve(scores: Scores) -> tuple[Any, Any]:
    from sklearn.metrics import roc_curve

    ranks = np.unique(scores.margin, return_inverse=True)[1]  # infinite margins have a rank too
    x, y, _ = roc_curve(scores.fake, ranks)
    return x, y


def difference_bars(table: Mapping[str, Mapping[str, Any]]) -> str:
    """Difference of the AUCs by generator, with its interval.

    Args:
        table: Rows with `auc` by generator; at least one has a difference.
    """
    known = [(name, row["auc"]) for name, row in table.items() if row["auc"]["difference"] is not None]
    drawn = sorted(known, key=lambda each: -abs(each[1]["difference"]))[:MOST_BARS]
    drawn.sort(key=lambda each: each[1]["difference"])
    with canvas("differences", 7.2, 1.0 + 0.34 * len(drawn)) as (figure, (axes,)):
        for place, (_, row) in enumerate(drawn):
            colour = EXPERT if row["difference"] > 0 else BASELINES[0]
            axes.barh(place, row["difference"], 0.6, color=colour, alpha=0.8)
            if row["low"] is not None:
                axes.hlines(place, row["low"], row["high"], color=GREY, linewidth=2)
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.set_yticks(range(len(drawn)), [shortened(name) for name, _ in drawn])
        axes.set_xlabel("AUC of A less AUC of B, 95 % interval (right of 0: A is higher)")
        return svg(figure, "differences", "Difference of the AUCs by generator")
