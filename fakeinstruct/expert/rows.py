"""Training rows: the pairs a recipe asks for, tokenised and checked once, before any process starts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL.Image import Image

from fakeinstruct.base.boxes import Fractions
from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects
from fakeinstruct.base.files import atomic_write
from fakeinstruct.base.images import crop_image, load_image, resolve_under
from fakeinstruct.base.progress import track
from fakeinstruct.expand.pair import Pair, PairSet
from fakeinstruct.expert.order import Index, Limits
from fakeinstruct.expert.recipe import Data, Recipe
from fakeinstruct.expert.sft import IGNORE, Encoded, encode_conversation

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.string()),
        ("crops", pa.list_(pa.list_(pa.float64()))),
        ("task", pa.string()),
        ("input_ids", pa.list_(pa.int32())),
        ("labels", pa.list_(pa.int32())),
        ("tokens", pa.int32()),
        ("prefix", pa.int32()),
    ]
)
"""Columns of the rows: the image's path under its root, the crops of it that later turns carry, the pair's task,
tokens with one placeholder for the image and each crop, labels; and, with the images in place, how many tokens
there are and how many up to the first image's end, which is what any two pairs of the image share."""

BATCH = 1000
"""Rows written at a time, so that no step holds the set in memory."""


@dataclass
class Tally:
    """What was counted while the rows were written: for the log, the card, and the dry run's estimate."""

    rows: int = 0
    images: int = 0
    tokens: int = 0
    supervised: int = 0
    longest: int = 0
    per_task: Counter[str] = field(default_factory=Counter)


def messages_of(pair: Pair) -> list[dict[str, Any]]:
    """A pair's turns as chat templates take them."""
    return [message.model_dump(exclude_none=True) for message in pair.messages]


class RowWriter:
    """Tokenises and checks pairs; what cannot be learned whole is rejected, never cut.

    Args:
        processor: The expert's processor.
        pairs: The pair set that the pairs come from.
        data: The recipe's section.
        rejects: Collects what is left out.
    """

    def __init__(self, processor: Any, pairs: PairSet, data: Data, rejects: Rejects) -> None:
        self.processor = processor
        self.scaled = hasattr(processor.image_processor, "merge_size")
        self.image_token = int(processor.image_token_id)
        self.pairs = pairs
        self.data = data
        self.rejects = rejects
        self.tally = Tally()
        self._image_path: str | None = None
        self._image: Image | RecordError = RecordError("no image was read yet")
        self._tokens: dict[Fractions | None, int] = {}
        self._encode = lru_cache(maxsize=4096)(self._encode_json)

    def write(self, path: Path, chosen: Iterable[Pair]) -> Tally:
        """Write the rows as an Arrow stream, which can be read at any place without loading the rest.

        Args:
            path: File to write.
            chosen: The pairs.

        Returns:
            What was counted.

        Raises:
            FakeInstructError: If no row is left, or too many were rejected.
        """
        with atomic_write(path) as file, pa.ipc.new_stream(file, SCHEMA) as writer:
            batch: list[dict[str, Any]] = []
            seen = 0
            for seen, pair in enumerate(track(chosen, "reading pairs"), start=1):
                try:
                    batch.append(self._row(pair))
                except RecordError as error:
                    self.rejects.add(error.located(file=self.pairs.folder, record=pair.id))
                    self.rejects.check(seen)
                if len(batch) == BATCH:
                    writer.write_batch(pa.RecordBatch.from_pylist(batch, SCHEMA))
                    batch = []
            writer.write_batch(pa.RecordBatch.from_pylist(batch, SCHEMA))
            if not self.tally.rows:
                raise FakeInstructError(
                    f"no pair of the split '{self.data.split}' is left to learn ({seen:,} read)",
                    file=self.pairs.folder,
                    hint=self._why_nothing(),
                )
        return self.tally

    def _why_nothing(self) -> str:
        """What to do if no pair is left: the most frequent reason, or where to look."""
        if self.rejects:
            reason, count = self.rejects.reasons()[0]
            return f"Most often ({count:,}): {reason}; for example: {self.rejects.errors[0]}"
        return "See data.split, data.templates and data.pairs_per_image of the recipe."

    def _row(self, pair: Pair) -> dict[str, Any]:
        path, crops = image_and_crops(pair)
        encoded = self._encode(json.dumps(messages_of(pair)))
        blocks = [self._tokens_of(path, view) for view in (None, *crops)]
        tokens = len(encoded.input_ids) - len(blocks) + sum(blocks)
        if tokens > self.data.max_tokens:
            raise RecordError(
                f"{tokens:,} tokens, more than data.max_tokens = {self.data.max_tokens:,}",
                field="messages",
                hint=self._shorter(sum(blocks)),
            )
        self._count(pair, tokens, sum(label != IGNORE for label in encoded.labels))
        return {
            "id": pair.id,
            "image": path,
            "crops": crops,
            "task": pair.task,
            "input_ids": encoded.input_ids,
            "labels": encoded.labels,
            "tokens": tokens,
            "prefix": encoded.input_ids.index(self.image_token) + blocks[0],
        }

    def _shorter(self, image_tokens: int) -> str:
        """What to do about a conversation that is too long."""
        less = "Lower data.max_pixels, or raise" if self.scaled else "Raise"
        return f"{image_tokens:,} of them are its images'. {less} data.max_tokens and packing.tokens."

    def _count(self, pair: Pair, tokens: int, supervised: int) -> None:
        tally = self.tally
        tally.rows += 1
        tally.tokens += tokens
        tally.supervised += supervised
        tally.longest = max(tally.longest, tokens)
        tally.per_task[pair.task] += 1

    def _encode_json(self, turns: str) -> Encoded:
        return encode_conversation(self.processor, json.loads(turns))

    def _tokens_of(self, path: str, crop: Fractions | None) -> int:
        """Tokens of an image or a crop of it."""
        if path != self._image_path:
            self._image_path, self._image, self._tokens = path, self._read(path), {}
        if isinstance(self._image, RecordError):
            raise self._image
        if crop not in self._tokens:
            view = self._image if crop is None else crop_image(self._image, crop)
            try:
                self._tokens[crop] = len(image_block(self.processor, view)["input_ids"])
            except ValueError as error:  # Qwen-VL's refuse what is 200 times as wide as high
                reason = f"the processor does not take it at {view.width} x {view.height} pixels ({error})"
                raise RecordError(reason, field="images") from error
        return self._tokens[crop]

    def _read(self, path: str) -> Image | RecordError:
        """The image, decoded whole here so that no damage is met in the middle of a run."""
        try:
            image = load_image(resolve_under(self.pairs.image_root, path))
        except RecordError as error:
            return error
        self.tally.images += 1
        return image


