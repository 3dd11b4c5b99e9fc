"""Conversations in LLaVA's form: turns of a human and a model, told apart and checked."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from fakeinstruct.base.errors import RecordError
from fakeinstruct.chains.importers.records import Record
from fakeinstruct.chains.refusals import is_refusal

HUMAN = ("human", "user")
MODEL = ("gpt", "assistant")

MAX_ANSWER = 16_000
"""Most characters of an answer: ten times a long explanation, and less than a chain's text may have."""


class Turn(Record):
    """One turn; `from` is human or gpt (user or assistant), or system."""

    speaker: str = Field(alias="from")
    value: str


def answers(turns: Sequence[Turn]) -> tuple[str, ...]:
    """The model's answers, in order.

    Raises:
        RecordError: If the roles are not human and model by turns, seem swapped, or an answer is empty or a
            refusal.
    """
    spoken = [turn for turn in turns if turn.speaker.lower() != "system"]
    for number, turn in enumerate(spoken):
        expected = HUMAN if number % 2 == 0 else MODEL
        if turn.speaker.lower() not in expected:
            raise RecordError(
                f"turn {number + 1} is by '{turn.speaker[:40]}', not by {' or '.join(expected)}",
                field=f"conversations.{number}.from",
                hint="The roles may be swapped.",
            )
    given = tuple(turn.value.strip() for turn in spoken[1::2])
    if not given:
        raise RecordError("has no answer", field="conversations")
    for answer, question in zip(given, spoken[::2], strict=False):
        _check(answer, question.value.strip())
    return given


def question_words(text: str) -> str:
    """The words of a question, without the place of the image.

    Raises:
        RecordError: If there are none.
    """
    words = text.replace("<image>", "").strip()
    if not words:
        raise RecordError("the question is empty", field="question")
    return words


def _check(answer: str, question: str) -> None:
    if len(answer) > MAX_ANSWER:
        raise RecordError(
            f"the answer is too long ({len(answer):,} of {MAX_ANSWER:,} characters)", field="conversations"
        )
    if not answer:
        raise RecordError("the answer is empty", field="conversations")
    if is_refusal(answer):
        raise RecordError("the answer is a refusal", field="conversations", hint="It is no description.")
    if "<image>" in answer or (answer.endswith("?") and "?" not in question):
        raise RecordError("the roles are swapped: the model asks, or holds the image", field="conversations")
