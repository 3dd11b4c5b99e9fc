"""Quotas: how many pairs each chain gives of each template and topic, balanced by label.

A *stratum* is a template with the topic its questions name: an attribute, the attributes among its options, or
none. The budget is poured over splits in proportion to their chains, from there over templates in proportion to
their weights, from there over a template's strata evenly, and from there over chains evenly, each vessel filling up
to what it can hold. Fake and real images get the same number in every stratum of every split, so what is asked says
nothing about the label; a stratum that only one label can fill stays empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fakeinstruct.base.config import StrictModel
from fakeinstruct.base.files import stable_seed
from fakeinstruct.chains.schema import Label, Split
from fakeinstruct.expand.pair import Task
from fakeinstruct.expand.share import pour
from fakeinstruct.expand.survey import Supply

PAIRS_PER_CHAIN = 60
"""Pairs a chain by default, about FakeInstruct's."""

TURNS = 12
"""Times that what a cap on images held back is poured again; what is left over then is a few pairs."""

LABELS = len(Label)
PARTS = len(Split) + 1
"""Splits, and before them the chains without one."""

UNBOUNDED = 1 << 62

Integers = NDArray[np.int64]


class Budget(StrictModel):
    """How many pairs are asked for, and in what mixture.

    `pairs` is the most in all, `PAIRS_PER_CHAIN` times the number of chains if absent. `weights`, by task, multiply
    the templates' own; a task of weight 0 is left out. `max_per_template` and `max_per_image` are the most
    pairs of one template in the whole set, and of one image.
    """

    pairs: int | None = Field(None, ge=LABELS)
    weights: dict[Task, Annotated[float, Field(ge=0, le=1000)]] = Field(default_factory=dict)
    max_per_template: int | None = Field(None, ge=LABELS)
    max_per_image: int | None = Field(None, ge=1, le=10**9)

    def asked(self, chains: int) -> int:
        """Most pairs that `chains` chains are asked for."""
        return PAIRS_PER_CHAIN * chains if self.pairs is None else self.pairs


def share_out(supply: Supply, weights: Mapping[str, float], budget: Budget, seed: int) -> NDArray[np.uint16]:
    """The quotas: balanced by label in every stratum and split.

    Args:
        supply: What the chains have.
        weights: Weight of each template, the task's included.
        budget: What is asked for.
        seed: Decides which chains get the odd pair that cannot be shared evenly.

    Returns:
        Pairs of each entry of the supply, shape (entries,).
    """
    sharing = _Sharing(supply, weights, budget, seed)
    amount = budget.asked(len(supply.fake)) // LABELS
    for turn in range(TURNS if budget.max_per_image else 1):
        given = sharing.pour(amount, turn)
        amount -= given
        if not given or not amount:
            break
    return sharing.quotas


def most_by_template(supply: Supply, templates: list[str]) -> Integers:
    """Most pairs of each template that are balanced by label, whatever the budget, shape (templates,)."""
    half = _Groups(supply).half(supply.held).sum(axis=0)
    number = {template: place for place, template in enumerate(templates)}
    owner = np.array([number[template] for template, _ in supply.strata], np.intp)
    return LABELS * np.bincount(owner, half, minlength=len(templates)).astype(np.int64)


