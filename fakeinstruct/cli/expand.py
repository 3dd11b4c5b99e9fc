"""`fakeinstruct expand`: chains to pairs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fakeinstruct.base.errors import Rejects
from fakeinstruct.cli.common import ImageRoot, MaxRejects, Out, Seed, close

if TYPE_CHECKING:
    from fakeinstruct.expand.plan import Plan, PlanRow


def expand(
    folder: Annotated[Path, typer.Argument(metavar="CHAINS", help="A chain set's folder.")],
    out: Out,
    seed: Seed,
    pairs: Annotated[int | None, typer.Option(help="Most pairs; by default 60 a chain.", min=2)] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; by default one a core.", min=1)] = None,
    templates: Annotated[
        Path | None, typer.Option(help="Folder of templates in place of the project's.")
    ] = None,
    image_root: ImageRoot = None,
    max_rejects: MaxRejects = 0.2,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and write nothing.")] = False,
) -> None:
    """Expand chains into instruction pairs: verdicts, reasoning, evidence, multiple choice, advice.

    The same chains, templates, seed and `--pairs` give the same bytes, with any number of workers. A run that
    was stopped goes on where it was when it is started again.

        fakeinstruct expand chains --out pairs --seed 0
        fakeinstruct expand chains --out pairs --seed 0 --dry-run
        fakeinstruct expand chains --out pairs --seed 0 --pairs 20000 --templates my-templates
    """
    from fakeinstruct.chains.store import open_chains
    from fakeinstruct.expand.lint import load_templates
    from fakeinstruct.expand.plan import make_plan
    from fakeinstruct.expand.write import expand as expand_chains

    chains = open_chains(folder, image_root=image_root)
    rejects = Rejects(max_rejects)
    if dry_run:
        template_set = load_templates(templates, taxonomy=chains.taxonomy)
        plan = make_plan(chains, template_set, seed=seed, pairs=pairs, rejects=rejects)
        _print_plan(plan, plan.rows(template_set.templates))
        close(rejects)
        return
    manifest = expand_chains(
        chains,
        out,
        seed=seed,
        pairs=pairs,
        workers=workers or os.cpu_count(),
        templates=templates,
        rejects=rejects,
    )
    print(f"{manifest.pairs:,} pairs of {manifest.chains:,} chains in {len(manifest.shards)} shards: {out}")
    for task, count in manifest.per_task.items():
        print(f"  {task:<10} {count:>10,}")
    close(rejects, out)


def _print_plan(plan: Plan, rows: list[PlanRow]) -> None:
    from rich.console import Console
    from rich.table import Table

    title = f"{plan.pairs:,} pairs of {len(plan.supply.fake):,} chains in {len(plan.shards)} shards"
    table = Table(title=title, caption="fake / real; every template gets the same quota for both")
    table.add_column("template", no_wrap=True)
    for name in ("weight", "chains", "variants", "pairs"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        counts = (" / ".join(map(_short, both)) for both in (row.chains, row.variants, row.quota))
        table.add_row(row.template, f"{row.weight:g}", *counts)
    Console().print(table)


def _short(count: int) -> str:
    """A count of at most five characters: 999, 12k, 3.4M."""
    if count < 10_000:
        return str(count)
    return f"{count / 1e3:.0f}k" if count < 999_500 else f"{count / 1e6:.1f}M"
