"""The plan: how many variants each template has for each chain, and the quota that each gets.

A *stratum* is a template with the topic its question names (an attribute, or none). Within each split, the
budget is poured over templates in proportion to their weights, from there over a template's strata
evenly, and from there over chains evenly, each vessel filling up to what it can hold. Fake and
real images get the same number in every stratum, so what is asked says nothing about the label; a stratum that
only one label can fill stays empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects
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

Counts = NDArray[np.uint16]
Stratum = tuple[str, str]


@dataclass(frozen=True)
class Supply:
    """What chains have to give.

    Attributes:
        strata: (template id, topic) of each column.
        available: Variants of each chain in each stratum, shape (chains, strata), at most 65,535.
        fake: Whether each chain is fake, shape (chains,).
        split: Split of each chain as its place in `Split`, or -1, shape (chains,).
    """

    strata: tuple[Stratum, ...]
    available: Counts
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
        quotas: Pairs of each chain in each stratum, shape (chains, strata).
        shards: First and last but one chain of each shard.
    """

    seed: int
    fingerprint: str
    chains_sha256: str
    templates_sha256: str
    supply: Supply
    quotas: Counts
    shards: tuple[tuple[int, int], ...]

    @property
    def pairs(self) -> int:
        """Number of pairs planned; rendering may find fewer distinct ones."""
        return int(self.quotas.sum())

    def quotas_of(self, chain: int) -> dict[Stratum, int]:
        """The quotas of one chain that are not zero."""
        row = self.quotas[chain]
        return {self.supply.strata[column]: int(row[column]) for column in np.flatnonzero(row)}

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
    """
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
    return Plan(seed, print_, chains_sha256, templates_sha256, supply, quotas, _cut(quotas))


def survey(chains: ChainSet, templates: TemplateSet, rejects: Rejects) -> Supply:
    """Count every chain's variants; a chain whose texts or path are refused counts as having none."""
    strata = _strata(chains, templates)
    columns = {stratum: column for column, stratum in enumerate(strata)}
    rows, fake, split = [], [], []
    splits = list(Split)
    for number, chain in enumerate(track(chains.read(rejects), "planning"), start=1):
        row = np.zeros(len(strata), np.uint16)
        try:
            _count(chains, chain, templates, columns, row)
        except RecordError as error:
            rejects.add(error.located(file=chains.file, record=chain.id))
            rejects.check(number)
        rows.append(row)
        fake.append(chain.label is Label.FAKE)
        split.append(splits.index(chain.split) if chain.split else -1)
    return Supply(strata, np.stack(rows), np.array(fake), np.array(split, np.int8))


def _strata(chains: ChainSet, templates: TemplateSet) -> tuple[Stratum, ...]:
    topics = ("", *chains.taxonomy.attributes)
    return tuple(
        (template.id, topic)
        for template in templates.templates
        for topic in (topics[:1] if template.front.over == "chain" else topics[1:])
    )


def _count(
    chains: ChainSet, chain: Chain, templates: TemplateSet, columns: dict[Stratum, int], row: Counts
) -> None:
    chains.image_path(chain)  # refuses a path that leaves the image root
    facts = gather(chain, chains.taxonomy)
    for template in templates.templates:
        for topic, space in spaces(template, facts).items():
            row[columns[template.id, topic]] = min(space.count, np.iinfo(np.uint16).max)


def share_out(supply: Supply, weights: dict[str, float], budget: int, seed: int) -> Counts:
    """The quotas: balanced by label in every stratum and split.

    Args:
        supply: What the chains have.
        weights: Weight of each template.
        budget: Most pairs.
        seed: See `make_plan`.

    Returns:
        Pairs of each chain in each stratum, shape (chains, strata).
    """
    quotas = np.zeros_like(supply.available)
    parts = [np.flatnonzero(supply.split == split) for split in np.unique(supply.split)]
    halves = [_half(supply, part) for part in parts]
    budgets = pour([int(half.sum()) for half in halves], budget // 2, [len(part) for part in parts])
    for part, half, amount in zip(parts, halves, budgets, strict=True):
        for column, quota in enumerate(_by_stratum(supply, half, weights, int(amount))):
            for fake in (True, False):
                members = part[supply.fake[part] == fake]
                key = stable_seed(seed, *supply.strata[column], int(fake), int(supply.split[part[0]]))
                held = supply.available[members, column]
                quotas[members, column] = pour(held, int(quota), seed=key)
    return quotas


def _half(supply: Supply, part: NDArray[np.intp]) -> NDArray[np.int64]:
    """Most pairs of one label in each stratum: what the scarcer label has, shape (strata,)."""
    held = supply.available[part]
    fake = supply.fake[part]
    scarcer: NDArray[np.int64] = np.minimum(*(held[mine].sum(0, dtype=np.int64) for mine in (fake, ~fake)))
    return scarcer


def _by_stratum(
    supply: Supply, half: NDArray[np.int64], weights: dict[str, float], budget: int
) -> NDArray[np.int64]:
    """Pairs of one label in each stratum, shape (strata,)."""
    owner = np.array([stratum[0] for stratum in supply.strata])
    held = [int(half[owner == template].sum()) for template in weights]
    amounts = pour(held, budget, list(weights.values()))
    quotas = np.zeros_like(half)
    for template, amount in zip(weights, amounts, strict=True):
        mine = owner == template
        quotas[mine] = pour(half[mine], int(amount))
    return quotas


def _cut(quotas: Counts) -> tuple[tuple[int, int], ...]:
    """Consecutive chains of about `SHARD_PAIRS` pairs each."""
    shard_of = (np.cumsum(quotas.sum(1, dtype=np.int64)) - 1) // SHARD_PAIRS
    starts = np.flatnonzero(np.diff(shard_of, prepend=shard_of[0] - 1))
    ends = [*starts[1:], len(quotas)]
    return tuple((int(start), int(end)) for start, end in zip(starts, ends, strict=True))


def _table_row(plan: Plan, template: Template) -> PlanRow:
    columns = [column for column, stratum in enumerate(plan.supply.strata) if stratum[0] == template.id]
    held = plan.supply.available[:, columns].sum(1, dtype=np.int64)
    quota = plan.quotas[:, columns].sum(1, dtype=np.int64)
    fake = plan.supply.fake

    def both(values: NDArray[np.int64] | NDArray[np.bool_]) -> tuple[int, int]:
        return int(values[fake].sum()), int(values[~fake].sum())

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
