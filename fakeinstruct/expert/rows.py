"""Training rows: the pairs a recipe asks for, tokenised and checked once, before any process starts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects
from fakeinstruct.base.files import atomic_write
from fakeinstruct.base.images import load_image, resolve_under
from fakeinstruct.base.progress import track
from fakeinstruct.expand.pair import Pair, PairSet
from fakeinstruct.expert.recipe import Data
from fakeinstruct.expert.sft import IGNORE, Encoded, encode_conversation

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.string()),
        ("input_ids", pa.list_(pa.int32())),
        ("labels", pa.list_(pa.int32())),
    ]
)
"""Columns of the rows: the image's path under its root, tokens with one placeholder for it, and labels."""

ROW_GROUP = 1000
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


def choose(pairs: PairSet, data: Data) -> Iterator[Pair]:
    """The pairs that a recipe's `data` section asks for, an image's pairs together.

    An image's pairs stand in the order of a keyed draw already, so that the first of each task are a sample.
    """
    limits = data.pairs_per_image
    taken: Counter[str] = Counter()
    chain = None
    for pair in pairs.read(data.split, list(limits) if limits else None):
        if data.templates is not None and pair.template not in data.templates:
            continue
        if pair.chain != chain:
            chain, taken = pair.chain, Counter()
        taken[pair.task] += 1
        if limits is None or taken[pair.task] <= limits[pair.task]:
            yield pair


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
        self.pairs = pairs
        self.data = data
        self.rejects = rejects
        self.tally = Tally()
        self._image_path: str | None = None
        self._image_tokens: int | RecordError = 0
        self._encode = lru_cache(maxsize=4096)(self._encode_json)

    def write(self, path: Path) -> Tally:
        """Write the rows as Parquet and return what was counted.

        Raises:
            FakeInstructError: If no row is left, or too many were rejected.
        """
        with atomic_write(path) as file, pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
            batch: list[dict[str, Any]] = []
            seen = 0
            for seen, pair in enumerate(track(choose(self.pairs, self.data), "reading pairs"), start=1):
                try:
                    batch.append(self._row(pair))
                except RecordError as error:
                    self.rejects.add(error.located(file=self.pairs.folder, record=pair.id))
                    self.rejects.check(seen)
                if len(batch) == ROW_GROUP:
                    writer.write_table(pa.Table.from_pylist(batch, SCHEMA))
                    batch = []
            writer.write_table(pa.Table.from_pylist(batch, SCHEMA))
            if not self.tally.rows:
                raise FakeInstructError(
                    f"no pair of the split '{self.data.split}' is left to learn ({seen:,} read)",
                    file=self.pairs.folder,
                    hint="See data.split, data.templates, data.pairs_per_image and data.max_tokens of the recipe.",
                )
        return self.tally

    def _row(self, pair: Pair) -> dict[str, Any]:
        if len(pair.images) != 1 or pair.images[0].crop:
            raise RecordError("several images or a crop in one pair are not learned yet", field="images")
        encoded = self._encode(json.dumps(messages_of(pair)))
        path = pair.images[0].path
        tokens = len(encoded.input_ids) - 1 + self._tokens_of(path)
        if tokens > self.data.max_tokens:
            raise RecordError(
                f"{tokens:,} tokens, more than data.max_tokens = {self.data.max_tokens:,}", field="messages"
            )
        tally = self.tally
        tally.rows += 1
        tally.tokens += tokens
        tally.supervised += sum(label != IGNORE for label in encoded.labels)
        tally.longest = max(tally.longest, tokens)
        tally.per_task[pair.task] += 1
        return {"id": pair.id, "image": path, "input_ids": encoded.input_ids, "labels": encoded.labels}

    def _encode_json(self, turns: str) -> Encoded:
        return encode_conversation(self.processor, json.loads(turns))

    def _tokens_of(self, path: str) -> int:
        """Tokens of an image, which is decoded whole here so that no damage is met in the middle of a run."""
        if path != self._image_path:
            self._image_path = path
            try:
                image = load_image(resolve_under(self.pairs.image_root, path))
                self._image_tokens = len(image_block(self.processor, image)["input_ids"])
                self.tally.images += 1
            except RecordError as error:
                self._image_tokens = error
        if isinstance(self._image_tokens, RecordError):
            raise self._image_tokens
        return self._image_tokens


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
