"""Boxes: fractions of the image, x0 < x1 and y0 < y1, and the conversions at the border."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

Fractions = tuple[float, float, float, float]

WHOLE_PICTURE = "whole picture"
"""The place of a box that covers most of the image, see `place`."""


def _check(box: Fractions) -> Fractions:
    x0, y0, x1, y1 = box
    if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
        raise ValueError(
            f"box {list(box)} is not x0, y0, x1, y1 in fractions of the image with x0 < x1 and y0 < y1"
        )
    return box


Box = Annotated[Fractions, AfterValidator(_check)]
"""x0, y0, x1, y1 in fractions of the image, 0 to 1, the first corner above and left of the second."""


def from_pixels(box: tuple[float, float, float, float], width: int, height: int) -> Fractions:
    """Fractions of a box given as x0, y0, x1, y1 in pixels of a `width` x `height` image.

    Raises:
        ValueError: If the box is empty or leaves the image.
    """
    x0, y0, x1, y1 = box
    return _check((x0 / width, y0 / height, x1 / width, y1 / height))


def to_pixels(box: Fractions, width: int, height: int) -> tuple[int, int, int, int]:
    """Pixels x0, y0, x1, y1 of a box in fractions, rounded to the nearest."""
    x0, y0, x1, y1 = box
    return round(x0 * width), round(y0 * height), round(x1 * width), round(y1 * height)


def place(box: Fractions) -> str:
    """Where a box lies, in words: one of nine cells, or the whole picture.

    >>> place((0.0, 0.0, 0.3, 0.3))
    'upper left'
    >>> place((0.4, 0.4, 0.6, 0.6))
    'centre'
    """
    x0, y0, x1, y1 = box
    if (x1 - x0) * (y1 - y0) > 0.6:
        return WHOLE_PICTURE
    column = ("left", "", "right")[min(2, int((x0 + x1) / 2 * 3))]
    row = ("upper", "", "lower")[min(2, int((y0 + y1) / 2 * 3))]
    if row and column:
        return f"{row} {column}"
    if row:
        return f"{row} middle"
    return f"{column} side" if column else "centre"
