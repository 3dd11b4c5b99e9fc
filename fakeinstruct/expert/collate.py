"""Batches: rows of one conversation each, padded on the right, or one packed row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.base.files import sha256_bytes
from fakeinstruct.expert.blocks import Placed, Placer, Reader
from fakeinstruct.expert.features import ImageKey
from fakeinstruct.expert.image_tensors import KINDS, Join, concatenate
from fakeinstruct.expert.loss import targets_of
from fakeinstruct.expert.packing import Conversation, Packer, Positions
from fakeinstruct.expert.sft import IGNORE

AGAIN = "Put it right and run the same command again: it goes on from the last checkpoint."
"""What to do about an image that was there when the run was prepared."""


def collated(collate: Callable[[Any], Any], rows: Any) -> Any:
    """A batch, or the error that kept it from being made: one raised in a loader's process would lose its wording."""
    try:
        return collate(rows)
    except FakeInstructError as error:
        return error


def made(batch: Any) -> Any:
    """The batch that `collated` gave.

    Raises:
        FakeInstructError: If it could not be made.
    """
    if not isinstance(batch, FakeInstructError):
        return batch
    batch.hint = batch.hint or AGAIN
    raise batch


class Collator:
    """Makes a batch of rows, one conversation each: for scoring, and for models that cannot be packed.

    Args:
        processor: The expert's processor.
        images: The folder that image paths are relative to, or what reads images.
        weights: Weight of each task's tokens in the loss; 1 for others.
        tasks: The tasks by number.
        mirror: Turn images left to right at random, by a hash of image and epoch, so that a resumed run turns the same.
        join: How a family puts the tensors of several images together.
    """

    def __init__(
        self,
        processor: Any,
        images: Path | Reader,
        *,
        weights: Mapping[str, float] | None = None,
        tasks: Sequence[str] = (),
        mirror: bool = False,
        join: Join = concatenate,
    ) -> None:
        self.placer = Placer(processor, images)
        self.pad_token = int(processor.tokenizer.pad_token_id)
        self.weights = weights or {}
        self.tasks = tuple(tasks)
        self.mirror = mirror
        self.join = join

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Batch rows; see `Placer.place`.

        Returns:
            `input_ids` and `attention_mask` of shape (batch, longest row), padded on the right, where causal
            attention cannot see it, the images' tensors joined and, for training, `targets` and `image_keys`.
        """
        placed = [self.placer.place(row, mirrored=self.turned(row)) for row in rows]
        batch: dict[str, Any] = {
            "input_ids": pad([one.input_ids for one in placed], self.pad_token),
            "attention_mask": pad([[1] * len(one.input_ids) for one in placed], 0),
        }
        labels = [one.labels for one in placed if one.labels is not None]
        if labels:
            batch["targets"] = targets_of(
                labels, [self.weight(row) for row in rows], [self.task(row) for row in rows]
            )
            batch["image_keys"] = [key for one in placed for key in one.keys]
        images = self.join([pixels(image) for one in placed for image in one.images])
        for name in KINDS:
            if all(name in image for one in placed for image in one.images):
                batch[name] = pad([kinds(one, name) for one in placed], 0)
        if "image_grid_thw" in images:  # such models work out positions by what each token stands for
            batch["mm_token_type_ids"] = (batch["input_ids"] == self.placer.image_token).int()
        return batch | images

    def turned(self, row: dict[str, Any]) -> bool:
        """Whether a row's image is mirrored."""
        draw = f"{row['image']} {row['tree']} {row['epoch']}" if self.mirror else ""
        return bool(draw) and sha256_bytes(draw.encode())[0] in "01234567"

    def weight(self, row: dict[str, Any]) -> float:
        """The weight of a row's tokens; 0 for a filler."""
        return self.weights.get(row.get("task", ""), 1.0) if row.get("counts", True) else 0.0

    def task(self, row: dict[str, Any]) -> int:
        """The number of a row's task."""
        return self.tasks.index(row["task"]) if self.tasks else 0


class PackCollator(Collator):
    """Makes one packed row: consecutive rows of one `tree` share their image.

    Args:
        positions: The family's rule of positions.
        options: Those of `Collator`.
    """

    def __init__(
        self, processor: Any, images: Path | Reader, *, positions: Positions, **options: Any
    ) -> None:
        super().__init__(processor, images, **options)
        self.packer = Packer(positions)

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Pack rows that `order.PairRows` gave.

        Returns:
            `input_ids` of shape (1, length), `position_ids`, the layout as `tree`, `logits_to_keep`, the images'
            tensors and `image_keys` in the order in which their blocks lie, and `targets`.
        """
        trees = [list(group) for _, group in groupby(rows, key=lambda row: row["tree"])]
        images: list[dict[str, Tensor]] = []
        keys: list[ImageKey] = []
        groups = [self._group(tree, images, keys, mirrored=self.turned(tree[0])) for tree in trees]
        packed = self.packer.pack(groups, images)
        return {
            "input_ids": packed.input_ids,
            "position_ids": packed.position_ids,
            "tree": packed.layout,
            "logits_to_keep": packed.targets.places,
            "targets": packed.targets,
            "image_keys": keys,
            **self.join(images),
        }

    def _group(
        self,
        rows: Sequence[dict[str, Any]],
        images: list[dict[str, Tensor]],
        keys: list[ImageKey],
        *,
        mirrored: bool,
    ) -> list[Conversation]:
        """The conversations of a tree; their images and keys join those of the row, the shared one once."""
        shared = len(images)
        mirrored = mirrored and not any(row.get("crops") for row in rows)
        group: list[Conversation] = []
        for row in rows:
            placed = self.placer.place(row, mirrored=mirrored)
            if not group:
                images.append(pixels(placed.images[0]))
                keys.append(placed.keys[0])
            own = range(len(images), len(images) + len(placed.images) - 1)
            images += [pixels(image) for image in placed.images[1:]]
            keys += placed.keys[1:]
            group.append(
                Conversation(
                    placed.input_ids,
                    placed.labels or [IGNORE] * len(placed.input_ids),
                    placed.blocks,
                    (shared, *own),
                    self.weight(row),
                    self.task(row),
                )
            )
        return group


def kinds(placed: Placed, name: str) -> list[int]:
    """What a processor says of each token of a row, 0 for all outside images."""
    found = [0] * len(placed.input_ids)
    for (start, stop), image in zip(placed.blocks, placed.images, strict=True):
        found[start:stop] = image[name][0].tolist()
    return found


def pixels(image: dict[str, Any]) -> dict[str, Tensor]:
    """The tensors of an image, without its tokens."""
    return {name: tensor for name, tensor in image.items() if name != "input_ids"}


def pad(rows: Sequence[Sequence[int]], value: int) -> Tensor:
    """Rows of unequal length as one tensor of shape (rows, longest), filled up on the right with `value`."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows])
