"""Expansion: chains to a pair set on disk, shard by shard, resumable, the same bytes every time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from fakeinstruct.base.config import explain
from fakeinstruct.base.errors import RecordError, Rejects, UsageError, nearest
from fakeinstruct.base.files import write_json
from fakeinstruct.base.progress import track
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expand.claim import claimed
from fakeinstruct.expand.lint import load_templates
from fakeinstruct.expand.manifest import manifest_of, mark_of
from fakeinstruct.expand.pair import PairManifest, Task
from fakeinstruct.expand.plan import Plan, make_plan
from fakeinstruct.expand.pool import in_order
from fakeinstruct.expand.quotas import Budget
from fakeinstruct.expand.shard import ShardWork, Shared, Sidecar, shard_name, vouched, write_shard

ENGINES = ("processes", "ray")
"""What works on several shards at once: processes of this machine, or the tasks of a Ray cluster."""


@dataclass(frozen=True)
class Part:
    """A share of the shards, for one of several processes: every `of`-th, from number `number` on.

    Attributes:
        number: Which share, 1 to `of`.
        of: Number of shares.
    """

    number: int = 1
    of: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise UsageError(f"there is no shard {self.number} of {self.of}: they count from 1")

    def shards(self, count: int) -> range:
        """Numbers of its shards, of `count`."""
        return range(self.number - 1, count, self.of)


def expand(
    chains: ChainSet,
    out: str | Path,
    *,
    seed: int,
    pairs: int | None = None,
    weights: Mapping[str, float] | None = None,
    max_per_template: int | None = None,
    max_per_image: int | None = None,
    workers: int | None = None,
    engine: str = "processes",
    templates: str | Path | None = None,
    rejects: Rejects | None = None,
) -> PairManifest:
    """Expand chains into a pair set.

    The same chains, templates, seed and budget give the same bytes, with any number of workers and after
    any interruption. A run into a folder that holds part of the same expansion goes on where that stopped.

    Args:
        chains: The chain set.
        out: Folder to write to: new, empty, or holding (part of) this same expansion.
        seed: Seed of every draw.
        pairs: Most pairs; by default 60 times the number of chains.
        weights: By task, what the weights of its templates are multiplied with, 0 to 1000.
        max_per_template: Most pairs of one template in the whole set.
        max_per_image: Most pairs of one image.
        workers: Processes; one, in this process, by default. With more, a script needs the usual
            `if __name__ == "__main__":` above its call.
        engine: What runs the workers, one of `ENGINES`.
        templates: Folder of templates; the project's own by default.
        rejects: Collects bad chains, and pairs that could not be rendered; the manifest counts them.

    Returns:
        The manifest, as written to `manifest.json`.

    Raises:
        FakeInstructError: If nothing can be expanded, `out` holds something else, or too much is rejected.
        UsageError: If a template or the budget is wrong, or the chains may not be trained on.
    """
    budget = make_budget(
        pairs=pairs,
        weights=dict(weights or {}),
        max_per_template=max_per_template,
        max_per_image=max_per_image,
    )
    manifest = expand_part(
        chains,
        out,
        Part(),
        seed=seed,
        budget=budget,
        workers=workers,
        engine=engine,
        templates=templates,
        rejects=rejects,
    )
    assert manifest is not None  # noqa: S101 - the one part is the whole
    return manifest


def make_budget(**fields: Any) -> Budget:
    """A checked budget.

    Raises:
        UsageError: Naming the field or the task that is wrong.
    """
    for task in fields.get("weights") or {}:
        if task not in get_args(Task):
            raise UsageError(f"weights: there is no task '{task}'", hint=nearest(task, get_args(Task)))
    try:
        return Budget(**fields)
    except ValidationError as error:
        field, problem, hint = explain(error, Budget)
        raise UsageError(problem, field=field, hint=hint) from None


def expand_part(
    chains: ChainSet,
    out: str | Path,
    part: Part,
    *,
    seed: int,
    budget: Budget,
    workers: int | None = None,
    engine: str = "processes",
    templates: str | Path | None = None,
    rejects: Rejects | None = None,
) -> PairManifest | None:
    """Write one part's shards; whoever finds that all parts are there writes the manifest.

    Args:
        chains: The chain set.
        out: Folder to write to, the same for all parts; see `expand`.
        part: Which shards to write.
        seed: Seed of every draw.
        budget: How many pairs, in what mixture.
        workers: Processes, or Ray tasks at once.
        engine: What runs the workers, one of `ENGINES`.
        templates: Folder of templates.
        rejects: Collects what is bad in the chains and in this part; in all parts, if they are complete.

    Returns:
        The manifest, or nothing while other parts are missing.
    """
    out, in_engine = Path(out), _engine(engine)
    rejects = rejects if rejects is not None else Rejects()
    template_set = load_templates(templates, taxonomy=chains.taxonomy)
    before = len(rejects)
    plan = make_plan(chains, template_set, seed=seed, budget=budget, rejects=rejects)
    planned = len(rejects)
    with claimed(out, mark_of(plan)):
        shared = Shared(out.resolve(), plan.fingerprint, seed, template_set.templates, chains.taxonomy)
        run = _Run(chains, plan, shared, in_engine, workers)
        sidecars = run.write(part, rejects)
        sidecars |= run.others(sidecars)
        in_order_of_chains = [sidecars[number] for number in sorted(sidecars)]
        del rejects.errors[planned:]  # listed anew in the order of the chains, whoever wrote the shards
        for sidecar in in_order_of_chains:
            _note(rejects, sidecar)
        if len(sidecars) < len(plan.shards):
            return None
        rejected = len(rejects) - before
        manifest = manifest_of(chains, out, plan, template_set, in_order_of_chains, rejected=rejected)
        write_json(out / "manifest.json", manifest.model_dump(mode="json"))
    return manifest


@dataclass(frozen=True)
class _Run:
    """The shards of one plan in one folder."""

    chains: ChainSet
    plan: Plan
    shared: Shared
    in_order: Callable[..., Iterator[Sidecar]]
    workers: int | None

    def write(self, part: Part, rejects: Rejects) -> dict[int, Sidecar]:
        """Write the part's shards that are not there yet; the sidecars of all of them by number."""
        mine = part.shards(len(self.plan.shards))
        sidecars = self._vouched(mine)
        missing = [number for number in mine if number not in sidecars]
        results = self.in_order(self._work(missing), write_shard, self.shared, self.workers)
        done = len(self.plan.supply.fake)
        for number, sidecar in zip(missing, track(results, "expanding", len(missing)), strict=True):
            sidecars[number] = sidecar
            _note(rejects, sidecar)
            done += sidecar.pairs + len(sidecar.rejects)
            rejects.check(done)
        return sidecars

    def others(self, mine: Mapping[int, Sidecar]) -> dict[int, Sidecar]:
        """The sidecars of all shards that are not mine, if none is missing."""
        others = [number for number in range(len(self.plan.shards)) if number not in mine]
        if not all(self._file(number).with_suffix(".json").is_file() for number in others):
            return {}
        return self._vouched(others)

    def _vouched(self, numbers: Iterable[int]) -> dict[int, Sidecar]:
        """The sidecars of those shards that are complete, by number."""
        found = {number: vouched(self._file(number), self.shared.plan) for number in numbers}
        return {number: sidecar for number, sidecar in found.items() if sidecar}

    def _file(self, number: int) -> Path:
        return self.shared.out / shard_name(number, len(self.plan.shards))

    def _work(self, numbers: Sequence[int]) -> Iterator[ShardWork]:
        """The work of these shards, the chains read as they are needed.

        The chain file's bad records were counted by the plan and are passed over silently here.
        """
        wanted = set(numbers)
        stream = enumerate(self.chains.read(Rejects(share=1.0)))
        for number, (start, end) in enumerate(self.plan.shards[: max(numbers, default=-1) + 1]):
            members = [next(stream) for _ in range(start, end)]
            if number in wanted:
                given = [(chain, quota) for index, chain in members if (quota := self.plan.quotas_of(index))]
                yield ShardWork(
                    name=self._file(number).name,
                    chains=tuple(chain for chain, _ in given),
                    quotas=tuple(quotas for _, quotas in given),
                )


def _engine(name: str) -> Callable[..., Iterator[Sidecar]]:
    if name not in ENGINES:
        raise UsageError(f"there is no engine '{name}'", hint=nearest(name, ENGINES))
    if name == "processes":
        return in_order
    from fakeinstruct.expand.cluster import in_order as in_order_on_cluster

    return in_order_on_cluster


def _note(rejects: Rejects, sidecar: Sidecar) -> None:
    for reject in sidecar.rejects:
        rejects.add(RecordError(reject["problem"] or "", file=reject["file"], record=reject["record"]))
