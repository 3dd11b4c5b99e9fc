"""Chance: how surely a figure lies above what guessing gives, and what level of finding that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from fakeinstruct.measure.audit.finding import Level
from fakeinstruct.measure.detection import FEW_GROUPS, auc, auc_variance
from fakeinstruct.measure.figure import UnavailableError

MARGIN = 0.05
"""How far above chance a figure must surely lie to be a problem: 5 answers in 100 more than a coin gives, which is
more than the interval of most published accuracies, so that results could rest on it alone."""

CONFIDENCE = 0.95
"""Coverage of all intervals of one section together (Bonferroni), so that a clean set gives no finding."""


@dataclass(frozen=True)
class Above:
    """A figure with its interval, and the value that guessing gives."""

    value: float
    low: float
    high: float
    chance: float

    @property
    def level(self) -> Level | None:
        """A problem if it surely exceeds chance by more than `MARGIN`, a warning if it surely exceeds it."""
        return "problem" if self.low > self.chance + MARGIN else "warning" if self.low > self.chance else None

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} – {self.high:.3f})"


def clusters_of(labels: ArrayLike, groups: Sequence[str], images: Sequence[str]) -> NDArray[np.int64]:
    """What counts as independent: source groups if there are enough of each label, otherwise images.

    Args:
        labels: True for fake, shape (n,).
        groups: The group of each record, length n.
        images: The image of each record, length n.

    Raises:
        UnavailableError: If a label has fewer than `FEW_GROUPS` images.
    """
    fake = np.asarray(labels, dtype=bool)
    few = 0
    for names in (groups, images):
        numbers = np.unique(np.asarray(names, dtype=object).astype(str), return_inverse=True)[1]
        few = min(len(np.unique(numbers[fake])), len(np.unique(numbers[~fake])))
        if few >= FEW_GROUPS:
            return numbers.astype(np.int64)
    raise UnavailableError(f"{few} images of a label are too few to tell, {FEW_GROUPS} are needed")


def auc_above(
    labels: ArrayLike, scores: ArrayLike, clusters: NDArray[np.int64], tests: int, wider: float = 1.0
) -> Above:
    """AUC with an interval that also holds where labels are parted without an exception.

    Args:
        labels: True for fake, shape (n,).
        scores: Higher for fake, shape (n,).
        clusters: What is independent, shape (n,).
        tests: How many intervals are to hold together.
        wider: Factor of the variance, for scores that were fitted on what others here are judged by.

    Raises:
        UnavailableError: If there is one label only.
    """
    fake = np.asarray(labels, dtype=bool)
    area = auc(fake, scores)
    fewer = min(len(np.unique(clusters[fake])), len(np.unique(clusters[~fake])))
    return _around(area, wider * auc_variance(fake, scores, clusters), fewer, 0.5, tests)


def mean_above(values: ArrayLike, chances: ArrayLike, clusters: NDArray[np.int64], tests: int) -> Above:
    """A share of right answers against the share that guessing gives, over independent clusters.

    Args:
        values: Credit of each answer, 0 to 1, shape (n,).
        chances: Credit that guessing gives it on average, 0 to 1, shape (n,).
        clusters: What is independent, shape (n,).
        tests: How many intervals are to hold together.

    Raises:
        UnavailableError: If there are fewer than `FEW_GROUPS` clusters.
    """
    credit, chance = np.asarray(values, float), np.asarray(chances, float)
    numbers = np.unique(clusters, return_inverse=True)[1]
    count = int(numbers.max()) + 1 if len(numbers) else 0
    if count < FEW_GROUPS:
        raise UnavailableError(f"{count} images are too few to tell, {FEW_GROUPS} are needed")
    excess = credit - chance
    sums = np.bincount(numbers, weights=excess - excess.mean())
    variance = float(sums @ sums) / len(excess) ** 2 * count / (count - 1)
    return _around(float(credit.mean()), variance, count, float(chance.mean()), tests)


def share_above(share: float, expected: float, count: int, tests: int) -> Above:
    """How far a share lies from an expected one, in either direction: the distance, against a chance of 0.

    Args:
        share: What was found, 0 to 1.
        expected: What it is compared with, 0 to 1.
        count: Independent cases it was counted over.
        tests: How many intervals are to hold together.
    """
    return _around(abs(share - expected), share * (1 - share) / count, count, 0.0, tests)


def _around(value: float, variance: float, count: int, chance: float, tests: int) -> Above:
    """A normal interval; where not one case varies, what no exception among `count` allows (Clopper-Pearson)."""
    alpha = (1 - CONFIDENCE) / 2 / max(1, tests)
    certain = variance < 1e-12  # an estimate of 0 is no certainty
    half = 1 - alpha ** (1 / count) if certain else float(norm.isf(alpha)) * math.sqrt(variance)
    return Above(value, max(0.0, value - half), min(1.0, value + half), chance)
