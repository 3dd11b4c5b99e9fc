"""Batches: image blocks put in their place, rows padded on the right."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import ImageOps
from torch import Tensor

from fakeinstruct.base.boxes import Fractions
from fakeinstruct.base.images import crop_image, load_image, resolve_under
from fakeinstruct.expert.rows import image_block
from fakeinstruct.expert.sft import IGNORE

CACHE_BYTES = 256 * 2**20
"""Most bytes of processed pixels kept for reuse: an image comes back with its other pairs."""


class ImageBlocks:
    """Reads and processes images, keeping the latest up to a number of bytes."""

    def __init__(self, processor: Any, image_root: Path, limit: int = CACHE_BYTES) -> None:
        self.processor = processor
        self.image_root = image_root
        self.limit = limit
        self._bytes = 0
        self._kept: OrderedDict[tuple[str, Fractions | None, bool], dict[str, Any]] = OrderedDict()

    def get(self, path: str, crop: Fractions | None = None, *, mirrored: bool = False) -> dict[str, Any]:
        """The block of the image at `path` under the image root, of a crop, or of its mirror image.

        See `rows.image_block`.

        Raises:
            RecordError: If it cannot be read.
        """
        key = (path, crop, mirrored)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        image = load_image(resolve_under(self.image_root, path))
        image = image if crop is None else crop_image(image, crop)
        block = image_block(self.processor, ImageOps.mirror(image) if mirrored else image)
        self._kept[key] = block
        self._bytes += _size(block)
        while self._bytes > self.limit and len(self._kept) > 1:
            self._bytes -= _size(self._kept.popitem(last=False)[1])
        return block


def _size(block: dict[str, Any]) -> int:
    return sum(value.nbytes for value in block.values() if isinstance(value, Tensor))


def place_blocks(
    ids: Sequence[int], values: Sequence[int], blocks: Sequence[Sequence[int]], image_token: int
) -> list[int]:
    """Put the blocks of images in the places of their placeholders, the first in the first.

        ids      a  I              b  I          c
        result   a  [ i i i i i ]  b  [ i i i ]  c

    Args:
        ids: Token ids with as many placeholders as blocks.
        values: What is to be expanded: `ids` themselves, or labels of the same length.
        blocks: What stands in each placeholder's place.
        image_token: Id of the placeholder.
    """
    left = iter(blocks)
    placed: list[int] = []
    for token, value in zip(ids, values, strict=True):
        placed += next(left) if token == image_token else (value,)
    return placed


class Collator:
    """Makes a batch of rows: what `Trainer` calls for each step.

    Args:
        processor: The expert's processor.
        image_root: The folder that image paths are relative to.
        mirror: Turn images left to right at random, by PyTorch's seed.
    """

    def __init__(self, processor: Any, image_root: Path, *, mirror: bool = False) -> None:
        self.mirror = mirror
        self.image_token = int(processor.image_token_id)
        self.pad_token = int(processor.tokenizer.pad_token_id)
        self.blocks = ImageBlocks(processor, image_root)

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """Batch rows of `input_ids`, `image`, `crops` if there are any and, for training, `labels`.

        A row with crops is never mirrored.

        Returns:
            `input_ids`, `attention_mask` and `labels`, each of shape (batch, longest row), padded on the right,
            where causal attention cannot see it, and the images' tensors concatenated.
        """
        mirrored = torch.rand(len(rows)) < 0.5 if self.mirror else torch.zeros(len(rows), dtype=torch.bool)
        blocks: list[dict[str, Any]] = []
        ids, labels = [], []
        for row, turn in zip(rows, mirrored, strict=True):
            crops = [tuple(crop) for crop in row.get("crops") or ()]
            own = [self.blocks.get(row["image"], mirrored=bool(turn) and not crops)]
            own += [self.blocks.get(row["image"], crop) for crop in crops]
            blocks += own
            tokens = [block["input_ids"] for block in own]
            ids.append(place_blocks(row["input_ids"], row["input_ids"], tokens, self.image_token))
            if "labels" in row:
                unsupervised = [[IGNORE] * len(block) for block in tokens]
                labels.append(place_blocks(row["input_ids"], row["labels"], unsupervised, self.image_token))
        batch = {
            "input_ids": pad(ids, self.pad_token),
            "attention_mask": pad([[1] * len(row) for row in ids], 0),
        }
        if labels:
            batch["labels"] = pad(labels, IGNORE)
        for name in blocks[0].keys() - {"input_ids"}:
            batch[name] = torch.cat([block[name] for block in blocks])
        return batch


def pad(rows: Sequence[Sequence[int]], value: int) -> Tensor:
    """Rows of unequal length as one tensor of shape (rows, longest), filled up on the right with `value`."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows])
