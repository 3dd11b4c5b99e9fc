"""What every drawing of the report shares: its style, its colours, and how it becomes SVG inside the page.

A drawing needs no file, no script and no network. Its colours are names of the page's own (`--plot-ink`), so that it
turns light and dark with the page.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, GREY, PAPER = "#374151", "#6b7280", "#8a8f98", "#ffffff"
"""Words, axes, lines of reference and the ground."""

EXPERT, BAND, FAKE, REAL = "#1e3a8a", "#c7d2e5", "#c2410c", "#0f766e"
"""Colours that stay apart for colour-blind readers and in grey."""

BASELINES = ("#b7791f", "#7c6fb0", "#5f6b7a", "#9d5c73", "#3f7d20", "#0e7490")
"""Colours of the baselines, in the order they are named."""

NAMES = {
    **{INK: "ink", SOFT: "soft", GREY: "grey", PAPER: "paper"},
    **{EXPERT: "expert", BAND: "band", FAKE: "fake", REAL: "real"},
    **{colour: f"beside-{place}" for place, colour in enumerate(BASELINES)},
}
"""Name of each colour in `report.css.jinja`, after `--plot-`."""

STYLE = {
    "text.parse_math": False,  # a dollar sign in the name of a generator is no mathematics
    "svg.fonttype": "none",  # text stays text, in the page's own font
    "font.size": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
    "figure.constrained_layout.use": True,
}

DASHED = (0, (4, 4))
"""Lines of reference: chance, the diagonal."""


@contextmanager
def canvas(
    name: str, width: float, height: float, *, columns: int = 1, rows: Sequence[float] = (1,), **share: Any
) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure in the report's style, and its axes row by row.

    Args:
        name: Makes the ids of the drawing its own.
        width: In inches.
        height: In inches.
        columns: Axes in a row.
        rows: Relative height of each row.
        share: `sharex`, `sharey` as in `Figure.subplots`.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: Any = {**STYLE, "svg.hashsalt": name}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(width, height))
        figure.subplots(len(rows), columns, height_ratios=list(rows), squeeze=False, **share)
        yield figure, figure.axes


def svg(figure: Figure, name: str, title: str) -> str:
    """The figure as an `<svg>` element: ids made unique by `name`, no metadata, no address to fetch.

    Args:
        figure: The drawing.
        name: Put before every id.
        title: What the drawing shows, for those who do not see it.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    text = re.sub(r'style="[^"]*"', lambda style: _named_colours(style[0]), text)
    return text.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)


def _named_colours(style: str) -> str:
    return re.sub(
        r"#[0-9a-f]{6}",
        lambda hit: f"var(--plot-{NAMES[hit[0]]},{hit[0]})" if hit[0] in NAMES else hit[0],
        style,
    )


def shortened(name: str, most: int = 40) -> str:
    """A name that fits beside an axis."""
    return name if len(name) <= most else name[: most - 1] + "…"
