"""`fakeinstruct expand`: chains to pairs."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fakeinstruct.base.errors import Rejects, UsageError
from fakeinstruct.cli.common import ImageRoot, MaxRejects, Out, Seed, close

if TYPE_CHECKING:
    from fakeinstruct.expand.pair import PairManifest
    from fakeinstruct.expand.plan import Plan, PlanRow
    from fakeinstruct.expand.template import TemplateSet
    from fakeinstruct.expand.write import Part


def expand(
    folder: Annotated[Path, typer.Argument(metavar="CHAINS", help="A chain set's folder.")],
    out: Out,
    seed: Seed,
    pairs: Annotated[int | None, typer.Option(help="Most pairs; by default 60 a chain.", min=2)] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="TASK=N,...",
            help="Weights of tasks, 1 by default: verdict=3,advice=0.5. 0 leaves one out.",
        ),
    ] = None,
    max_per_template: Annotated[int | None, typer.Option(help="Most pairs of one template.", min=2)] = None,
    max_per_image: Annotated[int | None, typer.Option(help="Most pairs of one image.", min=1)] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes or Ray tasks; by default one a core.", min=1)
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N", help="Write the I-th of N shares of the shards, as 2/8; others do the rest."
        ),
    ] = None,
    engine: Annotated[str, typer.Option(help="processes, or ray: the tasks of a Ray cluster.")] = "processes",
    templates: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of templates in place of the project's.")
    ] = None,
    image_root: ImageRoot = None,
    max_rejects: MaxRejects = 0.2,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and write nothing.")] = False,
) -> None:
    """Expand chains into instruction pairs: verdicts, reasoning, evidence, multiple choice, advice, grounding.

    The same chains, templates, seed and mixture give the same bytes, with any number of workers. A run that
    was stopped goes on where it was when it is started again. With `--shard` several machines work on one folder;
    the last to finish writes the manifest.

    **Examples**

    `fakeinstruct expand chains --out pairs --seed 0`

    `fakeinstruct expand chains --out pairs --seed 0 --pairs 2000000 --dry-run`

    `fakeinstruct expand chains --out pairs --seed 0 --weights verdict=3,advice=0.5 --max-per-image 40`

    `fakeinstruct expand chains --out pairs --seed 0 --templates my-templates`

    `fakeinstruct expand chains --out pairs --seed 0 --shard 2/8`
    """
    from fakeinstruct.chains.store import open_chains
    from fakeinstruct.expand.lint import load_templates
    from fakeinstruct.expand.plan import make_plan
    from fakeinstruct.expand.write import expand_part, make_budget

    part = _part(shard)
    budget = make_budget(
        pairs=pairs,
        weights=_weights(weights),
        max_per_template=max_per_template,
        max_per_image=max_per_image,
    )
    chains = open_chains(folder, image_root=image_root)
    rejects = Rejects(max_rejects)
    if dry_run:
        template_set = load_templates(templates, taxonomy=chains.taxonomy)
        plan = make_plan(chains, template_set, seed=seed, budget=budget, rejects=rejects)
        _print_plan(plan, template_set)
        close(rejects)
        return
    manifest = expand_part(
        chains,
        out,
        part,
        seed=seed,
        budget=budget,
        workers=workers or (os.cpu_count() if engine == "processes" else None),
        engine=engine,
        templates=templates,
        rejects=rejects,
    )
    if manifest is None:
        print(f"shard {shard} is complete, others are not: no manifest yet in {out}")
        close(rejects)
        return
    print(f"{_size(manifest.pairs, manifest.chains, len(manifest.shards))}: {out}")
    for task, count in manifest.per_task.items():
        print(f"  {task:<10} {count:>10,}")
    _say_shortage(manifest.pairs, pairs)
    _say_left_out(manifest)
    close(rejects, out)


def _part(shard: str | None) -> Part:
    from fakeinstruct.expand.write import Part

    if shard is None:
        return Part()
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", shard)
    if not match:
        raise UsageError(f"--shard {shard!r:.80} is not I/N", hint="The second of eight is 2/8.")
    return Part(int(match[1]), int(match[2]))


def _weights(text: str | None) -> dict[str, float]:
    found: dict[str, float] = {}
    for item in filter(None, (text or "").split(",")):
        task, _, weight = item.partition("=")
        if task.strip() in found:
            raise UsageError(f"--weights: the task '{task.strip()}' is there twice")
        try:
            found[task.strip()] = float(weight)
        except ValueError:
            hint = "As in --weights verdict=3,advice=0.5"
            raise UsageError(f"--weights {item!r} is not task=number", hint=hint) from None
    return found


def _say_shortage(pairs: int, asked: int | None) -> None:
    if asked is not None and pairs < asked - asked % 2:
        print(f"the chains give {pairs:,} pairs that are balanced; {asked:,} were asked for")


def _say_left_out(manifest: PairManifest) -> None:
    left_out = sum(not any(counts.values()) for counts in manifest.per_template.values())
    if left_out:
        print(f"{counted(left_out, 'template')} got no pairs; --dry-run lists them, and why")


def counted(number: int, word: str) -> str:
    """A number with its noun: "1 shard", "1,200 shards"."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _size(pairs: int, chains: int, shards: int) -> str:
    return f"{counted(pairs, 'pair')} of {counted(chains, 'chain')} in {counted(shards, 'shard')}"


def _print_plan(plan: Plan, templates: TemplateSet) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = plan.rows(templates.templates)
    caption = "chains: fake / real; half of all pairs are of either; counts from 10,000 on are rounded (17k)"
    table = Table(title=_size(plan.pairs, len(plan.supply.fake), len(plan.shards)), caption=caption)
    table.add_column("template", no_wrap=True)
    for name in ("weight", "chains", "most", "pairs"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        chains = " / ".join(map(_short, row.chains))
        table.add_row(Text(row.template), f"{row.weight:g}", chains, _short(row.most), _short(row.quota))
    Console().print(table)
    for task in dict.fromkeys(row.task for row in rows):
        print(f"  {task:<10} {sum(row.quota for row in rows if row.task == task):>10,}")
    _print_scarce(rows)
    _say_shortage(plan.pairs, plan.budget.pairs)


def _print_scarce(rows: list[PlanRow]) -> None:
    """Templates of which all that there is was planned, or nothing, and why."""
    for row in rows:
        fake, real = row.chains
        of = f"{fake:,} fake and {real:,} real images"
        if row.weight == 0:
            print(f"no pairs: {row.template}: its weight is 0")
        elif row.quota == 0 and row.most:
            print(f"no pairs: {row.template}: too few were asked for to reach it")
        elif row.quota == 0:
            why = "but none for the same question in one split" if fake and real else "both labels are needed"
            print(f"no pairs: {row.template}: {of} can fill it, {why}")
        elif row.scarce:
            print(f"scarce: {row.template} gives all {row.quota:,} pairs that it has for {of}")


def _short(count: int) -> str:
    """A count of at most five characters: 999, 12k, 3.4M."""
    if count < 10_000:
        return str(count)
    return f"{count / 1e3:.0f}k" if count < 999_500 else f"{count / 1e6:.1f}M"
