"""Which rows each process trains on, over all epochs.

Nothing is drawn while training runs: the order is a function of index, settings, seed, epoch and rank, so a
resumed run skips what it has seen by number and opens no image of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from torch.utils.data import Dataset, Sampler

from fakeinstruct.expert.order import Index, Limits, rows


class Drawn(NamedTuple):
    """A pair of a row, as the sampler hands it to `PairRows`.

    Attributes:
        pair: Number of the pair.
        tree: Number of its tree in the row; two trees of one image may stand next to each other.
        counts: Whether it is learned; False in a filler.
        epoch: The epoch it is drawn in.
    """

    pair: int
    tree: int
    counts: bool
    epoch: int = 0


class PackSampler(Sampler[list[Drawn]]):
    """The rows of one process, all epochs in sequence: the batch sampler of its loader.

    Rows are dealt in turn. Where they do not divide among the processes, the last ones get a filler: the
    epoch's first row, which counts nothing, so that no process waits for one that has finished.

    Args:
        index: Of the rows.
        packing: How pairs are put together.
        seed: Of the run.
        epochs: How many; of the last, a fraction of the rows is taken.
        rank: Number of this process.
        world: Number of processes.
        accumulate: Rows a process and optimizer step.
    """

    def __init__(
        self,
        index: Index,
        packing: Limits,
        *,
        seed: int,
        epochs: float,
        rank: int,
        world: int,
        accumulate: int,
    ) -> None:
        self.index = index
        self.packing = packing
        self.seed = seed
        self.epochs = epochs
        self.rank = rank
        self.world = world
        self.accumulate = accumulate

    @cached_property
    def per_epoch(self) -> tuple[int, ...]:
        """How many rows each epoch has over all processes, fillers apart."""
        counts = []
        for epoch in range(math.ceil(self.epochs)):
            whole = len(rows(self.index, self.packing, self.seed, epoch))
            counts.append(max(1, round(whole * min(1.0, self.epochs - epoch))))
        return tuple(counts)

    @property
    def steps(self) -> int:
        """Optimizer steps of all epochs."""
        return -(-len(self) // self.accumulate)

    def __len__(self) -> int:
        return sum(-(-count // self.world) for count in self.per_epoch)

    def __iter__(self) -> Iterator[list[Drawn]]:
        for epoch, count in enumerate(self.per_epoch):
            dealt = rows(self.index, self.packing, self.seed, epoch)
            for turn in range(0, count, self.world):
                number = turn + self.rank
                counts = number < count
                yield [
                    Drawn(pair, tree, counts, epoch)
                    for tree, pairs in enumerate(dealt[number if counts else 0])
                    for pair in pairs.tolist()
                ]


class PairRows(Dataset[dict[str, Any]]):
    """Training rows by what the sampler draws: each with its `tree` in the row, whether it `counts`, and the `epoch`.

    Args:
        rows: A `datasets.Dataset`, or any sequence of rows.
    """

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, drawn: Drawn) -> dict[str, Any]:
        return self.__getitems__([drawn])[0]

    def __getitems__(self, drawn: Sequence[Drawn]) -> list[dict[str, Any]]:
        """All of a row at once, as PyTorch's loader asks: one read of the shards."""
        numbers = [one.pair for one in drawn]
        many = getattr(self.rows, "__getitems__", None)
        read = many(numbers) if many else [self.rows[number] for number in numbers]
        return [
            row | {"tree": one.tree, "counts": one.counts, "epoch": one.epoch}
            for row, one in zip(read, drawn, strict=True)
        ]
