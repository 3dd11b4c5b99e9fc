"""What a judge is asked, as a file of `eval/judge/` says, and what its reply is read as."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from fakeinstruct.base.config import StrictModel, read_yaml, validate
from fakeinstruct.base.files import sha256_file
from fakeinstruct.base.surfaces import surface
from fakeinstruct.measure.words.beside import ASPECTS
from fakeinstruct.measure.words.overlap import plain_words

SLOT = re.compile(r"\{(references|answer)\}")

MOST_REFERENCES = 8
"""Texts of annotators that are shown to the judge; more are rare and cost as much as an answer each."""

_OBJECT = re.compile(r"\{[^{}]*\}")
_LINE = re.compile(rf"(?im)^[\s\-*\"]*({'|'.join(ASPECTS)})[\s*\"]*[:=][\s*]*([0-2])(?:\s*/\s*2)?[\s*.,;]*$")


class Wording(StrictModel):
    """A judge's prompt as its file has it: `{references}` and `{answer}` stand in `user` once each."""

    name: str = Field(min_length=1)
    system: str = Field(min_length=1)
    user: str = Field(min_length=1)
    max_tokens: int = Field(200, gt=0)

    @field_validator("user")
    @classmethod
    def _has_both_slots(cls, text: str) -> str:
        if sorted(SLOT.findall(text)) != ["answer", "references"]:
            raise ValueError("must hold {references} and {answer}, each once")
        return text


@dataclass(frozen=True)
class JudgePrompt:
    """A judge's prompt and the version that it has in results.

    Attributes:
        wording: What the file says.
        sha256: Hash of the file.
    """

    wording: Wording
    sha256: str

    def messages(self, answer: str, references: Sequence[str]) -> list[dict[str, Any]]:
        """The conversation that asks for marks.

        What was written goes in once, so that a text which holds a slot's name fills nothing, and without `<`, so that
        it ends no tag.
        """
        shown = "\n".join(_quoted(each) for each in references[:MOST_REFERENCES])
        slots = {"references": shown, "answer": _quoted(answer)}
        user = SLOT.sub(lambda match: slots[match[1]], self.wording.user)
        return [{"role": "system", "content": self.wording.system}, {"role": "user", "content": user}]


def _quoted(text: str) -> str:
    return plain_words(text).replace("<", "‹").strip() or "(nothing)"


def load_judge_prompt(file: str | Path | None = None) -> JudgePrompt:
    """Read a judge's prompt; the project's own by default.

    Raises:
        UsageError: If the file is missing, or not one.
    """
    file = Path(file) if file is not None else surface("eval") / "judge" / "explanation.yaml"
    return JudgePrompt(validate(Wording, read_yaml(file), file=file), sha256_file(file))


def read_marks(reply: str) -> dict[str, int] | None:
    """A mark of 0, 1 or 2 for every aspect: the only JSON object that has them, or a line each; else None.

    >>> read_marks('{"completeness": 1, "preciseness": 2, "relevance": 0}')
    {'completeness': 1, 'preciseness': 2, 'relevance': 0}
    >>> read_marks("completeness: 7")
    """
    found = [marks for match in _OBJECT.finditer(reply) if (marks := _marks_of(match[0])) is not None]
    if found:
        return found[0] if all(one == found[0] for one in found) else None
    lines = [(name.lower(), int(mark)) for name, mark in _LINE.findall(reply)]
    return (
        {name: dict(lines)[name] for name in ASPECTS}
        if sorted(n for n, _ in lines) == sorted(ASPECTS)
        else None
    )


def _marks_of(text: str) -> dict[str, int] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    marks = {name: value.get(name) for name in ASPECTS}
    whole = all(type(mark) is int and 0 <= mark <= 2 for mark in marks.values())
    return marks if whole else None
