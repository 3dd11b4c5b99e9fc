"""Which pairs an epoch takes, and how they form trees and rows.

A function of the index, the settings, the seed and the epoch:

    pairs of the epoch    a1 a2 a3 a4 a5   b1 b2   c1 c2 c3      (letters are images)
    trees of two pairs    [a3 a1] [a5 a2] [a4]   [b2 b1]   [c3 c1] [c2]
    rows of four pairs    [c3 c1][a5 a2]   [a4][c2][b2 b1]   [a3 a1]

Sets have millions of pairs: everything is done on whole arrays, and rows stay in them until they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.base.errors import UsageError

Integers = NDArray[np.int64]

TAKE, TREES, ROWS = range(3)
"""What random keys are drawn for, so that one seed gives each its own."""

OPEN = 8
"""Rows that are filled at a time, so that an image's last, small tree need not leave a row half empty."""


@dataclass(frozen=True)
class Index:
    """What the order needs to know of each training row, in the rows' order; an image's pairs stand together.

    Attributes:
        image: Number of each pair's image, from 0 and never falling, shape (pairs,).
        task: Number of each pair's task in `tasks`, shape (pairs,).
        tasks: The names of the tasks.
        tokens: Length of each conversation alone, in tokens, image blocks included, shape (pairs,).
        prefix: Of these, the tokens of its first image and of what stands before, shape (pairs,): what packing
            shares at least.
    """

    image: Integers
    task: NDArray[np.int8]
    tasks: tuple[str, ...]
    tokens: NDArray[np.int32]
    prefix: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True)
class Limits:
    """How pairs are put together.

    Attributes:
        pairs: Most pairs a tree.
        batch: Most pairs a row; no tree has more either.
        tokens: Most tokens a row.
        per_image: How many pairs of each task an image gives an epoch; a task that is not named gives none.
            None takes every pair.
    """

    pairs: int
    batch: int
    tokens: int
    per_image: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Trees:
    """The trees of an epoch: runs of `pairs`, each from one place of `starts` to the next."""

    pairs: Integers
    starts: Integers

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> Integers:
        return self.pairs[self.starts[number] : self.starts[number + 1]]

    def __iter__(self) -> Iterator[Integers]:
        return (self[number] for number in range(len(self)))


@dataclass(frozen=True)
class Rows:
    """The rows of an epoch: runs of the shuffled numbers of its trees, each from one place of `starts` on."""

    trees: Trees
    order: Integers
    starts: Integers

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> list[Integers]:
        return [self.trees[tree] for tree in self.order[self.starts[number] : self.starts[number + 1]]]

    def __iter__(self) -> Iterator[list[Integers]]:
        return (self[number] for number in range(len(self)))


def take(index: Index, per_image: Mapping[str, int] | None, seed: int, epoch: int) -> Integers:
    """The pairs that an epoch takes.

    With `per_image`, an image's pairs of a task stand in an order of their own and each epoch takes the next
    n of them, going round: every pair is seen before one comes back.

    Args:
        index: Of the rows.
        per_image: See `Limits`.
        seed: Of the run.
        epoch: From 0.

    Returns:
        Numbers of rows, rising.

    Raises:
        UsageError: If it takes none.
    """
    if per_image is None:
        taken = np.arange(len(index))
    else:
        group = index.image * len(index.tasks) + index.task
        order = np.lexsort((_keys(len(index), seed, TAKE), group))
        first, last = _runs(group[order])
        wanted = np.array([per_image.get(task, 0) for task in index.tasks])[index.task[order]]
        turn = (np.arange(len(index)) - first - epoch * wanted) % (last - first)
        taken = np.sort(order[turn < wanted])
    if not len(taken):
        raise UsageError("leaves no pair to learn", field="data.pairs_per_image")
    return taken


