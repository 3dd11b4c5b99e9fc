"""The tables of a report as plain rows, for Markdown and for the terminal: every cell is taken from `figures.json`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fakeinstruct.measure.evaluations.tables import protocol_tables
from fakeinstruct.measure.report.cells import Absent, Table, figure, interval, named, part
from fakeinstruct.measure.report.every import every_figure
from fakeinstruct.measure.report.head import by_generator, subject
from fakeinstruct.measure.report.missing import no_transfer
from fakeinstruct.measure.report.written import written_tables

PLAIN = ("average_precision", "accuracy_half", "accuracy_validation_threshold", "brier", "nll", "ece")
"""Rows of the headline after AUC and its interval, as they are called in `figures.json`."""


def detectors(figures: Mapping[str, Any]) -> dict[str, Any]:
    """All that have the tables of a detector: the measured one, with its prior subtracted, and each baseline."""
    subtracted = figures["prior_subtracted"]
    beside = {"prior subtracted": subtracted} if subtracted else {}
    return {subject(figures): figures, **beside, **figures["baselines"]}


def headline(figures: Mapping[str, Any]) -> Table:
    """The headline figures of the test split, a column a detector."""
    every = detectors(figures)
    tests = [each["overall"]["test"] for each in every.values()]
    rows: list[tuple[Any, ...]] = [
        (name, *(test[name] for test in tests)) for name in ("n", "n_fake", "n_real", "auc")
    ]
    rows.append(("auc, 95 % interval", *map(interval, tests)))
    rows += [(name, *(test[name] for test in tests)) for name in PLAIN]
    rows += [
        (f"{name}, calibrated", *(test["calibrated"][name] for test in tests))
        for name in ("brier", "nll", "ece")
    ]
    parts = {"per_manipulation": figures["per_manipulation"], "per_generator": by_generator(figures)}
    for title, what in (("per_manipulation", "auc, all {}"), ("per_generator", "auc, {}")):
        rows += [
            (what.format(name), *(each[title].get(name, {}).get("auc") for each in every.values()))
            for name in parts[title]
        ]
    if len(parts["per_generator"]) > 1:
        means = [each.get("generators", {}).get("macro_auc") for each in every.values()]
        rows.append(("auc, mean over generators", *means))
    for kind in ("generated", "edited"):
        means = [each["mean_per_group"][kind] for each in every.values()]
        if any(mean is not None for mean in means):
            rows.append((f"auc, mean per photograph, {kind}", *means))
    if figures["choices"]["n"]:
        blank = [None] * (len(every) - 1)
        guessed = [each.get("choices", {}).get("accuracy") for each in list(every.values())[1:]]
        rows.append(("choice accuracy", figures["choices"]["accuracy"], *guessed))
        rows.append(("choice accuracy of chance", figures["choices"]["chance"], *blank))
    return Table("test split", ("figure", *every), tuple(rows))


def prior(figures: Mapping[str, Any]) -> Table:
    """Margin and probability of each prompt on pictures that show nothing."""
    asked = figures["prior"]["per_prompt"]
    pictures = list(dict.fromkeys(name for row in asked for name in row["margins"]))
    head = ("prompt", *(f"{what}, {name}" for name in pictures for what in ("margin", "probability")))
    rows = [
        (
            row["prompt"],
            *(row[what].get(name) for name in pictures for what in ("margins", "probabilities")),
            row["mean_margin"],
        )
        for row in asked
    ]
    return Table("answers to pictures that show nothing", (*head, "mean margin"), tuple(rows))


def conditions(figures: Mapping[str, Any]) -> Table:
    """Figures of the test split after processing, the clean images first."""
    columns = ("condition", "n", "auc", "95 % interval", "accuracy_half", "ece", "ece, calibrated")
    rows = {"clean": figures["overall"]["test"], **figures["per_condition"]}
    return Table(
        "test split after processing",
        columns,
        tuple(
            (
                name,
                row["n"],
                row["auc"],
                interval(row),
                row["accuracy_half"],
                row["ece"],
                row["calibrated"]["ece"],
            )
            for name, row in rows.items()
        ),
    )


def prompts(figures: Mapping[str, Any]) -> Table:
    """Figures of the test split by prompt."""
    columns = ("prompt", "trained", "n", "auc", "95 % interval", "ece", "label mass", "prior")
    nothing = {
        (row["name"], row["prompt"], row["position"]): row["mean_margin"]
        for row in figures["prior"]["per_prompt"]
    }
    return Table(
        "test split by prompt",
        columns,
        tuple(
            (
                row["prompt"],
                {True: "yes", False: "no", None: "?"}[row["trained"]],
                *(row["n"], row["auc"], interval(row), row["ece"], row["label_mass"]),
                nothing.get((row["name"], row["prompt"], row["position"])),
            )
            for row in figures["prompts"]["per_prompt"]
        ),
    )


def interventions(figures: Mapping[str, Any], by_attribute: bool = True) -> Table:
    """Mean drops of the margin where a cited region was changed, and where a random one was."""
    columns = ("region changed by", "traces", "cited", "random", "difference", "95 % interval")
    rows = []
    for kind, row in figures["interventions"].items():
        parts = {f"{kind}, {name}": each for name, each in row["per_attribute"].items() if by_attribute}
        for name, each in {kind: row, **parts}.items():
            cells = (each["n"], each["cited"], each["random"], each["difference"])
            rows.append((name, *cells, interval(each, "difference")))
    return Table("drop of the margin", columns, tuple(rows))


def generators(figures: Mapping[str, Any]) -> Table:
    """AUC of each generator's fakes."""
    columns = ("generator", "n_fake", "n_real", "auc", "95 % interval", "average_precision")
    rows = {**by_generator(figures), **{f"all {k}": v for k, v in figures["per_manipulation"].items()}}
    return Table(
        "by generator",
        columns,
        tuple(
            (name, row["n_fake"], row["n_real"], row["auc"], interval(row), row["average_precision"])
            for name, row in rows.items()
        ),
    )


