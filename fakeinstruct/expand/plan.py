"""The plan: how many variants each template has for each chain, and the quota that each gets.

A *stratum* is a template with the topic its questions name: an attribute, the attributes among its options, or
none. Within each split, the budget is poured over templates in proportion to their weights, from there over a
template's strata evenly, and from there over chains evenly, each vessel filling up to what it can hold. Fake
and real images get the same number in every stratum, so what is asked says nothing about the label; a stratum
that only one label can fill stays empty.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects, UsageError
from fakeinstruct.base.files import fingerprint, sha256_file, stable_seed
from fakeinstruct.base.progress import track
from fakeinstruct.chains.schema import Chain, Label, Split
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expand.context import gather
from fakeinstruct.expand.share import pour
from fakeinstruct.expand.space import spaces
from fakeinstruct.expand.template import Template, TemplateSet

PAIRS_PER_CHAIN = 60
"""Pairs a chain by default, about FakeInstruct's."""

SHARD_PAIRS = 16_384
"""Pairs a shard: some seconds of work and some megabytes, whatever the number of workers."""

RENDERING = 1
"""Version of what rendering does with a variant; a change of it makes earlier shards stale."""

Integers = NDArray[np.int64]
Stratum = tuple[str, str]
"""Template id and topic."""

MOST_HELD = 65_535
"""Where counting a chain's variants in one stratum stops: far more than a quota."""


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


@dataclass(frozen=True)
class PlanRow:
    """One line of the plan's table: a template, what there is of it, and what was planned, fake and real."""

    template: str
    weight: float
    chains: tuple[int, int]
    variants: tuple[int, int]
    quota: tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """Who gets how many pairs.

    Attributes:
        seed: Seed of the draws.
        fingerprint: Changes with anything that changes a shard's bytes.
        chains_sha256: Hash of the chain file.
        templates_sha256: Hash of the template set and the taxonomy.
        supply: What it was made from.
        quotas: Pairs of each entry of the supply, shape (entries,).
        shards: First and last but one chain of each shard.
    """

    seed: int
    fingerprint: str
    chains_sha256: str
    templates_sha256: str
    supply: Supply
    quotas: NDArray[np.uint16]
    shards: tuple[tuple[int, int], ...]

    @property
    def pairs(self) -> int:
        """Number of pairs planned; rendering may find fewer distinct ones."""
        return int(self.quotas.sum())

    @property
    def per_chain(self) -> Integers:
        """Pairs of each chain, shape (chains,)."""
        return _sum(self.quotas, self.supply.chain, len(self.supply.fake))

    def quotas_of(self, chain: int) -> dict[Stratum, int]:
        """The quotas of one chain that are not zero."""
        start, end = np.searchsorted(self.supply.chain, [chain, chain + 1])
        strata = self.supply.stratum[start:end]
        quotas = self.quotas[start:end]
        return {
            self.supply.strata[stratum]: int(quota)
            for stratum, quota in zip(strata, quotas, strict=True)
            if quota
        }

    def rows(self, templates: Sequence[Template]) -> list[PlanRow]:
        """The plan's table, a row for each template."""
        return [_table_row(self, template) for template in templates]


def make_plan(
    chains: ChainSet, templates: TemplateSet, *, seed: int, pairs: int | None = None, rejects: Rejects
) -> Plan:
    """Read the chains once and share out the budget.

    Args:
        chains: The chain set.
        templates: The template set.
        seed: Decides which chains get the odd pair that cannot be shared evenly, and every draw.
        pairs: Most pairs; by default `PAIRS_PER_CHAIN` times the number of chains.
        rejects: Collects bad chains.

    Raises:
        FakeInstructError: If there is nothing to plan, for example with chains of one label only.
        UsageError: If `pairs` is less than two.
    """
    if pairs is not None and pairs < len(Label):
        raise UsageError(f"{pairs} pairs cannot be shared between fake and real: ask for two or more")
    supply = survey(chains, templates, rejects)
    budget = PAIRS_PER_CHAIN * len(supply.fake) if pairs is None else pairs
    weights = {template.id: template.front.weight for template in templates.templates}
    quotas = share_out(supply, weights, budget, seed)
    if not quotas.any():
        _explain_nothing(chains, supply)
    chains_sha256 = sha256_file(chains.file)
    taxonomy = chains.taxonomy.model_dump(mode="json")
    templates_sha256 = fingerprint([templates.sha256, taxonomy])
    print_ = fingerprint([RENDERING, SHARD_PAIRS, chains_sha256, templates_sha256, seed, budget])
    shards = _cut(_sum(quotas, supply.chain, len(supply.fake)))
    return Plan(seed, print_, chains_sha256, templates_sha256, supply, quotas, shards)


def survey(chains: ChainSet, templates: TemplateSet, rejects: Rejects) -> Supply:
    """Count every chain's variants; a chain whose texts or path are refused counts as having none."""
    strata: dict[Stratum, int] = {}
    entries = (array("i"), array("i"), array("H"))
    fake, split = array("b"), array("b")
    splits = list(Split)
    for number, chain in enumerate(track(chains.read(rejects), "planning")):
        try:
            for stratum, count in _count(chains, chain, templates):
                values = (number, strata.setdefault(stratum, len(strata)), min(count, MOST_HELD))
                for column, value in zip(entries, values, strict=True):
                    column.append(value)
        except RecordError as error:
            rejects.add(error.located(file=chains.file, record=chain.id))
            rejects.check(number + 1)
        fake.append(chain.label is Label.FAKE)
        split.append(splits.index(chain.split) if chain.split else -1)
    of_chain, of_stratum, held = entries
    return Supply(
        tuple(strata),
        np.array(of_chain, np.int32),
        np.array(of_stratum, np.int32),
        np.array(held, np.uint16),
        np.array(fake, bool),
        np.array(split, np.int8),
    )


