"""The report's drawings, as SVG that stands inside the page: no file, no script, no network."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from fakeinstruct.measure.calibration import Reliability
from fakeinstruct.measure.scores import Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FAKE, REAL, EXPERT, GREY = "#c2410c", "#0f766e", "#1e3a8a", "#8a8f98"
"""Colours that stay apart for colour-blind readers and in grey."""

BASELINES = ("#b7791f", "#7c6fb0", "#5f6b7a")
"""Colours of the baselines, in the order they are named."""

STYLE = {
    "text.parse_math": False,  # a dollar sign in the name of a generator is no mathematics
    "svg.fonttype": "none",  # text stays text, in the page's own font
    "font.size": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#6b7280",
    "axes.labelcolor": "#374151",
    "xtick.color": "#6b7280",
    "ytick.color": "#6b7280",
    "xtick.labelcolor": "#374151",
    "ytick.labelcolor": "#374151",
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlecolor": "#111827",
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
    "figure.constrained_layout.use": True,
}


def roc(expert: Scores, baselines: Mapping[str, Scores]) -> str:
    """ROC curves of the expert and the baselines on the test images."""
    from sklearn.metrics import roc_curve

    with _canvas("roc", 4.0, 3.8) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (4, 4)))
        for (name, scores), colour in zip(baselines.items(), BASELINES * len(baselines), strict=False):
            x, y, _ = roc_curve(scores.fake, scores.margin)
            axes.plot(x, y, color=colour, linewidth=1.2, label=name)
        x, y, _ = roc_curve(expert.fake, expert.margin)
        axes.plot(x, y, color=EXPERT, label="expert")
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        axes.set(xlabel="share of reals called fake", ylabel="share of fakes called fake")
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], labels[::-1], loc="lower right")
        return svg(figure, "roc", "ROC curves")


def reliability_diagram(found: Mapping[str, Reliability]) -> str:
    """One reliability diagram a set of probabilities, each with its consistency band."""
    with _canvas("reliability", 4.6 * len(found), 4.6, columns=len(found)) as (figure, first):
        for axes, (name, bins) in zip(figure.axes, found.items(), strict=True):
            axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (4, 4)))
            axes.vlines(bins.said, bins.low, bins.high, color="#c7d2e5", linewidth=5)
            axes.plot(bins.said, bins.were, "o-", color=EXPERT, markersize=4, linewidth=1)
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
            axes.set(xlabel="mean probability of fake in a bin")
            axes.set_title(f"{name}\nECE {bins.ece:.3f}; a perfect scorer: up to {bins.ece_band:.3f}")
        first.set(ylabel="share of fakes in the bin")
        return svg(figure, "reliability", "Reliability diagrams")


def margins(scores: Scores) -> str:
    """Histogram of the margin for fakes and reals."""
    with _canvas("margins", 5.9, 3.8) as (figure, axes):
        low, high = float(scores.margin.min()), float(scores.margin.max())
        pad = max(1e-3, 0.02 * (high - low))
        bins = np.linspace(low - pad, high + pad, min(41, 13 + len(scores) // 20))
        for mask, colour, name in ((~scores.fake, REAL, "real"), (scores.fake, FAKE, "fake")):
            label = f"{name} ({mask.sum():,})"
            axes.hist(scores.margin[mask], bins=bins.tolist(), color=colour, alpha=0.55, label=label)
        axes.axvline(0, color="#374151", linewidth=0.8)
        axes.set(xlabel="margin: logit of fake minus real (0 is a probability of 0.5)", ylabel="images")
        axes.legend()
        return svg(figure, "margins", "Histogram of margins by label")


def generator_bars(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """AUC per generator, a bar for the expert and for each baseline.

    Args:
        rows: Expert or baseline name to its `per_generator` table; the first names the generators.
    """
    names = [name for name, row in next(iter(rows.values())).items() if row["auc"] is not None]
    thick = 0.8 / len(rows)
    colours = (EXPERT, *BASELINES * len(rows))
    with _canvas("generators", 7.2, 0.9 + len(names) * max(0.34, 0.17 * len(rows))) as (figure, axes):
        for index, (who, table) in enumerate(rows.items()):
            areas = [table[name]["auc"] if name in table else None for name in names]
            places = np.arange(len(names)) - 0.4 + thick * (index + 0.5)
            widths = [math.nan if area is None else area for area in areas]  # no bar where there is no figure
            axes.barh(places, widths, thick * 0.86, color=colours[index], label=who)
        axes.axvline(0.5, color=GREY, linewidth=0.8, linestyle=(0, (4, 4)))
        axes.set_yticks(range(len(names)), [name if len(name) <= 40 else name[:39] + "…" for name in names])
        axes.invert_yaxis()
        axes.set(xlim=(0, 1), xlabel="AUC against the same reals (dashed: chance)")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return svg(figure, "generators", "AUC per generator")


@contextmanager
def _canvas(name: str, width: float, height: float, columns: int = 1) -> Iterator[tuple[Figure, Axes]]:
    """A figure of one row of axes in the report's style, and the first of its axes; sizes in inches."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: Any = {**STYLE, "svg.hashsalt": name}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(width, height))
        figure.subplots(1, columns, sharey=True)
        yield figure, figure.axes[0]


def svg(figure: Figure, name: str, title: str) -> str:
    """The figure as an `<svg>` element: ids made unique by `name`, no metadata, no address to fetch."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    return text.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
