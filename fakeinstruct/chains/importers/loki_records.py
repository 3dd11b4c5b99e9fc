"""LOKI's records about single images, and what a question of yes or no says of the image's label."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from fakeinstruct.base.errors import RecordError
from fakeinstruct.chains.importers.records import Record
from fakeinstruct.chains.schema import Identifier, Label, Words


class Problem(Record):
    """What is wrong with the whole image."""

    desc: str


class RegionalProblem(Problem):
    """What is wrong somewhere: x, y, width, height in pixels."""

    region: list[float]


class Problems(Record):
    """All that is wrong with one image."""

    regional: list[RegionalProblem] = Field(default_factory=list)
    everywhere: list[Problem] = Field(default_factory=list, alias="global")


class Open(Record):
    """An open question about a fake, with its answer as problems."""

    image_path: str
    problems: Problems
    id: Identifier
    question: Words


class TrueFalse(Record):
    """A question of yes or no about a real or fake image."""

    image_path: str
    question: Words
    answer: Literal["Yes", "No"]
    question_type: str
    id: Identifier
    modality: str = "image-text"


def asked(record: TrueFalse) -> Label:
    """What "yes" means.

    Raises:
        RecordError: If the question's type does not say, or the record is not about one image.
    """
    kinds = {label for label in Label if f"ask_{label}" in record.question_type}
    if len(kinds) != 1:
        raise RecordError(
            f"does not say what is asked ({record.question_type[:80]!r})",
            field="question_type",
            hint="It holds 'ask_fake' or 'ask_real'.",
        )
    if record.modality != "image-text":
        raise RecordError(f"is not about one image but {record.modality[:40]!r}", field="modality")
    return kinds.pop()


def shown(record: TrueFalse) -> str:
    """What the image shows, as LOKI files it: "animals", "satellite", "sence"; empty where the type does not say."""
    found = re.search(r"_ask_(?:fake|real)_(\w+)\Z", record.question_type)
    return found[1] if found else ""


def answered(record: TrueFalse) -> Label:
    """What the image is, by question and answer.

    Raises:
        RecordError: If the question's type does not say what is asked, or names another label.
    """
    yes = asked(record)
    label = yes if record.answer == "Yes" else yes.other
    if f"image_{label.other}_" in record.question_type:
        raise RecordError(
            f"answer and question_type disagree ({record.answer!r} of {record.question_type!r})",
            field="answer",
        )
    return label
