"""Which prompts the model rather answers with something else than a label word, and how that is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fakeinstruct.forensics.probability import MASS_FLOOR
from fakeinstruct.measure.joining import ByPrompt, is_clean
from fakeinstruct.measure.scores import Scores


def low_mass(by_prompt: ByPrompt) -> dict[str, Any] | None:
    """How many prompts and answers have a label mass under the floor, on the clean test images.

    Args:
        by_prompt: Joined answers of every prompt.

    Returns:
        `floor`, `prompts` and of those `prompts_under`, whose mean label mass is under it; `answers` and
        `answers_under`. None if the answers carry no label mass.
    """
    masses = []
    for rows in by_prompt.values():
        test = [row for row in rows if is_clean(row) and (row["split"] or "test") == "test"]
        mass = Scores.of(test).mass
        if len(known := mass[np.isfinite(mass)]):
            masses.append(known)
    if not masses:
        return None
    return {
        "floor": MASS_FLOOR,
        "prompts": len(masses),
        "prompts_under": sum(bool(each.mean() < MASS_FLOOR) for each in masses),
        "answers": sum(len(each) for each in masses),
        "answers_under": sum(int((each < MASS_FLOOR).sum()) for each in masses),
    }


def mass_warning(figures: Mapping[str, Any]) -> str | None:
    """What to say of prompts under the floor, if there are any.

    Args:
        figures: The contents of `figures.json`.
    """
    found = figures["low_mass"]
    if found is None or not found["prompts_under"]:
        return None
    answers = f"{found['answers_under']:,} of {found['answers']:,} test answers"
    rather = "there the model rather says something else than a label word"
    if found["prompts"] == 1:
        return f"label mass is under {found['floor']} in {answers}: {rather}, and these figures rest on what is left"
    return (
        f"label mass is under {found['floor']} for {found['prompts_under']:,} of {found['prompts']:,} prompts "
        f"({answers}): {rather}; the headline figures are of the mean over all prompts, these among them"
    )
