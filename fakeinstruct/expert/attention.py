"""Attention over a packed row, as an attention function that Transformers can be told to call.

No mask is built. Every prefix attends to itself causally; the branches of a tree are gathered into a batch, each
with the prefix's keys before its own, and attend causally from the end:

    keys        p p p p a a
    queries a   x x x x x .
            a   x x x x x x

A branch that is shorter than its batch is filled up on the right, where causal attention cannot see.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint
from transformers import AttentionInterface

from fakeinstruct.expert.tree import Layout

NAME = "fakeinstruct_tree"
"""The name that Transformers knows the function by."""

BYTES = 64 * 2**20
"""Most bytes of repeated keys and values that a layer keeps for the backward pass; with more it repeats them again."""

Settings = dict[str, Any]
States = tuple[Tensor, ...]
"""Queries, keys and values."""

FOREIGN = ("sliding_window", "softcap", "s_aux", "position_bias")
"""What some models ask of attention beside scale and dropout; a tree would be silently wrong with it."""


def tree_attention(
    module: Any,  # noqa: ARG001 - Transformers passes it
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    tree: Layout | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attend within a packed row.

    Args:
        module: The attention layer that calls.
        query: Queries with their positions applied, shape (1, heads, length, width).
        key: Keys likewise, shape (1, key heads, length, width); key heads divide heads.
        value: Values, shape (1, key heads, length, width).
        attention_mask: Must be absent: the layout says who sees whom.
        tree: The row's layout.
        scaling: Factor of the scores; 1 / sqrt(width) if absent.
        dropout: Chance that a weight is dropped.
        options: What else Transformers passes on.

    Returns:
        What was attended to, shape (1, length, heads, width), and None for the weights.

    Raises:
        ValueError: If there is no layout, another's length, a mask, or an option that a tree would get wrong.
    """
    if tree is None or attention_mask is not None or query.shape[0] != 1 or query.shape[2] != len(tree):
        raise ValueError(
            "tree attention takes one packed row with its layout and no mask, "
            f"not a batch of shape {tuple(query.shape)} with {'no' if tree is None else len(tree)} tokens laid out"
        )
    for name in FOREIGN:
        if options.get(name) is not None:
            raise ValueError(f"tree attention knows no {name}: this model cannot be packed")
    settings: Settings = {
        "dropout_p": dropout,
        "scale": scaling,
        "enable_gqa": key.shape[1] != query.shape[1],
    }
    # gathered once for the whole row: the gradient of a slice is as large as the row, that of a split one piece of it
    gather, order = tree.on(query.device)
    parts = (states[0].transpose(0, 1).index_select(0, gather) for states in (query, key, value))
    segments = list(zip(*(part.split(tree.sizes) for part in parts), strict=True))
    trunks = {start: segment for (start, _), segment in zip(tree.starts(), segments, strict=False)}
    pieces = [_attend(tuple(_batched(states, 1) for states in trunk), settings) for trunk in trunks.values()]
    again = torch.is_grad_enabled() and _repeated(tree, key) > BYTES
    for chunk, segment in zip(tree.chunks, segments[len(trunks) :], strict=True):
        own = (segment, trunks[chunk.prefix[0]], len(chunk.index), settings)
        if again:  # else the repeated keys of every chunk and layer would wait for the backward pass
            pieces.append(checkpoint(_attend_branches, *own, use_reentrant=False))
        else:
            pieces.append(_attend_branches(*own))
    return torch.cat(pieces).index_select(0, order)[None], None


def _repeated(tree: Layout, key: Tensor) -> int:
    """Bytes of the keys and values of all chunks, a prefix's once for each branch."""
    keys = sum(
        len(chunk.index) * (chunk.prefix[1] - chunk.prefix[0] + chunk.index.shape[1]) for chunk in tree.chunks
    )
    return 2 * keys * key.shape[1] * key.shape[3] * key.element_size()


def _batched(states: Tensor, count: int) -> Tensor:
    """Sequences of one length, end to end, (count x length, heads, width), as (count, heads, length, width)."""
    batched: Tensor = states.unflatten(0, (count, -1)).transpose(1, 2)
    return batched


def _attend(states: States, settings: Settings) -> Tensor:
    """Attend causally from the end of the keys.

    Args:
        states: Queries, shape (count, heads, length, width); keys and values, shape (count, key heads, keys, width),
            of which the last `length` are the queries' own.
        settings: For PyTorch's function.

    Returns:
        Shape (count x length, heads, width).
    """
    query, key, value = states
    length, keys = query.shape[2], key.shape[2]
    mask = None
    if length < keys:
        mask = torch.ones(length, keys, dtype=torch.bool, device=query.device).tril(keys - length)
    attended: Tensor = scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=mask is None, **settings
    )
    return attended.transpose(1, 2).flatten(0, 1)


def _attend_branches(own: States, trunk: States, count: int, settings: Settings) -> Tensor:
    """Attend from `count` branches, each with the prefix's keys and values before its own."""
    keys, values = (
        torch.cat([_batched(trunk[n], 1).expand(count, -1, -1, -1), _batched(own[n], count)], dim=2)
        for n in (1, 2)
    )
    return _attend((_batched(own[0], count), keys, values), settings)


AttentionInterface.register(NAME, tree_attention)


def use_tree_attention(model: Any) -> None:
    """Let the language model of a vision-language model attend by `tree_attention`.

    Every forward pass then needs `tree=Layout(...)`. The vision tower keeps its own attention.
    """
    model.config.get_text_config()._attn_implementation = NAME


@contextmanager
def tree_attention_in(model: Any) -> Iterator[None]:
    """The same for a while: afterwards the language model attends as before, for example to generate."""
    config = model.config.get_text_config()
    before = config._attn_implementation
    use_tree_attention(model)
    try:
        yield
    finally:
        config._attn_implementation = before
