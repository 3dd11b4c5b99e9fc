"""From the pairs of an image to one tree: the prefix found by tokens, each pair a branch after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fakeinstruct.base.errors import RecordError
from fakeinstruct.expert.loss import Targets, targets_of
from fakeinstruct.expert.sft import IGNORE
from fakeinstruct.expert.tree import Layout, Tree

Positions = Callable[[Tensor, Sequence[Mapping[str, Tensor]]], Tensor]
"""A family's rule of positions: from the tokens of a conversation, shape (1, length), and each of its images'
tensors, to the positions, shape (axes, length); text and plain models have one axis, the Qwen families three."""


@dataclass(frozen=True)
class Conversation:
    """One pair as the model sees it alone.

    Attributes:
        input_ids: Tokens, image blocks in their places.
        labels: The same where the assistant speaks, `IGNORE` elsewhere.
        blocks: Where its images lie among the tokens, (start, stop) each, in order.
        images: Which of the row's images they are.
        weight: Weight of each of its supervised tokens in the loss.
        task: The number of its task, by which losses are reported.
    """

    input_ids: Sequence[int]
    labels: Sequence[int]
    blocks: tuple[tuple[int, int], ...]
    images: tuple[int, ...] = (0,)
    weight: float = 1.0
    task: int = 0


@dataclass(frozen=True)
class Packed:
    """Trees end to end: one row for the model, whose loss is that of its conversations alone.

    Attributes:
        input_ids: Tokens, shape (1, length).
        position_ids: Positions as the model takes them, shape (1, length) or (axes, 1, length).
        layout: Which token sees which.
        targets: What is to be predicted where.
    """

    input_ids: Tensor
    position_ids: Tensor
    layout: Layout
    targets: Targets


def common_prefix(conversations: Sequence[Conversation]) -> int:
    """Length of the longest prefix that all share, up to a second image, and that leaves each an unsupervised token.

    By tokens and not by text, since a tokenizer may join characters across any seam of the text. The token
    before a branch thus predicts nothing that is learned: it would have to predict a first token for each.

    Raises:
        RecordError: If it does not hold the image.
    """
    limit = min(map(_sharable, conversations))
    first = conversations[0].input_ids[:limit]
    different = (
        next(
            (
                place
                for place, pair in enumerate(zip(first, one.input_ids, strict=False))
                if pair[0] != pair[1]
            ),
            limit,
        )
        for one in conversations[1:]
    )
    prefix = min(different, default=limit)
    if prefix < conversations[0].blocks[0][1]:
        raise RecordError(
            "the image does not stand before the question", hint="Put the image first in the user's turn."
        )
    return prefix


def _sharable(one: Conversation) -> int:
    """Tokens that a conversation may share: its second image, or its last token before an answer, stays its own."""
    answer = next((place for place, label in enumerate(one.labels) if label != IGNORE), len(one.labels))
    return min(answer - 1, one.blocks[1][0] if len(one.blocks) > 1 else answer)


class Packer:
    """Lays conversations out as rows of trees.

    Args:
        positions: The family's rule.
    """

    def __init__(self, positions: Positions) -> None:
        self.positions = positions

    def pack(
        self, groups: Sequence[Sequence[Conversation]], images: Sequence[Mapping[str, Tensor]]
    ) -> Packed:
        """Lay out one tree a group, end to end.

        Args:
            groups: The conversations of each tree; the first image of all of a group is the same.
            images: The tensors of each image of the row, to which `Conversation.images` points.

        Raises:
            RecordError: If a group has no common prefix that holds its image.
        """
        trees: list[Tree] = []
        ids: list[int] = []
        pieces: list[tuple[Sequence[int], float, int]] = []
        positions: list[Tensor] = []
        for group in groups:
            prefix = common_prefix(group)
            positions += self._positions(group, prefix, images)
            trees.append(Tree(prefix, tuple(len(one.input_ids) - prefix for one in group)))
            ids += group[0].input_ids[:prefix]
            pieces.append((group[0].labels[:prefix], 0.0, 0))
            for one in group:
                ids += one.input_ids[prefix:]
                pieces.append((one.labels[prefix:], one.weight, one.task))
        position_ids = torch.cat(positions, dim=1)
        return Packed(
            input_ids=torch.tensor([ids]),
            position_ids=position_ids if len(position_ids) == 1 else position_ids[:, None],
            layout=Layout(tuple(trees)),
            targets=targets_of(*zip(*pieces, strict=True), packed=True),
        )

    def _positions(
        self, group: Sequence[Conversation], prefix: int, images: Sequence[Mapping[str, Tensor]]
    ) -> list[Tensor]:
        """Positions of the prefix and of each branch, shape (axes, length) each."""
        trunk = self._of(group[0].input_ids[:prefix], group[0].images[:1], images)
        positions = [trunk]
        for one in group:
            if len(one.blocks) > 1:
                positions.append(self._of(one.input_ids, one.images, images)[:, prefix:])
            else:  # text goes on after the highest position, on every axis alike
                steps = torch.arange(1, len(one.input_ids) - prefix + 1)
                positions.append(trunk.max() + steps.expand(len(trunk), -1))
        return positions

    def _of(self, ids: Sequence[int], shown: Sequence[int], images: Sequence[Mapping[str, Tensor]]) -> Tensor:
        return self.positions(torch.tensor([list(ids)]), [images[number] for number in shown])


def plain_positions(input_ids: Tensor, images: Sequence[Mapping[str, Tensor]]) -> Tensor:  # noqa: ARG001
    """Positions of a model with one axis: 0, 1, 2 ...; shape (1, length)."""
    return torch.arange(input_ids.shape[1])[None]


def model_positions(model: Any, image_token: int) -> Positions:
    """The rule of a model that has one of its own (`get_rope_index`: the Qwen families), else the plain one.

    Args:
        model: A vision-language model, wrapped by PEFT or not.
        image_token: Id of the image token.
    """
    inner = getattr(model.base_model, "model", model.base_model) if hasattr(model, "peft_config") else model
    rule = getattr(getattr(inner, "model", inner), "get_rope_index", None)
    if rule is None:
        return plain_positions

    def positions(input_ids: Tensor, images: Sequence[Mapping[str, Tensor]]) -> Tensor:
        kinds = (input_ids == image_token).int()
        grids = torch.cat([image["image_grid_thw"] for image in images])
        found, _ = rule(input_ids, mm_token_type_ids=kinds, image_grid_thw=grids)
        axes: Tensor = found[:, 0]
        return axes

    return positions
