"""The survey: how many variants each chain has of each template and topic."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.base.progress import track
from fakeinstruct.chains.schema import Chain, Label, Split
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expand.cases import (
    case_of,
    case_of_chain,
    case_of_needs,
    count_part,
    count_whole,
    shape_of,
)
from fakeinstruct.expand.context import Facts, gather
from fakeinstruct.expand.front import Over
from fakeinstruct.expand.placeholders import refuse_markup
from fakeinstruct.expand.render import Stratum
from fakeinstruct.expand.space import Subject, parts_of
from fakeinstruct.expand.template import Template, TemplateSet

MOST_HELD = 65_535
"""Where counting a chain's variants in one stratum stops: far more than a quota."""

SHAPES_KEPT = 10_000
"""Chains whose counts are remembered as a whole; some kilobytes each."""

CASES_KEPT = 200_000
"""Parts of chains whose counts are remembered; a few hundred bytes each."""

Counts = tuple[NDArray[np.int32], NDArray[np.uint16]]
"""Numbers of strata, and the variants in each."""


@dataclass(frozen=True)
class Supply:
    """What chains have to give: one entry for each chain and stratum with variants, in the order of the chains.

    Attributes:
        strata: What `stratum` counts, in the order in which chains brought them up.
        chain: Number of the chain of each entry, shape (entries,).
        stratum: Number of the stratum of each entry, shape (entries,).
        held: Variants of each entry, at most 65,535, shape (entries,).
        fake: Whether each chain is fake, shape (chains,).
        split: Split of each chain as its place in `Split`, or -1, shape (chains,).
    """

    strata: tuple[Stratum, ...]
    chain: NDArray[np.int32]
    stratum: NDArray[np.int32]
    held: NDArray[np.uint16]
    fake: NDArray[np.bool_]
    split: NDArray[np.int8]


def survey(chains: ChainSet, templates: TemplateSet, rejects: Rejects) -> Supply:
    """Count every chain's variants; a chain whose texts or path are refused counts as having none."""
    counter = _Counter(chains, templates)
    found: list[Counts] = [(np.zeros(0, np.int32), np.zeros(0, np.uint16))]
    sizes = array("i")
    fake, split = array("b"), array("b")
    splits = list(Split)
    for number, chain in enumerate(track(chains.read(rejects), "planning")):
        try:
            own = counter.count(chain)
            sizes.append(sum(len(stratum) for stratum, _ in own))
            found += own
        except RecordError as error:
            sizes.append(0)
            rejects.add(error.located(file=chains.file, record=chain.id))
            rejects.check(number + 1)
        fake.append(chain.label is Label.FAKE)
        split.append(splits.index(chain.split) if chain.split else -1)
    return Supply(
        tuple(counter.strata),
        np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
        np.concatenate([stratum for stratum, _ in found]),
        np.concatenate([held for _, held in found]),
        np.array(fake, bool),
        np.array(split, np.int8),
    )


class _Counter:
    """Counts variants, once for all chains that are alike but for their words, and for all parts that are.

    What a template over attributes has to say of an attribute depends on that attribute's traces alone, so chains
    differ in few parts even where hardly two of them are alike as a whole.

    Attributes:
        strata: The strata met so far, numbered as they came up.
    """

    def __init__(self, chains: ChainSet, templates: TemplateSet) -> None:
        self.strata: dict[Stratum, int] = {}
        self._taxonomy = chains.taxonomy
        self._alike: dict[tuple[Over, bool, bool], list[Template]] = {}
        for template in templates.templates:
            front = template.front
            self._alike.setdefault((front.over, front.looks, bool(front.options)), []).append(template)
        self._shapes: dict[Hashable, list[Counts]] = {}
        self._known: dict[Hashable, Counts] = {}
        self._paths = _Paths(chains)

    def count(self, chain: Chain) -> list[Counts]:
        """A chain's variants by stratum.

        Raises:
            RecordError: If a text holds a placeholder, or the image path leaves the image root.
        """
        self._paths.check(chain)
        refuse_markup(chain)
        shape = shape_of(chain)
        known = self._shapes.get(shape)
        if known is None:
            known = self._count(gather(chain, self._taxonomy))
            if len(self._shapes) < SHAPES_KEPT:
                self._shapes[shape] = known
        return known

    def _count(self, facts: Facts) -> list[Counts]:
        needs = case_of_needs(facts)
        found = []
        for (over, *kind), templates in self._alike.items():
            if over == "chain":
                key = (*kind, case_of_chain(templates[0].front, facts))
                found.append(self._once(key, self._whole, templates, facts))
                continue
            for topic, subjects in parts_of(over, facts).items():
                key = (needs, over, topic, *map(case_of, subjects))
                found.append(self._once(key, self._part, templates, facts, topic, subjects))
        return found

    def _once(self, key: Hashable, count: Callable[..., dict[Stratum, int]], *given: Any) -> Counts:
        known = self._known.get(key)
        if known is None:
            held = {stratum: min(number, MOST_HELD) for stratum, number in count(*given).items() if number}
            numbers = [self.strata.setdefault(stratum, len(self.strata)) for stratum in held]
            known = np.array(numbers, np.int32), np.array(list(held.values()), np.uint16)
            if len(self._known) < CASES_KEPT:
                self._known[key] = known
        return known

    def _whole(self, templates: list[Template], facts: Facts) -> dict[Stratum, int]:
        return {
            (template.id, topic): number
            for template in templates
            for topic, number in count_whole(template, facts).items()
        }

    def _part(
        self, templates: list[Template], facts: Facts, topic: str, subjects: Sequence[Subject]
    ) -> dict[Stratum, int]:
        return {(template.id, topic): count_part(template, facts, subjects) for template in templates}


class _Paths:
    """Checks image paths; the folders of a set, few as a rule, are resolved once."""

    def __init__(self, chains: ChainSet) -> None:
        self._chains = chains
        self._sound: set[str] = set()

    def check(self, chain: Chain) -> None:
        """Check that an image lies under the image root.

        Raises:
            RecordError: If it does not.
        """
        folder, _, _ = chain.image.path.rpartition("/")
        is_link = (self._chains.image_root / chain.image.path).is_symlink()
        if is_link or folder not in self._sound:
            self._chains.image_path(chain)
        if not is_link:
            self._sound.add(folder)
