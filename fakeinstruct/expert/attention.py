"""Attention over a packed row, as an attention function that Transformers can be told to call.

No mask is built. Every prefix attends to itself causally; the branches of a tree are gathered into a batch, each
with the prefix's keys before its own, and attend causally from the end:

    keys        p p p p a a
    queries a   x x x x x .
            a   x x x x x x

A branch that is shorter than its batch is filled up on the right, where causal attention cannot see.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint
from transformers import AttentionInterface

from fakeinstruct.expert.tree import KEYS, Chunk, Layout

NAME = "fakeinstruct_tree"
"""The name that Transformers knows the function by."""

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
    settings: dict[str, Any] = {
        "dropout_p": dropout,
        "scale": scaling,
        "enable_gqa": key.shape[1] != query.shape[1],
    }
    pieces = []
    for start, single in tree.starts():
        trunk = slice(start, start + single.prefix)
        attended = scaled_dot_product_attention(
            query[:, :, trunk], key[:, :, trunk], value[:, :, trunk], is_causal=True, **settings
        )
        pieces.append(attended[0].transpose(0, 1))  # (P, H, d)
    again = torch.is_grad_enabled() and sum(map(_keys, tree.chunks)) > KEYS
    for chunk in tree.chunks:
        if again:  # else the repeated keys of every chunk and layer would wait for the backward pass
            pieces.append(
                checkpoint(_attend_branches, query, key, value, chunk, settings, use_reentrant=False)
            )
        else:
            pieces.append(_attend_branches(query, key, value, chunk, settings))
    return torch.cat(pieces)[tree.order.to(query.device)][None], None


def _keys(chunk: Chunk) -> int:
    """Keys that a chunk gathers, the prefix's once for each branch."""
    branches, longest = chunk.index.shape
    return branches * (chunk.prefix[1] - chunk.prefix[0] + longest)


def _attend_branches(
    query: Tensor, key: Tensor, value: Tensor, chunk: Chunk, settings: dict[str, Any]
) -> Tensor:
    """Attend from the branches of a chunk; shape (tokens of the chunk, heads, width)."""
    index, valid = chunk.index.to(query.device), chunk.valid.to(query.device)
    queries = query[0, :, index].transpose(0, 1)  # (K, H, n, d)
    keys, values = (_with_prefix(states, chunk.prefix, index) for states in (key, value))
    length, longest = keys.shape[2], index.shape[1]
    mask = torch.ones(longest, length, dtype=torch.bool, device=query.device).tril(length - longest)
    attended = scaled_dot_product_attention(queries, keys, values, attn_mask=mask, **settings)
    return attended.transpose(1, 2)[valid]


def _with_prefix(states: Tensor, prefix: tuple[int, int], index: Tensor) -> Tensor:
    """The prefix's states before each branch's own, shape (branches, heads, prefix + longest, width)."""
    trunk = states[:, :, prefix[0] : prefix[1]].expand(len(index), -1, -1, -1)
    return torch.cat([trunk, states[0, :, index].transpose(0, 1)], dim=2)


AttentionInterface.register(NAME, tree_attention)


def use_tree_attention(model: Any) -> None:
    """Let the language model of a vision-language model attend by `tree_attention`.

    Every forward pass then needs `tree=Layout(...)`. The vision tower keeps its own attention.
    """
    model.config.get_text_config()._attn_implementation = NAME
