"""Options of a multiple-choice question: honest distractors only, one right answer, every order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from fakeinstruct.base.files import stable_seed
from fakeinstruct.chains.schema import Label
from fakeinstruct.expand.context import Facts
from fakeinstruct.expand.front import OPTION_TEXTS, OptionSpec

LETTERS = "ABCDEFGH"

ASKED = 6
"""Attributes that a chain's options are taken from: 20 sets of three, enough for every chain."""

BUCKETS = 8
"""Groups of chains; all chains of a group prefer the same attributes, see `_asked`."""


@dataclass(frozen=True)
class OptionSet:
    """The options of a question before they are ordered.

    Attributes:
        topic: Keys of the attributes shown, joined; quotas are balanced by it.
        texts: For each option the name of its text and what that text sees.
        right: Position of the right one.
        attributes: Keys of the attributes that the right answer says are present.
    """

    topic: str
    texts: tuple[tuple[str, dict[str, str]], ...]
    right: int
    attributes: tuple[str, ...]


def option_sets(spec: OptionSpec, facts: Facts) -> Iterator[OptionSet]:
    """The sets of options that a chain is asked with; none if it was not judged on enough attributes."""
    kinds = OPTION_TEXTS[spec.kind]
    if spec.kind == "verdict":
        yield OptionSet("", tuple((kind, {}) for kind in kinds), kinds.index(facts.chain.label), ())
        return
    flawed, absent = _asked(facts)
    if spec.kind == "pair":
        for keys in combinations(sorted((*flawed, *absent)), 2):
            present = tuple(key for key in keys if key in flawed)
            right = "neither" if not present else "both" if present == keys else None
            right = right or ("first" if present[0] == keys[0] else "second")
            seen = {"first": facts.names[keys[0]], "second": facts.names[keys[1]]}
            yield OptionSet(
                "+".join(keys), tuple((kind, seen) for kind in kinds), kinds.index(right), present
            )
        return
    listed = spec.count - 1
    found = [(flaw, *others) for flaw in flawed for others in combinations(absent, listed - 1)]
    if spec.none_means == "nothing listed" or facts.chain.label is Label.REAL:
        found += list(combinations(absent, listed))
    for shown in map(sorted, found):
        texts = (*(("one", {"name": facts.names[key]}) for key in shown), ("none", {}))
        present = tuple(key for key in shown if key in flawed)
        yield OptionSet("+".join(shown), texts, shown.index(present[0]) if present else listed, present)


def _asked(facts: Facts) -> tuple[Sequence[str], Sequence[str]]:
    """The flawed and absent attributes that options are taken from.

    Chains of one bucket prefer the same attributes, so that the same sets come up for fake and real images and
    can be balanced against each other; otherwise the attributes listed would give the label away wherever
    fakes were not judged on the same ones as reals.
    """
    bucket = stable_seed(facts.chain.id) % BUCKETS
    flawed, absent = (
        sorted(keys, key=lambda key: _preference(bucket, key)) for keys in (facts.flawed, facts.absent)
    )
    flawed = flawed[: ASKED // 3]
    return flawed, absent[: ASKED - len(flawed)]


@lru_cache(maxsize=4096)
def _preference(bucket: int, key: str) -> int:
    return stable_seed("options", bucket, key)


def count_options(spec: OptionSpec) -> int:
    """Number of options that each of its sets has."""
    return spec.count if spec.kind == "attribute" else len(OPTION_TEXTS[spec.kind])