def _count(chains: ChainSet, chain: Chain, templates: TemplateSet) -> list[tuple[Stratum, int]]:
    """A chain's variants by stratum.

    Raises:
        RecordError: If a text holds a placeholder, or the image path leaves the image root.
    """
    chains.image_path(chain)
    facts = gather(chain, chains.taxonomy)
    return [
        ((template.id, topic), space.count)
        for template in templates.templates
        for topic, space in spaces(template, facts).items()
    ]


def share_out(supply: Supply, weights: dict[str, float], budget: int, seed: int) -> NDArray[np.uint16]:
    """The quotas: balanced by label in every stratum and split.

    Args:
        supply: What the chains have.
        weights: Weight of each template.
        budget: Most pairs.
        seed: See `make_plan`.

    Returns:
        Pairs of each entry of the supply, shape (entries,).
    """
    quotas = np.zeros_like(supply.held)
    splits, sizes = np.unique(supply.split, return_counts=True)
    of_entry = supply.split[supply.chain]
    parts = [np.flatnonzero(of_entry == split) for split in splits]
    halves = [_half(supply, part) for part in parts]
    budgets = pour([int(half.sum()) for half in halves], budget // 2, sizes)
    for split, part, half, amount in zip(splits, parts, halves, budgets, strict=True):
        by_stratum = _by_stratum(supply, half, weights, int(amount), seed)
        for stratum, fake, members in _groups(supply, part):
            key = stable_seed(seed, *supply.strata[stratum], int(fake), int(split))
            quotas[members] = pour(supply.held[members], int(by_stratum[stratum]), seed=key)
    return quotas


def _half(supply: Supply, part: NDArray[np.intp]) -> Integers:
    """Most pairs of one label in each stratum: what the scarcer label has, shape (strata,)."""
    fake = supply.fake[supply.chain[part]]
    count = len(supply.strata)
    one, other = (_sum(supply.held[part[mine]], supply.stratum[part[mine]], count) for mine in (fake, ~fake))
    return np.minimum(one, other)


def _sum(values: NDArray[np.uint16], groups: NDArray[np.int32], count: int) -> Integers:
    """Sums by group, shape (count,); exact below 2 to the 53."""
    return np.bincount(groups, weights=values, minlength=count).astype(np.int64)


def _by_stratum(
    supply: Supply, half: Integers, weights: dict[str, float], budget: int, seed: int
) -> Integers:
    """Pairs of one label in each stratum, shape (strata,)."""
    members: dict[str, list[int]] = {template: [] for template in weights}
    for number, (template, _) in enumerate(supply.strata):
        members[template].append(number)
    amounts = pour([int(half[mine].sum()) for mine in members.values()], budget, list(weights.values()))
    quotas = np.zeros_like(half)
    for (template, mine), amount in zip(members.items(), amounts, strict=True):
        quotas[mine] = pour(half[mine], int(amount), seed=stable_seed(seed, template))
    return quotas


def _groups(supply: Supply, part: NDArray[np.intp]) -> Iterator[tuple[int, bool, NDArray[np.intp]]]:
    """The entries of each stratum and label, in the order of the chains."""
    key = supply.stratum[part] * 2 + supply.fake[supply.chain[part]]
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    for members in np.split(part[order], starts[1:]):
        if len(members):
            first = members[0]
            yield int(supply.stratum[first]), bool(supply.fake[supply.chain[first]]), members


def _cut(per_chain: Integers) -> tuple[tuple[int, int], ...]:
    """Consecutive chains of about `SHARD_PAIRS` pairs each."""
    shard_of = np.maximum(np.cumsum(per_chain) - 1, 0) // SHARD_PAIRS
    starts = np.flatnonzero(np.diff(shard_of, prepend=-1))
    ends = [*starts[1:], len(per_chain)]
    return tuple((int(start), int(end)) for start, end in zip(starts, ends, strict=True))


def _table_row(plan: Plan, template: Template) -> PlanRow:
    supply = plan.supply
    mine = np.array([owner == template.id for owner, _ in supply.strata])[supply.stratum]
    count = len(supply.fake)
    held = _sum(supply.held[mine], supply.chain[mine], count)
    quota = _sum(plan.quotas[mine], supply.chain[mine], count)

    def both(values: Integers | NDArray[np.bool_]) -> tuple[int, int]:
        return int(values[supply.fake].sum()), int(values[~supply.fake].sum())

    return PlanRow(template.id, template.front.weight, both(held > 0), both(held), both(quota))


def _explain_nothing(chains: ChainSet, supply: Supply) -> None:
    if supply.fake.all() or not supply.fake.any():
        only = "fake" if supply.fake.all() else "real"
        raise FakeInstructError(
            f"holds {only} images only: every question would give the answer away",
            file=chains.file,
            hint=f"Add chains of {'real' if only == 'fake' else 'fake'} images, label-only ones if need be.",
        )
    raise FakeInstructError(
        "no template can be filled for both labels within one split",
        file=chains.file,
        hint="'fakeinstruct expand --dry-run' shows what each template finds.",
    )
