"""Edited fakes: seven known edits of a crop, each true to what is said of it because it is made that way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import splu

from fakeinstruct.chains.sample.photographs import SIDE, Pixels, detail, luminance
from fakeinstruct.chains.sample.process import Values, blurred, to_pixels

Alpha = NDArray[np.float64]
"""Share of the edit in each pixel, 0 to 1, shape (64, 64)."""

PixelBox = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, the last two exclusive."""

ROWS, COLUMNS = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)

SPOTS = 12
"""Places drawn for an edit that needs something to spoil; it takes the one with the most detail."""


@dataclass(frozen=True)
class Edited:
    """An edited crop.

    Attributes:
        pixels: Shape (64, 64, 3); equal to the crop outside of the first box.
        boxes: The edited area, then areas that the text compares it with.
        facts: How the edit was done, for the words.
    """

    pixels: Pixels
    boxes: tuple[PixelBox, ...]
    facts: dict[str, str] = field(default_factory=dict)


Edit = Callable[[np.random.Generator, Pixels], Edited]


def smooth(rng: np.random.Generator, crop: Pixels) -> Edited:
    """Over-smoothing: the fine structure of one area is blurred away."""
    alpha = _ellipse(*_busy_spot(rng, crop, (11, 17)))
    sigma = rng.uniform(2.0, 3.2)
    return _blend(crop, blurred(crop, sigma), alpha)


def light(rng: np.random.Generator, crop: Pixels) -> Edited:
    """Inconsistent light: one area is lit, or put in shadow, and the rest is not."""
    alpha = _ellipse(*_spot(rng, (13, 20)), feather=0.7)
    too_bright = luminance(crop)[alpha > 0].mean() > 150  # to be lit once more
    brighter = bool(rng.random() < 0.5) and not too_bright
    strength = rng.uniform(0.35, 0.55)
    values = crop.astype(np.float64)
    lit = values + strength * (255 - values) * (values / 255) ** 0.4
    changed = lit if brighter else values * (1 - strength)
    return _blend(crop, changed, alpha, change="brighter" if brighter else "darker")


def halo(rng: np.random.Generator, crop: Pixels) -> Edited:
    """Halo edges: in one area each outline gets a light rim on one side and a dark one on the other."""
    alpha = _ellipse(*_busy_spot(rng, crop, (12, 18)))
    sigma, gain = rng.uniform(1.3, 2.0), rng.uniform(1.3, 2.2)
    values = crop.astype(np.float64)
    rims = values + gain * (values - blurred(crop, sigma))
    return _blend(crop, rims, alpha)


def warp(rng: np.random.Generator, crop: Pixels) -> Edited:
    """Warped shape: one area is twisted about its centre, or shaken into waves."""
    row, column, down, across = _busy_spot(rng, crop, (13, 18))
    alpha = _ellipse(row, column, down, across, feather=1.0)
    if rng.random() < 0.5:
        angle = rng.choice([-1, 1]) * np.deg2rad(rng.uniform(55, 95)) * alpha
        y, x = ROWS - row, COLUMNS - column
        rows = row + y * np.cos(angle) - x * np.sin(angle)
        columns = column + y * np.sin(angle) + x * np.cos(angle)
        change = "twisted"
    else:
        reach, wave = rng.uniform(2.5, 4.0), 2 * np.pi / rng.uniform(9, 14)
        rows = ROWS + reach * alpha * np.sin(wave * COLUMNS)
        columns = COLUMNS + reach * alpha * np.sin(wave * ROWS)
        change = "wavy"
    return _blend(crop, _sample(crop, rows, columns), (alpha > 0).astype(np.float64), change=change)


def symmetry(rng: np.random.Generator, crop: Pixels) -> Edited:
    """Broken symmetry: one half of an area becomes the mirror image of the other, set higher or lower."""
    row, column, down, across = _busy_spot(rng, crop, (13, 19))
    y0, y1, half = round(row - down), round(row + down), round(across)
    axis = round(column)
    shift = int(rng.integers(4, 8)) * int(rng.choice([-1, 1]))
    to_the_right = bool(rng.random() < 0.5)
    rows = np.clip(np.arange(y0, y1) - shift, 0, SIDE - 1)
    left, right = slice(axis - half, axis), slice(axis, axis + half)
    source, target = (left, right) if to_the_right else (right, left)
    pixels = crop.copy()
    pixels[y0:y1, target] = crop[rows][:, source][:, ::-1]
    facts = {
        "side": "right" if to_the_right else "left",
        "other": "left" if to_the_right else "right",
        "change": "lower" if shift > 0 else "higher",
    }
    boxes = ((target.start, y0, target.stop, y1), (source.start, y0, source.stop, y1))
    return Edited(pixels, boxes, facts)


