"""What a report does not show, and why: figures that could not be given, and what nobody asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakeinstruct.measure.report_tables import part

ASKED_BY = {
    "per_generator": ("figures by generator", "no fakes in the test split"),
    "per_condition": ("robustness curves", "no processed images were asked about: 'score --condition'"),
    "prior.per_prompt": ("the prior", "no picture that shows nothing was asked about: 'score' without --no-prior"),
    "interventions": ("faithfulness", "no region was changed: 'score --intervene'"),
    "choices.n": ("multiple choice", "no multiple-choice answers: 'score' of a pair set"),
    "baselines": ("baselines", "none was asked for: 'measure --baseline'"),
    "transfer": ("calibration transfer", "needs validation answers of two generators"),
    "seeds": ("spread over training seeds", "only one expert: 'measure --beside'"),
    "words": ("words", "no written answers beside annotators' own words: 'score --explain', 'measure --chains'"),
    "boxes": ("boxes", "no written answers beside annotated regions: 'score --explain', 'measure --chains'"),
}
"""Parts of `figures.json`, what they are called, and why there may be none."""


def missing_sections(figures: Mapping[str, Any]) -> dict[str, str]:
    """What this report lacks as a whole, and why."""
    found = {name: why for path, (name, why) in ASKED_BY.items() if part(figures, path) is None}
    asked = figures["prompts"]["prompts"]
    if asked > len(figures["prompts"]["per_prompt"]):
        found["prompt spread"] = f"{asked:,} wordings are too many for a row each"
    elif asked < 2:
        found["prompt spread"] = "fewer than two wordings were asked: 'score --prompts'"
    return found


def missing_figures(figures: Mapping[str, Any]) -> dict[str, list[str]]:
    """Why figures of the test split are missing: reason to `who: figure` names."""
    reasons: dict[str, list[str]] = {}
    for who, each in {"expert": figures, **figures["baselines"]}.items():
        for name, reason in each["overall"]["test"]["unavailable"].items():
            if who == "expert" or name != "label_mass":  # a baseline has no label words
                reasons.setdefault(reason, []).append(f"{who}: {name}")
    return reasons
