"""Tables of boxes that an expert named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakeinstruct.measure.report.cells import Table
from fakeinstruct.measure.report.words import HEAD, figure_rows

BOXES: dict[str, tuple[str | None, str]] = {
    "matched_iou": ("n", "IoU, matched one to one"),
    "pair_iou": ("n_with_box", "IoU of the pairs alone"),
    "union_iou": ("n", "IoU of the areas covered"),
    "precision": ("n_with_box", "precision"),
    "recall": ("n", "recall"),
    "boxes": ("n", "boxes an image"),
    "boxes_annotated": ("n", "annotated boxes an image"),
    "claimed_on_real": ("n_real", "reals that get any box"),
}
"""Figures of boxes, under which name their number of images stands, and what they are called."""


def box_tables(row: Mapping[str, Any]) -> list[Table]:
    """The tables of `boxes` of `figures.json`."""
    counts = row["images_by_iou"]
    tenths = [f"{place / len(counts):.1f} to {(place + 1) / len(counts):.1f}" for place in range(len(counts))]
    found = [Table("boxes", HEAD, tuple(figure_rows(row, BOXES, row["n"])))]
    if any(counts):
        found.append(
            Table("boxes: images by matched IoU", ("IoU", "images"), tuple(zip(tenths, counts, strict=True)))
        )
    passed = (("fakes of which nobody marked where", row["left_out"]), ("malformed boxes", row["malformed"]))
    rules = tuple((name.replace("_", " "), how) for name, how in row["rules"].items())
    return [
        *found,
        Table("boxes: passed over", ("what", "number"), passed),
        Table("boxes: rules", ("of", "rule"), rules),
    ]
