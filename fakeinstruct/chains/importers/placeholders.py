"""The placeholders of ms-swift's grounding format: texts and boxes that stand beside a conversation, put into it.

Each ``<ref-object>`` stands for the next text of `objects.ref`, each ``<bbox>`` for the next box of `objects.bbox`,
counted over all messages. Texts and boxes may differ in number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from pydantic import Field

from fakeinstruct.base.errors import RecordError
from fakeinstruct.chains.importers.records import Record

Item = TypeVar("Item")

_PLACEHOLDER = re.compile(r"<ref-object>|<bbox>")


class Message(Record):
    """One turn of a conversation in ms-swift's form."""

    role: Literal["system", "user", "assistant"]
    content: str


class Objects(Record):
    """What placeholders stand for."""

    ref: list[str] = Field(default_factory=list)
    bbox: list[list[float]] = Field(default_factory=list)
    bbox_type: Literal["real", "norm1"] = "real"
    image_id: list[int] | None = None


@dataclass
class Flaw:
    """A text of `ref`, and the boxes that follow it.

    Attributes:
        words: The text.
        start: The character of the filled answer at which it stands, -1 if it does not stand there.
        boxes: The boxes as written.
    """

    words: str
    start: int
    boxes: list[Sequence[float]] = field(default_factory=list)


def filled(messages: Sequence[Message], objects: Objects) -> tuple[str, list[Flaw]]:
    """The last answer with its placeholders filled, texts by their words and boxes by nothing; and its flaws.

    Where no message has a placeholder, texts and boxes go together by their order.

    Raises:
        RecordError: If there are more placeholders than objects or fewer, or a box has no text before it.
    """
    refs, boxes = iter(objects.ref), iter(objects.bbox)
    answer, flaws = "", list[Flaw]()
    for message in messages:
        text, found = _fill(message.content, refs, boxes)
        if message.role == "assistant":
            answer, flaws = text, found
    spare = len(list(refs)), len(list(boxes))
    if spare == (0, 0):
        return answer, flaws
    if any(_PLACEHOLDER.search(message.content) for message in messages):
        raise RecordError(
            f"has more objects than placeholders ({spare[0]} texts and {spare[1]} boxes are left)",
            field="objects",
        )
    return answer, _unplaced(objects)


def _fill(text: str, refs: Iterator[str], boxes: Iterator[Sequence[float]]) -> tuple[str, list[Flaw]]:
    done, at, flaws = "", 0, list[Flaw]()
    for match in _PLACEHOLDER.finditer(text):
        done += text[at : match.start()]
        at = match.end()
        if match[0] == "<ref-object>":
            words = _next(refs)
            flaws.append(Flaw(words, len(done)))
            done += words
            continue
        box = _next(boxes)
        if not flaws:
            raise RecordError("a <bbox> comes before any <ref-object>", field="messages")
        flaws[-1].boxes.append(box)
        done = done.rstrip(" ")
    return done + text[at:], flaws


def _next(objects: Iterator[Item]) -> Item:
    for one in objects:
        return one
    raise RecordError("has more placeholders than objects", field="objects")


def _unplaced(objects: Objects) -> list[Flaw]:
    if len(objects.ref) != len(objects.bbox):
        raise RecordError(
            f"has {len(objects.ref)} texts and {len(objects.bbox)} boxes, and no placeholders that pair them",
            field="objects",
        )
    return [Flaw(ref, -1, [box]) for ref, box in zip(objects.ref, objects.bbox, strict=True)]
