"""The output head while labels are read: at the last places alone, the labels' rows computed in float32.

What a model does around its head (a scale, soft-capping as in Gemma 2, masked tokens) stays as it is: its own forward
pass runs, and only what goes into the head and what comes out of it is replaced.

    hidden states (rows, length, width) -> those at the places (1, places, width) -> head
    logits (1, places, vocabulary) -> float32, the labels' recomputed in float32 -> the rest of the forward pass
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from fakeinstruct.base.errors import UsageError


def output_head(model: Any) -> Any:
    """The module that turns hidden states into logits.

    Raises:
        UsageError: If the model has none.
    """
    head = model.get_output_embeddings()
    if head is None:
        raise UsageError(
            f"models of type '{model.config.model_type}' have no output head that could be read",
            hint="Serve the model and give the server's address.",
        )
    return head


def is_plain(head: Any) -> bool:
    """Whether a head is one matrix, whose rows can be multiplied alone: neither quantised nor adapted."""
    return type(head) is nn.Linear


@contextmanager
def reading(model: Any, places: Sequence[tuple[int, int]], tokens: Sequence[Sequence[int]]) -> Iterator[None]:
    """Within, the model's forward pass gives float32 logits at some places only, shape (1, places, vocabulary).

    In bfloat16 the grid of logits is 0.125 wide at 16 to 32, which ties many images: the rows of the tokens that
    are read are computed in float32.

    Args:
        model: A model whose whole hidden states reach its head.
        places: Row and place of each.
        tokens: The ids of the tokens that are read at each.
    """
    head = output_head(model)
    longest = max(map(len, tokens))
    ids = torch.tensor([[*own, *[own[0]] * (longest - len(own))] for own in tokens])
    picked: list[Tensor] = []

    def pick(_: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden, *rest = arguments
        picked[:] = [hidden[tuple(torch.tensor(places, device=hidden.device).T)]]
        return (picked[0][None], *rest)

    def recompute(_: Any, __: Any, logits: Tensor) -> Tensor:
        logits = logits.float()
        if is_plain(head):
            columns = ids.to(logits.device)
            logits[0].scatter_(1, columns, exact_logits(head, picked[0], columns))
        return logits

    hooks = (head.register_forward_pre_hook(pick), head.register_forward_hook(recompute))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def exact_logits(head: nn.Linear, hidden: Tensor, ids: Tensor) -> Tensor:
    """Logits of some tokens in float32.

    Args:
        head: The output head.
        hidden: Hidden states, shape (places, width).
        ids: The tokens of each place, shape (places, tokens).

    Returns:
        Shape (places, tokens).
    """
    logits = torch.einsum("ptw,pw->pt", head.weight[ids].float(), hidden.float())
    return logits if head.bias is None else logits + head.bias[ids].float()
