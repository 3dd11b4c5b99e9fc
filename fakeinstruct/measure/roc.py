"""The ROC curve and what is read off it: area, average precision, equal error rate, finds at few false alarms.

Every figure is of a curve, or of many at once that differ in how much each image weighs: that is what a bootstrap
asks for. Scores are sorted once; images of equal score are one step of the curve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fakeinstruct.measure.detection import both_classes
from fakeinstruct.measure.figure import UnavailableError

FEWEST_FALSE_ALARMS = 10
"""A rate of false alarms at which fewer reals than this are called fake is not told from its neighbours."""

RATES = {"tpr_fpr_0_01": 0.01, "tpr_fpr_0_001": 0.001}
"""Shares of false alarms at which finds are counted, by the figure's name."""

ROUNDING = 1e-9
"""Slack of a rate that is compared with a sum: 0.07 x 100 is not 7 in floating point."""


@dataclass(frozen=True)
class Steps:
    """Images in the order of a curve: from the highest score to the lowest.

    Attributes:
        order: Index of each image in the input, shape (n,).
        fake: Truth in that order, shape (n,), 0 or 1.
        ends: Last image of each run of equal scores, shape (steps,).
    """

    order: NDArray[np.int64]
    fake: NDArray[np.float64]
    ends: NDArray[np.int64]

    @staticmethod
    def of(y_true: ArrayLike, y_score: ArrayLike) -> Steps:
        """Sort by score, compared in float32.

        Raises:
            UnavailableError: If one of the classes is absent, or a score is not a number.
        """
        truth = both_classes(y_true)
        score = np.asarray(y_score, dtype=np.float32)
        if np.isnan(score).any():
            raise UnavailableError("a score is not a number")
        order = np.argsort(-score, kind="stable")
        ordered = score[order]
        ends = np.flatnonzero(np.concatenate([ordered[1:] != ordered[:-1], [True]]))
        return Steps(order, truth[order].astype(np.float64), ends)

    def curves(self, weights: NDArray[np.float64]) -> Curves:
        """One curve for each row of weights.

        Args:
            weights: Weight of each image, in the order of `self.order`, shape (curves, n), 0 or more.
        """
        fakes = weights * self.fake
        reals = weights - fakes
        found, alarms = fakes.cumsum(axis=1), reals.cumsum(axis=1)
        if len(self.ends) < weights.shape[1]:
            found, alarms = np.take(found, self.ends, axis=1), np.take(alarms, self.ends, axis=1)
            fakes, reals = np.diff(found, axis=1, prepend=0), np.diff(alarms, axis=1, prepend=0)
        return Curves(fakes, reals, found, alarms)


@dataclass(frozen=True)
class Curves:
    """ROC curves, one a row; every figure is of shape (curves,) and NaN for a row that lacks a class.

    Attributes:
        fakes: Weight of the fakes of each step, shape (curves, steps).
        reals: Weight of its reals.
        found: Weight of the fakes called fake once the threshold is below the step.
        alarms: Weight of the reals called fake.
    """

    fakes: NDArray[np.float64]
    reals: NDArray[np.float64]
    found: NDArray[np.float64]
    alarms: NDArray[np.float64]

    def auc(self) -> NDArray[np.float64]:
        """Area under the curve, ties counting half, 0 to 1."""
        beaten = np.einsum("ij,ij->i", self.reals, self.found - self.fakes / 2)
        return _over(beaten, self.found[:, -1] * self.alarms[:, -1])

    def average_precision(self) -> NDArray[np.float64]:
        """Precision at each step, averaged over fakes, 0 to 1."""
        called = np.maximum(self.found + self.alarms, 1e-300)  # 0 before the first image that weighs anything
        total = np.einsum("ij,ij->i", self.fakes, self.found / called)
        return _over(total, self.found[:, -1] * (self.alarms[:, -1] > 0))

    def eer(self) -> NDArray[np.float64]:
        """Equal error rate, 0 to 1: where the curve, straight between its steps, has as many misses as alarms."""
        rows = np.arange(len(self.found))
        fakes, reals = self.found[:, -1], self.alarms[:, -1]
        with np.errstate(invalid="ignore", divide="ignore"):
            at = (self.alarms / reals[:, None] + self.found / fakes[:, None] >= 1 - ROUNDING).argmax(axis=1)
            alarms, misses = self.alarms[rows, at] / reals, 1 - self.found[rows, at] / fakes
            before = alarms - self.reals[rows, at] / reals
            lead = misses + self.fakes[rows, at] / fakes - before  # misses over alarms one step earlier
            share = lead / (lead - misses + alarms)
        return np.asarray(before + share * (alarms - before))

    def tpr(self, fpr: float) -> NDArray[np.float64]:
        """Share of the fakes found by the last step whose share of false alarms is at most `fpr`, 0 to 1."""
        allowed = self.alarms <= (fpr * (1 + ROUNDING)) * self.alarms[:, -1:]
        steps = allowed.sum(axis=1)
        found = self.found[np.arange(len(steps)), np.maximum(steps, 1) - 1]
        return _over(np.where(steps > 0, found, 0.0), self.found[:, -1] * (self.alarms[:, -1] > 0))

    def best_accuracy(self) -> NDArray[np.float64]:
        """Share of right verdicts at the threshold that is best for these very images, 0 to 1."""
        fakes, reals = self.found[:, -1], self.alarms[:, -1]
        right = np.maximum((self.found - self.alarms).max(axis=1), 0) + reals
        return _over(right * (fakes > 0) * (reals > 0), (fakes + reals) * (fakes > 0) * (reals > 0))


def _over(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quotient, NaN where the divisor is 0."""
    return np.asarray(np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0))


def curve(y_true: ArrayLike, y_score: ArrayLike) -> Curves:
    """The curve of some images, each weighing the same.

    Raises:
        UnavailableError: If one of the classes is absent, or a score is not a number.
    """
    return Steps.of(y_true, y_score).curves(np.ones((1, len(np.asarray(y_true)))))


def equal_error_rate(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Equal error rate, 0 to 1: misses and false alarms where they are equal, between two thresholds if need be.

    Raises:
        UnavailableError: If one of the classes is absent.
    """
    return float(curve(y_true, y_score).eer()[0])


def oracle_accuracy(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Share of right verdicts at the threshold that is best for these very images, 0 to 1: no detector knows it.

    Raises:
        UnavailableError: If one of the classes is absent.
    """
    return float(curve(y_true, y_score).best_accuracy()[0])


def check_reals(reals: int, fpr: float) -> None:
    """Refuse a rate of false alarms that would rest on too few reals.

    Raises:
        UnavailableError: If fewer than `FEWEST_FALSE_ALARMS` of them would be called fake.
    """
    if reals * fpr * (1 + ROUNDING) < FEWEST_FALSE_ALARMS:
        least = round(FEWEST_FALSE_ALARMS / fpr)
        raise UnavailableError(
            f"{100 * fpr:g} % of {reals:,} reals is under {FEWEST_FALSE_ALARMS} false alarms: needs {least:,} reals"
        )


def tpr_at_fpr(y_true: ArrayLike, y_score: ArrayLike, fpr: float) -> float:
    """Share of the fakes found by a threshold that at most a share `fpr` of the reals passes, 0 to 1.

    Raises:
        UnavailableError: If one of the classes is absent, or there are too few reals for that rate.
    """
    found = curve(y_true, y_score)
    check_reals(int(found.alarms[0, -1]), fpr)
    return float(found.tpr(fpr)[0])
