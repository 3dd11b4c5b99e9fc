r"""The layout of a packed row: trees of one prefix and several branches each, laid end to end.

Two images, the first with two pairs and the second with one; p is a prefix token, a, b and c are branches:

    p p p p a a b b b | p p p c c
    \______tree_____/  \__tree_/

Which token (row) sees which (column), `x` for seen:

    p  x . . . . . . . .  . . . . .
    p  x x . . . . . . .  . . . . .
    p  x x x . . . . . .  . . . . .
    p  x x x x . . . . .  . . . . .
    a  x x x x x . . . .  . . . . .
    a  x x x x x x . . .  . . . . .
    b  x x x x . . x . .  . . . . .     a branch sees its prefix and itself, never another branch
    b  x x x x . . x x .  . . . . .
    b  x x x x . . x x x  . . . . .
    p  . . . . . . . . .  x . . . .     a tree never sees another tree
    p  . . . . . . . . .  x x . . .
    p  . . . . . . . . .  x x x . .
    c  . . . . . . . . .  x x x x .
    c  . . . . . . . . .  x x x x x

Positions restart where a branch begins: both `a` and `b` go on from the last `p`. So every branch with its
prefix is, to the model, the conversation alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import torch
from torch import Tensor

KEYS = 2**15
"""Most keys, prefixes repeated for each branch, that one call of attention gathers."""

WASTE = 0.25
"""Largest share by which a branch may be shorter than the longest that it is attended with."""


@dataclass(frozen=True)
class Tree:
    """One prefix and its branches, in tokens.

    Attributes:
        prefix: Length of the prefix, at least 1.
        branches: Lengths of the branches, each at least 1, in the order in which they lie.
    """

    prefix: int
    branches: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.prefix < 1 or not self.branches or min(self.branches) < 1:
            raise ValueError(f"a tree needs a prefix and branches, not {self.prefix} and {self.branches}")

    def __len__(self) -> int:
        return self.prefix + sum(self.branches)


@dataclass(frozen=True)
class Chunk:
    """Branches of one tree that are attended together, padded to the longest.

    Attributes:
        prefix: Where the prefix lies in the row: its first token, and the one after its last.
        index: Places in the row of each branch's tokens, shape (branches, longest); padding repeats the last.
        valid: Which of them are tokens rather than padding, the same shape.
    """

    prefix: tuple[int, int]
    index: Tensor
    valid: Tensor


@dataclass(frozen=True)
class Layout:
    """The trees of a row, end to end."""

    trees: tuple[Tree, ...]

    def __len__(self) -> int:
        return sum(map(len, self.trees))

    def starts(self) -> Iterator[tuple[int, Tree]]:
        """Each tree with the place of its first token."""
        start = 0
        for tree in self.trees:
            yield start, tree
            start += len(tree)

    def ends(self) -> list[int]:
        """The place of each branch's last token."""
        return [
            start + tree.prefix + stop - 1
            for start, tree in self.starts()
            for stop in accumulate(tree.branches)
        ]

    @cached_property
    def chunks(self) -> tuple[Chunk, ...]:
        """The branches as they are attended: within a tree, by length, no chunk over `KEYS` keys."""
        return tuple(
            _chunk(start, tree, group) for start, tree in self.starts() for group in _groups(start, tree)
        )

    @cached_property
    def gather(self) -> Tensor:
        """The row's places as attention takes them: every prefix, then every chunk with its padding, end to end."""
        prefixes = [torch.arange(start, start + tree.prefix) for start, tree in self.starts()]
        return torch.cat([*prefixes, *(chunk.index.flatten() for chunk in self.chunks)])

    @cached_property
    def sizes(self) -> list[int]:
        """The lengths of what `gather` puts end to end."""
        return [tree.prefix for tree in self.trees] + [chunk.index.numel() for chunk in self.chunks]

    @cached_property
    def order(self) -> Tensor:
        """For each token of the row, where it stands in `gather`."""
        prefixes = sum(tree.prefix for tree in self.trees)
        valid = torch.cat([torch.ones(prefixes, dtype=torch.bool), *(c.valid.flatten() for c in self.chunks)])
        places = valid.nonzero()[:, 0]
        return places[self.gather[places].argsort()]

    def on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """`gather` and `order` on a device, moved there once and not by every layer."""
        if device not in self._moved:
            self._moved[device] = (self.gather.to(device), self.order.to(device))
        return self._moved[device]

    @cached_property
    def _moved(self) -> dict[torch.device, tuple[Tensor, Tensor]]:
        return {}

    def padding(self) -> float:
        """Share of a branch's places in attention that hold no token; elsewhere a row has no padding."""
        places = sum(chunk.valid.numel() for chunk in self.chunks)
        return 1 - sum(int(chunk.valid.sum()) for chunk in self.chunks) / places

    def dense_mask(self) -> Tensor:
        """Which token (row) sees which (column), bool, shape (length, length): the reference for tests."""
        mask = torch.zeros(len(self), len(self), dtype=torch.bool)
        for start, tree in self.starts():
            trunk = slice(start, start + tree.prefix)
            mask[trunk, trunk] = torch.ones(tree.prefix, tree.prefix, dtype=torch.bool).tril()
            place = trunk.stop
            for length in tree.branches:
                branch = slice(place, place + length)
                mask[branch, trunk] = True
                mask[branch, branch] = torch.ones(length, length, dtype=torch.bool).tril()
                place = branch.stop
        return mask


def _groups(start: int, tree: Tree) -> Iterator[list[tuple[int, int]]]:
    """A tree's branches as (place, length), longest first, in groups of like length and limited keys."""
    places = [start + tree.prefix]
    for length in tree.branches[:-1]:
        places.append(places[-1] + length)
    group: list[tuple[int, int]] = []
    for place, length in sorted(
        zip(places, tree.branches, strict=True), key=lambda branch: branch[1], reverse=True
    ):
        longest = group[0][1] if group else length
        keys = (len(group) + 1) * (tree.prefix + longest)
        if group and (keys > KEYS or length < (1 - WASTE) * longest):
            yield group
            group = []
        group.append((place, length))
    yield group


def _chunk(start: int, tree: Tree, group: Sequence[tuple[int, int]]) -> Chunk:
    places = torch.tensor([place for place, _ in group])[:, None]
    lengths = torch.tensor([length for _, length in group])[:, None]
    steps = torch.arange(int(lengths.max()))[None]
    return Chunk((start, start + tree.prefix), places + steps.minimum(lengths - 1), steps < lengths)
