"""The pairs of a recipe with the number of their tokens, estimated before anything is tokenised.

The pairs are counted where a pair set is given; their tokens are estimated from their letters, and from the sizes of
some of their images. Without a pair set one of FakeInstruct's size is assumed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expand.pair import PairSet
from fakeinstruct.expert.chosen import check_data
from fakeinstruct.expert.image_sizes import Sizes, image_sizes
from fakeinstruct.expert.launch import trainable_pairs
from fakeinstruct.expert.order import Index
from fakeinstruct.expert.recipe import Recipe
from fakeinstruct.expert.resolution import ImageTokens

Integers = NDArray[np.int64]

LETTERS = 4.5
"""Letters of a token; 4.6 of the small expert's and about 4.5 of published vocabularies on FakeInstruct's English."""

TURN = 5
"""Tokens by which a chat template surrounds a turn: its role, its end."""

MOST = 2_000_000
"""Pairs that are counted; of a larger set its first shards stand for the rest."""

ASSUMED = (40_000, 50, 80, 40)
"""Images, pairs an image, tokens of a pair beside its image, and of these the answer's, where no pairs are given."""

EMPTY = pa.schema(
    [
        ("images", pa.list_(pa.struct({"path": pa.string()}))),
        ("task", pa.string()),
        (
            "messages",
            pa.list_(pa.struct({"role": pa.string(), "content": pa.list_(pa.struct({"text": pa.string()}))})),
        ),
    ]
)
"""What is looked at of a pair."""

Source = Literal["counted", "counted in part", "assumed"]


@dataclass(frozen=True)
class Texts:
    """Pairs with the estimated number of their tokens.

    Attributes:
        index: What their order depends on.
        answers: Tokens that each is trained on, shape (pairs,).
        share: How much of the set they are.
        too_long: How many more there would be if they were not longer than `data.max_tokens`.
        unanswered: How many more have no assistant's turn, so that nothing of them can be learned.
        image_tokens: Tokens of an image, the mean.
        source: How they were found.
        warning: What is wrong with their images, if anything is.
    """

    index: Index
    answers: Integers
    share: float
    too_long: int
    unanswered: int
    image_tokens: int
    source: Source
    warning: str | None = None


def texts_of(recipe: Recipe, images: ImageTokens) -> Texts:
    """The pairs of a recipe, counted or assumed.

    Raises:
        UsageError: If no pair is left to learn, or the recipe names what the pairs do not have.
    """
    if recipe.pairs is None:
        return assumed(recipe, images.usual())
    pairs = trainable_pairs(recipe.pairs, recipe.image_root)
    check_data(pairs, recipe.data)
    tables: list[pa.Table] = []
    for file in pairs.files:
        tables.append(read(replace(pairs, files=(file,)), recipe))
        if sum(map(len, tables)) >= MOST:
            break
    table = pa.concat_tables(tables)
    texts = counted(table, images, pairs.image_root, recipe.data.max_tokens) if len(table) else None
    if texts is None or not len(texts.index):
        raise UsageError(
            f"no pair of the split '{recipe.data.split}' is left to learn ({len(table):,} read)",
            file=pairs.folder,
            hint="See data.split, data.templates, data.pairs_per_image, data.max_tokens and data.max_pixels "
            f"of the recipe{_why_none(texts)}.",
        )
    share = len(tables) / len(pairs.files)
    return texts if share == 1 else replace(texts, share=share, source="counted in part")


def _why_none(texts: Texts | None) -> str:
    """How many pairs were left out, and why."""
    if texts is None:
        return ""
    return (
        f"; {texts.too_long:,} are too long, with about {texts.image_tokens:,} tokens an image; "
        f"{texts.unanswered:,} have no answer"
    )


def counted(table: pa.Table, images: ImageTokens, root: Path, most: int) -> Texts:
    """The pairs of a table, without those of more than `most` tokens and those without an answer.

    A crop is taken to cost what its image does.
    """
    text, answers = letters(table["messages"].combine_chunks())
    shown = pc.list_value_length(table["images"]).to_numpy()
    task = table["task"].combine_chunks().dictionary_encode()
    path = pc.struct_field(pc.list_element(table["images"], 0), "path").combine_chunks().dictionary_encode()
    sizes = image_sizes(root, path.dictionary.to_pylist())
    image = costs(sizes, images)[path.indices.to_numpy()]
    tokens = np.ceil(text / LETTERS).astype(np.int64) + shown * image
    answered = answers > 0
    fits = answered & (tokens <= most)
    index = Index(
        image=(np.cumsum(np.diff(path.indices.to_numpy(), prepend=-1) != 0) - 1)[fits],
        task=task.indices.to_numpy().astype(np.int8)[fits],
        tasks=tuple(task.dictionary.to_pylist()),
        tokens=tokens[fits].astype(np.int32),
        prefix=(image[fits] + TURN).astype(np.int32),
    )
    return Texts(
        index,
        answers=np.ceil(answers / LETTERS).astype(np.int64)[fits],
        share=1.0,
        too_long=int((answered & ~fits).sum()),
        unanswered=int((~answered).sum()),
        image_tokens=round(float(image.mean())),
        source="counted",
        warning=sizes.warning(),
    )


def costs(sizes: Sizes, images: ImageTokens) -> Integers:
    """Tokens of each image of a set, shape (images,)."""
    found: list[int] = []
    for width, height in sizes.size.tolist():
        try:
            found.append(images.of_size(width, height))
        except ValueError:  # a shape that the processor refuses, and the run rejects
            found.append(images.usual())
    return np.array(found)[sizes.of]


def read(pairs: PairSet, recipe: Recipe) -> pa.Table:
    """Images, tasks and messages of the pairs that a recipe may take."""
    data, columns = recipe.data, ["images", "task", "messages"]
    limits = data.per_image()
    found = list(
        pairs.batches(data.split, list(limits) if limits else None, columns, templates=data.templates)
    )
    return pa.Table.from_batches(found, found[0].schema if found else EMPTY)


def letters(messages: Any) -> tuple[Integers, Integers]:
    """Letters of each conversation, what surrounds its turns included, and those of the assistant.

    Args:
        messages: Arrow's column of a pair set, shape (pairs,).
    """
    turns = messages.flatten()
    blocks = pc.struct_field(turns, "content")
    text = pc.fill_null(pc.utf8_length(pc.struct_field(blocks.flatten(), "text")), 0).to_numpy()
    said = np.bincount(pc.list_parent_indices(blocks).to_numpy(), text, len(turns)) + TURN * LETTERS
    answers = said * pc.equal(pc.struct_field(turns, "role"), "assistant").to_numpy(zero_copy_only=False)
    pair = pc.list_parent_indices(messages).to_numpy()
    return np.bincount(pair, said, len(messages)), np.bincount(pair, answers, len(messages))


def assumed(recipe: Recipe, image_tokens: int) -> Texts:
    """A set of FakeInstruct's size, a thousand of its images standing for all; limits a task are met."""
    images, pairs, tokens, answer = ASSUMED
    limits = recipe.data.per_image() or {"any": pairs}
    own = np.repeat(np.arange(len(limits), dtype=np.int8), list(limits.values()))
    count = 1000 * len(own)
    index = Index(
        image=np.repeat(np.arange(1000), len(own)),
        task=np.tile(own, 1000),
        tasks=tuple(limits),
        tokens=np.full(count, image_tokens + tokens, np.int32),
        prefix=np.full(count, image_tokens + TURN, np.int32),
    )
    return Texts(index, np.full(count, answer), 1000 / images, 0, 0, image_tokens, "assumed")