def trees(index: Index, packing: Limits, seed: int, epoch: int) -> Trees:
    """The trees of an epoch: the shuffled pairs of each image, cut where a tree or a row would be too large.

    Args:
        index: Of the rows.
        packing: The limits.
        seed: Of the run.
        epoch: From 0.

    Raises:
        UsageError: If a pair does not fit a row.
    """
    if index.tokens.max(initial=0) > packing.tokens:
        raise UsageError(
            f"{packing.tokens:,} tokens are too few for the longest pair, of {index.tokens.max():,}",
            field="packing.tokens",
            hint="Raise packing.tokens, or lower data.max_tokens: longer pairs are then left out and counted.",
        )
    taken = take(index, packing.per_image, seed, epoch)
    taken = taken[np.lexsort((_keys(len(taken), seed, TREES, epoch), index.image[taken]))]
    first, last = _runs(index.image[taken])
    prefix = index.prefix[taken].astype(np.int64)
    images = np.flatnonzero(first == np.arange(len(taken)))
    longest = np.repeat(np.maximum.reduceat(prefix, images), last[images] - images)
    ends = _filled(index.tokens[taken] - prefix, packing.tokens - longest)
    ends = np.minimum(ends, np.arange(len(taken)) + min(packing.pairs, packing.batch))
    return Trees(taken, _cut(np.minimum(ends, last)))


def rows(index: Index, packing: Limits, seed: int, epoch: int) -> Rows:
    """The rows of an epoch: all its trees shuffled, then each put into the first of a few open rows that it fits.

    Args:
        index: Of the rows.
        packing: The limits.
        seed: Of the run.
        epoch: From 0.

    Raises:
        UsageError: If a pair does not fit a row.
    """
    drawn = trees(index, packing, seed, epoch)
    order = np.argsort(_keys(len(drawn), seed, ROWS, epoch), kind="stable")
    row = _fitted(np.diff(drawn.starts)[order], tree_tokens(index, drawn)[order], packing)
    order = order[np.argsort(row, kind="stable")]
    return Rows(drawn, order, np.concatenate([[0], np.cumsum(np.bincount(row))]))


def tree_tokens(index: Index, drawn: Trees) -> Integers:
    """The length of each tree in tokens, its prefix once, shape (trees,)."""
    prefix = index.prefix[drawn.pairs].astype(np.int64)
    begin = drawn.starts[:-1]
    tokens: Integers = np.maximum.reduceat(prefix, begin)
    return tokens + np.add.reduceat(index.tokens[drawn.pairs] - prefix, begin)


def _fitted(pairs: Integers, tokens: Integers, packing: Limits) -> Integers:
    """The row of each tree, of `pairs` and `tokens`: the first open one with room; the oldest is closed for a new."""
    fitted = np.empty(len(pairs), np.int64)
    opened, waiting = 0, list[list[int]]()
    for tree, (size, length) in enumerate(zip(pairs.data, tokens.data, strict=True)):
        for row in waiting:
            if row[1] >= size and row[2] >= length:
                break
        else:
            row = [opened, packing.batch, packing.tokens]  # its number, and what room is left
            opened += 1
            waiting = [*waiting[1 - OPEN :], row]
        row[1] -= size
        row[2] -= length
        fitted[tree] = row[0]
        if not row[1]:
            waiting.remove(row)
    return fitted


def _keys(count: int, *seed: int) -> NDArray[np.uint64]:
    """Numbers to shuffle by; NumPy keeps the raw stream of a generator the same in every version."""
    return np.random.PCG64(seed).random_raw(count)


def _runs(values: Integers) -> tuple[Integers, Integers]:
    """For each of sorted values, where the run of its equals begins and ends."""
    return np.searchsorted(values, values), np.searchsorted(values, values, side="right")


def _filled(sizes: Integers, room: Integers) -> Integers:
    """For each place, the end of the longest run from there whose sizes fit the room; one always does."""
    total = np.concatenate([[0], np.cumsum(sizes)])
    ends = np.searchsorted(total, total[:-1] + room, side="right") - 1
    return np.maximum(ends, np.arange(1, len(total)))


def _cut(ends: Integers) -> Integers:
    """Where runs begin when each goes on where the last ended, given the end of a run from any place."""

    def starts() -> Iterator[int]:
        place = 0
        while place < len(ends):
            yield place
            place = ends.item(place)
        yield place

    return np.fromiter(starts(), np.int64)
