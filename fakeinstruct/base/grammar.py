"""The grammar of answers: how boxes are written in a text, and the form of a grounded verdict.

A box is written as InternVL writes it: `<box>[[x0, y0, x1, y1]]</box>`, whole thousandths of the image's width
and height, the first corner above and left of the second. They mean the same at every size that a processor
scales the image to. A grounded answer is

    <think>...</think><tag>name: value</tag><verdict>fake</verdict>

with any number of tags. The verdict is `fake` or `real`, the words that labels have everywhere here; "generated"
would be wrong of an edited photograph. Parsing is strict: what is not quite of this form is not guessed at.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from fakeinstruct.base.boxes import Fractions

SCALE: Final = 1000
"""Steps of a coordinate across the image."""

MARKUP: Final = re.compile(r"</?(?:box|think|tag|verdict)\b[^<>]{0,80}>", re.I)
"""Anything that looks like a tag of the grammar. An annotator's text may hold none."""

_NUMBER = r"(?:0|[1-9][0-9]{0,3})"
_BOX = rf"\[\s*+{_NUMBER}(?:\s*+,\s*+{_NUMBER}){{3}}\s*+\]"
# groups are repeated without being possessive: Python before 3.11.5 matches those wrongly
_BOXES: Final = re.compile(rf"<box>\s*+\[\s*+{_BOX}(?:\s*+,\s*+{_BOX})*\s*+\]\s*+</box>")
_ANSWER: Final = re.compile(
    r"\s*+<think>(?P<think>[^<]*+(?:<(?!/think>)[^<]*+)*)</think>\s*+"
    r"(?P<tags>(?:<tag>[^<>]*+</tag>\s*+)*)"
    r"<verdict>\s*+(?P<verdict>fake|real)\s*+</verdict>\s*+"
)
_TAG: Final = re.compile(r"<tag>\s*+([^<>:]*[^<>:\s])\s*+:\s*+([^<>]*[^<>\s])\s*+</tag>")


class Found(NamedTuple):
    """Boxes that were found in a text.

    Attributes:
        start: Where `<box>` begins in the text.
        end: Where `</box>` ends.
        boxes: The boxes between them, in fractions of the image.
    """

    start: int
    end: int
    boxes: tuple[Fractions, ...]


class Answer(NamedTuple):
    """A grounded answer.

    Attributes:
        think: The reasoning, boxes as they were written.
        boxes: All boxes of the reasoning, in order, in fractions of the image.
        tags: Values by name, in the order of the text.
        verdict: What it says the image is.
    """

    think: str
    boxes: tuple[Fractions, ...]
    tags: dict[str, str]
    verdict: Literal["fake", "real"]


def box_text(boxes: Sequence[Fractions]) -> str:
    """Boxes as they are written in a text; a box thinner than a thousandth is written one thousandth wide.

    Args:
        boxes: One box or more, in fractions of the image.

    Raises:
        ValueError: If there is none.

    >>> box_text([(0.1, 0.25, 0.5, 1.0)])
    '<box>[[100, 250, 500, 1000]]</box>'
    """
    if not boxes:
        raise ValueError("there is no box to write")
    return f"<box>[{', '.join(str(list(thousandths(box))) for box in boxes)}]</box>"


def thousandths(box: Fractions) -> tuple[int, int, int, int]:
    """A box in whole thousandths of the image, 0 to 1000, rounded to the nearest but never to nothing."""
    (x0, x1), (y0, y1) = _span(box[0], box[2]), _span(box[1], box[3])
    return x0, y0, x1, y1


def _span(low: float, high: float) -> tuple[int, int]:
    start, end = round(low * SCALE), round(high * SCALE)
    if start < end:
        return start, end
    start = min(math.floor(low * SCALE), SCALE - 1)
    return start, start + 1


def find_boxes(text: str) -> tuple[Found, ...]:
    """All well-formed boxes of a text, in order; what is malformed, empty or outside the image is passed over.

    >>> find_boxes("Here: <box>[[100, 250, 500, 1000]]</box>")[0].boxes
    ((0.1, 0.25, 0.5, 1.0),)
    """
    found = ((match.span(), _read_boxes(match.group())) for match in _BOXES.finditer(text))
    return tuple(Found(*span, boxes) for span, boxes in found if boxes)


def _read_boxes(text: str) -> tuple[Fractions, ...] | None:
    numbers = [int(number) for number in re.findall(r"[0-9]+", text)]
    boxes = []
    for x0, y0, x1, y1 in zip(*(numbers[place::4] for place in range(4)), strict=True):
        if not (x0 < x1 <= SCALE and y0 < y1 <= SCALE):
            return None
        boxes.append((x0 / SCALE, y0 / SCALE, x1 / SCALE, y1 / SCALE))
    return tuple(boxes)


def parse_answer(text: str) -> Answer | None:
    """A grounded answer, or None if the text is not exactly one: the whole of it, each part once and in order.

    A malformed box, a tag without a name or named twice, or a verdict in other words makes it none.
    """
    match = _ANSWER.fullmatch(text)
    if match is None:
        return None
    think, found = match["think"].strip(), find_boxes(match["think"])
    named = _TAG.findall(match["tags"])
    tags = dict(named)
    unread = MARKUP.search(_without(match["think"], found))
    if unread or len(tags) < match["tags"].count("<tag>"):
        return None
    boxes = tuple(box for one in found for box in one.boxes)
    return Answer(think, boxes, tags, "fake" if match["verdict"] == "fake" else "real")


def _without(text: str, found: Sequence[Found]) -> str:
    """The text without the boxes found in it; whatever stood beside them does not join up."""
    pieces, end = [], 0
    for one in found:
        pieces.append(text[end : one.start])
        end = one.end
    return "\n".join([*pieces, text[end:]])
