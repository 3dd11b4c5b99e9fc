"""From scores to the tables of `figures.json`, by the same functions for an expert and for every baseline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.measure import calibration, detection
from fakeinstruct.measure.calibration import probability, reliability
from fakeinstruct.measure.figure import Row, UnavailableError
from fakeinstruct.measure.fitting import Fit
from fakeinstruct.measure.scores import Scores

MASS_FLOOR = 0.5
"""Label mass below which the model wanted to say something other than a label, more likely than not."""

MOST_GROUPS = 20
"""Up to so many photographs are given a row each; beyond, an interval over photographs says more."""

KINDS = ("generated", "edited")
"""Manipulations of fakes that have a row of their own."""


def detector_figures(scores: Scores, fitted: Fit, seed: int) -> dict[str, Any]:
    """`overall` by split, `per_condition` and the slices of the test split, for an expert or a baseline.

    Args:
        scores: Scores of all splits and conditions, with calibrated margins if there are any.
        fitted: What gave them, and the threshold.
        seed: Seed of the consistency bands.
    """
    clean = scores.where(scores.condition == "clean")
    own = Fit(reason="fitted on this very split")
    splits = ["test", *sorted({"train", "validation"} & set(clean.split))]
    test = scores.where(scores.split == "test")
    conditions = sorted(set(test.condition) - {"clean"})
    return {
        "overall": {
            split: split_figures(
                clean.where(clean.split == split), own if split == "validation" else fitted, seed
            ).json()
            for split in splits
        },
        **slices(clean.where(clean.split == "test")),
        "per_condition": {
            name: split_figures(test.where(test.condition == name), fitted, seed).json()
            for name in conditions
        },
    }


def split_figures(scores: Scores, fitted: Fit, seed: int) -> Row:
    """Every detection and calibration figure of the images given.

    Args:
        scores: Scores of one split and condition.
        fitted: What was fitted on other images, and gave the scores' calibrated margins.
        seed: Seed of the consistency bands.
    """
    y, margin = scores.fake, scores.margin
    row = Row(
        n=len(scores), n_fake=int(y.sum()), n_real=int((~y).sum()), n_groups=len(np.unique(scores.group))
    )
    rank(row, scores)
    row.give(("accuracy_half",), lambda: detection.accuracy(y, scores.unfitted()))
    row.give(("accuracy_validation_threshold",), lambda: detection.accuracy(y, margin, fitted.cut()))
    _probabilities(row, scores, scores.unfitted, seed)
    beside = Row()
    _probabilities(beside, scores, lambda: fitted.applied(scores), seed)
    row.nest("calibrated", beside)
    row.give(("label_mass",), lambda: label_mass(scores))
    row.give(("ties",), lambda: _ties(scores))
    return row


def rank(row: Row, scores: Scores) -> None:
    """AUC, its interval, average precision."""
    y, margin = scores.fake, scores.margin
    row.give(("auc",), lambda: detection.auc(y, margin))
    row.give(("auc_low", "auc_high"), lambda: detection.auc_interval(y, margin, scores.group)[1:])
    row.give(("average_precision",), lambda: detection.average_precision(y, margin))


def _probabilities(row: Row, scores: Scores, margins: Callable[[], NDArray[np.float64]], seed: int) -> None:
    """Brier, log loss and calibration error of the probabilities that these margins give, if there are any."""
    y = scores.fake
    row.give(("brier",), lambda: calibration.brier(y, margins()))
    row.give(("nll",), lambda: calibration.nll(y, margins()))

    def ece() -> tuple[float, dict[str, Any]]:
        found = reliability(y, probability(margins()), seed=seed)
        perfect = {"mean": found.ece_perfect, "percentile_95": found.ece_band}
        return found.ece, {"bins": len(found.count), "mass": "equal", "perfectly_calibrated": perfect}

    row.give(("ece", "ece_band"), ece)


def label_mass(scores: Scores) -> dict[str, float]:
    """Mean label mass, and the share of images where it is under the floor.

    Raises:
        UnavailableError: If no answer carries one.
    """
    known = scores.mass[np.isfinite(scores.mass)]
    if not len(known):
        raise UnavailableError("the answers carry no label mass")
    return {"mean": known.mean(), "floor": MASS_FLOOR, "share_under_floor": (known < MASS_FLOOR).mean()}


def _ties(scores: Scores) -> dict[str, float]:
    share = detection.tied_share(scores.fake, scores.margin)
    return {"distinct_margins": len(np.unique(scores.margin)), "tied_pair_share": share}


def against_reals(fakes: Scores, reals: Scores) -> dict[str, Any]:
    """Counts, AUC with its interval, and average precision of some fakes against some reals."""
    both = concatenate(fakes, reals)
    row = Row(n_fake=len(fakes), n_real=len(reals))
    rank(row, both)
    return row.json()


def concatenate(first: Scores, second: Scores) -> Scores:
    """Scores of both, the first's first."""
    return Scores(*(np.concatenate([getattr(first, name), getattr(second, name)]) for name in vars(first)))


