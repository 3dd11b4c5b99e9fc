"""What a chain set is made of: counts by split, label, manipulation and source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fakeinstruct.chains.schema import Chain, Label


class Kind(NamedTuple):
    """What chains are counted by; an empty word where the chain does not say."""

    split: str
    label: str
    manipulation: str
    source: str


def kind_of(chain: Chain) -> Kind:
    """The kind of a chain; its source is the generator of a fake or the camera set of a real image."""
    source = chain.generator if chain.label is Label.FAKE else chain.camera_set
    return Kind(chain.split or "", chain.label, chain.manipulation or "", source or "")


def counted(chains: Iterable[Chain], counts: Counter[Kind]) -> Iterator[Chain]:
    """Pass chains on and count them."""
    for chain in chains:
        counts[kind_of(chain)] += 1
        yield chain


def in_order(counts: Counter[Kind]) -> list[tuple[Kind, int]]:
    """Counts for a table: train before validation before test, then by name."""
    splits = ("train", "validation", "test", "")
    return sorted(counts.items(), key=lambda item: (splits.index(item[0].split), *item[0][1:]))
