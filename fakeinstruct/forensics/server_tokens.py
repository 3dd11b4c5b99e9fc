"""What a server returns of a place, its likeliest tokens as text, and label words read from it.

asked: the 20 likeliest tokens       " fake" -0.3   "fake" -4.1   " real" -1.6   ...   " sea" -9.2
the word "fake"                      log(exp(-0.3) + exp(-4.1)): a leading space is not part of a word
the word "painted", not returned     at most -9.2, which is what is stored, and the row's note says so
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fakeinstruct.base.config import explain
from fakeinstruct.base.errors import RecordError

SPACES = " ▁Ġ"
"""A leading space as servers write it: as it is, or as a tokenizer's own sign for it."""

Logprob = Annotated[float, Field(le=1e-3, allow_inf_nan=False)]


class Answer(BaseModel):
    """Part of a server's answer: types are strict, other fields are the server's own business."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Token(Answer):
    """A token's text and the log of its probability."""

    token: str
    logprob: Logprob


class Place(Token):
    """A written token, and the likeliest ones that could have stood in its place."""

    top_logprobs: list[Token] = []

    def returned(self) -> list[Token]:
        """All tokens whose log-probability is known here."""
        known = any(
            other.token == self.token and other.logprob == self.logprob for other in self.top_logprobs
        )
        return (
            self.top_logprobs
            if known
            else [*self.top_logprobs, Token(token=self.token, logprob=self.logprob)]
        )


class Places(Answer):
    """The places of an answer."""

    content: list[Place] | None = None


class Message(Answer):
    """The answer as text."""

    content: str | None = None


class Choice(Answer):
    """One answer."""

    logprobs: Places | None = None
    message: Message = Message()


class Completion(Answer):
    """What `/chat/completions` returns, as far as it is read here."""

    choices: list[Choice] = Field(min_length=1)

    @property
    def places(self) -> list[Place]:
        """The places of the first answer; none where the server returns no log-probabilities."""
        found = self.choices[0].logprobs
        return (found.content if found else None) or []

    @property
    def text(self) -> str:
        """The first answer as text."""
        return self.choices[0].message.content or ""


class GarbageError(RecordError):
    """An answer that is not one."""


def read_completion(body: bytes) -> Completion:
    """Parse an answer.

    Raises:
        GarbageError: If it is not JSON, lacks a field, or a field is of another type or not a log-probability.
    """
    try:
        return Completion.model_validate_json(body)
    except ValidationError as error:
        field, problem, _ = explain(error, Completion)
        raise GarbageError(f"the server's answer cannot be read ({problem})", field=field or None) from None


def read_words(place: Place, words: Sequence[str]) -> tuple[list[float], str | None]:
    """The log-probability of each word at a place, and what the row has to note.

    A word that is not among the returned tokens has at most the probability of the unlikeliest of them; where
    returned tokens begin it (the word is of several tokens), theirs is added. This bound is returned.

    Args:
        place: The place.
        words: Words without leading spaces.

    Returns:
        One log-probability a word, in the order of `words`, and a note naming the bounds, if there are any.

    Raises:
        RecordError: If no word is among the returned tokens, or one that is not may be the likeliest.
    """
    returned = place.returned()
    known = by_text(returned)
    found = {word: known[word] for word in words if word in known}
    if not found:
        raise RecordError(
            f"none of {', '.join(map(repr, words))} is among the {len(returned)} likeliest tokens"
        )
    bounds = {word: upper_bound(word, returned) for word in words if word not in known}
    best = max(found, key=lambda word: found[word])
    for word, bound in bounds.items():
        if bound > found[best]:
            raise RecordError(
                f"'{word}' may be likelier than '{best}': a token that only begins it is, and a server tells a "
                "word's first token alone",
                hint="Choose words of one token, or score the model's folder.",
            )
    note = f"an upper bound, not among the {len(returned)} likeliest tokens: {', '.join(map(repr, bounds))}"
    return [(found | bounds)[word] for word in words], note if bounds else None


def by_text(tokens: Sequence[Token]) -> dict[str, float]:
    """Log-probability of each text, tokens that differ by a leading space joined."""
    found: dict[str, float] = {}
    for each in tokens:
        text = each.token.lstrip(SPACES)
        found[text] = float(np.logaddexp(found.get(text, -np.inf), each.logprob))
    return found


def upper_bound(word: str, tokens: Sequence[Token]) -> float:
    """The most that the log-probability of a word can be that is not among the returned tokens."""
    begin_it = [each.logprob for each in tokens if word.startswith(each.token.lstrip(SPACES))]
    return float(np.logaddexp.reduce([min(each.logprob for each in tokens), *begin_it]))


def alike(one: Place, other: Place) -> bool:
    """Whether two places have the same likeliest tokens, but for what a server rounds otherwise each time."""
    first, second = by_text(one.returned()), by_text(other.returned())
    shared = first.keys() & second.keys()
    return 2 * len(shared) > len(first) and all(abs(first[text] - second[text]) < 0.05 for text in shared)


def place_of(completion: Completion, start: int) -> Place:
    """The place of an answer whose token holds the character at `start` of its text.

    Raises:
        GarbageError: If the tokens end before it.
    """
    for place, end in zip(completion.places, token_ends(completion.text, completion.places), strict=True):
        if end > start:
            return place
    raise GarbageError("the tokens of the server's answer are not those of its text")


def token_ends(text: str, places: Sequence[Token]) -> list[int]:
    """Where each token ends in the text: some servers return tokens without the space that they begin with."""
    ends = []
    at = 0
    for each in places:
        token = each.token.lstrip(SPACES)
        start = text.find(token, at)
        at = at if start < 0 else start + len(token)
        ends.append(at)
    return ends
