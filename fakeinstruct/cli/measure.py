"""`fakeinstruct measure`: answers to figures and a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fakeinstruct.cli.common import ImageRoot, Out, Seed, close

WIDTH = 120
"""Columns of the printed table where standard output is a file or a pipe."""


def measure(
    answers: Annotated[list[Path], typer.Argument(help="Answer sets of one expert.", metavar="ANSWERS...")],
    out: Out,
    chains: Annotated[
        Path | None,
        typer.Option(
            "--chains", help="Chain set that was asked about: to train baselines, to find pictures."
        ),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            "--baseline", help="Baseline to measure beside: cnn, statistics or metadata. Repeatable."
        ),
    ] = None,
    seed: Seed = 0,
    image_root: ImageRoot = None,
) -> None:
    """Compute figures from answers: `figures.json`, and `report.html`, one page that stands on its own.

    Unfitted figures lead; the calibrated ones, fitted on the answers of the validation split, stand beside
    them. A figure that cannot be given is absent with its reason.

    Examples:
    - `fakeinstruct measure answers --out figures`
    - `fakeinstruct measure answers --out figures --chains chains --baseline cnn --baseline statistics`
    """
    from fakeinstruct.base.errors import Rejects
    from fakeinstruct.chains.store import open_chains
    from fakeinstruct.forensics.answers import open_answers
    from fakeinstruct.measure.run import measure as run

    rejects = Rejects()
    sets = [open_answers(folder) for folder in answers]
    chain_set = open_chains(chains, image_root=image_root) if chains is not None else None
    figures = run(sets, out, chains=chain_set, baselines=baseline or (), seed=seed, rejects=rejects)
    print_figures(figures, out)
    close(rejects, out)


def print_figures(figures: dict[str, Any], out: Path) -> None:
    """Print the table of figures, what a reader of it has to know, and the path of the report."""
    from rich.console import Console

    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=WIDTH)
    console.print(figures_table(figures))
    for remark in remarks(figures["overall"]["test"]):
        console.print(remark, markup=False, highlight=False)
    console.print(f"report: {out / 'report.html'}", markup=False, highlight=False, soft_wrap=True)


def figures_table(figures: dict[str, Any]) -> Any:
    """The headline figures of the test split as a rich table, a column a detector."""
    from rich.markup import escape
    from rich.table import Table

    detectors = {"expert": figures, **figures["baselines"]}
    table = Table(title="test split", title_justify="left", box=None, pad_edge=False)
    table.add_column("figure")
    for name in detectors:
        table.add_column(name, justify="right")

    def row(name: str, values: list[Any]) -> None:
        table.add_row(escape(name), *(_shown(value) for value in values))

    tests = [each["overall"]["test"] for each in detectors.values()]
    for name in ("n", "n_fake", "n_real", "auc"):
        row(name, [test[name] for test in tests])
    row("auc, 95 % interval", [_interval(test) for test in tests])
    for name in (
        "average_precision",
        "accuracy_half",
        "accuracy_validation_threshold",
        "brier",
        "nll",
        "ece",
    ):
        row(name, [test[name] for test in tests])
    for name in ("brier", "nll", "ece"):
        row(f"{name}, calibrated", [test["calibrated"][name] for test in tests])
    for title, part in (("per_manipulation", "auc, all {}"), ("per_generator", "auc, {}")):
        for name in figures[title]:
            row(part.format(name), [each[title].get(name, {}).get("auc") for each in detectors.values()])
    for kind in ("generated", "edited"):
        means = [each["mean_per_group"][kind] for each in detectors.values()]
        if any(mean is not None for mean in means):
            row(f"auc, mean per photograph, {kind}", means)
    if figures["choices"]["n"]:
        blank = [None] * (len(detectors) - 1)
        row("choice accuracy", [figures["choices"]["accuracy"], *blank])
        row("choice accuracy of chance", [figures["choices"]["chance"], *blank])
    return table


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return (
        f"{value:.4f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    )


def _interval(test: dict[str, Any]) -> str | None:
    return None if test["auc_low"] is None else f"{test['auc_low']:.4f}–{test['auc_high']:.4f}"


def remarks(test: dict[str, Any]) -> list[str]:
    """What a reader of the table has to know: why the expert has no interval, and what was skipped."""
    said = []
    if reason := test["unavailable"].get("auc_low"):
        said.append(f"no interval: {reason}")
    if test["skipped"]["n"]:
        said.append(f"skipped, without a figure: {test['skipped']['n']:,}")
    return said
