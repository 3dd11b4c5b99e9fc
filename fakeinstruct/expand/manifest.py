"""What a pair set's folder says of itself: first the mark that it is claimed with, last the manifest."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expand.pair import PairManifest
from fakeinstruct.expand.plan import Plan
from fakeinstruct.expand.readouts import explanation_prompts, readouts
from fakeinstruct.expand.shard import Sidecar, shard_name
from fakeinstruct.expand.template import TemplateSet


def mark_of(plan: Plan) -> dict[str, Any]:
    """What `plan.json` says: which expansion this is."""
    return {
        "fingerprint": plan.fingerprint,
        "seed": plan.seed,
        "budget": plan.budget.model_dump(mode="json"),
        "pairs": plan.pairs,
        "shards": len(plan.shards),
        "chains_sha256": plan.chains_sha256,
        "templates_sha256": plan.templates_sha256,
    }


def manifest_of(
    chains: ChainSet,
    out: Path,
    plan: Plan,
    templates: TemplateSet,
    sidecars: Sequence[Sidecar],
    *,
    rejected: int,
) -> PairManifest:
    """The manifest of a complete set.

    Args:
        chains: The chain set.
        out: The pair set's folder.
        plan: The plan.
        templates: The template set.
        sidecars: The sidecars of all shards, in order.
        rejected: Number of bad chains and of pairs that could not be rendered.
    """
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
        asked=plan.asked,
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
