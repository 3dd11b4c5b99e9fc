"""`fakeinstruct train`: pairs -> expert."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fakeinstruct.base.errors import Rejects, UsageError
from fakeinstruct.cli.common import MaxRejects, close

if TYPE_CHECKING:
    from fakeinstruct.expert.dry_run import Estimate
    from fakeinstruct.expert.recipe import Recipe
    from fakeinstruct.expert.workload import Workload


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's file, or the name of one in training/recipes.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key=value; dotted for sections.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Resolve and check, offline; train nothing.")
    ] = False,
    show_labels: Annotated[
        bool,
        typer.Option(
            "--show-labels", help="Print a packed sample, its supervised tokens marked; train nothing."
        ),
    ] = False,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Prepare the run's folder for a launcher of your own.")
    ] = False,
    max_rejects: MaxRejects = 0.2,
) -> None:
    """Fine-tune an expert on pairs with DeepSpeed; an interrupted run goes on when started again.

    **Examples**

        fakeinstruct train sample pairs=runs/pairs out=runs/train

        fakeinstruct train sample pairs=runs/pairs --show-labels

        fakeinstruct train qwen2.5-vl-7b-lora --dry-run hardware.processes=8

        fakeinstruct train my-recipe.yaml pairs=pairs out=run optimizer.lr=1e-4 data.max_tokens=1024
    """
    from fakeinstruct.expert.recipe import load_recipe

    if dry_run + show_labels + prepare > 1:
        raise UsageError("--dry-run, --show-labels and --prepare are three things", hint="Give one of them.")
    resolved = load_recipe(recipe, overrides or [])
    if dry_run:
        print_estimates(resolved)
    elif show_labels:
        print_labels(resolved)
    else:
        from fakeinstruct.expert.launch import train as run

        rejects = Rejects(max_rejects)
        expert = run(resolved, start=not prepare, rejects=rejects)
        print(expert if expert.is_dir() else prepared(expert.parent))
        close(rejects)


def prepared(run: Path) -> str:
    """What to say of a run that was prepared and not started."""
    return (
        f"prepared: {run}; start it with the same command without --prepare, or on several machines with "
        f"training/launch/slurm.sh {run} or training/launch/multi-node.sh {run} MACHINES HOST:PORT"
    )


def print_labels(recipe: Recipe) -> None:
    """Print a packed sample of each stage."""
    from rich.console import Console

    from fakeinstruct.expert.show import show_labels

    console = Console(highlight=False)
    for text in show_labels(recipe):
        console.print(text, soft_wrap=not console.is_terminal)


def print_estimates(recipe: Recipe) -> None:
    """Print what a dry run of each stage finds."""
    from rich.console import Console
    from rich.table import Table

    from fakeinstruct.expert.dry_run import dry_run

    console = Console()
    for stage, estimate in dry_run(recipe).items():
        title = f"{recipe.base}, stage {stage}" if stage else recipe.base
        table = Table("part", "parameters", "trained", title=title, title_justify="left")
        for part, (total, trained) in estimate.parts.items():
            table.add_row(part.replace("_", " "), f"{total:,}", f"{trained:,}")
        console.print(table)
        for name, value in lines(estimate):
            console.print(f"{name:<19}{value}", highlight=False, markup=False, soft_wrap=True)


def lines(estimate: Estimate) -> list[tuple[str, str]]:
    """A dry run's findings, name and value."""
    load, gib = estimate.load, estimate.gib
    each = load.alone / load.pairs
    purposes = ", ".join(f"{name} {size(amount)}" for name, amount in gib.items())
    source = f"{load.source}: no pairs were given" if load.source == "assumed" else load.source
    found = [
        ("method", estimate.method),
        ("pairs an epoch", f"{load.pairs:,} ({source})"),
        ("tokens a pair", f"about {each:,.0f}, {load.image_tokens:,} of them an image's"),
        ("packing", packing_line(estimate)),
        ("tokens an epoch", tokens_line(load, packed=estimate.unpacked is None)),
        rows_line(estimate),
        ("steps", f"{load.steps:,}"),
        ("memory a process", f"about {size(sum(gib.values()))} GiB ({purposes})"),
    ]
    if load.too_long:
        found.insert(2, ("left out", f"about {load.too_long:,} pairs, longer than data.max_tokens"))
    if load.unanswered:
        found.insert(2, ("left out", f"about {load.unanswered:,} pairs without an answer to learn"))
    if estimate.validation:
        found.append(("validation", estimate.validation))
    return found + [("warning", warning) for warning in estimate.warnings]


def size(gib: float) -> str:
    """GiB with one decimal, or with two digits where that would be nothing."""
    return f"{gib:.1f}" if gib >= 1 else f"{gib:.2g}"


def packing_line(estimate: Estimate) -> str:
    """How many pairs share an image, or why none do."""
    if estimate.unpacked is not None:
        return f"no: {estimate.unpacked}"
    return f"{estimate.load.pairs / estimate.load.trees:.1f} pairs share an image's tokens"


def rows_line(estimate: Estimate) -> tuple[str, str]:
    """How many rows an epoch has: packed ones, or batches of pairs."""
    load = estimate.load
    if estimate.unpacked is None:
        return "rows an epoch", f"{load.rows:,}, the longest of about {load.longest:,} tokens"
    return (
        "batches an epoch",
        f"{load.rows:,} of at most {estimate.batch:,} pairs, padded to the longest; "
        f"the largest of about {load.longest:,} tokens",
    )


def tokens_line(load: Workload, *, packed: bool) -> str:
    """Tokens of an epoch, and what packing spares."""
    if not packed:
        return f"about {load.alone:,}"
    return (
        f"about {load.shared:,}; without packing {load.alone:,}, {load.alone / load.shared:.1f} times as many"
    )
