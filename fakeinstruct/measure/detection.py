"""How well a score tells fakes from reals: AUC with DeLong's interval, average precision, accuracy.

Fake is the positive class, always. Scores are compared in float32, the precision that margins have.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata

from fakeinstruct.measure.figure import UnavailableError

FEW_GROUPS = 20
"""Fewer photographs than this, with several images each, are too few to estimate a variance between them."""


def both_classes(y_true: ArrayLike) -> NDArray[np.bool_]:
    """The truth as booleans, shape (n,), once it is sure that both classes are there.

    Raises:
        UnavailableError: If one of the classes is absent.
    """
    truth = np.asarray(y_true, dtype=bool)
    if truth.all() or not truth.any():
        raise UnavailableError(f"one class only: {truth.sum():,} fakes and {(~truth).sum():,} reals")
    return truth


def placements(y_true: ArrayLike, y_score: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Placement values: for each fake the share of reals below it, for each real the share of fakes above it.

    Ties count half. Both means are the AUC. By midranks, in O(n log n): Sun and Xu, "Fast implementation of
    DeLong's algorithm", IEEE Signal Processing Letters 21 (2014).

    Args:
        y_true: Truth, true for fake, shape (n,).
        y_score: Score, higher for fake, shape (n,); any finite numbers.

    Returns:
        Placements of the fakes, shape (fakes,), and of the reals, shape (reals,), in input order, 0 to 1.

    Raises:
        UnavailableError: If one of the classes is absent, or a score is not a number.
    """
    truth = both_classes(y_true)
    score = np.asarray(y_score, dtype=np.float32)
    if np.isnan(score).any():
        raise UnavailableError("a score is not a number")
    fakes, reals = score[truth], score[~truth]
    ranks = rankdata(score)  # midranks among all
    of_fakes = (ranks[truth] - rankdata(fakes)) / len(reals)
    of_reals = 1 - (ranks[~truth] - rankdata(reals)) / len(fakes)
    return of_fakes, of_reals


