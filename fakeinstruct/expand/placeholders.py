"""Text that no annotator may write: what a processor takes for an image, and the marks of our own grammar."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fakeinstruct.base.errors import RecordError
from fakeinstruct.base.grammar import MARKUP
from fakeinstruct.chains.schema import Chain

PLACEHOLDER = re.compile(
    r"<\|[^<>|]{1,40}\|>|\[/?(?:INST|IMG)\]|</?(?:s|bos|eos|unk|pad)>"
    r"|</?(?:image|img|video|audio|vision|im_start|im_end|start_of|end_of)[\w-]*(?:\s[^<>]{0,80})?/?>",
    re.I,
)
"""Text that a processor may take for an image or for the end of a turn."""

HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that nobody sees: controls, what turns the direction of writing, halves of characters."""

_TAG_NAME = re.compile(r"[^<>:]*[^<>:\s][^<>:]*")
_TAG_VALUE = re.compile(r"[^<>]*[^<>\s][^<>]*")


def refuse_markup(chain: Chain) -> None:
    """Refuse a chain whose texts hold a placeholder, a control token or a mark of the answers' grammar.

    Templates may write `<box>` and `<verdict>`; an annotator's `<verdict>` inside one of our answers would make
    it say something else than its target.

    Raises:
        RecordError: Naming the field.
    """
    for field, text in _texts(chain):
        if "<" not in text and "[" not in text:
            continue
        token = PLACEHOLDER.search(text)
        if match := token or MARKUP.search(text):
            what = "placeholder or control token" if token else "mark of the answers' grammar"
            raise RecordError(
                f"a text holds the {what} {match.group()!r}",
                record=chain.id,
                field=field,
                hint="Images, boxes and verdicts are written by the program; remove the token from the text.",
            )
    for name, value in chain.tags.items():
        if not (_TAG_NAME.fullmatch(name) and _TAG_VALUE.fullmatch(value)):
            raise RecordError(
                f"the tag {name[:80]!r} cannot be written as <tag>name: value</tag>",
                record=chain.id,
                field="tags",
                hint="Name and value are text without angle brackets, the name without a colon.",
            )


def _texts(chain: Chain) -> Iterator[tuple[str, str]]:
    for index, trace in enumerate(chain.traces):
        for name in ("attribute_raw", "observation", "inference", "advice"):
            if text := getattr(trace, name):
                yield f"traces.{index}.{name}", text
    for index, written in enumerate(chain.texts):
        yield f"texts.{index}.text", written.text
    for name, value in chain.tags.items():
        yield "tags", f"{name} {value}"
