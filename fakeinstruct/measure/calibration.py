"""Whether a probability means what it says: Brier, log loss, calibration error with its band, scale and bias.

A probability is that of fake, and calibration error is its error as such (not that of the likelier label).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit

from fakeinstruct.measure.detection import both_classes
from fakeinstruct.measure.figure import UnavailableError

BINS = 15
"""Bins of the calibration error (Guo et al. 2017), here of equal mass."""

DRAWS = 1000
"""Simulated outcomes behind a consistency band."""

WELL_CONDITIONED = 1e13
"""Above it the inverse of a matrix of floats has hardly a digit left: margins differ by a thousandth of their size."""


def probability(margin: ArrayLike, scale: float = 1.0, bias: float = 0.0) -> NDArray[np.float64]:
    """Probability of fake, `sigmoid(scale * margin + bias)`, shape (n,), 0 to 1.

    The float32 margin is widened first, so that probabilities near 1 stay apart.
    """
    return np.asarray(expit(scale * np.asarray(margin, dtype=np.float64) + bias))


def brier(y_true: ArrayLike, margin: ArrayLike, scale: float = 1.0, bias: float = 0.0) -> float:
    """Brier score: mean squared difference of probability and truth, 0 (best) to 1.

    Raises:
        UnavailableError: If there are no images.
    """
    truth = _some(y_true)
    return float(np.mean((probability(margin, scale, bias) - truth) ** 2))


def nll(y_true: ArrayLike, margin: ArrayLike, scale: float = 1.0, bias: float = 0.0) -> float:
    """Negative log-likelihood of the truth in nats an image, computed from margins and so finite for finite ones.

    Raises:
        UnavailableError: If there are no images, or a probability of exactly 0 or 1 is wrong.
    """
    each = log_losses(_some(y_true), scale * np.asarray(margin, dtype=np.float64) + bias)
    if not np.isfinite(each).all():
        raise UnavailableError(
            f"infinite: {np.isinf(each).sum():,} wrong verdicts have probability exactly 0 or 1"
        )
    return float(np.mean(each))


def log_losses(y_true: ArrayLike, margin: NDArray[np.float64]) -> NDArray[np.float64]:
    """Negative log-likelihood of each truth in nats, shape (n,); infinite where an infinite margin is wrong."""
    return np.asarray(np.logaddexp(0, np.where(np.asarray(y_true, dtype=bool), -margin, margin)))


def _some(y_true: ArrayLike) -> NDArray[np.bool_]:
    truth = np.asarray(y_true, dtype=bool)
    if not len(truth):
        raise UnavailableError("no images")
    return truth


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: one entry a bin, and the calibration error with the band of a perfect scorer.

    Attributes:
        count: Images in each bin, shape (bins,); together all of them.
        said: Mean probability of fake, shape (bins,).
        were: Share of fakes, shape (bins,).
        low: 2.5th percentile of the share of fakes if every probability were true, shape (bins,).
        high: Its 97.5th percentile, shape (bins,).
        ece: Expected calibration error: mean over images of |said - were| of their bin, 0 to 1.
        ece_perfect: Mean calibration error of a scorer whose probabilities are all true; above 0.
        ece_band: Its 95th percentile. A calibration error below it is no evidence of miscalibration.
    """

    count: NDArray[np.int64]
    said: NDArray[np.float64]
    were: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    ece: float
    ece_perfect: float
    ece_band: float