def slices(test: Scores) -> dict[str, Any]:
    """The tables of the test split: per generator, per manipulation, per photograph, and their summaries.

    Args:
        test: Clean scores of the test split.

    Returns:
        `per_generator`, `generators` (macro mean and the worst), `per_manipulation`, `per_group`,
        `mean_per_group`.
    """
    fakes, reals = test.where(test.fake), test.where(~test.fake)
    per_generator = {
        name: against_reals(fakes.where(fakes.generator == name), reals)
        for name in np.unique(fakes.generator)
    }
    per_group = _per_group(test)
    return {
        "per_generator": per_generator,
        "generators": _generators(per_generator),
        "per_manipulation": {
            kind: against_reals(fakes.where(fakes.manipulation == kind), reals)
            for kind in KINDS
            if (fakes.manipulation == kind).any()
        },
        "per_group": per_group,
        "mean_per_group": _mean_per_group(per_group),
    }


def _generators(rows: dict[str, Any]) -> dict[str, Any]:
    """Macro mean and worst AUC over generators."""
    known = {name: row["auc"] for name, row in rows.items() if row["auc"] is not None}
    row = Row(reals="all real images of the test split, the same for every generator")

    def summary() -> tuple[float, str, float]:
        if not known:
            raise UnavailableError("no generator has an AUC")
        worst = min(known, key=lambda name: (known[name], name))
        return float(np.mean(list(known.values()))), worst, known[worst]

    row.give(("macro_auc", "worst", "worst_auc"), summary)
    return row.json()


def _per_group(test: Scores) -> dict[str, Any]:
    """One row a photograph, its fakes against its own reals, where there are few and each holds both."""
    names = np.unique(test.group)
    if not 0 < len(names) <= MOST_GROUPS:
        return {}
    table = {}
    for name in names:
        own = test.where(test.group == name)
        fakes, reals = own.where(own.fake), own.where(~own.fake)
        if not len(fakes) or not len(reals):
            continue
        kinds = {kind: fakes.where(fakes.manipulation == kind) for kind in KINDS}
        parts = {"all": fakes, **{kind: some for kind, some in kinds.items() if len(some)}}
        table[name] = {part: against_reals(some, reals) for part, some in parts.items()}
    return table


def _mean_per_group(per_group: dict[str, Any]) -> dict[str, Any]:
    """Mean over photographs of the AUC within a photograph."""
    row = Row()
    for part in ("all", *KINDS):
        areas = [group[part]["auc"] for group in per_group.values() if part in group]

        def mean(areas: list[float] = areas) -> float:
            if not areas:
                raise UnavailableError(
                    f"no photograph of the test split has both labels, or there are more than {MOST_GROUPS}"
                )
            return float(np.mean(areas))

        row.give((part,), mean)
    return row.json()
