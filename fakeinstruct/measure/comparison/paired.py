"""Two detectors on the same images: is the difference of their figures more than chance?

Figures of the same images rise and fall together, so intervals of each alone say little of the difference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, norm

from fakeinstruct.measure.bootstrap import DRAWS, Resampled, Statistic, number_groups, resample
from fakeinstruct.measure.calibration import log_losses, probability
from fakeinstruct.measure.detection import check_groups, placement_variance, placements
from fakeinstruct.measure.figure import UnavailableError
from fakeinstruct.measure.weighted import CalibrationError, Means, together

NOTHING = 1e-15
"""A variance below this is zero but for rounding."""


class PairedAuc(NamedTuple):
    """The difference of two AUCs on the same images: estimate, 95 % interval, z and two-sided p."""

    difference: float
    low: float
    high: float
    z: float
    p: float


def paired_auc(
    y_true: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    groups: ArrayLike | None = None,
    confidence: float = 0.95,
) -> PairedAuc:
    """Paired DeLong test: AUC of the first less that of the second, with the covariance of the two.

    With `groups`, Obuchowski's clustered covariance; groups of one image each give DeLong's exactly.

    Args:
        y_true: Truth, true for fake, shape (n,).
        first: Scores of one detector, higher for fake, shape (n,).
        second: Scores of the other for the same images, shape (n,).
        groups: What each image was made from, shape (n,).
        confidence: Coverage, 0 to 1.

    Raises:
        UnavailableError: If a class is absent, there are too few groups, or no pair of images tells the two apart.
    """
    one, other = placements(y_true, first), placements(y_true, second)
    of_fakes, of_reals = one[0] - other[0], one[1] - other[1]
    difference = float(of_fakes.mean())
    if groups is not None:
        check_groups(np.asarray(y_true, dtype=bool), np.asarray(groups))
    variance = placement_variance(y_true, of_fakes - difference, of_reals - difference, groups)
    if variance <= NOTHING:
        same = not of_fakes.any() and not of_reals.any()
        raise UnavailableError(
            "both rank every fake and real alike: there is no difference to test"
            if same
            else "the difference is the same for every image: its estimated variance is zero, which is no certainty"
        )
    z = difference / math.sqrt(variance)
    half = float(norm.ppf((1 + confidence) / 2)) * math.sqrt(variance)
    low, high = max(-1.0, difference - half), min(1.0, difference + half)
    return PairedAuc(difference, low, high, z, float(2 * norm.sf(abs(z))))


def paired_accuracy(
    fake: NDArray[np.bool_],
    verdicts: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    groups: NDArray[np.generic],
) -> float:
    """Two-sided p of a difference of accuracy, by the images that only one of the two has right.

    McNemar's exact test (1947). With several images of one source, Obuchowski's normal test of clustered proportions
    (Statistics in Medicine 1998), whose square is McNemar's chi-square where every source has one image.

    Args:
        fake: Truth, shape (n,).
        verdicts: Whether each calls an image fake, shape (n,) each.
        groups: What each image was made from, shape (n,).

    Raises:
        UnavailableError: If both have the same images right, or there are too few groups.
    """
    right = [each == fake for each in verdicts]
    gain = right[0].astype(np.int64) - right[1]
    if not gain.any():
        raise UnavailableError("both have the same images right: there is no difference to test")
    index, count = number_groups(groups)
    if count == len(fake):
        return float(binomtest(int((gain > 0).sum()), int(np.abs(gain).sum())).pvalue)
    check_groups(fake, groups)
    sums = np.bincount(index, weights=gain, minlength=count)
    if not sums.any():
        raise UnavailableError(
            "of every source both have as many images right: there is no difference to test"
        )
    return float(2 * norm.sf(abs(sums.sum()) / math.sqrt((sums**2).sum())))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted for their number by Holm (1979): each is then right in the worst case too.

    Args:
        p_values: P values of one family of tests, 0 to 1.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


class PairedDraws(NamedTuple):
    """Figures of two detectors and their difference, and the same of every draw, by name."""

    first: Mapping[str, float]
    second: Mapping[str, float]
    differences: Resampled


def paired_draws(
    fake: NDArray[np.bool_],
    margins: tuple[NDArray[np.float64], NDArray[np.float64]],
    groups: ArrayLike,
    *,
    thresholds: tuple[float, float] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> PairedDraws:
    """Accuracy, Brier score, log loss and calibration error of two detectors, drawn together by group.

    Args:
        fake: Truth, shape (n,).
        margins: Logits of each detector, shape (n,) each.
        groups: What each image was made from, shape (n,).
        thresholds: Of each, on its margin, for the accuracy alone; without them it is at a probability of 0.5.
        draws: Number of draws.
        seed: Seed of the draws.
    """
    index, count = number_groups(groups)
    cuts = thresholds or (None, None)
    parts = [_figures(fake, each, cut, index, count) for each, cut in zip(margins, cuts, strict=True)]
    found = [part(np.ones((1, count))) for part in parts]

    def difference(weights: NDArray[np.float64]) -> Mapping[str, NDArray[np.float64]]:
        one, other = (part(weights) for part in parts)
        return {name: one[name] - other[name] for name in one}

    first, second = ({name: float(value[0]) for name, value in each.items()} for each in found)
    return PairedDraws(first, second, resample(difference, count, 2 * len(fake), draws=draws, seed=seed))


def _figures(
    fake: NDArray[np.bool_],
    margin: NDArray[np.float64],
    cut: float | None,
    index: NDArray[np.int64],
    count: int,
) -> Statistic:
    columns: dict[str, ArrayLike] = {"accuracy": (margin > (cut or 0.0)) == fake}
    if cut is not None:
        return Means(columns, index, count)
    p, losses = probability(margin), log_losses(fake, margin)
    columns["brier"] = (p - fake) ** 2
    if np.isfinite(losses).all():  # infinite where a probability of exactly 0 or 1 is wrong
        columns["nll"] = losses
    return together([("", Means(columns, index, count)), ("", CalibrationError(fake, p, index))])
