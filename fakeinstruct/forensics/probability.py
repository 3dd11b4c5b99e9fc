"""From label tokens' logits to a margin: fake minus real, in float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.card import Aggregation

MASS_FLOOR = 0.5
"""Label mass below which the model wanted to say something other than a label, more likely than not."""

JOINS: dict[Aggregation, Any] = {
    "logsumexp": lambda logits: np.logaddexp.reduce(logits, axis=1),
    "sum": lambda logits: np.add.reduce(logits, axis=1),
    "mean": lambda logits: np.mean(logits, axis=1, dtype=np.float32),
    "pair": lambda logits: logits[:, 0],
}
"""From logits of shape (items, words of one label) to one number an item, shape (items,)."""


def label_margin(
    logits: NDArray[np.float32], classes: Sequence[str], aggregation: Aggregation = "logsumexp"
) -> NDArray[np.float32]:
    """Margin of fake over real from the logits of their words.

    "logsumexp" compares the probabilities that the answer is any of a label's words. "sum" is
    FakeScope's token soft scoring (arXiv 2503.24267): p_fake = sigmoid(sum of fake logits - sum of
    real logits). Summing n synonyms sharpens the margin about n-fold, and with sets of unequal size a shift
    common to all logits would move it, so that such sets are refused. "mean" is Q-Instruct's (arXiv 2311.06783);
    "pair" compares the first word of each label alone.

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
    check_sum(int(fake.sum()), int(real.sum()), aggregation)
    join = JOINS[aggregation]
    margins: NDArray[np.float32] = join(logits[:, fake]) - join(logits[:, real])
    return margins


def check_sum(fake: int, real: int, aggregation: Aggregation) -> None:
    """See that a sum over tokens can be formed: both labels have as many, over all their words.

    Raises:
        UsageError: If "sum" is asked of unequal numbers.
    """
    if aggregation == "sum" and fake != real:
        raise UsageError(
            f"aggregation 'sum' with unequal numbers of tokens, {fake} for fake and {real} for real: "
            "a shift common to all logits would move the score",
            hint="Give both labels words of as many tokens, or use logsumexp.",
        )


def row_margin(row: Mapping[str, Any], aggregation: Aggregation) -> float:
    """The margin of a row of answers, from the logits it stores.

    "sum" adds the logits of all pieces of a label's words; the others take a word of several pieces for one
    whose log-probability is the sum of its pieces'.

    Args:
        row: A row of answers with `logits`, `classes` and `piece_logits`.
        aggregation: How a label's words are joined.

    Raises:
        UsageError: As `label_margin`.
    """
    if aggregation == "sum":
        logits = [logit for pieces in row["piece_logits"] for logit in pieces]
        classes = [
            name for name, pieces in zip(row["classes"], row["piece_logits"], strict=True) for _ in pieces
        ]
    else:
        logits, classes = row["logits"], row["classes"]
    return float(label_margin(np.array([logits], dtype=np.float32), classes, aggregation)[0])


def word_logits(pieces: Sequence[Sequence[float]], normalisers: Sequence[Sequence[float]]) -> list[float]:
    """One logit a word: its log-probability plus the log-normaliser of its first place, so that words compare.

    For a word of one piece that is the piece's logit.

    Args:
        pieces: Logits of each word's pieces.
        normalisers: Log of the sum of exp over the vocabulary at the same places.
    """
    return [
        float(np.float32(logits[0] + sum(a - b for a, b in zip(logits[1:], norms[1:], strict=True))))
        for logits, norms in zip(pieces, normalisers, strict=True)
    ]


def label_mass(logits: NDArray[np.float32], log_normaliser: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probability that the answer is one of the words at all, 0 to 1.

    Args:
        logits: Shape (items, words).
        log_normaliser: Log of the sum of exp over the vocabulary, shape (items,).
    """
    mass: NDArray[np.float32] = np.exp(np.logaddexp.reduce(logits, axis=1) - log_normaliser)
    return np.clip(mass, 0.0, 1.0)


def logit_of_mean(margins: Sequence[float]) -> float:
    """Logit of the mean of sigmoid(margin), in float64 and without overflow.

    Both log-mean-exps, of log p and of log (1 - p), lack the same log n, which cancels.
    """
    if len(margins) == 1:
        return float(margins[0])
    values = np.asarray(margins, dtype=np.float64)
    fake, real = -np.logaddexp(0, -values), -np.logaddexp(0, values)
    return float(np.logaddexp.reduce(fake) - np.logaddexp.reduce(real))


def probability(
    margin: NDArray[np.float32] | float, scale: float = 1.0, bias: float = 0.0
) -> NDArray[np.float64]:
    """Probability of fake, sigmoid(scale * margin + bias), in float64 and without overflow."""
    z = scale * np.asarray(margin, dtype=np.float64) + bias
    p: NDArray[np.float64] = np.exp(-np.logaddexp(0.0, -z))
    return p
