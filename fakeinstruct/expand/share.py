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
    last: NDArray[np.integer] | None = None,
) -> NDArray[np.int64]:
    """Share an amount over vessels as evenly as their sizes allow: water-filling in whole units.

    Every vessel gets its weight times one common level, or all that it holds if that is less. Units left by
    rounding down go to the vessels with the largest remainders; among equal ones to those of the lowest rank in
    `last`, and then in the order given or, with a seed, in a random order.

    Args:
        held: Most that each vessel takes, shape (vessels,).
        amount: What is shared; what is more than all hold is left over.
        weights: Relative claims, equal by default, shape (vessels,).
        seed: Seed of the order among equal remainders.
        last: The higher, the later a vessel's turn among equal remainders, shape (vessels,).

    Returns:
        What each gets, shape (vessels,).
    """
    sizes = np.asarray(held, np.int64)
    claims = np.ones(len(sizes)) if weights is None else np.asarray(weights, float)
    amount = min(amount, int(sizes[claims > 0].sum()))
    if amount <= 0:
        return np.zeros_like(sizes)
    exact = np.minimum(sizes, _level(sizes, amount, claims) * claims)
    shares = np.floor(exact + 1e-9).astype(np.int64)
    open_ = np.flatnonzero((shares < sizes) & (claims > 0))
    rank = (
        np.arange(len(sizes)) / len(sizes) if seed is None else np.random.default_rng(seed).random(len(sizes))
    )
    if last is not None:
        rank += last
    missing = amount - int(shares.sum())
    if weights is None:  # all remainders are equal
        shares[_lowest(rank, open_, missing)] += 1
    else:
        remainder = np.round(exact - shares, 9)
        shares[open_[np.lexsort((rank[open_], -remainder[open_]))[:missing]]] += 1
    return shares


def _lowest(rank: NDArray[np.float64], among: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """The `count` of them with the lowest ranks, in any order."""
    if count >= len(among):
        return among
    return among[np.argpartition(rank[among], count)[:count]]


def _level(sizes: NDArray[np.int64], amount: int, claims: NDArray[np.float64]) -> float:
    """The level at which vessels hold `amount` in all, on the real line."""
    wanting = claims > 0
    sizes, claims = sizes[wanting], claims[wanting]
    full_at = sizes / claims
    order = np.argsort(full_at, kind="stable")
    full_below = np.concatenate([[0], np.cumsum(sizes[order])[:-1]])
    claims_left = np.cumsum(claims[order][::-1])[::-1]
    levels = (amount - full_below) / claims_left
    first = int(np.argmax(levels <= full_at[order] + 1e-12))
    return float(levels[first])
