"""A judge's replies on disk: a folder with `meta.json` and `replies-*.jsonl`, whole parts only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from fakeinstruct.base.config import StrictModel, explain
from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.base.files import read_json, read_jsonl, write_json, write_jsonl

Asked = tuple[str, int]
"""A hash of what the judge was shown, and which time, from 0."""


PARTS = "replies-*.jsonl"
"""Files of replies."""


class JudgeMeta(StrictModel):
    """`meta.json` of a judge's replies: who was asked, how, and how often."""

    schema_version: Literal[1] = 1
    server: str
    model: str
    prompt: str
    prompt_sha256: str
    samples: int


class Reply(StrictModel):
    """One line of `replies-*.jsonl`: what the judge said to `key`, a hash of what it was shown."""

    key: str
    sample: int
    reply: str


def claim_folder(folder: Path, meta: JudgeMeta) -> None:
    """Write what the folder is about, or see that it is about the same.

    Raises:
        UsageError: If it is not.
    """
    file = folder / "meta.json"
    if not file.exists():
        write_json(file, meta.model_dump(mode="json"))
        return
    try:
        known = JudgeMeta.model_validate(read_json(file))
    except ValidationError as error:
        name, problem, hint = explain(error, JudgeMeta)
        raise FakeInstructError(problem, file=file, field=name, hint=hint) from None
    for name, value in meta:
        if getattr(known, name) != value:
            problem = f"holds replies to another {name} ({getattr(known, name)}, not {value})"
            raise UsageError(problem, file=folder, field=name, hint="Name a new folder.")


def read_replies(folder: Path) -> dict[Asked, str]:
    """What was replied so far; a line that is damaged is asked again."""
    replies: dict[Asked, str] = {}
    for part in sorted(folder.glob(PARTS)):
        for _, row in read_jsonl(part):
            try:
                reply = Reply.model_validate(row)
            except ValidationError:
                continue
            replies[reply.key, reply.sample] = reply.reply
    return replies


def write_replies(folder: Path, replies: Mapping[Asked, str]) -> None:
    """Write one more part, if there is anything to write."""
    if not replies:
        return
    number = len(list(folder.glob(PARTS)))
    rows = (Reply(key=key, sample=sample, reply=text).model_dump() for (key, sample), text in replies.items())
    write_jsonl(folder / f"replies-{number:05d}.jsonl", rows)
