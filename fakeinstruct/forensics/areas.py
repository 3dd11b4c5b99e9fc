"""Areas: the pixels that a trace cites, and random places of the same shape and size to compare them with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.base.boxes import Fractions, to_pixels
from fakeinstruct.chains.masks import decode_mask
from fakeinstruct.chains.schema import Region

Pixels = NDArray[np.bool_]
"""Which pixels of a picture, shape (height, width)."""

COARSE = 64
"""Side of the raster on which the share of a picture that regions cover is reckoned."""

TURNS = 64
"""Shifts round the border that are tried for an area that fits nowhere else."""


@dataclass(frozen=True)
class Area:
    """The pixels of some regions, or as many in a random place beside them.

    Attributes:
        regions: The regions.
        seed: Of the random place; absent, the pixels of the regions themselves.
    """

    regions: tuple[Region, ...]
    seed: int | None = None

    def pixels(self, width: int, height: int) -> Pixels:
        """The area in a picture of this size, at least one pixel."""
        parts = [region_pixels(region, width, height) for region in self.regions]
        if self.seed is None:
            return _union(parts)
        return elsewhere(parts, np.random.default_rng(self.seed))

    def share(self) -> float:
        """Share of the picture that it covers, 0 to 1, to about a percent."""
        return float(self.pixels(COARSE, COARSE).mean())


def region_pixels(region: Region, width: int, height: int) -> Pixels:
    """The pixels of a region: of its mask if it has one, else of its polygon, else of its box.

    A pixel belongs to a polygon if its centre does; a mask of another size is scaled. Where a mask or polygon takes
    in no pixel, the box stands for it, which is at least one pixel wide and high.
    """
    pixels = np.zeros((height, width), dtype=bool)
    if region.mask:
        pixels = _scaled(decode_mask(region.mask), width, height)
    elif region.polygon:
        from skimage.draw import polygon2mask

        corners = [(y * height - 0.5, x * width - 0.5) for x, y in region.polygon]
        pixels = np.asarray(polygon2mask((height, width), corners), dtype=bool)
    return pixels if pixels.any() else _box_pixels(region.box, width, height)


def elsewhere(parts: Sequence[Pixels], rng: np.random.Generator) -> Pixels:
    """As many pixels as the parts together, of the same shapes, in a random place that avoids them.

    Each part moves by itself, upright and whole, to any place where its bounding box meets neither a cited pixel nor
    a part that was moved before; where there is none, to one where it meets nearly as few as may be. Parts that would
    then cover one another move together. What still covers more than half of the cited pixels, having no room to
    move, is shifted round the picture's border instead, by that of some random shifts which covers fewest.

    Args:
        parts: Of each region its pixels.
        rng: Draws the places.
    """
    cited = _union(parts)
    moved, taken = np.zeros_like(cited), cited.copy()
    for part in _disjoint(parts):
        placed = _moved(part, taken, rng)
        moved |= placed
        taken |= placed
    if moved.sum() < cited.sum():
        moved = _moved(cited, cited, rng)
    if 2 * (moved & cited).sum() > cited.sum():
        shifts = rng.integers(0, cited.shape, size=(TURNS, 2)).tolist()
        turned = (np.roll(cited, shift, axis=(0, 1)) for shift in shifts)
        moved = min(turned, key=lambda pixels: int((pixels & cited).sum()))
    return moved


def _moved(part: Pixels, taken: Pixels, rng: np.random.Generator) -> Pixels:
    """A part in a place where its bounding box meets none of the taken pixels, or nearly as few as may be."""
    rows, columns = _extent(part)
    shape = part[rows, columns]
    met = _sums(taken, *shape.shape)
    slack = shape.size // 20 if met.min() else 0  # or several draws would be one place, the farthest corner
    best = np.flatnonzero(met <= met.min() + slack)
    row, column = divmod(int(best[rng.integers(len(best))]), met.shape[1])
    placed = np.zeros_like(part)
    placed[row : row + shape.shape[0], column : column + shape.shape[1]] = shape
    return placed


def _sums(pixels: Pixels, height: int, width: int) -> NDArray[np.int32]:
    """Number of set pixels in every window of a size, by the place of its upper left pixel."""
    sums = np.zeros((pixels.shape[0] + 1, pixels.shape[1] + 1), dtype=np.int32)
    np.cumsum(pixels, axis=0, out=sums[1:, 1:])
    np.cumsum(sums, axis=1, out=sums)
    rows = sums[height:] - sums[:-height]
    return np.asarray(rows[:, width:] - rows[:, :-width])


def _disjoint(parts: Sequence[Pixels]) -> Iterator[Pixels]:
    """The parts without what earlier ones have already."""
    seen = np.zeros_like(parts[0])
    for part in parts:
        if (part & ~seen).any():
            yield part & ~seen
        seen = seen | part


def _union(parts: Sequence[Pixels]) -> Pixels:
    return np.asarray(np.any(parts, axis=0))


def _extent(pixels: Pixels) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _box_pixels(box: Fractions, width: int, height: int) -> Pixels:
    x0, y0, x1, y1 = to_pixels(box, width, height)
    left, upper = min(x0, width - 1), min(y0, height - 1)
    pixels = np.zeros((height, width), dtype=bool)
    pixels[upper : max(y1, upper + 1), left : max(x1, left + 1)] = True
    return pixels


def _scaled(mask: Pixels, width: int, height: int) -> Pixels:
    """The nearest pixels of a mask of another size."""
    rows = (np.arange(height) * 2 + 1) * mask.shape[0] // (2 * height)
    columns = (np.arange(width) * 2 + 1) * mask.shape[1] // (2 * width)
    return mask[np.ix_(rows, columns)]
