"""A shard: some consecutive chains' pairs in one Parquet file, with a sidecar that vouches for it."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from pydantic import ValidationError

from fakeinstruct.base.config import StrictModel
from fakeinstruct.base.errors import FakeInstructError, RecordError
from fakeinstruct.base.files import atomic_write, fingerprint, read_json, sha256_file, write_json
from fakeinstruct.chains.schema import Chain
from fakeinstruct.chains.taxonomy import Taxonomy
from fakeinstruct.expand.columns import Columns
from fakeinstruct.expand.context import gather
from fakeinstruct.expand.render import Stratum, render_chain
from fakeinstruct.expand.template import Template

ROW_GROUP = 4096
"""Rows of a Parquet row group."""

REPEATED = [
    *("chain", "template", "task", "stage", "images.list.element.path", "messages.list.element.role"),
    *("label", "split", "group", "target.verdict", "target.choice", "polarity", "advice_origin"),
]
"""Columns whose values come again and again, worth a dictionary."""


class Sidecar(StrictModel):
    """What vouches for one shard: the plan it belongs to, its hash, its counts, and what was rejected.

    `seal` is the hash of all that, so that a sidecar that somebody has changed is not believed.
    """

    plan: str
    sha256: str
    pairs: int
    per_task: dict[str, int]
    per_template: dict[str, dict[str, int]]
    per_split: dict[str, int]
    rejects: tuple[dict[str, str | None], ...]
    seal: str = ""

    def sealed(self) -> Sidecar:
        """The same with its seal."""
        return self.model_copy(update={"seal": fingerprint(self.model_dump(mode="json", exclude={"seal"}))})


@dataclass(frozen=True)
class ShardWork:
    """All that a shard is a function of, besides what every shard shares (`Shared`).

    Attributes:
        name: Its file name.
        chains: Its chains that have quotas.
        quotas: Their quotas.
    """

    name: str
    chains: tuple[Chain, ...] = ()
    quotas: tuple[dict[Stratum, int], ...] = ()


@dataclass(frozen=True)
class Shared:
    """What all shards of an expansion share."""

    out: Path
    plan: str
    seed: int
    templates: tuple[Template, ...]
    taxonomy: Taxonomy


def shard_name(number: int, count: int) -> str:
    """Name of a shard's file: `pairs-00000-of-00008.parquet`."""
    return f"pairs-{number:05d}-of-{count:05d}.parquet"


def write_shard(shared: Shared, work: ShardWork) -> Sidecar:
    """Write one shard and the sidecar that vouches for it."""
    file = shared.out / work.name
    with _without_collector():
        columns, rejected = _render(shared, work)
        table = columns.table()
    with atomic_write(file) as opened:
        pq.write_table(
            table,
            opened,
            compression="zstd",
            row_group_size=ROW_GROUP,
            use_dictionary=REPEATED,
            write_statistics=REPEATED,
        )
    sidecar = _sidecar(shared.plan, sha256_file(file), columns, rejected)
    write_json(file.with_suffix(".json"), sidecar.model_dump(mode="json"))
    return sidecar


def _render(shared: Shared, work: ShardWork) -> tuple[Columns, list[RecordError]]:
    columns = Columns(shared.templates)
    rejected: list[RecordError] = []
    for chain, quotas in zip(work.chains, work.quotas, strict=True):
        facts = gather(chain, shared.taxonomy)
        for result in render_chain(shared.templates, facts, quotas, shared.seed):
            if isinstance(result, RecordError):
                rejected.append(result)
            else:
                columns.add(result)
    return columns, rejected


@contextmanager
def _without_collector() -> Iterator[None]:
    """Without Python's search for reference cycles: rendering makes none, and the search goes through every pair."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _sidecar(plan: str, sha256: str, columns: Columns, rejected: list[RecordError]) -> Sidecar:
    per_template: dict[str, dict[str, int]] = {}
    per_task: Counter[str] = Counter()
    per_split: Counter[str] = Counter()
    for kind, count in columns.counts().items():
        by_label = per_template.setdefault(kind.template, {"fake": 0, "real": 0})
        by_label[kind.label] += count
        per_task[kind.task] += count
        per_split[kind.split] += count
    return Sidecar(
        plan=plan,
        sha256=sha256,
        pairs=len(columns),
        per_task=dict(per_task),
        per_template=per_template,
        per_split=dict(per_split),
        rejects=tuple({"file": e.file, "record": e.record, "problem": e.problem} for e in rejected),
    ).sealed()


def vouched(file: Path, plan: str) -> Sidecar | None:
    """The sidecar of a shard that is complete, undamaged and of this plan."""
    try:
        sidecar = Sidecar.model_validate(read_json(file.with_suffix(".json")))
        believed = sidecar.plan == plan and sidecar == sidecar.sealed()
        sound = believed and sidecar.sha256 == sha256_file(file)
    except (FakeInstructError, ValidationError, OSError):
        return None  # it is written anew
    return sidecar if sound else None
