"""From phrases to traces: one wording of many, drawn by the image's own random numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from fakeinstruct.base.boxes import WHOLE_PICTURE, Fractions, place
from fakeinstruct.base.config import StrictModel, load_config
from fakeinstruct.chains.schema import Label, Region, Trace

Severity = Literal["slight", "clear", "severe"]

WHOLE: Fractions = (0.0, 0.0, 1.0, 1.0)
"""The box of what lies all over the picture."""

_ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")


class Bank(StrictModel):
    """Wordings of one trace.

    Attributes:
        attribute: Key of the taxonomy.
        unless: Kinds of processing after which none of this can be said.
        observations: What is seen.
        inferences: What follows from it.
        advice: What would mend it; nothing for a trace that points to real.
    """

    attribute: str
    unless: tuple[str, ...] = ()
    observations: tuple[str, ...]
    inferences: tuple[str, ...]
    advice: tuple[str, ...] = ()


class Phrases(StrictModel):
    """All banks: `phrases.yaml`.

    Attributes:
        shared: Phrases that several banks use, under "@name".
        generated: Banks of each decoder, by the effect that is measured on the delivered image.
        edited: Banks of each edit, one trace each.
        real: Banks of what was not done.
        processed: The bank of each kind of processing.
    """

    shared: dict[str, tuple[str, ...]]
    generated: dict[str, dict[str, Bank]]
    edited: dict[str, tuple[Bank, ...]]
    real: tuple[Bank, ...]
    processed: dict[str, Bank]

    def resolve(self, phrases: Sequence[str]) -> tuple[str, ...]:
        """A list of phrases with each "@name" replaced by the shared phrases of that name."""
        return tuple(
            phrase
            for entry in phrases
            for phrase in (self.shared[entry[1:]] if entry.startswith("@") else (entry,))
        )


@lru_cache(maxsize=1)
def load_phrases() -> Phrases:
    """Read the phrase banks that come with the package."""
    return load_config(Phrases, Path(__file__).with_name("phrases.yaml"))


def write(
    bank: Bank,
    rng: np.random.Generator,
    *,
    number: int,
    points_to: Label,
    boxes: Sequence[Fractions],
    facts: Mapping[str, str],
    severity: Severity | None = None,
) -> Trace:
    """Word one trace.

    Args:
        bank: What may be said.
        rng: Draws the wording.
        number: Place of the trace in its chain, from 1.
        points_to: The label it speaks for.
        boxes: Where it is seen, then what it is compared with.
        facts: The slots of the phrases besides `at` and `there`.
        severity: How strong it is.
    """
    here, *others = [adverbial(box) for box in boxes]
    there = "close by" if not others or others[0] == here else others[0]
    slots = {**facts, "at": here, "there": there}
    phrases = load_phrases()
    drawn = [
        word(str(rng.choice(phrases.resolve(lists))), rng, slots) if lists else None
        for lists in (bank.observations, bank.inferences, bank.advice)
    ]
    return Trace(
        id=f"t{number}",
        attribute=bank.attribute,
        points_to=points_to,
        observation=drawn[0] or "",
        inference=drawn[1],
        advice=drawn[2],
        severity=severity,
        regions=tuple(Region(box=box) for box in boxes),
    )


def word(phrase: str, rng: np.random.Generator, slots: Mapping[str, str]) -> str:
    """Draw each alternative of a phrase and fill its slots; the sentence begins with a capital."""
    text = _ALTERNATIVES.sub(lambda match: str(rng.choice(match[1].split("|"))), phrase).format_map(slots)
    return text[:1].upper() + text[1:]


def adverbial(box: Fractions) -> str:
    """Where a box lies, as an adverbial.

    >>> adverbial((0.0, 0.0, 0.3, 0.3))
    'in the upper left'
    """
    where = place(box)
    if where == WHOLE_PICTURE:
        return "all over the picture"
    return f"on the {where}" if where.endswith("side") else f"in the {where}"


def with_article(noun: str) -> str:
    """A noun with its indefinite article.

    >>> with_article("astronaut")
    'an astronaut'
    """
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
