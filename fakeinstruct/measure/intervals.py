"""Bootstrap intervals of the figures of a row, where there are sources enough to draw from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.measure.bootstrap import DRAWS, Resampled, Statistic, number_groups, resample
from fakeinstruct.measure.calibration import log_losses, probability
from fakeinstruct.measure.detection import FEW_GROUPS
from fakeinstruct.measure.figure import Row, UnavailableError
from fakeinstruct.measure.fitting import Fit
from fakeinstruct.measure.roc import RATES
from fakeinstruct.measure.scores import Scores
from fakeinstruct.measure.weighted import CalibrationError, Means, Ranking, together

RANKED = ("auc", "average_precision", "eer", *RATES, "accuracy_oracle_threshold")
"""Figures that need both classes."""

JUDGED = ("accuracy_half", "accuracy_validation_threshold")
"""Accuracies at a threshold that these images had no part in."""

PROBABLE = ("brier", "nll", "ece", "smooth_ece")
"""Figures of a probability."""


def few(count: int, what: str) -> str | None:
    """Why so many sources are too few to draw from, or None if they are enough."""
    if count >= FEW_GROUPS:
        return None
    return f"only {count} source{'s' * (count != 1)} of {what} to draw from, an interval needs {FEW_GROUPS}"


def few_of_a_class(fake: NDArray[np.bool_], group: NDArray[np.int64]) -> str | None:
    """Why the sources of one of the classes are too few, or None; `fake` and `group` are of shape (n,)."""
    reasons = (few(len(np.unique(group[mask])), what) for what, mask in (("fakes", fake), ("reals", ~fake)))
    return next(filter(None, reasons), None)


def ranking(scores: Scores, group: NDArray[np.int64]) -> list[tuple[str, Statistic]]:
    """The statistic of the figures in `RANKED`, or none where a class is absent."""
    try:
        return [("", Ranking(scores.fake, scores.margin, group, RATES))]
    except UnavailableError:
        return []


def accuracies(scores: Scores, cut: float | None) -> dict[str, NDArray[np.bool_]]:
    """Whether each verdict is right, shape (n,), at a margin of 0 and, if there is one, at another threshold."""
    wide = scores.margin.astype(np.float64)
    right = {"accuracy_half": (wide > 0) == scores.fake}
    return right if cut is None else right | {"accuracy_validation_threshold": (wide > cut) == scores.fake}


def probabilities(
    scores: Scores, margin: NDArray[np.float64], group: NDArray[np.int64], groups: int
) -> list[tuple[str, Statistic]]:
    """The statistics of the figures in `PROBABLE`."""
    p = probability(margin)
    losses = {"brier": (p - scores.fake) ** 2, "nll": log_losses(scores.fake, margin)}
    finite = {name: each for name, each in losses.items() if np.isfinite(each).all()}
    return [("", Means(finite, group, groups)), ("", CalibrationError(scores.fake, p, group))]


def add_intervals(row: Row, calibrated: Row, scores: Scores, fitted: Fit, seed: int) -> None:
    """Give a split's row, and the row of its calibrated figures, `intervals` of every figure that they hold.

    Args:
        row: The figures, to which `bootstrap` (how it was drawn) is added too.
        calibrated: The figures of the calibrated probability.
        scores: What they were computed from.
        fitted: What was fitted on other images.
        seed: Seed of the draws.
    """
    group, groups = number_groups(scores.group)
    parts = ranking(scores, group)
    parts.append(("", Means(accuracies(scores, fitted.threshold), group, groups)))
    if len(scores) and scores.logit.all():
        parts += probabilities(scores, scores.unfitted(), group, groups)
    if len(scores) and fitted.source is not None:
        after = probabilities(scores, scores.calibrated, group, groups)
        parts += [("calibrated.", part) for _, part in after]
    reason = few(groups, "images")
    found = None if reason else resample(together(parts), groups, 2 * len(scores), seed=seed)
    lacking = few_of_a_class(scores.fake, group)
    give(row, (*RANKED, *JUDGED, *PROBABLE), found, reason=reason, lacking=lacking)
    give(calibrated, PROBABLE, found, reason=reason, prefix="calibrated.")
    if found is not None:
        left_out = max(found.left_out(name) for name in found.values)
        row.values["bootstrap"] = {"draws": DRAWS, "groups": groups, "left_out": left_out}


def give(
    row: Row,
    names: Iterable[str],
    found: Resampled | None,
    *,
    reason: str | None,
    lacking: str | None = None,
    prefix: str = "",
) -> None:
    """Put the intervals of a row's figures under `intervals`, or null with the reason.

    Args:
        row: The figures.
        names: Those that get an interval; a figure that is absent itself has none, for the same reason.
        found: The draws, if there were sources enough.
        reason: Why not, of every figure.
        lacking: Why not, of the figures that need both classes.
        prefix: What stands before the names in `found`.
    """
    if found is None:
        row.values["intervals"] = None
        row.reasons["intervals"] = reason or "no draws"
        return
    inner = Row()
    for name in names:
        if row.values.get(name) is None:
            inner.values[name] = None
            continue
        inner.give((name,), _interval(found, prefix + name, lacking if name in RANKED else None))
    row.nest("intervals", inner)


def _interval(found: Resampled, name: str, lacking: str | None) -> Callable[[], tuple[float, float]]:
    def interval() -> tuple[float, float]:
        if lacking:
            raise UnavailableError(lacking)
        return found.interval(name)

    return interval


def part_intervals(
    test: Scores, parts: Mapping[str, NDArray[np.bool_]], rows: Mapping[str, Row], seed: int
) -> Resampled | None:
    """Give rows that are of parts of one split their intervals, all from the same draws.

    Args:
        test: The split's scores.
        parts: Which of its images a row is of, shape (n,), by the row's name.
        rows: Rows with some of the figures of `RANKED` and `accuracy_half`, by name.
        seed: Seed of the draws.

    Returns:
        The draws, figures under "row: figure"; None where there are too few sources.
    """
    group, groups = number_groups(test.group)
    found, reason = None, few(groups, "images")
    if not reason and parts:
        statistics: list[tuple[str, Statistic]] = []
        for name, mask in parts.items():
            scores, index = test.where(mask), group[mask]
            statistics += [(f"{name}: ", part) for _, part in ranking(scores, index)]
            statistics.append((f"{name}: ", Means(accuracies(scores, None), index, groups)))
        images = sum(int(mask.sum()) for mask in parts.values())
        found = resample(together(statistics), groups, images, seed=seed)
    for name, mask in parts.items():
        lacking = few_of_a_class(test.fake[mask], group[mask])
        give(
            rows[name], (*RANKED, "accuracy_half"), found, reason=reason, lacking=lacking, prefix=f"{name}: "
        )
    return found
