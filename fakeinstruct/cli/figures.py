"""Figures as tables in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import printable

WIDTH = 120
"""Columns of the printed tables where standard output is a file or a pipe."""

PLAIN = ("average_precision", "accuracy_half", "accuracy_validation_threshold", "brier", "nll", "ece")
"""Rows of the table after AUC and its interval, as they are called in `figures.json`."""

LONGEST_PROMPT = 48
"""Characters of a prompt that are printed."""


def print_figures(figures: dict[str, Any], out: Path) -> None:
    """Print the tables of figures, what a reader of them has to know, and the path of the report."""
    from rich.console import Console

    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=WIDTH)
    for table in tables(figures):
        console.print(table)
    for remark in remarks(figures):
        console.print(printable(remark), markup=False, highlight=False)
    console.print(f"report: {out / 'report.html'}", markup=False, highlight=False, soft_wrap=True)


def tables(figures: dict[str, Any]) -> Iterator[Any]:
    """The tables that these figures fill: the headline always, the others where something was asked."""
    yield headline_table(figures)
    if figures["per_condition"]:
        yield conditions_table(figures)
    if len(figures["prompts"]["per_prompt"]) > 1:
        yield prompts_table(figures["prompts"])
    if figures["interventions"]:
        yield interventions_table(figures["interventions"])


def headline_table(figures: dict[str, Any]) -> Any:
    """The headline figures of the test split as a rich table, a column a detector."""
    detectors = {"expert": figures}
    if figures["prior_subtracted"]:
        detectors["prior subtracted"] = figures["prior_subtracted"]
    detectors |= figures["baselines"]
    table = _table("test split", "figure", *detectors)

    def row(name: str, values: list[Any]) -> None:
        _add(table, name, *values)

    tests = [each["overall"]["test"] for each in detectors.values()]
    for name in ("n", "n_fake", "n_real", "auc"):
        row(name, [test[name] for test in tests])
    row("auc, 95 % interval", [_interval(test) for test in tests])
    for name in PLAIN:
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


def conditions_table(figures: dict[str, Any]) -> Any:
    """Figures of the test split after processing, the clean images first."""
    columns = ("n", "auc", "95 % interval", "accuracy_half", "ece", "ece, calibrated")
    table = _table("test split after processing", "condition", *columns)
    for name, row in {"clean": figures["overall"]["test"], **figures["per_condition"]}.items():
        calibrated = row["calibrated"]["ece"]
        _add(table, name, row["n"], row["auc"], _interval(row), row["accuracy_half"], row["ece"], calibrated)
    return table


def prompts_table(prompts: dict[str, Any]) -> Any:
    """Figures of the test split by prompt."""
    columns = ("trained", "auc", "95 % interval", "ece", "label mass", "prior")
    table = _table("test split by prompt", "prompt", *columns)
    for row in prompts["per_prompt"]:
        trained = {True: "yes", False: "no", None: "?"}[row["trained"]]
        prior = list(row["prior"].values())
        shown = row["prompt"]
        shown = shown if len(shown) <= LONGEST_PROMPT else f"{shown[: LONGEST_PROMPT - 1]}…"
        values = (row["auc"], _interval(row), row["ece"], row["label_mass"])
        _add(table, shown, trained, *values, sum(prior) / len(prior) if prior else None)
    return table


def interventions_table(interventions: dict[str, Any]) -> Any:
    """Mean drops of the margin where a cited region was changed, and where a random one was."""
    columns = ("traces", "cited", "random", "difference", "95 % interval")
    table = _table("drop of the margin", "region changed by", *columns)
    for name, row in interventions.items():
        interval = None if row["low"] is None else f"{row['low']:.4f}–{row['high']:.4f}"
        _add(table, name, row["n"], row["cited"], row["random"], row["difference"], interval)
    return table


def remarks(figures: dict[str, Any]) -> list[str]:
    """What a reader has to know: why there is no interval, what was skipped or left out, where the fit is from."""
    test, provenance = figures["overall"]["test"], figures["provenance"]
    said = []
    if reason := test["unavailable"].get("auc_low"):
        said.append(f"no interval: {reason}")
    if test["skipped"]["n"]:
        said.append(f"skipped, without a figure: {test['skipped']['n']:,}")
    if test["no_verdict"]["n"]:
        said.append(
            f"wrote no verdict of {test['no_verdict']['n']:,} images; "
            f"accuracy_half with these as wrong: {test['no_verdict']['accuracy_half']:.4f}"
        )
    if provenance["left_out"]:
        said.append(f"left out, because the bias was fitted on them: {provenance['left_out']:,} images")
    if provenance["aggregated_anew"]:
        said.append(f"margins aggregated anew by {provenance['aggregation']}")
    for kind, row in figures["interventions"].items():
        if reason := row["unavailable"].get("low"):
            said.append(f"no interval of {kind}: {reason}")
    lacking = provenance["lacking_a_prompt"]
    return [*said, *_of_prompts(figures["prompts"], lacking), *_of_the_fit(provenance["fit"])]


def _of_prompts(prompts: dict[str, Any], lacking: int) -> Iterator[str]:
    if prompts["prompts"] > len(prompts["per_prompt"]):
        yield f"asked in {prompts['prompts']:,} wordings, too many for a table by prompt"
    elif lacking:
        yield f"images that an answer to some prompt is missing of: {lacking:,}"
    for name, row in prompts["spread"].items():
        if row["sd"] is not None and (name == "all" or row["prompts"] < prompts["prompts"]):
            of = {"trained": " trained on", "never_trained_on": " never trained on"}.get(name, "")
            ends = f"{row['min']:.4f}–{row['max']:.4f}"
            yield f"auc over {row['prompts']} prompts{of}: {ends}, sd {row['sd']:.4f}"


def _of_the_fit(fit: dict[str, Any]) -> Iterator[str]:
    if fit["source"]:
        behind = fit["fitted_on"] or f"{fit['n']:,} images"
        yield f"calibrated by {fit['source']}: {behind}"
    if fit["warning"]:
        yield f"beware of the calibrated figures: {fit['warning']}"


def _table(title: str, first: str, *others: str) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column(first)
    for name in others:
        table.add_column(escape(name), justify="right")
    return table


def _add(table: Any, name: str, *values: Any) -> None:
    from rich.markup import escape

    table.add_row(*(escape(printable(cell)) for cell in (name, *map(_shown, values))))


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return (
        f"{value:.4f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    )


def _interval(test: dict[str, Any]) -> str | None:
    return None if test["auc_low"] is None else f"{test['auc_low']:.4f}–{test['auc_high']:.4f}"