def image_and_crops(pair: Pair) -> tuple[str, tuple[Fractions, ...]]:
    """The path of a pair's image, and the crops of it that its later turns carry.

    Raises:
        RecordError: If the pair is about several images.
    """
    whole, *others = pair.images
    if whole.crop or any(other.path != whole.path or other.crop is None for other in others):
        raise RecordError("is about several images; one, whole and in crops, can be learned", field="images")
    return whole.path, tuple(other.crop for other in others if other.crop)


def image_block(processor: Any, image: Any) -> dict[str, Any]:
    """What the processor makes of one image: its block of tokens under `input_ids`, and the pixels.

    The block takes the place of the placeholder in a conversation's tokens, which is just what the
    processor does with the whole text.

    Args:
        processor: A Hugging Face processor for images and text.
        image: A PIL image.

    Returns:
        `input_ids`, a list, and the processor's other tensors for this image (`pixel_values`, ...).
    """
    output = processor(
        text=[processor.image_token], images=[image], add_special_tokens=False, return_tensors="pt"
    )
    block = dict(output)
    block["input_ids"] = block["input_ids"][0].tolist()
    block.pop("attention_mask", None)
    return block


def index_of(rows: Any) -> Index:
    """What the order of training needs of prepared rows.

    Args:
        rows: A `datasets.Dataset` of `SCHEMA`.
    """
    columns = rows.data.table
    image, task = (columns[name].combine_chunks().dictionary_encode() for name in ("image", "task"))
    return Index(
        image=np.cumsum(np.diff(image.indices.to_numpy(), prepend=-1) != 0) - 1,
        task=task.indices.to_numpy().astype(np.int8),
        tasks=tuple(task.dictionary.to_pylist()),
        tokens=columns["tokens"].to_numpy(),
        prefix=columns["prefix"].to_numpy(),
    )


def limits_of(recipe: Recipe, *, packed: bool) -> Limits:
    """How the pairs of a recipe of one stage are put together.

    Args:
        recipe: The recipe.
        packed: Whether pairs share their image; if not, each is a tree of its own, and a row is a batch of them.
    """
    packing, optimizer = recipe.packing, recipe.own_optimizer()
    return Limits(
        pairs=packing.pairs if packing and packed else 1,
        batch=optimizer.batch,
        tokens=packing.tokens if packing and packed else optimizer.batch * recipe.data.max_tokens,
        per_image=recipe.data.per_image(),
    )
