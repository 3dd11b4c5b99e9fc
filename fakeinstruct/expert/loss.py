"""The loss: a weighted mean over every supervised token of a step, wherever it was computed.

    loss = sum of weight x token loss / sum of weights,   over all rows, ranks and accumulated batches

A mean over each row, or over each rank, would weigh a pair by what it happened to be packed with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from fakeinstruct.expert.sft import IGNORE


@dataclass(frozen=True)
class Targets:
    """What a batch is to predict, token by token.

    Attributes:
        places: The tokens that predict, shape (targets,).
        ids: What they are to predict, shape (targets,).
        weights: The weight of each in the loss, float32, shape (targets,).
        tasks: The task of each pair they belong to, by number, shape (targets,).
        first: Whether it is the first of its pair, which of a verdict is the verdict itself, shape (targets,).
        rows: The row of each within a batch of several, shape (targets,); absent for a packed row.
    """

    places: Tensor
    ids: Tensor
    weights: Tensor
    tasks: Tensor
    first: Tensor
    rows: Tensor | None = None

    def to(self, device: torch.device) -> Targets:
        """The same on a device."""
        moved = {name: value.to(device) for name, value in vars(self).items() if value is not None}
        return Targets(**moved)

    def logits(self, logits: Tensor) -> Tensor:
        """The rows of a model's logits that predict, shape (targets, vocabulary).

        Args:
            logits: For a packed row those at `places` alone, shape (1, targets, vocabulary); else at every token, shape
                (rows, length, vocabulary).
        """
        return logits[0] if self.rows is None else logits[self.rows, self.places]


def targets_of(
    labels: Sequence[Sequence[int]], weights: Sequence[float], tasks: Sequence[int], *, packed: bool = False
) -> Targets:
    """Targets from labels: the token before a supervised one predicts it.

    Args:
        labels: Labels of each pair, `IGNORE` where nothing is learned; if `packed`, they lie end to end.
        weights: The weight of each pair's tokens.
        tasks: The task of each pair, by number.
        packed: Whether the pairs lie in one row rather than in a row each.
    """
    found = [
        (row, place, label)
        for row, own in enumerate(labels)
        for place, label in enumerate(own)
        if label != IGNORE
    ]
    starts = [0]
    for own in labels:
        starts.append(starts[-1] + len(own))
    rows = torch.tensor([row for row, _, _ in found], dtype=torch.long)
    shift = [starts[row] if packed else 0 for row, _, _ in found]
    return Targets(
        places=torch.tensor([place + by - 1 for (_, place, _), by in zip(found, shift, strict=True)]).long(),
        ids=torch.tensor([label for _, _, label in found], dtype=torch.long),
        weights=torch.tensor(weights, dtype=torch.float32)[rows],
        tasks=torch.tensor(tasks, dtype=torch.long)[rows],
        first=rows.diff(prepend=torch.tensor([-1])) != 0,
        rows=None if packed else rows,
    )


def token_losses(logits: Tensor, ids: Tensor, smoothing: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Cross entropy of each token in nats, in float32 whatever the model's precision.

    Args:
        logits: Shape (targets, vocabulary).
        ids: Shape (targets,).
        smoothing: Share of each target that is spread evenly over the vocabulary (Szegedy et al. 2016, section 7),
            shape (targets,).

    Returns:
        The negative log-likelihood, and the same against smoothed targets; shape (targets,) each.
    """
    logits = logits.float()
    exact = cross_entropy(logits, ids, reduction="none")
    if smoothing is None:
        return exact, exact
    even = cross_entropy(logits, ids, reduction="none", label_smoothing=1.0)
    return exact, (1 - smoothing) * exact + smoothing * even
