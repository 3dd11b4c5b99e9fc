"""The tables of a report as plain rows, for Markdown and for the terminal: every cell is taken from `figures.json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PLAIN = ("average_precision", "accuracy_half", "accuracy_validation_threshold", "brier", "nll", "ece")
"""Rows of the headline after AUC and its interval, as they are called in `figures.json`."""

BESIDE = {"auc": ("auc_low", "auc_high"), "difference": ("low", "high")}
"""Figures whose interval stands under names that do not follow from theirs."""


@dataclass(frozen=True)
class Interval:
    """Ends of a 95 % interval, shown in one cell."""

    low: float
    high: float


@dataclass(frozen=True)
class Table:
    """A table: its title, what its columns are called, and its cells, the first of each row a name."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def shown(cell: Any, missing: str = "-") -> str:
    """A cell for people: four decimals, `missing` where there is no figure."""
    if cell is None:
        return missing
    if isinstance(cell, Interval):
        return f"{cell.low:.4f}–{cell.high:.4f}"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return f"{cell:.4f}" if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else str(cell)


def interval(row: Mapping[str, Any], name: str = "auc") -> Interval | None:
    """The interval of a figure of a row, if there is one."""
    low, high = (row.get(end) for end in BESIDE.get(name, (f"{name}_low", f"{name}_high")))
    return None if low is None or high is None else Interval(low, high)


def detectors(figures: Mapping[str, Any]) -> dict[str, Any]:
    """All that have the tables of a detector: the expert, with its prior subtracted, and each baseline."""
    found = {"expert": figures}
    if figures["prior_subtracted"]:
        found["prior subtracted"] = figures["prior_subtracted"]
    return found | figures["baselines"]


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
    for title, part in (("per_manipulation", "auc, all {}"), ("per_generator", "auc, {}")):
        rows += [
            (part.format(name), *(each[title].get(name, {}).get("auc") for each in every.values()))
            for name in figures[title]
        ]
    for kind in ("generated", "edited"):
        means = [each["mean_per_group"][kind] for each in every.values()]
        if any(mean is not None for mean in means):
            rows.append((f"auc, mean per photograph, {kind}", *means))
    return Table("test split", ("figure", *every), tuple(rows))


def conditions(figures: Mapping[str, Any]) -> Table:
    """Figures of the test split after processing, the clean images first."""
    columns = ("condition", "n", "auc", "95 % interval", "accuracy_half", "ece", "ece, calibrated")
    rows = {"clean": figures["overall"]["test"], **figures["per_condition"]}
    return Table(
        "test split after processing",
        columns,
        tuple(
            (name, row["n"], row["auc"], interval(row), row["accuracy_half"], row["ece"], row["calibrated"]["ece"])
            for name, row in rows.items()
        ),
    )


def prompts(figures: Mapping[str, Any]) -> Table:
    """Figures of the test split by prompt."""
    columns = ("prompt", "trained", "n", "auc", "95 % interval", "ece", "label mass", "prior")
    prior = {
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
                prior.get((row["name"], row["prompt"], row["position"])),
            )
            for row in figures["prompts"]["per_prompt"]
        ),
    )


def interventions(figures: Mapping[str, Any]) -> Table:
    """Mean drops of the margin where a cited region was changed, and where a random one was."""
    columns = ("region changed by", "traces", "cited", "random", "difference", "95 % interval")
    rows = []
    for kind, row in figures["interventions"].items():
        for name, each in {kind: row, **{f"{kind}, {a}": b for a, b in row["per_attribute"].items()}}.items():
            cells = (each["n"], each["cited"], each["random"], each["difference"])
            rows.append((name, *cells, interval(each, "difference")))
    return Table("drop of the margin", columns, tuple(rows))


def generators(figures: Mapping[str, Any]) -> Table:
    """AUC of each generator's fakes."""
    columns = ("generator", "n_fake", "n_real", "auc", "95 % interval", "average_precision")
    rows = {**figures["per_generator"], **{f"all {k}": v for k, v in figures["per_manipulation"].items()}}
    return Table(
        "by generator",
        columns,
        tuple(
            (name, row["n_fake"], row["n_real"], row["auc"], interval(row), row["average_precision"])
            for name, row in rows.items()
        ),
    )


def choices(figures: Mapping[str, Any]) -> Table:
    """Accuracy of multiple choice, beside chance."""
    rows = {"all": figures["choices"], **figures["choices"]["per_template"]}
    return Table(
        "multiple choice",
        ("template", "n", "accuracy", "chance"),
        tuple((name, row["n"], row["accuracy"], row["chance"]) for name, row in rows.items()),
    )


def named(title: str, row: Mapping[str, Any]) -> Table:
    """Any nested figures as one row a figure, an interval beside the figure that it belongs to."""
    return Table(title, ("figure", "value", "95 % interval"), tuple(_flat(row, ())))


def _flat(row: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, Any, Interval | None]]:
    ends = {end for name in row for end in BESIDE.get(name, (f"{name}_low", f"{name}_high"))}
    for name, value in row.items():
        if name == "unavailable" or name in ends:
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, (*path, name))
        elif isinstance(value, Sequence) and not isinstance(value, str):
            items = [each for each in value if isinstance(each, Mapping)]
            for place, each in enumerate(items, 1):
                yield from _flat(each, (*path, f"{name} {place}"))
        else:
            yield ", ".join((*path, name)), value, interval(row, name)


SECTIONS = {
    "prompts.spread": "spread over prompts",
    "prior": "answers to pictures that show nothing",
    "pair_verdicts": "verdicts asked as pairs",
    "transfer": "calibration transfer",
    "seeds": "training seeds",
    "words": "words",
    "boxes": "boxes",
}
"""Parts of `figures.json` whose tables are made as they come, and their titles."""


def part(figures: Mapping[str, Any], path: str) -> Any:
    """A part of the figures by its dotted path; none where it is absent or empty."""
    found: Any = figures
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found or None


def tables(figures: Mapping[str, Any]) -> list[Table]:
    """Every table that these figures fill, in the order of the page."""
    found = [headline(figures)]
    found += [generators(figures)] * bool(figures["per_generator"])
    found += [conditions(figures)] * bool(figures["per_condition"])
    found += [prompts(figures)] * (len(figures["prompts"]["per_prompt"]) > 1)
    found += [interventions(figures)] * bool(figures["interventions"])
    found += [choices(figures)] * bool(figures["choices"]["n"])
    known = ((title, part(figures, path)) for path, title in SECTIONS.items())
    return found + [named(title, row) for title, row in known if row]
