"""From scores to the tables of `figures.json`, by the same functions for an expert and for every baseline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.forensics.probability import MASS_FLOOR
from fakeinstruct.measure import calibration, detection
from fakeinstruct.measure.calibration import DRAWS, probability, reliability
from fakeinstruct.measure.figure import Row, UnavailableError
from fakeinstruct.measure.fitting import Fit
from fakeinstruct.measure.intervals import add_intervals
from fakeinstruct.measure.scores import Scores
from fakeinstruct.measure.slices import operate, rank, slices
from fakeinstruct.measure.smooth import perfect_smooth_ece, smooth_ece
from fakeinstruct.measure.transfer import transfer_figures


def detector_figures(scores: Scores, fitted: Fit, seed: int) -> dict[str, Any]:
    """`overall` by split, `per_condition` and the tables of the test split, for an expert or a baseline.

    Args:
        scores: Scores of all splits and conditions, with calibrated margins if there are any.
        fitted: What gave them, and the threshold.
        seed: Seed of the consistency bands and the bootstrap.
    """
    clean = scores.where(scores.condition == "clean")
    own = Fit(reason="fitted on this very split")
    splits = ["test", *sorted({"train", "validation"} & set(clean.split))]
    test = scores.where(scores.split == "test")
    conditions = sorted(set(test.condition) - {"clean"})
    clean_test = clean.where(clean.split == "test")
    return {
        "overall": {
            split: split_figures(
                clean.where(clean.split == split), own if split == "validation" else fitted, seed
            ).json()
            for split in splits
        },
        **slices(clean_test, seed),
        "transfer": transfer_figures(clean_test, seed),
        "per_condition": {
            name: split_figures(test.where(test.condition == name), fitted, seed).json()
            for name in conditions
        },
    }


def split_figures(scores: Scores, fitted: Fit, seed: int) -> Row:
    """Every detection and calibration figure of the images given, with intervals.

    Args:
        scores: Scores of one split and condition.
        fitted: What was fitted on other images, and gave the scores' calibrated margins.
        seed: Seed of the consistency bands and the bootstrap.
    """
    y, margin = scores.fake, scores.margin
    row = Row(
        n=len(scores), n_fake=int(y.sum()), n_real=int((~y).sum()), n_groups=len(np.unique(scores.group))
    )
    rank(row, scores)
    operate(row, scores)
    row.give(("accuracy_validation_threshold",), lambda: detection.accuracy(y, margin, fitted.cut()))
    _probabilities(row, scores, scores.unfitted, seed)
    beside = Row()
    _probabilities(beside, scores, lambda: fitted.applied(scores), seed)
    beside.give(("ece_fitted_band",), lambda: fitted.ece_band(scores, seed))
    add_intervals(row, beside, scores, fitted, seed)
    row.nest("calibrated", beside)
    row.give(("label_mass",), lambda: label_mass(scores))
    row.give(("ties",), lambda: _ties(scores))
    return row


def _probabilities(row: Row, scores: Scores, margins: Callable[[], NDArray[np.float64]], seed: int) -> None:
    """Brier, log loss and calibration errors of the probabilities that these margins give, if there are any."""
    y = scores.fake
    row.give(("brier",), lambda: calibration.brier(y, margins()))
    row.give(("nll",), lambda: calibration.nll(y, margins()))

    def ece() -> tuple[float, dict[str, Any]]:
        found = reliability(y, probability(margins()), seed=seed)
        perfect = {"mean": found.ece_perfect, "percentile_95": found.ece_band}
        return found.ece, {"bins": len(found.count), "mass": "equal", "perfectly_calibrated": perfect}

    def smooth() -> tuple[float, dict[str, Any]]:
        p = probability(margins())
        mean, top = perfect_smooth_ece(p, DRAWS, seed)
        return smooth_ece(y, p), {"perfectly_calibrated": {"mean": mean, "percentile_95": top}}

    row.give(("ece", "ece_band"), ece)
    row.give(("smooth_ece", "smooth_ece_band"), smooth)


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
