"""`fakeinstruct expand`: chains to pairs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fakeinstruct.base.errors import Rejects, UsageError
from fakeinstruct.cli.common import ImageRoot, MaxRejects, Out, Seed, close

if TYPE_CHECKING:
    from fakeinstruct.expand.plan import Plan, PlanRow
    from fakeinstruct.expand.template import TemplateSet
    from fakeinstruct.expand.write import Engine, Part


def expand(
    folder: Annotated[Path, typer.Argument(metavar="CHAINS", help="A chain set's folder.")],
    out: Out,
    seed: Seed,
    pairs: Annotated[int | None, typer.Option(help="Most pairs; by default 60 a chain.", min=2)] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="Weights of tasks, 1 by default: verdict=3,advice=0.5. 0 leaves one out."),
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
        Path | None, typer.Option(help="Folder of templates in place of the project's.")
    ] = None,
    image_root: ImageRoot = None,
    max_rejects: MaxRejects = 0.2,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and write nothing.")] = False,
) -> None:
    """Expand chains into instruction pairs: verdicts, reasoning, evidence, multiple choice, advice, grounding.

    The same chains, templates, seed and mixture give the same bytes, with any number of workers. A run that
    was stopped goes on where it was when it is started again. With `--shard` several machines work on one folder;
    the last to finish writes the manifest.

        fakeinstruct expand chains --out pairs --seed 0
        fakeinstruct expand chains --out pairs --seed 0 --pairs 2000000 --dry-run
        fakeinstruct expand chains --out pairs --seed 0 --weights verdict=3,advice=0.5 --max-per-image 40
        fakeinstruct expand chains --out pairs --seed 0 --templates my-templates
        fakeinstruct expand chains --out pairs --seed 0 --shard 2/8
    """
    from fakeinstruct.chains.store import open_chains
    from fakeinstruct.expand.lint import load_templates
    from fakeinstruct.expand.plan import make_plan
    from fakeinstruct.expand.write import expand_part, make_budget

    chosen = _engine(engine)
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
        workers=workers or (os.cpu_count() if chosen == "processes" else None),
        engine=chosen,
        templates=templates,
        rejects=rejects,
    )
    if manifest is None:
        print(f"shard {shard} is complete, others are not: no manifest yet in {out}")
        close(rejects)
        return
    print(f"{manifest.pairs:,} pairs of {manifest.chains:,} chains in {len(manifest.shards)} shards: {out}")
    for task, count in manifest.per_task.items():
        print(f"  {task:<10} {count:>10,}")
    _say_shortage(manifest.pairs, pairs)
    close(rejects, out)


def _engine(name: str) -> Engine:
    if name not in ("processes", "ray"):
        raise UsageError(f"there is no engine '{name}'", hint="Engines: processes, ray.")
    return "ray" if name == "ray" else "processes"


def _part(shard: str | None) -> Part:
    from fakeinstruct.expand.write import Part

    if shard is None:
        return Part()
    number, slash, of = shard.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal()):
        raise UsageError(f"--shard {shard!r} is not I/N", hint="The second of eight is 2/8.")
    return Part(int(number), int(of))


def _weights(text: str | None) -> dict[str, float]:
    found: dict[str, float] = {}
    for item in filter(None, (text or "").split(",")):
        task, _, weight = item.partition("=")
        try:
            found[task.strip()] = float(weight)
        except ValueError:
            hint = "As in --weights verdict=3,advice=0.5"
            raise UsageError(f"--weights {item!r} is not task=number", hint=hint) from None
    return found


def _say_shortage(pairs: int, asked: int | None) -> None:
    if asked is not None and pairs < asked - asked % 2:
        print(f"the chains give {pairs:,} pairs that are balanced; {asked:,} were asked for")


def _print_plan(plan: Plan, templates: TemplateSet) -> None:
    from rich.console import Console
    from rich.table import Table

    rows = plan.rows(templates.templates)
    title = f"{plan.pairs:,} pairs of {len(plan.supply.fake):,} chains in {len(plan.shards)} shards"
    table = Table(title=title, caption="chains: fake / real; half of all pairs are of either")
    table.add_column("template", no_wrap=True)
    for name in ("weight", "chains", "most", "pairs"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        chains = " / ".join(map(_short, row.chains))
        table.add_row(row.template, f"{row.weight:g}", chains, _short(row.most), _short(row.quota))
    Console().print(table)
    for task in dict.fromkeys(row.task for row in rows):
        print(f"  {task:<10} {sum(row.quota for row in rows if row.task == task):>10,}")
    _print_scarce(rows)
    _say_shortage(plan.pairs, plan.budget.pairs)


def _print_scarce(rows: list[PlanRow]) -> None:
    """Templates of which all that there is was planned, and the label that there is less of."""
    for row in rows:
        if row.scarce:
            fake, real = row.chains
            why = f"{fake:,} fake and {real:,} real images can fill it"
            print(f"scarce: {row.template}, {row.quota:,} pairs: {why}")


def _short(count: int) -> str:
    """A count of at most five characters: 999, 12k, 3.4M."""
    if count < 10_000:
        return str(count)
    return f"{count / 1e3:.0f}k" if count < 999_500 else f"{count / 1e6:.1f}M"
