"""The plan: which chains give which pairs, and how they are cut into shards. It comes before any rendering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.base.errors import FakeInstructError, Rejects, UsageError
from fakeinstruct.base.files import fingerprint, sha256_bytes, sha256_file
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expand.pair import Task
from fakeinstruct.expand.quotas import LABELS, Budget, most_by_template, share_out
from fakeinstruct.expand.render import Stratum
from fakeinstruct.expand.survey import Supply, survey
from fakeinstruct.expand.template import Template, TemplateSet

SHARD_PAIRS = 16_384
"""Pairs a shard: some seconds of work and some megabytes, whatever the number of workers."""

RENDERING = 2
"""Version of what rendering does with a variant; a change of it makes earlier shards stale."""

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class PlanRow:
    """One line of the plan's table: a template, what there is of it, and what was planned.

    Attributes:
        template: Its id.
        task: Its task.
        weight: Its weight, the task's included.
        chains: Chains that can fill it, fake and real.
        most: Most pairs that are balanced by label, caps aside.
        quota: Pairs planned, half of them fake.
    """

    template: str
    task: Task
    weight: float
    chains: tuple[int, int]
    most: int
    quota: int

    @property
    def scarce(self) -> bool:
        """Whether all that there is was planned, so that other templates take over the rest of its share."""
        return self.weight > 0 and self.quota >= self.most


@dataclass(frozen=True)
class Plan:
    """Who gets how many pairs.

    Attributes:
        seed: Seed of the draws.
        budget: What was asked for.
        fingerprint: Changes with anything that changes a shard's bytes.
        chains_sha256: Hash of the chain file.
        templates_sha256: Hash of the template set and the taxonomy.
        supply: What it was made from.
        quotas: Pairs of each entry of the supply, shape (entries,).
        shards: First and last but one chain of each shard.
    """

    seed: int
    budget: Budget
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
    def asked(self) -> int:
        """Number of pairs asked for."""
        return self.budget.asked(len(self.supply.fake))

    @property
    def exhausted(self) -> bool:
        """Whether the chains give fewer balanced pairs than were asked for."""
        return self.pairs < self.asked - self.asked % LABELS

    @property
    def per_chain(self) -> Integers:
        """Pairs of each chain, shape (chains,)."""
        return _sum(self.quotas, self.supply.chain, len(self.supply.fake))

    def quotas_of(self, chain: int) -> dict[Stratum, int]:
        """The quotas of one chain that are not zero."""
        start, end = np.searchsorted(self.supply.chain, np.array([chain, chain + 1], np.int32))
        quotas = self.quotas[start:end]
        given = np.flatnonzero(quotas)
        return {
            self.supply.strata[stratum]: quota
            for stratum, quota in zip(
                self.supply.stratum[start:end][given].tolist(), quotas[given].tolist(), strict=True
            )
        }

    def rows(self, templates: Sequence[Template]) -> list[PlanRow]:
        """The plan's table, a row for each template."""
        most = most_by_template(self.supply, [template.id for template in templates])
        return [_table_row(self, template, int(m)) for template, m in zip(templates, most, strict=True)]


def make_plan(
    chains: ChainSet, templates: TemplateSet, *, seed: int, budget: Budget | None = None, rejects: Rejects
) -> Plan:
    """Read the chains once and share out the budget.

    Args:
        chains: The chain set.
        templates: The template set.
        seed: Decides which chains get the odd pair that cannot be shared evenly, and every draw.
        budget: What is asked for.
        rejects: Collects bad chains.

    Raises:
        FakeInstructError: If there is nothing to plan, for example with chains of one label only.
    """
    chains.check_trainable()
    budget = budget or Budget()
    _check_weights(templates, budget)
    chains_sha256 = sha256_file(chains.file)
    supply = survey(chains, templates, rejects)
    weights = {template.id: _weight(template, budget) for template in templates.templates}
    quotas = share_out(supply, weights, budget, seed)
    if not quotas.any():
        _explain_nothing(chains, supply)
    templates_sha256 = fingerprint([templates.sha256, chains.taxonomy.model_dump(mode="json")])
    says = [RENDERING, SHARD_PAIRS, chains_sha256, templates_sha256, seed, budget.model_dump(mode="json")]
    says.append(sha256_bytes(quotas.astype("<u2").tobytes()))  # which depend on the version of NumPy too
    shards = _cut(_sum(quotas, supply.chain, len(supply.fake)))
    return Plan(seed, budget, fingerprint(says), chains_sha256, templates_sha256, supply, quotas, shards)


def _check_weights(templates: TemplateSet, budget: Budget) -> None:
    """Refuse weights that leave nothing, or that are of tasks which no template has."""
    tasks = sorted({template.front.task for template in templates.templates})
    known = f"Tasks of this template set: {', '.join(tasks)}."
    for task, weight in budget.weights.items():
        if weight and task not in tasks:
            raise UsageError(f"no template in {templates.folder} is of task '{task}'", hint=known)
    if not any(_weight(template, budget) for template in templates.templates):
        raise UsageError("the weight of every task is 0, so nothing would be made", hint=known)


def _weight(template: Template, budget: Budget) -> float:
    return template.front.weight * budget.weights.get(template.front.task, 1.0)


def _sum(values: NDArray[np.uint16], groups: NDArray[np.int32], count: int) -> Integers:
    """Sums by group, shape (count,); exact below 2 to the 53."""
    return np.bincount(groups, weights=values, minlength=count).astype(np.int64)


def _cut(per_chain: Integers) -> tuple[tuple[int, int], ...]:
    """Consecutive chains of about `SHARD_PAIRS` pairs each."""
    shard_of = np.maximum(np.cumsum(per_chain) - 1, 0) // SHARD_PAIRS
    starts = np.flatnonzero(np.diff(shard_of, prepend=-1))
    ends = [*starts[1:], len(per_chain)]
    return tuple((int(start), int(end)) for start, end in zip(starts, ends, strict=True))


def _table_row(plan: Plan, template: Template, most: int) -> PlanRow:
    supply = plan.supply
    mine = np.array([owner == template.id for owner, _ in supply.strata])[supply.stratum]
    able = np.zeros(len(supply.fake), bool)
    able[supply.chain[mine]] = True
    chains = int((able & supply.fake).sum()), int((able & ~supply.fake).sum())
    weight = _weight(template, plan.budget)
    return PlanRow(
        template.id, template.front.task, weight, chains, most, int(plan.quotas[mine].sum(dtype=np.int64))
    )


def _explain_nothing(chains: ChainSet, supply: Supply) -> None:
    if supply.fake.all() or not supply.fake.any():
        only = "fake" if supply.fake.all() else "real"
        raise FakeInstructError(
            f"holds {only} images only: every question would give the answer away",
            file=chains.file,
            hint=f"Add chains of {'real' if only == 'fake' else 'fake'} images, label-only ones if need be: "
            "'fakeinstruct merge'.",
        )
    raise FakeInstructError(
        "no template can be filled for both labels within one split",
        file=chains.file,
        hint="'fakeinstruct preview TEMPLATE --chains CHAINS' shows what fills one template.",
    )
