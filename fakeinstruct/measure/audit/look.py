"""Look: what was seen of one image before anything is judged; every image file is read in one go."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from fakeinstruct.base.errors import RecordError
from fakeinstruct.base.files import sha256_file, stable_seed
from fakeinstruct.base.images import load_image
from fakeinstruct.base.progress import track
from fakeinstruct.base.threads import in_threads
from fakeinstruct.chains.duplicates import Print, print_of
from fakeinstruct.chains.schema import Chain, Label
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.measure.audit.facts import Facts, header_facts, name_facts

LIMIT: Final = 20_000
"""Images that are opened: a minute or two of them, and an AUC to within .01."""


@dataclass(frozen=True, slots=True)
class Look:
    """One image.

    Attributes:
        chain: Its chain.
        names: What its name says.
        header: What its header says; None if the file cannot be read.
        sha256: Of the file's bytes, None if it cannot be read.
        print: Of its pixels, to know the picture again.
        size: Width and height in pixels, orientation tag applied.
        problem: Why the file cannot be read.
    """

    chain: Chain
    names: Facts
    header: Facts | None = None
    sha256: str | None = None
    print: Print | None = None
    size: tuple[int, int] | None = None
    problem: str | None = None

    @property
    def fake(self) -> bool:
        """The truth."""
        return self.chain.label is Label.FAKE


def draw(chains: Iterable[Chain], seed: int, limit: int = LIMIT) -> list[Chain]:
    """At most `limit` chains, drawn by a hash of the group and the seed, so that groups stay whole but one."""
    numbered = ((stable_seed(seed, chain.group), number, chain) for number, chain in enumerate(chains))
    drawn = heapq.nsmallest(limit, numbered, key=lambda each: each[:2])
    return [chain for _, _, chain in sorted(drawn, key=lambda each: each[1])]


def look_at(chains: ChainSet, drawn: Sequence[Chain]) -> list[Look]:
    """Look at the images of some chains."""
    return list(in_threads(partial(_look, chains), track(drawn, "looking at images")))


def _look(chains: ChainSet, chain: Chain) -> Look:
    names = name_facts(chain.image.path)
    try:
        path = chains.image_path(chain)
        header, image = header_facts(path), load_image(path)
        return Look(chain, names, header, sha256_file(path), print_of(image), image.size)
    except RecordError as error:
        return Look(chain, names, problem=error.problem)
