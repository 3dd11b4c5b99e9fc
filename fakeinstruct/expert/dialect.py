"""How models write boxes: each family learned one way before it came to us.

Our pairs write thousandths in InternVL's markup (`base.grammar`), which any model learns by training. The others
are for reading what a published model answers, and for data in its own words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fakeinstruct.base.boxes import Fractions, to_pixels
from fakeinstruct.base.grammar import box_text, find_boxes, thousandths

Size = tuple[int, int]
"""Width and height in pixels of the picture as the processor resized it; its ratio alone matters to some."""

_NUMBER = r"\s*(-?\d{1,5}(?:\.\d{1,6})?)\s*"
_FOUR = rf"\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}\]"
_JSON_BOX = re.compile(rf'"bbox_2d"\s*:\s*{_FOUR}')
_PLAIN_BOX = re.compile(_FOUR)
_CORNERS = re.compile(
    rf"<\|box_start\|>\s*\({_NUMBER},{_NUMBER}\)\s*,\s*\({_NUMBER},{_NUMBER}\)\s*<\|box_end\|>"
)
"""The Qwen family's other way, by two corners; its numbers mean what they mean in its JSON."""


@dataclass(frozen=True)
class Dialect:
    """A way to write boxes.

    Attributes:
        name: What the documentation calls it.
        write: Boxes in fractions of the picture, and its size, to text.
        read: The boxes of a text, in fractions, given the size; what is malformed, empty or outside is passed over.
    """

    name: str
    write: Callable[[Sequence[Fractions], Size], str]
    read: Callable[[str, Size], tuple[Fractions, ...]]


def _find(
    pattern: re.Pattern[str], text: str, scale: Callable[[Fractions], Fractions], slack: float = 0.0
) -> tuple[Fractions, ...]:
    """Boxes of a text; an edge that lies outside the picture by no more than the slack is put on its border."""
    found = []
    for match in pattern.finditer(text):
        a, b, c, d = map(float, match.groups())
        edges = scale((a, b, c, d))
        if min(edges) >= -slack and max(edges) <= 1 + slack:
            x0, y0, x1, y1 = (min(max(edge, 0.0), 1.0) for edge in edges)
            if x0 < x1 and y0 < y1:
                found.append((x0, y0, x1, y1))
    return tuple(found)


def _json(boxes: Sequence[Sequence[int]]) -> str:
    return json.dumps([{"bbox_2d": list(box)} for box in boxes])


def _write_pixels(boxes: Sequence[Fractions], size: Size) -> str:
    return _json([to_pixels(box, *size) for box in boxes])


def _read_pixels(text: str, size: Size) -> tuple[Fractions, ...]:
    width, height = size

    def scale(box: Fractions) -> Fractions:
        return box[0] / width, box[1] / height, box[2] / width, box[3] / height

    return _find(_JSON_BOX, text, scale) or _find(_CORNERS, text, scale)


def _read_json_thousandths(text: str, _: Size) -> tuple[Fractions, ...]:
    return _read_pixels(text, (1000, 1000))


def _margins(size: Size) -> tuple[float, float, int]:
    """What a picture is filled up by on the left and above to become a square, and the square's side."""
    side = max(size)
    return (side - size[0]) / 2, (side - size[1]) / 2, side


def _write_square(boxes: Sequence[Fractions], size: Size) -> str:
    (width, height), (left, above, side) = size, _margins(size)
    texts = []
    for x0, y0, x1, y1 in boxes:
        pixels = (x0 * width + left, y0 * height + above, x1 * width + left, y1 * height + above)
        texts.append(f"[{', '.join(f'{pixel / side:.2f}' for pixel in pixels)}]")
    return ", ".join(texts)


def _read_square(text: str, size: Size) -> tuple[Fractions, ...]:
    (width, height), (left, above, side) = size, _margins(size)

    def scale(box: Fractions) -> Fractions:
        x0, y0, x1, y1 = (edge * side for edge in box)
        return (x0 - left) / width, (y0 - above) / height, (x1 - left) / width, (y1 - above) / height

    # two decimals round half a hundredth of the square
    return _find(_PLAIN_BOX, text, scale, slack=0.006 * side / min(size))


THOUSANDTHS = Dialect(
    "<box>[[x0, y0, x1, y1]]</box> in thousandths of the picture",
    lambda boxes, _: box_text(boxes),
    lambda text, _: tuple(box for found in find_boxes(text) for box in found.boxes),
)
"""InternVL's, and ours."""

JSON_PIXELS = Dialect(
    '{"bbox_2d": [x0, y0, x1, y1]} in pixels of the resized picture', _write_pixels, _read_pixels
)
"""Qwen2.5-VL's."""

JSON_THOUSANDTHS = Dialect(
    '{"bbox_2d": [x0, y0, x1, y1]} in thousandths of the picture',
    lambda boxes, _: _json([thousandths(box) for box in boxes]),
    _read_json_thousandths,
)
"""Qwen3-VL's."""

SQUARE_FRACTIONS = Dialect(
    "[x0, y0, x1, y1] in fractions of the picture filled up to a square", _write_square, _read_square
)
"""LLaVA-1.5's, whose own code fills pictures up to a square before it resizes them."""
