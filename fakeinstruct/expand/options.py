"""Options of a multiple-choice question: honest distractors only, one right answer, every order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from fakeinstruct.chains.schema import Label
from fakeinstruct.expand.context import Facts
from fakeinstruct.expand.front import OPTION_TEXTS, OptionSpec

LETTERS = "ABCDEFGH"


class Shape(NamedTuple):
    """One set of options, of positions in a chain's lists of flawed and, after them, absent attributes."""

    shown: tuple[int, ...]
    right: str | int


@dataclass(frozen=True)
class OptionSet:
    """One set of options before it is ordered.

    Attributes:
        texts: For each option the name of its text and what that text sees.
        right: Position of the right one.
        attributes: Keys of the attributes that the right answer says are present.
    """

    texts: tuple[tuple[str, dict[str, str]], ...]
    right: int
    attributes: tuple[str, ...]


def shapes(spec: OptionSpec, facts: Facts) -> tuple[Shape, ...]:
    """All sets of options that a chain gives; none if it was not judged on enough attributes."""
    if spec.kind == "verdict":
        return (Shape((), facts.chain.label.value),)
    flawed, absent = len(facts.flawed), len(facts.absent)
    if spec.kind == "pair":
        return _pairs(flawed, absent)
    needs_flaw = spec.none_means == "real" and facts.chain.label is Label.FAKE
    return _attributes(flawed, absent, spec.count - 1, needs_flaw)


@lru_cache(maxsize=1024)
def _pairs(flawed: int, absent: int) -> tuple[Shape, ...]:
    def right(pair: tuple[int, int]) -> str:
        first, second = (position < flawed for position in pair)
        return ("both" if second else "first") if first else ("second" if second else "neither")

    return tuple(Shape(pair, right(pair)) for pair in combinations(range(flawed + absent), 2))


@lru_cache(maxsize=1024)
def _attributes(flawed: int, absent: int, listed: int, needs_flaw: bool) -> tuple[Shape, ...]:
    judged = range(flawed, flawed + absent)
    found = [
        Shape((flaw, *others), 0) for flaw in range(flawed) for others in combinations(judged, listed - 1)
    ]
    if not needs_flaw:
        found += [Shape(others, "none") for others in combinations(judged, listed)]
    return tuple(found)


def option_set(spec: OptionSpec, facts: Facts, shape: Shape) -> OptionSet:
    """The options of one shape.

    Args:
        spec: How options are made.
        facts: The chain.
        shape: One of `shapes(spec, facts)`.
    """
    keys = [(*facts.flawed, *facts.absent)[position] for position in shape.shown]
    present = tuple(key for key in keys if key in facts.flawed)
    if spec.kind == "attribute":
        listed = (("one", {"name": facts.names[key]}) for key in keys)
        right = shape.right if isinstance(shape.right, int) else len(keys)
        return OptionSet((*listed, ("none", {})), right, present)
    values = {"first": facts.names[keys[0]], "second": facts.names[keys[1]]} if spec.kind == "pair" else {}
    kinds = OPTION_TEXTS[spec.kind]
    return OptionSet(tuple((kind, values) for kind in kinds), kinds.index(str(shape.right)), present)


def count_options(spec: OptionSpec) -> int:
    """Number of options that each of its sets has."""
    return spec.count if spec.kind == "attribute" else len(OPTION_TEXTS[spec.kind])
