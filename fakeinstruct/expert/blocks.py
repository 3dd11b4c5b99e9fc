"""Images as blocks of tokens: read once, processed, and put in the places of their placeholders."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps
from torch import Tensor

from fakeinstruct.base.boxes import Fractions
from fakeinstruct.base.errors import RecordError
from fakeinstruct.base.images import crop_image, load_image, resolve_under
from fakeinstruct.expert.features import ImageKey, image_key
from fakeinstruct.expert.rows import image_block
from fakeinstruct.expert.sft import IGNORE

CACHE_BYTES = 256 * 2**20
"""Most bytes of processed pixels kept for reuse: an image comes back with its other pairs."""


Reader = Callable[[Any], Image.Image]
"""Gives the image that a row names, whatever the row names it by, or raises `RecordError`."""


def under_root(image_root: Path) -> Reader:
    """A reader of paths under an image root."""
    return lambda path: load_image(resolve_under(image_root, path))


class ImageBlocks:
    """Reads and processes images, keeping the latest up to a number of bytes."""

    def __init__(self, processor: Any, images: Path | Reader, limit: int = CACHE_BYTES) -> None:
        self.processor = processor
        self.read = under_root(images) if isinstance(images, Path) else images
        self.limit = limit
        self._bytes = 0
        self._kept: OrderedDict[tuple[Any, Fractions | None, bool], dict[str, Any]] = OrderedDict()

    def get(self, name: Any, crop: Fractions | None = None, *, mirrored: bool = False) -> dict[str, Any]:
        """The block of an image by what the reader knows it by, of a crop, or of its mirror image.

        See `rows.image_block`.

        Raises:
            RecordError: If it cannot be read.
        """
        key = (name, crop, mirrored)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        image = self.read(name)
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


@dataclass(frozen=True)
class Placed:
    """A row with the blocks of its images in their places.

    Attributes:
        input_ids: Token ids.
        labels: Labels, if the row has any.
        blocks: Where each block lies, (start, stop).
        images: What the processor made of each image.
        keys: Which each image is.
    """

    input_ids: list[int]
    labels: list[int] | None
    blocks: tuple[tuple[int, int], ...]
    images: list[dict[str, Any]]
    keys: tuple[ImageKey, ...]


class Placer:
    """Reads a row's images and puts their blocks in place.

    Args:
        processor: The expert's processor.
        images: The folder that image paths are relative to, or what reads images.
    """

    def __init__(self, processor: Any, images: Path | Reader) -> None:
        self.image_token = int(processor.image_token_id)
        self.blocks = ImageBlocks(processor, images)

    def place(self, row: dict[str, Any], *, mirrored: bool = False) -> Placed:
        """Place a row of `input_ids`, `image`, `crops` if there are any and, for training, `labels`.

        A row with crops is never mirrored.

        Raises:
            RecordError: If an image cannot be read.
        """
        crops = [tuple(crop) for crop in row.get("crops") or ()]
        path, mirrored = row["image"], mirrored and not crops
        views = [None, *crops]
        try:
            images = [self.blocks.get(path, view, mirrored=mirrored) for view in views]
        except RecordError as error:
            raise error.located(record=row.get("id")) from None
        keys = (image_key(path, view, mirrored, image) for view, image in zip(views, images, strict=True))
        ids, tokens = row["input_ids"], [image["input_ids"] for image in images]
        labels = None
        if "labels" in row:
            unsupervised = [[IGNORE] * len(block) for block in tokens]
            labels = place_blocks(ids, row["labels"], unsupervised, self.image_token)
        places = [place for place, token in enumerate(ids) if token == self.image_token]
        grown = accumulate((len(block) - 1 for block in tokens), initial=0)
        blocks = tuple(
            (place + by, place + by + len(block))
            for place, by, block in zip(places, grown, tokens, strict=False)
        )
        return Placed(place_blocks(ids, ids, tokens, self.image_token), labels, blocks, images, tuple(keys))
