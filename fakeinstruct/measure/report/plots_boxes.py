"""A drawing of how near the boxes that an expert names come to those that annotators drew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fakeinstruct.measure.report.plots import BAND, EXPERT, FAKE, INK, canvas, svg

FIGURES = {
    "matched_iou": "matched IoU",
    "pair_iou": "IoU of pairs",
    "union_iou": "IoU of areas",
    "precision": "precision",
    "recall": "recall",
    "claimed_on_real": "reals with a box",
}
"""Figures beside the histogram, and what they are called."""


def box_plot(row: Mapping[str, Any]) -> str:
    """Images by their matched IoU with its mean, and every figure of boxes with its interval beside it.

    Args:
        row: `boxes` of the figures, of at least one image.
    """
    counts = row["images_by_iou"]
    with canvas("boxes", 8.4, 3.4, columns=2) as (figure, (left, right)):
        edges = np.linspace(0, 1, len(counts) + 1)
        left.bar(edges[:-1], counts, np.diff(edges) * 0.94, align="edge", color=EXPERT, alpha=0.82)
        if row["matched_iou_low"] is not None:
            left.axvspan(row["matched_iou_low"], row["matched_iou_high"], color=BAND, alpha=0.6, zorder=0)
        left.axvline(row["matched_iou"], color=INK, linewidth=1.2)
        left.locator_params(axis="y", integer=True)
        left.set(xlim=(-0.01, 1.01), xlabel="matched IoU of an image (line: mean)", ylabel="images")
        left.set_title(f"{row['n']:,} images, mean {row['matched_iou']:.3f}")
        names = [name for name in FIGURES if row[name] is not None]
        for place, name in enumerate(names):
            colour = FAKE if name == "claimed_on_real" else EXPERT
            if row[f"{name}_low"] is not None:
                right.hlines(place, row[f"{name}_low"], row[f"{name}_high"], color=BAND, linewidth=5)
            right.plot(row[name], place, "o", color=colour, markersize=6)
        right.set_yticks(range(len(names)), [FIGURES[name] for name in names])
        right.set(ylim=(len(names) - 0.5, -0.5), xlim=(-0.02, 1.02))
        right.set(xlabel="mean over images (pale: 95 % interval)")
        right.set_title(f"with a box: {row['n_with_box']:,}; reals: {row['n_real']:,}")
        return svg(figure, "boxes", f"Matched IoU of {row['n']:,} images, and the figures of boxes")
