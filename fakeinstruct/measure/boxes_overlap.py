"""Overlap of two sets of regions of one image: boxes matched one to one, and the areas that they cover together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from fakeinstruct.base.boxes import Fractions
from fakeinstruct.chains.masks import decode_mask
from fakeinstruct.chains.schema import Region

HIT = 0.5
"""IoU from which on a box counts as found."""

GRID = 512
"""Points along the longer side of the grid on which polygons and masks are compared."""


class Matched(NamedTuple):
    """Boxes of a text and of annotators, matched one to one so that the sum of IoU is largest.

    Attributes:
        iou: Sum of the IoU of the pairs by the larger number of boxes: a box too many costs as much as one too few.
            1 where both are empty, 0 where one is.
        pair_iou: Mean IoU of the pairs alone; None where there is no pair.
        precision: Share of the text's boxes that find one of their own; None where it has no box.
        recall: Share of the annotators' boxes that are found by one of their own; None where they have none.
    """

    iou: float
    pair_iou: float | None
    precision: float | None
    recall: float | None


def ious(some: Sequence[Fractions], others: Sequence[Fractions]) -> NDArray[np.float64]:
    """Intersection by union of every pair of boxes, shape (some, others)."""
    one, other = (np.asarray(each, dtype=np.float64).reshape(-1, 4) for each in (some, others))
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(-1)  # each side alone: boxes apart on both axes share nothing
    area, area_other = (np.prod(each[:, 2:] - each[:, :2], axis=-1) for each in (one, other))
    table: NDArray[np.float64] = common / (area[:, None] + area_other[None] - common)
    return table


def match(written: Sequence[Fractions], true: Sequence[Fractions]) -> Matched:
    """Match the boxes of a text with the annotators'.

    Precision and recall count pairs with an IoU of at least `HIT`, matched so that there are as many as can be.
    """
    if not written or not true:
        return Matched(
            float(len(written) == len(true)), None, 0.0 if written else None, 0.0 if true else None
        )
    table = ious(written, true)
    found = table[linear_sum_assignment(table, maximize=True)].sum()
    near = (table >= HIT).astype(np.float64)
    hits = int(near[linear_sum_assignment(near, maximize=True)].sum())
    larger, smaller = max(table.shape), min(table.shape)
    return Matched(float(found / larger), float(found / smaller), hits / len(written), hits / len(true))


def union_iou(some: Sequence[Fractions], others: Sequence[Fractions]) -> float:
    """IoU of the areas that two sets of boxes cover, exact; 1 where both are empty.

    The edges of all boxes cut the image into cells, each of which a box covers wholly or not at all.
    """
    edges = np.asarray([*some, *others], dtype=np.float64).reshape(-1, 2, 2)
    if not len(edges):
        return 1.0
    across, down = np.unique(edges[..., 0]), np.unique(edges[..., 1])
    areas = np.diff(down)[:, None] * np.diff(across)[None]
    one, other = (_covered(each, across[:-1], down[:-1]) for each in (some, others))
    return float(areas[one & other].sum() / areas[one | other].sum())


def region_iou(boxes: Sequence[Fractions], regions: Sequence[Region], size: tuple[int, int]) -> float:
    """IoU of the area that boxes cover and that of regions, polygons and masks as they are.

    Boxes alone are compared exactly. Else a grid of points is laid over the image, one a pixel, at most `GRID` along
    the longer side; a point counts for what it lies in.

    Args:
        boxes: Of a text.
        regions: Of annotators.
        size: Width and height of the image in pixels.
    """
    if all(each.polygon is None and each.mask is None for each in regions):
        return union_iou(boxes, [each.box for each in regions])
    across, down = grid(size)
    covered = _covered(boxes, across, down)
    true = np.zeros_like(covered)
    for region in regions:
        true |= raster(region, across, down)
    either = int((covered | true).sum())
    return float((covered & true).sum() / either) if either else 1.0


def grid(size: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middles of the cells of a grid over an image, across and down, in fractions of it."""
    scale = min(1.0, GRID / max(size))
    across, down = ((np.arange(n) + 0.5) / n for n in (max(1, round(side * scale)) for side in size))
    return across, down


def raster(region: Region, across: NDArray[np.float64], down: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The points of a grid that lie in a region's mask, or else its polygon, or else its box; shape (down, across)."""
    if region.mask is not None:
        pixels = decode_mask(region.mask)
        height, width = pixels.shape
        return pixels[np.ix_((down * height).astype(int), (across * width).astype(int))]
    if region.polygon is not None:
        return _inside(region.polygon, across, down)
    return _covered([region.box], across, down)


def _covered(boxes: Sequence[Fractions], across: ArrayLike, down: ArrayLike) -> NDArray[np.bool_]:
    """Points that lie in any of the boxes, their upper left edges included, shape (down, across)."""
    x, y = np.asarray(across), np.asarray(down)
    covered = np.zeros((len(y), len(x)), dtype=np.bool_)
    for x0, y0, x1, y1 in boxes:
        covered |= ((y >= y0) & (y < y1))[:, None] & ((x >= x0) & (x < x1))[None]
    return covered


def _inside(
    polygon: Sequence[tuple[float, float]], across: NDArray[np.float64], down: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Points inside a polygon by the even-odd rule: a line to the left crosses its edges an odd number of times."""
    inside = np.zeros((len(down), len(across)), dtype=np.bool_)
    for (x0, y0), (x1, y1) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if y0 == y1:
            continue
        rows = np.flatnonzero((down >= min(y0, y1)) & (down < max(y0, y1)))
        crossing = x0 + (down[rows] - y0) / (y1 - y0) * (x1 - x0)
        inside[rows] ^= across[None] > crossing[:, None]
    return inside
