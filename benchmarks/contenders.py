"""What `benchmarks/expand.py` compares: each makes the same pairs of the same chains and templates.

`ours` is `fakeinstruct expand`, planning included. `compiled` and `recompiled` are `datasets.map` over chains, with
Jinja's immutable sandbox: templates and phrases compiled once and kept, or parsed and compiled on each call, as
promptsource does. Which variants there are, their values and targets come from this project's own code in both, so that
what differs is the wording of texts and the way of the rows to Parquet; the plan is made before the clock
starts. Neither resumes, passes over pairs of the same words, or checks what it words. `ceiling` is what would be left
if wording took no time: the finished columns written to Parquet again, reading them not counted. `plan` is the
planning alone.

Each is run in a process of its own, by `benchmarks/expand.py`, and prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from jinja2 import Template as Jinja

from fakeinstruct.base.errors import Rejects
from fakeinstruct.chains.schema import Chain
from fakeinstruct.chains.store import ChainSet, open_chains
from fakeinstruct.expand import render, sandbox, shard
from fakeinstruct.expand.columns import SCHEMA
from fakeinstruct.expand.context import Facts, gather
from fakeinstruct.expand.lint import load_templates
from fakeinstruct.expand.plan import Plan, make_plan
from fakeinstruct.expand.quotas import Budget
from fakeinstruct.expand.read import default_folder, read_templates
from fakeinstruct.expand.space import spaces
from fakeinstruct.expand.template import Template
from fakeinstruct.expand.write import expand

SEED = 0

Result = dict[str, Any]


class Job(NamedTuple):
    """What a contender is to make: the chains, the folder to write to, how many pairs, in how many processes."""

    chains: ChainSet
    out: Path
    pairs: int
    workers: int


def ours(job: Job) -> Result:
    """`fakeinstruct expand`."""
    began = time.perf_counter()
    manifest = expand(job.chains, job.out, seed=SEED, pairs=job.pairs, workers=job.workers, rejects=Rejects())
    return {"pairs": manifest.pairs, "seconds": time.perf_counter() - began, "bytes": _size(job.out)}


def plan(job: Job) -> Result:
    """The plan alone."""
    began = time.perf_counter()
    made = _plan(job)
    return {"pairs": made.pairs, "seconds": time.perf_counter() - began, "bytes": 0}


def compiled(job: Job) -> Result:
    """`datasets.map`, every template and phrase compiled once."""
    return _map(job, lru_cache(maxsize=None)(_compile))


def recompiled(job: Job) -> Result:
    """`datasets.map`, every template and phrase parsed and compiled on each call."""
    return _map(job, _compile)


def ceiling(job: Job) -> Result:
    """The columns of a finished expansion, written again."""
    job.out.mkdir(parents=True)
    seconds, count = 0.0, 0
    for file in sorted(job.out.with_name("ours-1").glob("*.parquet")):
        table = pq.read_table(file)
        began = time.perf_counter()
        pq.write_table(
            table,
            job.out / file.name,
            compression="zstd",
            row_group_size=shard.ROW_GROUP,
            use_dictionary=shard.REPEATED,
            write_statistics=shard.REPEATED,
        )
        seconds += time.perf_counter() - began
        count += table.num_rows
    return {"pairs": count, "seconds": seconds, "bytes": _size(job.out)}


def _plan(job: Job) -> Plan:
    templates = load_templates(taxonomy=job.chains.taxonomy)
    return make_plan(job.chains, templates, seed=SEED, budget=Budget(pairs=job.pairs), rejects=Rejects())


def _compile(source: str) -> Jinja:
    return sandbox.environment().from_string(source)


def _map(job: Job, compile_source: Callable[[str], Jinja]) -> Result:
    from datasets import Dataset, Features

    templates = read_templates(default_folder())
    made = _plan(job)
    lines = [line for line in job.chains.file.read_text(encoding="utf-8").splitlines() if line]
    data = Dataset.from_dict({"number": list(range(len(lines))), "line": lines})

    def batch(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
        for number, line in zip(rows["number"], rows["line"], strict=True):
            facts = gather(Chain.model_validate_json(line), job.chains.taxonomy)
            for row in _rows(templates, facts, made.quotas_of(number), compile_source):
                for name, column in columns.items():
                    column.append(row[name])
        return columns

    began = time.perf_counter()
    mapped = data.map(
        batch,
        batched=True,
        batch_size=100,
        remove_columns=data.column_names,
        features=Features.from_arrow_schema(SCHEMA),
        load_from_cache_file=False,
        cache_file_name=str(job.out.with_suffix(".arrow")),
        new_fingerprint=job.out.name,  # so that the function is not hashed
    )
    job.out.mkdir(parents=True)
    mapped.to_parquet(job.out / "pairs.parquet")  # compressed as this version of datasets does
    return {"pairs": len(mapped), "seconds": time.perf_counter() - began, "bytes": _size(job.out)}


def _rows(
    templates: tuple[Template, ...],
    facts: Facts,
    quotas: dict[render.Stratum, int],
    compile_source: Callable[[str], Jinja],
) -> Iterator[dict[str, Any]]:
    """The pairs of a chain, worded by Jinja."""
    for template in templates:
        wanted = {topic: count for (name, topic), count in quotas.items() if name == template.id}
        for topic, space in spaces(template, facts, wanted).items() if wanted else ():
            drawn = render.draw(template, facts, topic, space, SEED)
            for _, (number, variant) in zip(range(wanted[topic]), drawn, strict=False):
                choices = render.choices_of(template, facts, variant)
                values = render.values_of(template, facts, variant, choices)
                phrases = {n: p.text for n, p in render.chosen_phrases(template, facts, variant)}
                texts = _texts(template, values, phrases, compile_source)
                identity = render.pair_id(facts.chain.id, template.id, topic, number)
                pair = render.Rendered(identity, template, facts, variant.subject, choices, texts)
                row = render.row_of(pair)
                yield row | {"target": {"tags": None} | row["target"]}


def _texts(
    template: Template,
    values: dict[str, Any],
    phrases: dict[str, str],
    compile_source: Callable[[str], Jinja],
) -> tuple[str, ...]:
    """The words of each turn: phrases first, then the blocks that they stand in."""
    values |= {name: text for name, text in phrases.items() if "{" not in text}
    values |= {name: compile_source(text).render(values) for name, text in phrases.items() if "{" in text}
    whole = compile_source(template.source)
    context = whole.new_context(values, shared=True)
    return tuple("".join(whole.blocks[block](context)).strip() for block, _ in template.turns)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.parquet"))


CONTENDERS = {
    "plan": plan,
    "ours": ours,
    "compiled": compiled,
    "recompiled": recompiled,
    "ceiling": ceiling,
}

if __name__ == "__main__":
    name, chains_folder, out_folder, wanted, processes = sys.argv[1:]
    os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
    job = Job(open_chains(chains_folder), Path(out_folder), int(wanted), int(processes))
    print(json.dumps(CONTENDERS[name](job)))
