"""Expansion: chains to a pair set on disk, shard by shard, resumable, the same bytes every time."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects
from fakeinstruct.base.files import read_json, write_json
from fakeinstruct.base.progress import track
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expand.lint import load_templates
from fakeinstruct.expand.pair import PairManifest
from fakeinstruct.expand.plan import Plan, make_plan
from fakeinstruct.expand.pool import in_order
from fakeinstruct.expand.readouts import explanation_prompts, readouts
from fakeinstruct.expand.shard import ShardWork, Shared, Sidecar, shard_name, vouched, write_shard
from fakeinstruct.expand.template import TemplateSet


def expand(
    chains: ChainSet,
    out: str | Path,
    *,
    seed: int,
    pairs: int | None = None,
    workers: int | None = None,
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
        workers: Processes; one, in this process, by default. With more, a script needs the usual
            `if __name__ == "__main__":` above its call.
        templates: Folder of templates; the project's own by default.
        rejects: Collects bad chains, and pairs that could not be rendered; the manifest counts them.

    Returns:
        The manifest, as written to `manifest.json`.

    Raises:
        FakeInstructError: If nothing can be expanded, `out` holds something else, or too much is rejected.
        UsageError: If a template is wrong.
    """
    out = Path(out)
    rejects = rejects if rejects is not None else Rejects()
    template_set = load_templates(templates, taxonomy=chains.taxonomy)
    before = len(rejects)
    plan = make_plan(chains, template_set, seed=seed, pairs=pairs, rejects=rejects)
    _claim(out, plan)
    shared = Shared(out, plan.fingerprint, seed, template_set.templates, chains.taxonomy)
    count = len(plan.shards)
    sidecars: list[Sidecar] = []
    done = 0
    results = in_order(_work(chains, plan, out), write_shard, shared, min(workers or 1, count))
    for sidecar in track(results, "expanding", count):
        sidecars.append(sidecar)
        done += sidecar.pairs + len(sidecar.rejects)
        for reject in sidecar.rejects:
            rejects.add(RecordError(reject["problem"] or "", file=reject["file"], record=reject["record"]))
        rejects.check(len(plan.supply.fake) + done)
    manifest = _manifest(chains, out, plan, template_set, sidecars, rejected=len(rejects) - before)
    write_json(out / "manifest.json", manifest.model_dump(mode="json"))
    return manifest


def _work(chains: ChainSet, plan: Plan, out: Path) -> Iterator[ShardWork]:
    """The work of each shard, its chains read as they are needed.

    The chain file's bad records were counted by the plan and are passed over silently here.
    """
    stream = enumerate(chains.read(Rejects(share=1.0)))
    for number, (start, end) in enumerate(plan.shards):
        name = shard_name(number, len(plan.shards))
        members = [next(stream) for _ in range(start, end)]
        finished = vouched(out / name, plan.fingerprint)
        if finished:
            yield ShardWork(name, finished)
            continue
        wanted = [(chain, quotas) for index, chain in members if (quotas := plan.quotas_of(index))]
        yield ShardWork(
            name, None, tuple(chain for chain, _ in wanted), tuple(quotas for _, quotas in wanted)
        )


def _claim(out: Path, plan: Plan) -> None:
    """Make sure that the folder is this expansion's: mark a new or empty one, refuse any other.

    Raises:
        FakeInstructError: If it holds anything else.
    """
    mark = out / "plan.json"
    if mark.is_file():
        found = read_json(mark)
        if not isinstance(found, dict) or found.get("fingerprint") != plan.fingerprint:
            raise FakeInstructError(
                "holds an expansion of other chains, templates, seed or budget",
                file=out,
                hint="Choose another --out, or delete the folder.",
            )
        for leftover in out.glob(".*.tmp"):
            leftover.unlink()
        return
    if out.exists() and not out.is_dir():
        raise FakeInstructError("is a file where a folder is to be written", file=out)
    if out.is_dir() and any(not entry.name.endswith(".tmp") for entry in out.iterdir()):
        raise FakeInstructError(
            "is not empty and not a pair set", file=out, hint="Choose another --out, or empty the folder."
        )
    write_json(
        mark,
        {
            "fingerprint": plan.fingerprint,
            "seed": plan.seed,
            "pairs": plan.pairs,
            "shards": len(plan.shards),
            "chains_sha256": plan.chains_sha256,
            "templates_sha256": plan.templates_sha256,
        },
    )


def _manifest(
    chains: ChainSet, out: Path, plan: Plan, templates: TemplateSet, sidecars: list[Sidecar], *, rejected: int
) -> PairManifest:
    per_task: Counter[str] = Counter()
    per_split: Counter[str] = Counter()
    per_template: dict[str, dict[str, int]] = {t.id: {"fake": 0, "real": 0} for t in templates.templates}
    for sidecar in sidecars:
        per_task.update(sidecar.per_task)
        per_split.update(sidecar.per_split)
        for template, counts in sidecar.per_template.items():
            for label, count in counts.items():
                per_template[template][label] += count
    count = len(sidecars)
    return PairManifest(
        seed=plan.seed,
        pairs=sum(sidecar.pairs for sidecar in sidecars),
        chains=int((plan.per_chain > 0).sum()),
        rejected=rejected,
        image_root=Path(os.path.relpath(chains.image_root.resolve(), out.resolve())).as_posix(),
        chains_sha256=plan.chains_sha256,
        templates_sha256=plan.templates_sha256,
        per_task=dict(sorted(per_task.items())),
        per_template=per_template,
        per_split=dict(sorted(per_split.items())),
        shards={shard_name(number, count): sidecar.sha256 for number, sidecar in enumerate(sidecars)},
        readouts=readouts(templates),
        explanation_prompts=explanation_prompts(templates),
    )
