"""Figures as tables in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import printable
from fakeinstruct.measure.low_mass import mass_warning
from fakeinstruct.measure.report.cells import Table, shown
from fakeinstruct.measure.report.head import against_chance, doubtful_fits, subject
from fakeinstruct.measure.report.tables import conditions, headline, interventions, prompts

WIDTH = 120
"""Columns of the printed tables where standard output is a file or a pipe."""

LONGEST_NAME = 48
"""Characters of a row's name that are printed, which may be a prompt."""


def print_figures(figures: dict[str, Any], out: Path) -> None:
    """Print the tables of figures, what a reader of them has to know, and the path of the report."""
    console = print_tables(tables(figures))
    for remark in remarks(figures):
        console.print(printable(remark), markup=False, highlight=False)
    console.print(f"report: {out / 'report.html'}", markup=False, highlight=False, soft_wrap=True)


def print_tables(tables: Iterable[Table]) -> Any:
    """Print tables to standard output, and return the console they went to."""
    from rich.console import Console

    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=WIDTH)
    for table in tables:
        console.print(_printed(table))
    return console


def tables(figures: dict[str, Any]) -> Iterator[Table]:
    """The tables that are printed: the headline always, the others where something was asked."""
    yield headline(figures)
    if figures["per_condition"]:
        yield conditions(figures)
    if len(figures["prompts"]["per_prompt"]) > 1:
        yield prompts(figures)
    if figures["interventions"]:
        yield interventions(figures, by_attribute=False)


def remarks(figures: dict[str, Any]) -> list[str]:
    """What a reader has to know: why there is no interval, what was skipped or left out, where the fit is from."""
    test, provenance = figures["overall"]["test"], figures["provenance"]
    said: list[str] = []
    if reason := test["unavailable"].get("auc_low"):
        said.append(f"no interval: {reason}")
    if doubt := against_chance(test, subject(figures)):
        said.append(f"beware: {doubt}")
    if test["skipped"]["n"]:
        n, images = test["skipped"]["n"], test["skipped"]["images"]
        said.append(
            f"skipped, without a figure: {n:,} answer{'s' * (n != 1)} about {images:,} image{'s' * (images != 1)}"
        )
    if test["no_verdict"]["n"]:
        said.append(
            f"wrote no verdict of {test['no_verdict']['n']:,} images; "
            f"accuracy_half with these as wrong: {test['no_verdict']['accuracy_half']:.4f}"
        )
    if warning := mass_warning(figures):
        said.append(f"beware: {warning}")
    if provenance["left_out"]:
        said.append(f"left out, because the bias was fitted on them: {provenance['left_out']:,} images")
    if provenance["aggregated_anew"]:
        said.append(f"margins aggregated anew by {provenance['aggregation']}")
    said += [f"{name}: {each['note']}" for name, each in figures["baselines"].items() if each.get("note")]
    for name, each in figures["baselines"].items():
        if each.get("lacking"):
            said.append(f"{name} has no figure of {each['lacking']:,} of the {subject(figures)}'s images")
    for kind, row in figures["interventions"].items():
        if row["incomplete"]:
            why = "; ".join(f"{count:,} with {reason}" for reason, count in row["incomplete_reasons"].items())
            said.append(f"{kind}: {row['incomplete']:,} traces are left out as incomplete: {why}")
        if reason := row["unavailable"].get("low"):
            said.append(f"no interval of {kind}: {reason}")
    lacking = provenance["lacking_a_prompt"]
    fitted = [*_of_the_fit(provenance["fit"]), *_of_no_fit(figures)]
    return [*said, *_of_prompts(figures["prompts"], lacking), *fitted, *doubtful_fits(figures)]


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


def _of_no_fit(figures: dict[str, Any]) -> Iterator[str]:
    """Why there are no calibrated figures, once a reason, and of whom where others have some."""
    every = {subject(figures): figures["provenance"]["fit"]}
    every |= {name: each["fit"] for name, each in figures["baselines"].items()}
    reasons: dict[str, list[str]] = {}
    for name, fit in every.items():
        if not fit["source"]:
            reasons.setdefault(fit["reason"], []).append(name)
    for reason, names in reasons.items():
        of = "" if len(names) == len(every) else f" of {', '.join(names)}"
        yield f"no calibrated figures{of}: {reason}"


def _printed(table: Table) -> Any:
    """The table for a terminal: names cut short, and whatever might steer the terminal escaped."""
    from rich.markup import escape
    from rich.table import Table as RichTable

    drawn = RichTable(title=table.title, title_justify="left", box=None, pad_edge=False)
    for place, name in enumerate(table.head):
        drawn.add_column(escape(printable(name)), justify="right" if place else "left")
    for first, *cells in table.rows:
        name = first if len(first) <= LONGEST_NAME else f"{first[: LONGEST_NAME - 1]}…"
        drawn.add_row(*(escape(printable(text)) for text in (name, *map(shown, cells))))
    return drawn
