"""Boxes, polygons and masks of published annotations become regions: fractions of the image, inside it.

Annotations pass the edge by rounding. What passes it by a hair is clipped and counted; what passes it by more is
in another convention or of another image, so that the record is refused.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.base.errors import RecordError
from fakeinstruct.base.images import load_image
from fakeinstruct.chains.masks import encode_mask
from fakeinstruct.chains.schema import Region

HAIR = 0.01
"""Share of an image's side by which a box or polygon may pass its edge."""

HAIR_PIXELS = 2
"""The same in pixels, where that is more: small images round coarser."""

MAX_POINTS = 100_000
"""Most points of a polygon: a hundred times a careful outline."""

MAX_RUNS = 500_000
"""Most runs of a mask; one with more is noise rather than a region."""

EDITED = "This part of the picture was edited."
"""What a mask or box of an edited picture says, as a sentence, where no annotator said more."""

Convention = Literal["xyxy", "xywh", "norm1"]
"""x0, y0, x1, y1 in pixels; x, y, width, height in pixels; x0, y0, x1, y1 in fractions."""


def region_from_box(
    box: Any, size: tuple[int, int] | None, notes: Counter[str], *, convention: Convention
) -> Region:
    """The region of a published box.

    Args:
        box: Four numbers.
        size: Width and height of the frame that pixels are counted in, mostly the image's own; None will do for
            fractions.
        notes: Counts boxes that were clipped.
        convention: What the numbers are.

    Raises:
        RecordError: If it is not four numbers, is empty, or passes the edge by more than a hair.
    """
    numbers = _numbers(box, "box")
    if len(numbers) != 4:
        raise RecordError(f"a box has {len(numbers)} numbers, not 4")
    x0, y0, x1, y1 = numbers
    if convention == "xywh":
        x1, y1 = x0 + x1, y0 + y1
    width, height = _frame(size, convention)
    if not (x0 < x1 and y0 < y1):
        raise RecordError(
            f"a box is empty or turned round ({numbers} as {convention})",
            hint="Its width and height must be above 0.",
        )
    hair = _hair(size)
    points = np.array([(x0 / width, y0 / height), (x1 / width, y1 / height)])
    (x0, y0), (x1, y1) = _clipped(points, hair, notes, "boxes", f"{numbers} as {convention}, {_said(size)}")
    return _region((x0, y0, x1, y1))


def region_from_polygon(points: Any, size: tuple[int, int], notes: Counter[str]) -> Region:
    """The region of a polygon and the box around it.

    Args:
        points: x, y in pixels, flat or in pairs.
        size: The image's width and height.
        notes: Counts polygons that were clipped.

    Raises:
        RecordError: If it is not three or more points around an area, or passes the edge by more than a hair.
    """
    pairs = isinstance(points, Sequence) and any(isinstance(point, Sequence) for point in points)
    if pairs and not all(isinstance(point, Sequence) and len(point) == 2 for point in points):
        raise RecordError("a polygon mixes points x, y with something else")
    numbers = _numbers([value for point in points for value in point] if pairs else points, "polygon")
    if len(numbers) % 2 or not 6 <= len(numbers) <= 2 * MAX_POINTS:
        raise RecordError(
            f"a polygon has {len(numbers)} numbers, not x, y of 3 or more points (at most {MAX_POINTS:,})"
        )
    corners = np.array(numbers).reshape(-1, 2) / size
    said = f"x from {min(numbers[::2])} to {max(numbers[::2])}, y from {min(numbers[1::2])} to {max(numbers[1::2])}"
    corners = _clipped(corners, _hair(size), notes, "polygons", f"{said}, {_said(size)}")
    (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return _region((x0, y0, x1, y1), tuple((x, y) for x, y in corners.tolist()))


def region_from_mask(mask: Path | NDArray[Any], size: tuple[int, int], notes: Counter[str]) -> Region:
    """The region of a pixel mask and the box around it.

    Args:
        mask: An image file, or height x width values: false and true, 0 and 1, or grey of which the lighter half
            is set (a mask saved as JPEG is never pure).
        size: The image's width and height, which the mask must have.
        notes: Counts masks of few grey levels between black and white, whose edge was taken at half.

    Raises:
        RecordError: If it cannot be read, has another size, marks nothing, or is noise.
    """
    values = np.asarray(load_image(mask).convert("L")) if isinstance(mask, Path) else np.asarray(mask)
    if values.ndim != 2 or values.shape != (size[1], size[0]):
        found = " x ".join(map(str, values.shape[1::-1]))
        raise RecordError(f"a mask has another size than its image ({found}, not {size[0]} x {size[1]})")
    pixels = values.astype(np.bool_) if values.max(initial=0) <= 1 else values >= 128
    if not pixels.any():
        raise RecordError(f"a mask marks nothing (its lightest value is {values.max(initial=0)})")
    if values.max() > 1 and ((values > 0) & (values < 255)).any():
        notes["masks with grey levels, cut at half"] += 1
    encoded = encode_mask(pixels)
    if len(encoded.counts) > MAX_RUNS:
        raise RecordError(f"a mask is noise ({len(encoded.counts):,} runs, more than {MAX_RUNS:,})")
    columns, rows = np.flatnonzero(pixels.any(axis=0)), np.flatnonzero(pixels.any(axis=1))
    width, height = size
    box = (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)
    return Region(box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])), mask=encoded)


def _numbers(values: Any, what: str) -> list[float]:
    fine = isinstance(values, Sequence) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )
    try:
        numbers = [float(value) for value in values] if fine else [math.nan]
    except OverflowError:  # a whole number of more than 300 digits
        numbers = [math.inf]
    if not all(map(math.isfinite, numbers)):
        raise RecordError(f"a {what} is not a list of numbers ({str(values)[:80]})")
    return numbers


def _frame(size: tuple[int, int] | None, convention: Convention) -> tuple[int, int]:
    """What stands for the whole width and height in a convention."""
    if convention == "norm1":
        return 1, 1
    if size is None:
        raise RecordError(
            "its boxes need the image's size", hint="Say where the images lie with --image-root."
        )
    return size


def _hair(size: tuple[int, int] | None) -> NDArray[np.float64]:
    """How far past the edge is rounding, as shares of width and height."""
    if size is None:
        return np.array([HAIR, HAIR])
    return np.maximum(HAIR, HAIR_PIXELS / np.array(size))


def _said(size: tuple[int, int] | None) -> str:
    return "image of unknown size" if size is None else f"image of {size[0]} x {size[1]}"


def _clipped(
    points: NDArray[np.float64], hair: NDArray[np.float64], notes: Counter[str], what: str, said: str
) -> NDArray[np.float64]:
    """Points inside the image, if they were so but for a hair."""
    clipped = points.clip(0, 1)
    if (np.abs(points - clipped) > hair + 1e-9).any():
        raise RecordError(
            f"one of its {what} leaves the image ({said})",
            hint="The image may be another, resized, or turned; or the numbers are of another convention.",
        )
    if (points != clipped).any():
        notes[f"{what} clipped at the edge, which they passed by a hair"] += 1
    return clipped


def _region(
    box: tuple[float, float, float, float], polygon: tuple[tuple[float, float], ...] | None = None
) -> Region:
    x0, y0, x1, y1 = map(float, box)
    if not (x0 < x1 and y0 < y1):
        raise RecordError(f"a {'polygon' if polygon else 'box'} has no area inside the image")
    return Region(box=(x0, y0, x1, y1), polygon=polygon)
