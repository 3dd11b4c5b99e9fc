"""Experts that differ in nothing but their training seed, as one row: mean and spread of every figure.

An interval speaks of other images of the same kind; it leaves out how much another training run would differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.expert.card import CARD, ExpertCard, load_card
from fakeinstruct.forensics.answers import AnswerSet
from fakeinstruct.measure.figure import Row, UnavailableError
from fakeinstruct.measure.intervals import JUDGED, PROBABLE, RANKED

VARYING = ("seed", "base_sha256", "steps", "resumed_from", "chosen_step", "pairs_seen", "images_seen")
"""What a card says of training that a seed alone may change."""


def alike(first: ExpertCard, second: ExpertCard) -> bool:
    """Whether two experts were trained in the same way on the same pairs, whatever their seeds.

    Bases that are experts themselves are compared likewise, others by their name.
    """
    if not first.trained_on or not second.trained_on:
        return not first.trained_on and not second.trained_on and first.base == second.base
    if _lesson(first) != _lesson(second):
        return False
    return first.base == second.base or alike(_base(first), _base(second))


def _base(card: ExpertCard) -> ExpertCard:
    """The card of what an expert started from; that of a mere name, where it is no expert that lies here."""
    return load_card(card.base) if (Path(card.base) / CARD).is_file() else ExpertCard(base=card.base)


def _lesson(card: ExpertCard) -> dict[str, Any]:
    """What a card says of training that must be equal."""
    said = {name: value for name, value in card.trained_on.items() if name not in VARYING}
    recipe = {name: value for name, value in said.get("recipe", {}).items() if name not in ("seed", "base")}
    return {**said, "recipe": recipe}


def seed_runs(answers: AnswerSet, others: Mapping[str, AnswerSet]) -> dict[str, int]:
    """Training seeds of an expert and of those among others that differ from it in nothing else.

    Args:
        answers: The expert's answer set.
        others: Answer sets of other experts by name; those of other detectors have no card and are left out.

    Returns:
        Seed by name, the expert's own under `expert`; empty where no other is alike, or cards are not to be had.
    """
    card = _card(answers)
    if card is None or "seed" not in card.trained_on:
        return {}
    seeds = {"expert": card.trained_on["seed"]}
    for name, theirs in others.items():
        other = _card(theirs)
        if other is None or theirs.meta.expert_sha256 == answers.meta.expert_sha256 or not alike(card, other):
            continue
        if other.trained_on.get("seed") not in seeds.values():
            seeds[name] = other.trained_on["seed"]
    return seeds if len(seeds) > 1 else {}


def _card(answers: AnswerSet) -> ExpertCard | None:
    try:
        return load_card(answers.meta.expert)
    except FakeInstructError:
        return None


def seed_figures(runs: Mapping[str, Mapping[str, Any]], seeds: Mapping[str, int]) -> dict[str, Any]:
    """Mean and spread over training seeds of every figure of the test split.

    Args:
        runs: Tables of a detector (see `figures.detector_figures`) by the expert's name.
        seeds: Training seed of each.

    Returns:
        `n`, `seeds`, and `figures`: by name `n, mean, sd` (of the sample)`, min, max`. Without two runs nothing.
    """
    if len(seeds) < 2:
        return {}
    values = [dict(_figures(runs[name])) for name in seeds]
    row = Row(n=len(seeds), seeds=dict(seeds))
    figures = Row()
    for name in dict.fromkeys(name for each in values for name in each):
        known = [each[name] for each in values if each.get(name) is not None]
        figures.give((name,), lambda known=known: spread(known, len(values)))  # type: ignore[misc]
    row.nest("figures", figures)
    return row.json()


def spread(known: list[float], runs: int) -> dict[str, float]:
    """Mean, sample standard deviation, smallest and largest of a figure's values.

    Raises:
        UnavailableError: If a run lacks the figure: the others are no sample of all.
    """
    if len(known) < runs:
        raise UnavailableError(f"{runs - len(known)} of {runs} runs have no such figure")
    values = np.array(known, dtype=np.float64)
    return {
        "n": len(values),
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)),
        "min": float(values.min()),
        "max": float(values.max()),
    }


def _figures(run: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    """Every figure that a row over seeds is made of, by name."""
    test = run["overall"]["test"]
    for name in (*RANKED, *JUDGED, *PROBABLE):
        yield name, test[name]
    for name in PROBABLE:
        yield f"{name}, calibrated", test["calibrated"][name]
    yield "macro_auc over generators", run["generators"]["macro_auc"]
    yield "worst_auc over generators", run["generators"]["worst_auc"]
    for name, row in run["per_generator"].items():
        yield f"auc, {name}", row["auc"]
