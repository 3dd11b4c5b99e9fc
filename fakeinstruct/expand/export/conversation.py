"""Conversation: what a trainer learns of a pair, and what makes a pair unfit for one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle

from fakeinstruct.base.errors import RecordError
from fakeinstruct.expand.pair import Message, Pair, PairImage
from fakeinstruct.expand.placeholders import PLACEHOLDER

RESERVED = re.compile(r"<(?:bbox|ref-object|cot-process|start-image)>")
"""Further placeholders that ms-swift fills in a text."""


@dataclass(frozen=True)
class Conversation:
    """A conversation that ends in an answer, users and assistants in turn, with the images it is about.

    Attributes:
        id: The pair's id.
        images: A path for each image placeholder, in the order of the placeholders.
        messages: Its turns.
    """

    id: str
    images: tuple[str, ...]
    messages: tuple[Message, ...]

    def flat(self, image: str = "<image>") -> Iterator[tuple[str, str]]:
        """Role and text of each turn, `image` in the place of each image."""
        for message in self.messages:
            blocks = (image if block.type == "image" else block.text or "" for block in message.content)
            yield message.role, "".join(blocks)


def has_answer(pair: Pair) -> bool:
    """Whether there is something to learn: an evaluation item ends in the question."""
    return pair.messages[-1].role == "assistant"


def conversation_of(pair: Pair, place: Callable[[PairImage], str]) -> Conversation:
    """The conversation of a pair that has an answer.

    Args:
        pair: The pair.
        place: Gives an image's path in the export.

    Raises:
        RecordError: If turns, images or words are such that a trainer would drop or misread the pair.
    """
    for message, role in zip(pair.messages, cycle(("user", "assistant")), strict=False):
        _check_turn(message, role)
    blocks = [block for message in pair.messages for block in message.content]
    placeholders = sum(block.type == "image" for block in blocks)
    if placeholders != len(pair.images):
        raise RecordError(f"{placeholders} image placeholders for {len(pair.images)} images", field="images")
    return Conversation(pair.id, tuple(place(image) for image in pair.images), pair.messages)


def _check_turn(message: Message, role: str) -> None:
    if message.role != role:
        raise RecordError("user and assistant do not take turns, the user first", field="messages")
    text = message.text()
    if not text.strip():
        raise RecordError("a turn has no words", field="messages")
    if role == "assistant" and any(block.type == "image" for block in message.content):
        raise RecordError("an answer holds an image", field="messages")
    if found := PLACEHOLDER.search(text) or RESERVED.search(text):
        raise RecordError(
            f"its words hold {found.group()!r}, which a trainer takes for more than words", field="messages"
        )
