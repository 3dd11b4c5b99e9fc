"""Conversations that somebody wrote: a record of messages and images, as trainers take it, to a pair.

The wording stays as it is. What a record may look like:

    messages         conversations     role    user or human, assistant or gpt, in turn
    content          value             text with <image> where an image stands, or blocks of text and image
    images           image             paths, or {"path": ..., "crop": ...}; as many as there are places
    objects                            ms-swift's: boxes and names for <bbox> and <ref-object>
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, ValidationError

from fakeinstruct.base.config import explain
from fakeinstruct.base.errors import RecordError
from fakeinstruct.base.files import fingerprint
from fakeinstruct.base.grammar import box_text
from fakeinstruct.base.images import image_size, resolve_under
from fakeinstruct.chains.importers.placeholders import Objects
from fakeinstruct.chains.importers.records import Record
from fakeinstruct.chains.schema import Split
from fakeinstruct.expand.export.conversation import conversation_of, has_answer
from fakeinstruct.expand.pair import Pair
from fakeinstruct.expand.placeholders import HIDDEN

ROLES = {"user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant"}
"""Our names of the speakers."""

NO_LABEL = 'Give "label": "fake" or "label": "real" in every record: splits and weights are kept even by it.'

_IMAGE = re.compile(r"<image>\n?")
_OBJECT = re.compile(r"(?:<bbox>)+|<ref-object>")


def _alone(value: Any) -> Any:
    return [value] if isinstance(value, str | dict) else value


class Turn(Record):
    """One turn."""

    role: str = Field(validation_alias=AliasChoices("role", "from"))
    content: str | list[dict[str, Any]] = Field(validation_alias=AliasChoices("content", "value"))


class Told(Record):
    """One conversation about one image; what a pair has besides may be given too."""

    id: str | int | None = None
    messages: list[Turn] = Field(validation_alias=AliasChoices("messages", "conversations"), min_length=1)
    images: Annotated[list[str | dict[str, Any]], BeforeValidator(_alone)] = Field(
        default_factory=list, validation_alias=AliasChoices("images", "image")
    )
    objects: Objects = Field(default_factory=Objects)
    label: Literal["fake", "real"] | None = None
    split: str | None = None
    group: str | None = None
    chain: str | None = None
    template: str | None = None
    task: str = "reasoning"
    stage: str = "instruction"
    target: dict[str, Any] | None = None
    polarity: str | None = None
    choices: list[str] | None = None
    references: list[str] | None = None
    advice_origin: str | None = None


def read_conversation(value: Any, root: Path, *, group: str, split: Split | None) -> Pair:
    """The pair that a record holds.

    Args:
        value: The record.
        root: The image root.
        group: What stands in for a group that the record does not name.
        split: The same for its split.

    Raises:
        RecordError: Naming what is wrong with it.
    """
    told = Told.read(value)
    if told.label is None:
        raise RecordError("has no label", field="label", hint=NO_LABEL)
    images = [*told.images]
    messages = [_message(turn, images, named=bool(told.images)) for turn in _filled(told, root, images)]
    if len(images) == 1 and not any(block["type"] == "image" for one in messages for block in one["content"]):
        messages[0]["content"].insert(0, {"type": "image"})
    placed = [one if isinstance(one, dict) else {"path": one} for one in images]
    kept = told.model_dump(
        include={"stage", "polarity", "choices", "references", "advice_origin"}, exclude_none=True
    )
    verdict = {"verdict": told.label} if told.task == "verdict" else {}
    values = kept | {
        "id": str(told.id) if told.id is not None else fingerprint([placed, messages])[:20],
        "chain": told.chain or group,
        "template": told.template or f"own/{told.task}",
        "task": told.task,
        "images": placed,
        "messages": messages,
        "label": told.label,
        "split": told.split or split,
        "group": told.group or group,
        "target": told.target if told.target is not None else verdict,
    }
    try:
        pair = Pair.model_validate(values)
    except ValidationError as error:
        field, problem, hint = explain(error, Pair)
        raise RecordError(problem, field=field, hint=hint) from None
    check(pair)
    return pair


def check(pair: Pair) -> None:
    """See that a trainer can learn a pair whole.

    Raises:
        RecordError: If not.
    """
    if not has_answer(pair):
        raise RecordError("ends without an answer", field="messages", hint="Nothing of it could be learned.")
    conversation_of(pair, lambda image: image.path)
    whole, *others = pair.images
    if whole.crop or any(other.path != whole.path or other.crop is None for other in others):
        raise RecordError(
            "is about several images", field="images", hint="One, whole and in crops, can be learned."
        )
    if pair.messages[0].content[0].type != "image":
        raise RecordError(
            "the image does not stand before the question",
            field="messages",
            hint="Put <image> first in the first turn: what stands before it is shared by an image's pairs.",
        )
    if hidden := next(filter(None, (HIDDEN.search(one.text()) for one in pair.messages)), None):
        raise RecordError(f"its words hold the character {hidden.group()!r}", field="messages")


def first_image(value: Any) -> str:
    """The path of a record's first image.

    Raises:
        RecordError: If it names none.
    """
    told = Told.read(value)
    images = [*told.images]
    for turn in told.messages:
        _message(turn, images, named=bool(told.images))
    path = images[0].get("path") if images and isinstance(images[0], dict) else next(iter(images), None)
    if not isinstance(path, str):
        raise RecordError("names no image", field="images", hint='Give "images": ["PATH"].')
    return path


def _message(turn: Turn, images: list[str | dict[str, Any]], *, named: bool) -> dict[str, Any]:
    """A turn as a pair has it; the images that its blocks name are added, unless the record has a list of them."""
    if turn.role not in ROLES:
        raise RecordError(
            f"a turn is by '{turn.role[:40]}'",
            field="messages",
            hint="A pair's turns are by user and assistant; a system prompt is the chat template's.",
        )
    if isinstance(turn.content, str):
        return {"role": ROLES[turn.role], "content": [*_split(turn.content)]}
    content = []
    for block in turn.content:
        if block.get("type") == "text" and isinstance(block.get("text"), str):
            content.append({"type": "text", "text": block["text"]})
            continue
        path = _path(block)
        if path is not None and not named:
            images.append(path)
        content.append({"type": "image"})
    return {"role": ROLES[turn.role], "content": content}


def _split(text: str) -> Iterator[dict[str, Any]]:
    """A text as blocks: an image for each placeholder, which may have a line of its own."""
    for number, part in enumerate(_IMAGE.split(text)):
        if number:
            yield {"type": "image"}
        if part:
            yield {"type": "text", "text": part}


def _path(block: dict[str, Any]) -> str | None:
    """The path that an image's block names, if it names one: OpenAI's, Qwen's, or none at all."""
    kind = block.get("type")
    if kind not in ("image", "image_url"):
        raise RecordError(
            f"a block is of type {str(kind)[:40]!r}", field="messages", hint="Known: image, image_url, text."
        )
    named = block.get(kind) or block.get("path")
    named = named.get("url") if isinstance(named, dict) else named
    if named is not None and not isinstance(named, str):
        raise RecordError("a block's image is no path", field="messages")
    return named.removeprefix("file://") if named else None