class _Groups:
    """The entries of a supply by split, stratum and label.

    Attributes:
        key: Number of each entry's group, shape (entries,).
        shape: Splits, strata, labels.
    """

    def __init__(self, supply: Supply) -> None:
        self.shape = (PARTS, len(supply.strata), LABELS)
        part = (supply.split + np.int32(1))[supply.chain]
        self.key = (part * np.int32(self.shape[1]) + supply.stratum) * np.int32(LABELS)
        self.key += supply.fake[supply.chain]

    @cached_property
    def count(self) -> Integers:
        """Entries of each group, shape (splits, strata, labels)."""
        return np.bincount(self.key, minlength=int(np.prod(self.shape))).reshape(self.shape)

    @cached_property
    def _order(self) -> NDArray[np.int32]:
        return np.argsort(self.key, kind="stable").astype(np.int32)

    @cached_property
    def _ends(self) -> Integers:
        return np.cumsum(self.count.ravel()).reshape(self.shape)

    def half(self, held: NDArray[np.integer]) -> Integers:
        """Most pairs of one label: what the scarcer one holds, shape (splits, strata)."""
        sums = np.bincount(self.key, held, minlength=int(np.prod(self.shape)))  # exact below 2 to the 53
        half: Integers = sums.astype(np.int64).reshape(self.shape).min(axis=-1)
        return half

    def members(self, part: int, stratum: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The entries of the real and of the fake, in the order of the chains."""
        real, fake = (
            self._order[end - size : end]
            for end, size in zip(self._ends[part, stratum], self.count[part, stratum], strict=True)
        )
        return real, fake


class _Sharing:
    """The state of one sharing out.

    Attributes:
        quotas: Pairs given so far, shape (entries,).
    """

    def __init__(self, supply: Supply, weights: Mapping[str, float], budget: Budget, seed: int) -> None:
        self.quotas = np.zeros_like(supply.held)
        self._supply = supply
        self._seed = seed
        self._groups = _Groups(supply)
        self._templates = list(weights)
        self._claims = list(weights.values())
        number = {template: place for place, template in enumerate(weights)}
        self._owner = np.array([number[template] for template, _ in supply.strata], np.intp)
        self._filled = np.zeros(len(supply.fake), np.int64)
        self._cap = budget.max_per_image
        self._template_room = np.full(len(weights), (budget.max_per_template or UNBOUNDED) // LABELS)
        self._chains = np.bincount(supply.split + 1, minlength=PARTS)

    def pour(self, amount: int, turn: int) -> int:
        """Share out `amount` pairs of each label as far as they fit, and return how many did."""
        wanted = self._wanted(amount)
        given = 0
        for part, stratum in self._scarcest_first(wanted):
            sides = self._groups.members(part, stratum)
            held = [self._open(members) for members in sides]
            take = min(int(wanted[part, stratum]), *(int(side.sum()) for side in held))
            for fake, (members, side) in enumerate(zip(sides, held, strict=True)):
                key = stable_seed(self._seed, *self._supply.strata[stratum], fake, part, turn)
                self._give(members, side, take, key)
            self._template_room[self._owner[stratum]] -= take
            given += take
        return given

    def _open(self, members: NDArray[np.int32] | slice) -> Integers:
        """Pairs that entries can still take."""
        left = (self._supply.held[members] - self.quotas[members]).astype(np.int64)
        if self._cap is None:
            return left
        return np.minimum(left, self._cap - self._filled[self._supply.chain[members]])

    def _give(self, members: NDArray[np.int32], held: Integers, amount: int, seed: int) -> None:
        """Pour over the entries of one group; the odd pair goes to chains that have fewest so far."""
        chains = self._supply.chain[members]
        shares = pour(held, amount, seed=seed, last=self._filled[chains])
        self.quotas[members] += shares.astype(np.uint16)
        self._filled[chains] += shares  # a chain is in a group once

    def _room(self) -> Integers:
        """Pairs of one label that the images of each split can still take, shape (splits,).

        What is asked for beyond it must not be shared out: the first strata would fill the images up.
        """
        if self._cap is None:
            return np.full(PARTS, UNBOUNDED)
        group = (self._supply.split + np.int64(1)) * LABELS + self._supply.fake
        sums = np.bincount(group, self._cap - self._filled, minlength=PARTS * LABELS)
        room: Integers = sums.astype(np.int64).reshape(PARTS, LABELS).min(axis=1)
        return room

    def _scarcest_first(self, wanted: Integers) -> list[tuple[int, int]]:
        """Splits and strata to be filled; chains that can give little else are left for the later ones."""
        found = [(int(part), int(stratum)) for part, stratum in np.argwhere(wanted)]
        chains = self._groups.count.sum(axis=-1)
        return sorted(found, key=lambda place: (int(chains[place]), place))

    def _wanted(self, amount: int) -> Integers:
        """Pairs of one label for each split and stratum, shape (splits, strata)."""
        half = self._groups.half(self._open(slice(None)))
        half[:, np.array(self._claims)[self._owner] == 0] = 0
        mine = [np.flatnonzero(self._owner == number) for number in range(len(self._templates))]
        most = np.stack([half[:, strata].sum(axis=1) for strata in mine], axis=1)
        for number, room in enumerate(self._template_room):
            most[:, number] = pour(most[:, number], int(room), self._chains)
        wanted = np.zeros_like(half)
        budgets = pour(np.minimum(most.sum(axis=1), self._room()), amount, self._chains)
        for part in np.flatnonzero(budgets):
            shares = pour(most[part], int(budgets[part]), self._claims)
            for template, strata, share in zip(self._templates, mine, shares, strict=True):
                key = stable_seed(self._seed, template)
                wanted[part, strata] = pour(half[part, strata], int(share), seed=key)
        return wanted
