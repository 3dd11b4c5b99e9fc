"""A shard: some consecutive chains' pairs in one Parquet file, with a sidecar that vouches for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from fakeinstruct.base.config import StrictModel
from fakeinstruct.base.errors import FakeInstructError, RecordError
from fakeinstruct.base.files import atomic_write, read_json, sha256_file, write_json
from fakeinstruct.chains.schema import Chain
from fakeinstruct.chains.taxonomy import Taxonomy
from fakeinstruct.expand.context import gather
from fakeinstruct.expand.plan import Stratum
from fakeinstruct.expand.render import render_chain
from fakeinstruct.expand.template import Template

_CONTENT = pa.struct([("type", pa.string()), ("text", pa.string())])
_BOX = pa.list_(pa.float64())

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("chain", pa.string()),
        ("template", pa.string()),
        ("task", pa.string()),
        ("stage", pa.string()),
        ("images", pa.list_(pa.struct([("path", pa.string()), ("crop", _BOX), ("parent", pa.string())]))),
        ("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.list_(_CONTENT))]))),
        ("label", pa.string()),
        ("split", pa.string()),
        ("group", pa.string()),
        (
            "target",
            pa.struct(
                [
                    ("verdict", pa.string()),
                    ("choice", pa.string()),
                    ("attributes", pa.list_(pa.string())),
                    ("boxes", pa.list_(_BOX)),  # x0, y0, x1, y1 in fractions of the image
                    ("text", pa.string()),
                ]
            ),
        ),
        ("polarity", pa.string()),
        ("choices", pa.list_(pa.string())),
        ("references", pa.list_(pa.string())),
        ("advice_origin", pa.string()),
    ]
)
"""Columns of a shard: the fields of `Pair` that expansion fills."""

ROW_GROUP = 4096
"""Rows of a Parquet row group."""


class Sidecar(StrictModel):
    """What vouches for one shard: the plan it belongs to, its hash, its counts, and what was rejected."""

    plan: str
    sha256: str
    pairs: int
    per_task: dict[str, int]
    per_template: dict[str, dict[str, int]]
    per_split: dict[str, int]
    rejects: tuple[dict[str, str | None], ...]


@dataclass(frozen=True)
class ShardWork:
    """All that a shard is a function of, besides what every shard shares (`Shared`).

    Attributes:
        name: Its file name.
        finished: The sidecar of a shard that an earlier run has written; there is nothing left to do then.
        chains: Its chains that have quotas.
        quotas: Their quotas.
    """

    name: str
    finished: Sidecar | None = None
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
    """Write one shard and the sidecar that vouches for it, unless an earlier run has."""
    if work.finished:
        return work.finished
    file = shared.out / work.name
    rows: list[dict[str, Any]] = []
    rejected: list[RecordError] = []
    for chain, quotas in zip(work.chains, work.quotas, strict=True):
        facts = gather(chain, shared.taxonomy)
        for result in render_chain(shared.templates, facts, quotas, shared.seed):
            if isinstance(result, RecordError):
                rejected.append(result)
            else:
                rows.append(result)
    with atomic_write(file) as opened:
        table = pa.Table.from_pylist(rows, schema=SCHEMA)
        pq.write_table(table, opened, compression="zstd", row_group_size=ROW_GROUP)
    sidecar = _sidecar(shared.plan, sha256_file(file), rows, rejected)
    write_json(file.with_suffix(".json"), sidecar.model_dump(mode="json"))
    return sidecar


def _sidecar(plan: str, sha256: str, rows: list[dict[str, Any]], rejected: list[RecordError]) -> Sidecar:
    per_template: dict[str, dict[str, int]] = {}
    for row in rows:
        by_label = per_template.setdefault(row["template"], {"fake": 0, "real": 0})
        by_label[row["label"]] += 1
    return Sidecar(
        plan=plan,
        sha256=sha256,
        pairs=len(rows),
        per_task=dict(Counter(row["task"] for row in rows)),
        per_template=per_template,
        per_split=dict(Counter(row["split"] or "none" for row in rows)),
        rejects=tuple({"file": e.file, "record": e.record, "problem": e.problem} for e in rejected),
    )


def vouched(file: Path, plan: str) -> Sidecar | None:
    """The sidecar of a shard that is complete, undamaged and of this plan."""
    try:
        sidecar = Sidecar.model_validate(read_json(file.with_suffix(".json")))
        sound = sidecar.plan == plan and sidecar.sha256 == sha256_file(file)
    except (FakeInstructError, ValidationError, OSError):
        return None  # it is written anew
    return sidecar if sound else None
