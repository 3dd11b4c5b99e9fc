"""`fakeinstruct train`: pairs -> expert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fakeinstruct.base.errors import Rejects
from fakeinstruct.cli.common import MaxRejects, close

if TYPE_CHECKING:
    from fakeinstruct.expert.dry_run import Estimate
    from fakeinstruct.expert.recipe import Recipe


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's file, or the name of one in training/recipes.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key=value; dotted for sections.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Resolve and check, offline; train nothing.")
    ] = False,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Prepare the run's folder for a launcher of your own.")
    ] = False,
    max_rejects: MaxRejects = 0.2,
) -> None:
    """Fine-tune an expert on pairs with DeepSpeed; an interrupted run goes on when started again.

    **Examples**

        fakeinstruct train sample pairs=runs/pairs out=runs/train

        fakeinstruct train qwen2.5-vl-7b-lora --dry-run hardware.processes=8

        fakeinstruct train my-recipe.yaml pairs=pairs out=run optimizer.lr=1e-4 data.max_tokens=1024
    """
    from fakeinstruct.expert.recipe import load_recipe

    resolved = load_recipe(recipe, overrides or [])
    if dry_run:
        from fakeinstruct.expert.dry_run import dry_run as estimate

        show(resolved, estimate(resolved))
        return
    from fakeinstruct.expert.launch import train as run

    rejects = Rejects(max_rejects)
    print(run(resolved, start=not prepare, rejects=rejects))
    close(rejects)


def show(recipe: Recipe, estimate: Estimate) -> None:
    """Print a dry run's findings."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("part", "parameters", "trained", title=recipe.base, title_justify="left")
    for part, (total, trained) in estimate.parts.items():
        table.add_row(part.replace("_", " "), f"{total:,}", f"{trained:,}")
    console.print(table)
    source = "counted" if estimate.counted else "assumed: no pairs were given"
    console.print(f"pairs an epoch     {estimate.pairs:,} ({source})", highlight=False)
    console.print(f"tokens a pair      about {estimate.tokens:,}, image included", highlight=False)
    console.print(f"tokens an epoch    about {estimate.tokens * estimate.pairs:,}", highlight=False)
    console.print(f"steps              {estimate.steps:,}", highlight=False)
    purposes = ", ".join(f"{name} {gib:.1f}" for name, gib in estimate.gib.items())
    total_gib = sum(estimate.gib.values())
    console.print(f"memory a process   about {total_gib:.1f} GiB ({purposes})", highlight=False)