MEANS = {
    "macro_auc": "AUC",
    "macro_average_precision": "average precision",
    "macro_eer": "equal error rate",
    "macro_accuracy_half": "accuracy at 0.5",
}
"""Means over generators, and what they are called."""


def means(figures: Mapping[str, Any]) -> Table:
    """Means over generators with their intervals, and the worst generator."""
    row = figures["generators"]
    own = (
        {f"{title}, each with its own reals": name for name, title in MEANS.items()}
        if row["own_reals"]
        else {}
    )
    parts = [(row, {title: name for name, title in MEANS.items()}), (row["own_reals"], own)]
    rows = [
        (title, figure(each, name), _macro_interval(each, name))
        for each, called in parts
        for title, name in called.items()
    ]
    worst = (f"worst AUC ({row['worst']})", row["worst_auc"], "")
    return Table("mean over generators", ("figure", "value", "95 % interval"), (*rows, worst))


def _macro_interval(row: Mapping[str, Any], name: str) -> Any:
    reason = row["unavailable"].get(f"intervals.{name}")
    return interval(row, name) or (Absent(reason) if reason else "")


def transfer(figures: Mapping[str, Any]) -> Table:
    """Calibration error by the generator that was fitted on, a row each, and the one tested on.

    Generators with too few images for any cell have neither row nor column.
    """
    matrix = figures["transfer"]["fitted_on"]
    cells = {(a, b): cell["ece"] for a, row in matrix.items() for b, cell in row.items()}
    sources = [a for a in matrix if any(cells[a, b] is not None for b in matrix[a])]
    targets = list(dict.fromkeys(b for (a, b), ece in cells.items() if ece is not None))
    return Table(
        "calibration error by generator fitted on and tested on",
        ("fitted on", *targets),
        tuple((a, *(cells.get((a, b)) for b in targets)) for a in sources),
    )


def pairs(figures: Mapping[str, Any]) -> Table:
    """Verdicts asked as pairs, by template."""
    columns = ("template", "answers", "wordings", "images", "auc", "95 % interval", "accuracy_half")
    rows = {"all": figures["pair_verdicts"], **figures["pair_verdicts"]["per_template"]}
    return Table(
        "verdicts asked as pairs",
        columns,
        tuple(
            (name, row["answers"], row["wordings"], row["n"], row["auc"], interval(row), row["accuracy_half"])
            for name, row in rows.items()
        ),
    )


def seeds(figures: Mapping[str, Any]) -> Table:
    """Every figure over experts that differ in nothing but their training seed."""
    found = figures["seeds"]["figures"]
    named_by = ", ".join(f"{name}: {seed}" for name, seed in figures["seeds"]["seeds"].items())
    rows = [
        (name, *(each[what] for what in ("n", "mean", "sd", "min", "max")))
        for name, each in found.items()
        if isinstance(each, Mapping)
    ]
    return Table(f"training seeds ({named_by})", ("figure", "runs", "mean", "sd", "min", "max"), tuple(rows))


def choices(figures: Mapping[str, Any]) -> Table:
    """Accuracy of multiple choice, beside chance."""
    rows = {"all": figures["choices"], **figures["choices"]["per_template"]}
    return Table(
        "multiple choice",
        ("template", "n", "accuracy", "chance"),
        tuple((name, row["n"], row["accuracy"], row["chance"]) for name, row in rows.items()),
    )


SPREAD = "prompts.spread"
SECTIONS = {
    SPREAD: "spread over prompts",
}
"""Parts of `figures.json` whose tables are made as they come, and their titles."""


def tables(figures: Mapping[str, Any]) -> list[Table]:
    """Every table that these figures fill, in the order of the page."""
    found = [headline(figures), every_figure(figures["overall"]["test"], subject(figures))]
    found += protocol_tables(figures).values()
    found += [table(figures) for path, table in FILLED.items() if part(figures, path)]
    if len(by_generator(figures)) > 1:
        found.append(means(figures))
    found = [table for table in found if table.rows]
    if len(figures["prompts"]["per_prompt"]) > 1:
        found.append(prompts(figures))
    if no_transfer(figures) is None:
        found.append(transfer(figures))
    several = figures["prompts"]["prompts"] > 1
    known = ((title, part(figures, path)) for path, title in SECTIONS.items() if several or path != SPREAD)
    found += [table for title, row in known if row for table in named(title, row)]
    return found + written_tables(figures)


FILLED: dict[str, Callable[[Mapping[str, Any]], Table]] = {
    "per_generator": generators,
    "per_condition": conditions,
    "prior.per_prompt": prior,
    "interventions": interventions,
    "choices.n": choices,
    "pair_verdicts": pairs,
    "seeds": seeds,
}
"""Tables by the part of `figures.json` without which there is none."""
