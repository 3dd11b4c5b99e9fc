"""Figures of images that weigh as much as their groups: what the bootstrap computes in every draw.

With all weights 1 they are the figures themselves. Everything that does not depend on the weights (the order of the
scores, the bins, sums over a group) is computed once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fakeinstruct.measure.bootstrap import Statistic
from fakeinstruct.measure.calibration import BINS, equal_mass_bounds
from fakeinstruct.measure.roc import Steps
from fakeinstruct.measure.smooth import CELLS, cells, smooth_errors

Figures = Mapping[str, NDArray[np.float64]]
"""Figures by name, each of shape (draws,)."""


class Ranking:
    """AUC, average precision, equal error rate, finds at few false alarms, accuracy at the oracle threshold.

    Args:
        y_true: Truth, true for fake, shape (n,).
        y_score: Score, shape (n,).
        group: Number of each image's group, shape (n,).
        rates: Shares of false alarms at which finds are counted, by the figure's name.

    Raises:
        UnavailableError: If one of the classes is absent.
    """

    def __init__(
        self, y_true: ArrayLike, y_score: ArrayLike, group: NDArray[np.int64], rates: Mapping[str, float]
    ) -> None:
        self._steps = Steps.of(y_true, y_score)
        self._group = group[self._steps.order]
        self._rates = rates

    def __call__(self, weights: NDArray[np.float64]) -> Figures:
        """The figures under weights of groups, shape (draws, groups)."""
        curves = self._steps.curves(np.take(weights, self._group, axis=1))
        return {
            "auc": curves.auc(),
            "average_precision": curves.average_precision(),
            "eer": curves.eer(),
            "accuracy_oracle_threshold": curves.best_accuracy(),
            **{name: curves.tpr(rate) for name, rate in self._rates.items()},
        }


class Means:
    """Means over images, such as accuracy at a fixed threshold, Brier score and log loss.

    Args:
        columns: What is averaged, by the figure's name, each of shape (n,).
        group: Number of each image's group, shape (n,).
        groups: Number of groups, those without an image here too.
    """

    def __init__(self, columns: Mapping[str, ArrayLike], group: NDArray[np.int64], groups: int) -> None:
        self._names = tuple(columns)
        sums = [np.bincount(group, minlength=groups).astype(np.float64)]
        wide = (np.asarray(each, dtype=np.float64) for each in columns.values())
        sums += [np.bincount(group, each, groups).astype(np.float64) for each in wide]
        self._sums = np.stack(sums, axis=1)  # (groups, 1 + columns)

    def __call__(self, weights: NDArray[np.float64]) -> Figures:
        """The figures under weights of groups, shape (draws, groups)."""
        count, *totals = (weights @ self._sums).T
        with np.errstate(invalid="ignore"):
            return {name: total / count for name, total in zip(self._names, totals, strict=True)}


class CalibrationError:
    """Calibration error in the bins that all images have together (bins stay where they are), and smooth ECE.

    Args:
        y_true: Truth, true for fake, shape (n,).
        p: Probability of fake, shape (n,), 0 to 1.
        group: Number of each image's group, shape (n,).

    Raises:
        UnavailableError: If there are no images, or a probability is not between 0 and 1.
    """

    def __init__(self, y_true: ArrayLike, p: ArrayLike, group: NDArray[np.int64]) -> None:
        values = np.asarray(p, dtype=np.float64)
        order = np.argsort(values, kind="stable")
        cell = cells(values[order])
        self._group = group[order]
        self._residual = (np.asarray(y_true, dtype=bool) - values)[order]
        self._bins = equal_mass_bounds(values[order], BINS) if len(values) >= BINS else None
        self._starts = np.flatnonzero(np.concatenate([[True], cell[1:] != cell[:-1]]))
        self._cells = cell[self._starts]

    def __call__(self, weights: NDArray[np.float64]) -> Figures:
        """The figures under weights of groups, shape (draws, groups)."""
        own = np.take(weights, self._group, axis=1)
        total = own.sum(axis=1)
        some = np.where(total > 0, total, np.nan)
        residual = own * self._residual
        grid = np.zeros((len(weights), CELLS))
        grid[:, self._cells] = np.add.reduceat(residual, self._starts, axis=1) / np.maximum(total, 1)[:, None]
        found = {"smooth_ece": np.where(total > 0, smooth_errors(grid), np.nan)}
        if self._bins is not None:
            found["ece"] = np.abs(np.add.reduceat(residual, self._bins, axis=1)).sum(axis=1) / some
        return found


def together(parts: Iterable[tuple[str, Statistic]]) -> Statistic:
    """One statistic of several, each with its prefix before the names of its figures."""
    known = tuple(parts)

    def all_of(weights: NDArray[np.float64]) -> Figures:
        return {prefix + name: values for prefix, part in known for name, values in part(weights).items()}

    return all_of
