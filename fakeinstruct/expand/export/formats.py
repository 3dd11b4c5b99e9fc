"""Formats: what each trainer reads, as rows made of a conversation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fakeinstruct.base.grammar import find_boxes
from fakeinstruct.expand.export.conversation import Conversation
from fakeinstruct.expand.pair import Message

Row = dict[str, Any]

BOXES = "-boxes"
"""Ending of the name of a file whose rows have boxes in their own column. `datasets` takes the columns and their
types from a file's first ten megabytes, so rows with and without boxes cannot share a file."""


@dataclass(frozen=True)
class Format:
    """A format of training rows.

    Attributes:
        suffix: Ending of its files' names; `.json` files hold one list, `.jsonl` files a row a line.
        rows: The rows of a conversation, each with the ending of the name of the file it belongs to.
        beside: Further files, name to JSON value, given the names of the files with rows.
    """

    suffix: str
    rows: Callable[[Conversation], Iterator[tuple[str, Row]]]
    beside: Callable[[Iterable[str]], Mapping[str, Any]] = lambda _: {}


def llava_rows(conversation: Conversation) -> Iterator[tuple[str, Row]]:
    """LLaVA: `from` and `value`, the image's placeholder on a line of its own; a list where there are several."""
    roles = {"user": "human", "assistant": "gpt"}
    turns = [{"from": roles[role], "value": text} for role, text in conversation.flat("<image>\n")]
    images = conversation.images
    yield (
        "",
        {
            "id": conversation.id,
            "image": images[0] if len(images) == 1 else list(images),
            "conversations": turns,
        },
    )


def factory_rows(conversation: Conversation) -> Iterator[tuple[str, Row]]:
    """LLaMA-Factory: messages in OpenAI's wording; `dataset_info.json` says so."""
    yield "", _messages_row(conversation)


def swift_rows(conversation: Conversation) -> Iterator[tuple[str, Row]]:
    """ms-swift: the same messages, boxes taken out of the text into `objects`.

    The trainer writes each `<bbox>` in the dialect of its model. Fractions (`norm1`) need no image size.
    """
    row = _messages_row(conversation)
    boxes: list[list[float]] = []
    for message in row["messages"]:
        message["content"] = _take_boxes(message["content"], boxes)
    if not boxes:
        yield "", row
        return
    yield BOXES, row | {"objects": {"ref": [], "bbox": boxes, "bbox_type": "norm1"}}


def trl_rows(conversation: Conversation) -> Iterator[tuple[str, Row]]:
    """TRL: `prompt` and `completion`, a row for each answer, so that each is learned once.

    The loss falls on the completion alone, whatever the model's chat template. A prompt's images stand as blocks,
    since TRL would put the images of plain strings all into the first turn.
    """
    for index, message in enumerate(conversation.messages):
        if message.role == "user":
            continue
        before = conversation.messages[:index]
        shown = sum(block.type == "image" for turn in before for block in turn.content)
        yield (
            "",
            {
                "id": conversation.id,
                "prompt": [_blocks(turn) for turn in before],
                "completion": [_blocks(message)],
                "images": list(conversation.images[:shown]),
            },
        )


def dataset_info(files: Iterable[str]) -> Mapping[str, Any]:
    """LLaMA-Factory's list of data sets: `fakeinstruct_train` and so on."""
    return {
        "dataset_info.json": {
            f"fakeinstruct_{name.partition('.')[0]}": {
                "file_name": name,
                "formatting": "sharegpt",
                "columns": {"messages": "messages", "images": "images"},
                "tags": {
                    "role_tag": "role",
                    "content_tag": "content",
                    "user_tag": "user",
                    "assistant_tag": "assistant",
                },
            }
            for name in files
        }
    }


FORMATS: Mapping[str, Format] = {
    "llava": Format(".json", llava_rows),
    "llama-factory": Format(".jsonl", factory_rows, dataset_info),
    "ms-swift": Format(".jsonl", swift_rows),
    "trl": Format(".jsonl", trl_rows),
}
"""The trainers' formats by name. Adding one is a function here and a line."""


def _messages_row(conversation: Conversation) -> Row:
    messages = [{"role": role, "content": text} for role, text in conversation.flat()]
    return {"id": conversation.id, "messages": messages, "images": list(conversation.images)}


def _blocks(message: Message) -> Row:
    return {
        "role": message.role,
        "content": [{"type": block.type, "text": block.text} for block in message.content],
    }


def _take_boxes(text: str, boxes: list[list[float]]) -> str:
    """The text with `<bbox>` for each box, which goes to `boxes`."""
    pieces, end = [], 0
    for found in find_boxes(text):
        pieces += [text[end : found.start], "<bbox>" * len(found.boxes)]
        boxes += [list(box) for box in found.boxes]
        end = found.end
    return "".join([*pieces, text[end:]])