def auc(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Area under the ROC curve: the chance that a fake scores above a real, ties counting half.

    Raises:
        UnavailableError: If one of the classes is absent.
    """
    return float(placements(y_true, y_score)[0].mean())


def auc_variance(y_true: ArrayLike, y_score: ArrayLike, groups: ArrayLike | None = None) -> float:
    """Estimated variance of the AUC over photographs.

    Without `groups`, DeLong et al. (1988). With them, Obuchowski, "Nonparametric analysis of clustered ROC
    curve data", Biometrics 53 (1997): images of one group may depend on one another in any way. Groups of
    one image each give DeLong's variance exactly.

    Args:
        y_true: Truth, true for fake, shape (n,).
        y_score: Score, higher for fake, shape (n,).
        groups: What each image was made from, shape (n,).

    Raises:
        UnavailableError: If a class is absent, or lies in a single group.
    """
    of_fakes, of_reals = placements(y_true, y_score)
    area = of_fakes.mean()
    return placement_variance(y_true, of_fakes - area, of_reals - area, groups)


def placement_variance(
    y_true: ArrayLike,
    of_fakes: NDArray[np.float64],
    of_reals: NDArray[np.float64],
    groups: ArrayLike | None = None,
) -> float:
    """The variance behind `auc_variance`, of placements less their mean, or of the differences of two detectors' ones.

    It is quadratic in the placements, so differences of two detectors' placements on the same images give the variance
    of the difference of their AUCs, covariance included.

    Args:
        y_true: Truth, true for fake, shape (n,).
        of_fakes: Centred placements of the fakes, shape (fakes,).
        of_reals: Centred placements of the reals, shape (reals,).
        groups: What each image was made from, shape (n,).

    Raises:
        UnavailableError: If a class lies in a single group.
    """
    truth = np.asarray(y_true, dtype=bool)
    names = np.arange(len(truth)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    count = int(names.max()) + 1
    with_fakes, with_reals = len(np.unique(names[truth])), len(np.unique(names[~truth]))
    if min(with_fakes, with_reals) < 2:
        raise UnavailableError("a variance needs fakes and reals from two photographs each")
    fakes = np.bincount(names[truth], weights=of_fakes, minlength=count)
    reals = np.bincount(names[~truth], weights=of_reals, minlength=count)
    m, n = len(of_fakes), len(of_reals)
    return float(
        with_fakes / (with_fakes - 1) * (fakes @ fakes) / m**2
        + with_reals / (with_reals - 1) * (reals @ reals) / n**2
        + 2 * count / (count - 1) * (fakes @ reals) / (m * n)
    )


def auc_interval(
    y_true: ArrayLike, y_score: ArrayLike, groups: ArrayLike | None = None, confidence: float = 0.95
) -> tuple[float, float, float]:
    """AUC with its interval on the plain scale, cut to 0 and 1, as R's pROC gives it by default.

    Args:
        y_true: Truth, true for fake, shape (n,).
        y_score: Score, higher for fake, shape (n,).
        groups: What each image was made from, shape (n,); images of one group are not independent.
        confidence: Coverage, 0 to 1.

    Returns:
        AUC, lower and upper bound, each 0 to 1.

    Raises:
        UnavailableError: If a class is absent; if no variance can be estimated; if there are several images a
            group but fewer than `FEW_GROUPS` groups of a class; or if the classes do not overlap, for
            which the estimated variance is 0, and that is no certainty.
    """
    area = auc(y_true, y_score)
    if groups is not None:
        check_groups(np.asarray(y_true, dtype=bool), np.asarray(groups))
    variance = auc_variance(y_true, y_score, groups)
    if variance <= 0 and not np.ptp(np.asarray(y_score, dtype=np.float32)):
        raise UnavailableError("all scores are equal, and DeLong's variance is then zero, not a certainty")
    if variance <= 0:
        raise UnavailableError(
            "fakes and reals do not overlap, and DeLong's variance is then zero, not a certainty"
        )
    half = float(norm.ppf((1 + confidence) / 2)) * math.sqrt(variance)
    return area, max(0.0, area - half), min(1.0, area + half)


def check_groups(truth: NDArray[np.bool_], groups: NDArray[np.generic]) -> None:
    """Whether a variance over photographs can be estimated.

    Args:
        truth: True for fake, shape (n,).
        groups: What each image was made from, shape (n,).

    Raises:
        UnavailableError: If there are several images a group but fewer than `FEW_GROUPS` groups of a class.
    """
    total = len(np.unique(groups))
    if total == len(groups):
        return  # one image each: independent
    fakes, reals = len(np.unique(groups[truth])), len(np.unique(groups[~truth]))
    few, what = min((total, "images"), (fakes, "fakes"), (reals, "reals"), key=lambda each: each[0])
    if few >= FEW_GROUPS:
        return
    size = {"images": len(truth), "fakes": int(truth.sum()), "reals": int((~truth).sum())}[what]
    raise UnavailableError(
        f"only {few} photograph{'s' * (few != 1)}: {size:,} {what} come from {few}, an interval over images "
        f"would take them for independent, and one over photographs needs {FEW_GROUPS}"
    )


def average_precision(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Average precision of fakes, 0 to 1; it grows with the share of fakes.

    Raises:
        UnavailableError: If there are no fakes or no reals.
    """
    from sklearn.metrics import average_precision_score

    truth = both_classes(y_true)
    ranks = np.unique(np.asarray(y_score, dtype=np.float32), return_inverse=True)[
        1
    ]  # infinite scores have one too
    return float(average_precision_score(truth, ranks))


def accuracy(y_true: ArrayLike, margin: ArrayLike, threshold: float = 0.0) -> float:
    """Share of right verdicts, 0 to 1, where a margin above the threshold says fake.

    A threshold of 0 on the margin is one of 0.5 on the probability; a margin of exactly 0 says real.

    Raises:
        UnavailableError: If there are no images.
    """
    truth = np.asarray(y_true, dtype=bool)
    if not len(truth):
        raise UnavailableError("no images")
    said = np.asarray(margin, dtype=np.float32).astype(np.float64) > threshold
    return float((said == truth).mean())


def best_threshold(y_true: ArrayLike, margin: ArrayLike) -> float:
    """The threshold on the margin of the highest accuracy; of several, the one nearest to 0.

    Thresholds lie half way between two neighbouring margins, or 1 beyond the outermost.

    Raises:
        UnavailableError: If one of the classes is absent.
    """
    truth = both_classes(y_true)
    values, inverse = np.unique(np.asarray(margin, dtype=np.float32).astype(np.float64), return_inverse=True)
    fakes = np.bincount(inverse[truth], minlength=len(values))
    reals = np.bincount(inverse[~truth], minlength=len(values))
    # right verdicts of a threshold just below each value, and of one above all: fakes above + reals below
    right = np.append(fakes[::-1].cumsum()[::-1], 0) + np.insert(reals.cumsum(), 0, 0)
    reach = np.abs(values[np.isfinite(values)]).max(initial=0) + 1
    ends = np.clip(
        values, -reach, reach
    )  # no threshold lies beyond an infinite margin, of a probability of 0 or 1
    thresholds = np.concatenate([ends[:1] - 1, (ends[:-1] + ends[1:]) / 2, ends[-1:] + 1])
    right[[0, -1]] = np.where(np.isfinite(values[[0, -1]]), right[[0, -1]], -1)
    best = thresholds[right == right.max()]
    return float(best[np.abs(best).argmin()])


def tied_share(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Share of all (fake, real) pairs whose scores are equal, 0 to 1: what the AUC counts half.

    Raises:
        UnavailableError: If one of the classes is absent.
    """
    truth = both_classes(y_true)
    inverse = np.unique(np.asarray(y_score, dtype=np.float32), return_inverse=True)[1]
    fakes = np.bincount(inverse[truth], minlength=inverse.max() + 1)
    reals = np.bincount(inverse[~truth], minlength=inverse.max() + 1)
    return float(fakes @ reals / (truth.sum() * (~truth).sum()))
