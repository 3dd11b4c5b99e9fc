"""What a report does not show, and why: figures that could not be given, and what nobody asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakeinstruct.measure.report.cells import part
from fakeinstruct.measure.report.every import LABELS
from fakeinstruct.measure.report.head import EXPERT, by_generator, subject

ASKED_BY = {
    "per_generator": ("figures by generator", "no fakes in the test split"),
    "per_condition": ("robustness curves", "no processed images were asked about: 'score --condition'"),
    "prior.per_prompt": (
        "the prior",
        "no picture that shows nothing was asked about: 'score' without --no-prior",
    ),
    "interventions": ("faithfulness", "no region was changed: 'score --intervene'"),
    "choices.n": ("multiple choice", "no multiple-choice answers: 'score' of a pair set"),
    "baselines": ("baselines", "none was asked for: 'measure --baseline'"),
    "seeds": ("spread over training seeds", "only one expert: 'measure --beside'"),
    "words": ("words", "no written answers: 'score --explain'"),
    "open": ("open questions", "none was asked: 'evaluate' of a benchmark that has some"),
    "boxes": ("boxes", "no written answer names a box: 'score --explain'"),
}
"""Parts of `figures.json`, what they are called, and why there may be none."""

OF_A_TABLE = {
    "per_generator": ASKED_BY["per_generator"],
    "per_condition": ("robustness curves", "the table names no processing: --column condition=NAME"),
    "baselines": ASKED_BY["baselines"],
}
"""The same of a table of scores, which can have no other part."""


def missing_sections(figures: Mapping[str, Any]) -> dict[str, str]:
    """What this report lacks as a whole, and why."""
    table = bool(figures["provenance"]["tables"])
    asked_by = OF_A_TABLE if table else ASKED_BY
    found = {name: why for path, (name, why) in asked_by.items() if part(figures, path) is None}
    unnamed = figures["per_generator"] and not by_generator(figures)
    if unnamed:
        said = "the table names no generator: --column generator=NAME" if table else "no fake has a named one"
        found["figures by generator"] = said
    elif reason := no_transfer(figures):
        found["calibration transfer"] = reason
    if (texts := part(figures, "words.texts")) and "boxes" in found:
        found["boxes"] = f"none of the {texts:,} texts names a box: an expert does if it was trained to"
    asked = figures["prompts"]["prompts"]
    if asked > len(figures["prompts"]["per_prompt"]):
        found["prompt spread"] = f"{asked:,} wordings are too many for a row each"
    elif asked < 2 and not table:
        found["prompt spread"] = "fewer than two wordings were asked: 'score --prompts'"
    return found


def no_transfer(figures: Mapping[str, Any]) -> str | None:
    """Why there is no matrix of calibration transfer, or none if a cell of it has a figure."""
    rows = part(figures, "transfer.fitted_on")
    if rows is None:
        reasons = part(figures, "transfer.unavailable") or {}
        return str(reasons.get("fitted_on", "needs two generators"))
    cells = [cell for row in rows.values() for cell in row.values()]
    known = any(cell["ece"] is not None for cell in cells)
    return None if known else str(cells[0]["unavailable"]["ece"])


def missing_figures(figures: Mapping[str, Any]) -> dict[str, list[str]]:
    """Why figures of the test split are missing: from each reason to whose figures they are, in words."""
    reasons: dict[str, list[str]] = {}
    for who, each in {subject(figures): figures, **figures["baselines"]}.items():
        for name, reason in each["overall"]["test"]["unavailable"].items():
            if who == EXPERT or name != "label_mass":  # baselines and tables have no label words
                reasons.setdefault(reason, []).append(f"{who}: {_called(name)}")
    return reasons


def _called(name: str) -> str:
    """A figure's name in the JSON as people say it: `intervals.eer` is "interval of equal error rate"."""
    *where, last = name.split(".")
    said = LABELS.get(last, last.replace("_", " "))
    for each in reversed(where):
        said = f"interval of {said}" if each == "intervals" else f"{said}, {each}"
    return said
