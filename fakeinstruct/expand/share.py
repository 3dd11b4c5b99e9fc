"""Sharing an amount among vessels of different sizes: water-filling in whole units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def pour(
    held: Sequence[int] | NDArray[np.integer],
    amount: int,
    weights: Sequence[float] | NDArray[np.integer] | None = None,
    *,
    seed: int | None = None,
) -> NDArray[np.int64]:
    """Share an amount over vessels as evenly as their sizes allow: water-filling in whole units.

    Every vessel gets its weight times one common level, or all that it holds if that is less. Units left by
    rounding down go to the vessels with the largest remainders, equal ones in the order given or, with a
    seed, in a random order.

    Args:
        held: Most that each vessel takes, shape (vessels,).
        amount: What is shared; what is more than all hold is left over.
        weights: Relative claims, equal by default, shape (vessels,).
        seed: Seed of the order among equal remainders.

    Returns:
        What each gets, shape (vessels,).
    """
    sizes = np.asarray(held, np.int64)
    claims = np.ones(len(sizes)) if weights is None else np.asarray(weights, float)
    amount = min(amount, int(sizes.sum()))
    if not amount:
        return np.zeros_like(sizes)
    exact = np.minimum(sizes, _level(sizes, amount, claims) * claims)
    shares = np.floor(exact + 1e-9).astype(np.int64)
    tie = np.random.default_rng(seed).permutation(len(sizes)) if seed is not None else np.arange(len(sizes))
    by_remainder = np.lexsort((tie, -np.round(exact - shares, 9)))
    open_ = by_remainder[(shares < sizes)[by_remainder]]
    shares[open_[: amount - int(shares.sum())]] += 1
    return shares


def _level(sizes: NDArray[np.int64], amount: int, claims: NDArray[np.float64]) -> float:
    """The level at which vessels hold `amount` in all, on the real line."""
    order = np.argsort(sizes / claims, kind="stable")
    full_below = np.concatenate([[0], np.cumsum(sizes[order])[:-1]])
    claims_left = np.cumsum(claims[order][::-1])[::-1]
    levels = (amount - full_below) / claims_left
    first = int(np.argmax(levels <= (sizes / claims)[order] + 1e-12))
    return float(levels[first])