def removal(rng: np.random.Generator, crop: Pixels) -> Edited:
    """Removed content: an area is cut out and filled from its rim, as smoothly as can be."""
    alpha = _ellipse(*_busy_spot(rng, crop, (8, 12)), feather=1.0)
    return _blend(crop, _fill(crop, alpha > 0), (alpha > 0).astype(np.float64))


def clone(rng: np.random.Generator, crop: Pixels) -> Edited:
    """Repeated texture: a patch with detail appears a second time elsewhere."""
    row, column, down, across = _busy_spot(rng, crop, (8, 11))
    while True:
        to_row, to_column = int(rng.integers(down, SIDE - down)), int(rng.integers(across, SIDE - across))
        if np.hypot((to_row - row) / (2 * down), (to_column - column) / (2 * across)) >= 1:
            break  # the ellipses do not overlap; in a corner there is always room for one that does not
    alpha = _ellipse(to_row, to_column, down, across)
    moved = np.roll(crop, (to_row - row, to_column - column), axis=(0, 1))
    edited = _blend(crop, moved.astype(np.float64), alpha)
    source = _bounds(_ellipse(row, column, down, across) > 0)
    return Edited(edited.pixels, (*edited.boxes, source))


EDITS: dict[str, Edit] = {
    "smooth": smooth,
    "light": light,
    "halo": halo,
    "warp": warp,
    "symmetry": symmetry,
    "removal": removal,
    "clone": clone,
}
"""Every edit by the name that follows "edit-" in a chain's generator."""


def _spot(rng: np.random.Generator, radii: tuple[int, int]) -> tuple[int, int, int, int]:
    """Row, column, and radii down and across of an area that lies inside the crop."""
    down, across = (int(radius) for radius in rng.integers(radii[0], radii[1] + 1, size=2))
    return int(rng.integers(down, SIDE - down)), int(rng.integers(across, SIDE - across)), down, across


def _busy_spot(rng: np.random.Generator, crop: Pixels, radii: tuple[int, int]) -> tuple[int, int, int, int]:
    """Of several spots the one with the most detail."""
    luma = luminance(crop)
    spots = [_spot(rng, radii) for _ in range(SPOTS)]
    return max(spots, key=lambda s: detail(luma[s[0] - s[2] : s[0] + s[2], s[1] - s[3] : s[1] + s[3]]))


def _ellipse(row: int, column: int, down: int, across: int, *, feather: float = 0.4) -> Alpha:
    """An ellipse that fades out over the outer `feather` of its radius, and is 0 beyond it."""
    distance = np.hypot((ROWS - row) / down, (COLUMNS - column) / across)
    rise = np.clip((1 - distance) / feather, 0, 1)
    return np.asarray(rise * rise * (3 - 2 * rise), np.float64)


def _blend(crop: Pixels, changed: Values, alpha: Alpha, **facts: str) -> Edited:
    share = alpha[:, :, None]
    return Edited(to_pixels(crop * (1 - share) + changed * share), (_bounds(alpha > 0),), facts)


def _bounds(mask: NDArray[np.bool_]) -> PixelBox:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _sample(crop: Pixels, rows: Alpha, columns: Alpha) -> Values:
    """The crop at fractional places, linearly between pixels."""
    values = crop.astype(np.float64)
    layers = [map_coordinates(values[:, :, c], (rows, columns), order=1, mode="nearest") for c in range(3)]
    return np.stack(layers, axis=-1)


def _fill(crop: Pixels, mask: NDArray[np.bool_]) -> Values:
    """Harmonic inpainting: inside the mask each pixel is the mean of its four neighbours (Laplace's equation).

    The mask does not touch the border: an ellipse inside the crop fades to zero before it.
    """
    places = np.argwhere(mask)
    number = {(int(row), int(column)): index for index, (row, column) in enumerate(places)}
    system = lil_matrix((len(places), len(places)))
    known = np.zeros((len(places), 3))
    for (row, column), index in number.items():
        system[index, index] = 4
        for near in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if near in number:
                system[index, number[near]] = -1
            else:
                known[index] += crop[near]
    filled = crop.astype(np.float64)
    filled[mask] = splu(system.tocsc()).solve(known)
    return filled