def equal_mass_bounds(p: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """First index of each bin in the ascending probabilities `p`, bins of equal mass up to ties.

    Equal probabilities share a bin, so that the order of the images does not matter; there may be fewer bins
    for it. Every image is in a bin, also at exactly 0 and 1.
    """
    ends = [part[-1] for part in np.array_split(np.arange(len(p)), bins) if len(part)]
    after = np.unique(np.searchsorted(p, p[ends], side="right"))
    return np.concatenate([[0], after[:-1]]).astype(np.int64)


def reliability(
    y_true: ArrayLike, p: ArrayLike, *, bins: int = BINS, draws: int = DRAWS, seed: int = 0
) -> Reliability:
    """Equal-mass calibration error, and what true probabilities of the same values would show.

    The error is biased upward, the more the fewer images there are; the band says by how much (Broecker and
    Smith, "Increasing the reliability of reliability diagrams", 2007).

    Args:
        y_true: Truth, true for fake, shape (n,).
        p: Probability of fake, shape (n,), 0 to 1.
        bins: Number of bins.
        draws: Simulated outcomes for the band.
        seed: Seed of the simulation.

    Raises:
        UnavailableError: If there are fewer images than bins, or a probability is not between 0 and 1.
    """
    truth = np.asarray(y_true, dtype=bool)
    if len(truth) < bins:
        raise UnavailableError(f"{len(truth)} images are fewer than {bins} bins")
    values = np.asarray(p, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise UnavailableError("a probability is not between 0 and 1")
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = equal_mass_bounds(ordered, bins)
    count = np.diff(np.append(starts, len(ordered)))
    said = np.add.reduceat(ordered, starts) / count
    were = np.add.reduceat(truth[order].astype(np.float64), starts) / count
    rng = np.random.default_rng(seed)
    simulated = np.empty((draws, len(starts)))
    for draw in range(draws):  # one at a time: memory stays O(n) for a million images
        simulated[draw] = (
            np.add.reduceat((rng.random(len(ordered)) < ordered).astype(np.float64), starts) / count
        )
    errors = np.abs(simulated - said) @ count / len(ordered)
    low, high = np.percentile(simulated, [2.5, 97.5], axis=0)
    ece = float(np.abs(were - said) @ count / len(ordered))
    return Reliability(
        count, said, were, low, high, ece, float(errors.mean()), float(np.percentile(errors, 95))
    )


def _finite(margin: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(margin, dtype=np.float64)
    if sure := int((~np.isfinite(values)).sum()):
        raise UnavailableError(f"{sure:,} probabilities are exactly 0 or 1: they have no margin to fit")
    return values


def fit_scale_bias(y_true: ArrayLike, margin: ArrayLike) -> tuple[float, float]:
    """Scale and bias of `sigmoid(scale * margin + bias)` by maximum likelihood, without penalty.

    Targets are Platt's (n+ + 1) / (n+ + 2) and 1 / (n- + 2) instead of 1 and 0 ("Probabilistic outputs for
    support vector machines", 1999), which keeps the scale finite where a margin separates the classes.
    Fit on validation images only.

    Args:
        y_true: Truth, true for fake, shape (n,).
        margin: Logit of fake minus real, shape (n,).

    Returns:
        Scale and bias.

    Raises:
        UnavailableError: If one of the classes is absent, or all margins are equal.
    """
    truth = both_classes(y_true)
    values = _finite(margin)
    fakes, reals = int(truth.sum()), int((~truth).sum())
    centre, spread = float(values.mean()), float(values.std())
    if spread == 0:
        raise UnavailableError("all margins are equal: there is nothing to scale")
    target = np.where(truth, (fakes + 1) / (fakes + 2), 1 / (reals + 2))
    unit = (values - centre) / spread  # well conditioned whatever the margins' size
    design = np.stack([unit, np.ones_like(unit)])

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = weights @ design
        return float(np.mean(np.logaddexp(0, z) - target * z)), design @ (expit(z) - target) / len(z)

    scale, bias = minimize(loss, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-8}).x
    return float(scale / spread), float(bias - scale * centre / spread)


def fit_bias(y_true: ArrayLike, margin: ArrayLike) -> float:
    """Bias of `sigmoid(margin + bias)` by maximum likelihood: the one whose mean probability is the share of fakes.

    One number moves a decision threshold to where a target set has it (arXiv 2602.01973) and, unlike a scale, can be
    had from a few images. Of one class only the likelihood has no maximum.

    Args:
        y_true: Truth, true for fake, shape (n,).
        margin: Logit of fake minus real, shape (n,).

    Raises:
        UnavailableError: If one of the classes is absent.
    """
    truth = both_classes(y_true)
    values = _finite(margin)
    beyond = np.log(len(values)) + 1  # there all probabilities together are less than one image
    low, high = -float(values.max() + beyond), -float(values.min() - beyond)
    return float(brentq(lambda bias: expit(values + bias).sum() - truth.sum(), low, high, xtol=1e-10))


def fit_covariance(margin: ArrayLike, scale: float, bias: float) -> NDArray[np.float64]:
    """How far scale and bias would vary from one set of validation images to another: their covariance, shape (2, 2).

    The inverse of the Fisher information, as of any logistic regression; images count as independent.

    Args:
        margin: Margins that scale and bias were fitted on, shape (n,).
        scale: The scale fitted.
        bias: The bias fitted.

    Raises:
        UnavailableError: If every probability is so near 0 or 1 that nothing is known of them, or the margins hardly
            differ beside their size.
    """
    values = _finite(margin)
    p = probability(values, scale, bias)
    design = np.stack([values, np.ones_like(values)])
    information = (design * (p * (1 - p))) @ design.T
    if not np.linalg.cond(information) < WELL_CONDITIONED:
        raise UnavailableError("the validation images say nothing of the error of scale and bias")
    return np.asarray(np.linalg.inv(information), dtype=np.float64)


def fitted_ece_band(
    margin: ArrayLike,
    fitted: tuple[float, float],
    covariance: ArrayLike,
    *,
    bins: int = BINS,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[float, float]:
    """Calibration error that scale and bias would leave if they were the right form, fitted on so few images.

    The band of a perfect scorer counts the chance in the measured images only. Here the chance in the validation
    images comes on top: every draw has its own scale and bias, and true probabilities are those of the fit.

    Args:
        margin: Margins of the measured images, shape (n,).
        fitted: Scale and bias.
        covariance: Theirs, see `fit_covariance`.
        bins: Number of bins, of equal mass.
        draws: Simulated fits and outcomes.
        seed: Seed of the simulation.

    Returns:
        Mean and 95th percentile.

    Raises:
        UnavailableError: If there are fewer images than bins.
    """
    values = np.asarray(margin, dtype=np.float64)
    p = probability(values, *fitted)
    order = np.argsort(p, kind="stable")
    values, p = values[order], p[order]
    if len(p) < bins:
        raise UnavailableError(f"{len(p)} images are fewer than {bins} bins")
    starts = equal_mass_bounds(p, bins)
    rng = np.random.default_rng(seed)
    found = np.empty(draws)
    for draw, (scale, bias) in enumerate(rng.multivariate_normal(fitted, np.asarray(covariance), draws)):
        gap = probability(values, scale, bias) - (rng.random(len(p)) < p)
        found[draw] = np.abs(np.add.reduceat(gap, starts)).sum() / len(p)
    return float(found.mean()), float(np.percentile(found, 95))
