"""Comparisons: two attributes of one chain side by side."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

from fakeinstruct.chains.schema import Label
from fakeinstruct.expand.context import FLAWED, PHOTOGRAPH, AttributeFacts, Facts
from fakeinstruct.expand.options import bucket_of, preference

COMPARED = 5
"""Attributes of a chain that are compared, which makes ten couples at most."""

RELATIONS = ("both", "first", "second", "neither")
"""Which of the two is flawed."""

Couple = tuple[AttributeFacts, AttributeFacts]


def couples(facts: Facts) -> tuple[Couple, ...]:
    """Couples in the order of their keys; of a fake at least one of the two is flawed.

    As with options, chains of one bucket prefer the same attributes, so that fake and real images are asked
    about the same couples; what is only known from the label comes last.
    """
    bucket = bucket_of(facts.chain)
    known = [facts for facts in facts.attributes.values() if facts.status not in (FLAWED, PHOTOGRAPH)]
    flawed = _preferred(bucket, facts.flawed)[: COMPARED // 2]
    others = _preferred(bucket, tuple(one.key for one in known)) + _preferred(bucket, facts.photograph)
    keys = _couples(flawed, others[: COMPARED - len(flawed)], facts.chain.label is Label.FAKE)
    return tuple((facts.attributes[first], facts.attributes[second]) for first, second in keys)


def relation(couple: Couple) -> str:
    """Which of the two is flawed: one of `RELATIONS`."""
    first, second = (one.status == FLAWED for one in couple)
    return RELATIONS[(0 if second else 1) if first else (2 if second else 3)]


def _preferred(bucket: int, keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(keys, key=lambda key: preference(bucket, key)))


@lru_cache(maxsize=4096)
def _couples(
    flawed: tuple[str, ...], others: tuple[str, ...], needs_flaw: bool
) -> tuple[tuple[str, str], ...]:
    return tuple(
        (first, second)
        for first, second in combinations(sorted(flawed + others), 2)
        if not needs_flaw or first in flawed or second in flawed
    )
