"""From label tokens' logits to a margin: fake minus real, in float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.base.errors import UsageError

Aggregation = Literal["logsumexp", "sum"]


def label_margin(
    logits: NDArray[np.float32], classes: Sequence[str], aggregation: Aggregation = "logsumexp"
) -> NDArray[np.float32]:
    """Margin of fake over real from the logits of their words.

    "logsumexp" compares the probabilities that the answer is any of a label's words. "sum" is
    FakeScope's token soft scoring (arXiv 2503.24267): p_fake = sigmoid(sum of fake logits - sum of
    real logits). Summing n synonyms sharpens the margin about n-fold, and with sets of unequal size a shift
    common to all logits would move it, so that such sets are refused.

    Args:
        logits: Shape (items, words).
        classes: What each word means, "fake" or "real"; as long as the last axis.
        aggregation: How a label's words are joined.

    Returns:
        Margins, shape (items,); sigmoid(margin) is the probability of fake.

    Raises:
        UsageError: If a label has no word, or "sum" is asked of sets of unequal size.
    """
    fake = np.array([name == "fake" for name in classes])
    real = np.array([name == "real" for name in classes])
    if not fake.any() or not real.any():
        raise UsageError("a verdict needs at least one word for each label")
    logits = logits.astype(np.float32, copy=False)
    if aggregation == "sum" and fake.sum() != real.sum():
        raise UsageError(
            f"aggregation 'sum' with {fake.sum()} words for fake and {real.sum()} for real: "
            "a shift common to all logits would move the score",
            hint="Give both labels as many words, or use logsumexp.",
        )
    join: np.ufunc = np.add if aggregation == "sum" else np.logaddexp
    margins: NDArray[np.float32] = join.reduce(logits[:, fake], axis=1) - join.reduce(logits[:, real], axis=1)
    return margins


def label_mass(logits: NDArray[np.float32], log_normaliser: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probability that the next token is one of the words at all, 0 to 1.

    Args:
        logits: Shape (items, words).
        log_normaliser: Log of the sum of exp over the vocabulary, shape (items,).
    """
    mass: NDArray[np.float32] = np.exp(np.logaddexp.reduce(logits, axis=1) - log_normaliser)
    return np.clip(mass, 0.0, 1.0)


def probability(
    margin: NDArray[np.float32] | float, scale: float = 1.0, bias: float = 0.0
) -> NDArray[np.float64]:
    """Probability of fake, sigmoid(scale * margin + bias), in float64 and without overflow."""
    z = scale * np.asarray(margin, dtype=np.float64) + bias
    p: NDArray[np.float64] = np.exp(-np.logaddexp(0.0, -z))
    return p