def _filled(told: Told, root: Path, images: Sequence[str | dict[str, Any]]) -> Iterator[Turn]:
    """The turns with ms-swift's placeholders filled; boxes become those of our grammar."""
    refs, boxes = iter(told.objects.ref), iter(_fractions(told, root, images))

    def fill(match: re.Match[str]) -> str:
        try:
            if match[0] == "<ref-object>":
                return next(refs)
            return box_text([next(boxes) for _ in range(match[0].count("<bbox>"))])
        except StopIteration:
            raise RecordError("has more placeholders than objects", field="objects") from None

    for turn in told.messages:
        said = turn.content
        yield turn.model_copy(update={"content": _OBJECT.sub(fill, said)}) if isinstance(said, str) else turn
    if next(refs, None) is not None or next(boxes, None) is not None:
        raise RecordError("has more objects than placeholders", field="objects")


def _fractions(
    told: Told, root: Path, images: Sequence[str | dict[str, Any]]
) -> Iterator[tuple[float, float, float, float]]:
    """The boxes of `objects` in fractions of the image."""
    if not told.objects.bbox:
        return
    width, height = 1, 1
    if told.objects.bbox_type == "real" and images and isinstance(images[0], str):
        width, height = image_size(resolve_under(root, images[0]))
    for box in told.objects.bbox:
        if len(box) != 4:
            raise RecordError(f"a box has {len(box)} numbers, not four", field="objects.bbox")
        x0, y0, x1, y1 = (
            value / side for value, side in zip(box, (width, height, width, height), strict=True)
        )
        if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
            raise RecordError("a box lies outside the image, or is empty", field="objects.bbox")
        yield x0, y0, x1, y1
