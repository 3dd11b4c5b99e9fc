"""The countable space of a template's variants: mixed radix, orders, and a keyed draw without replacement."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from fakeinstruct.base.files import stable_seed

ROUNDS = 4
"""Rounds of the Feistel network; four of independent keys make a strong pseudo-random permutation
(Luby and Rackoff 1988)."""

_MASK = (1 << 64) - 1


def decode(index: int, radices: Sequence[int]) -> list[int]:
    """The digits of an index in mixed radix, the first digit the most significant.

    Raises:
        ValueError: If the index lies outside the space.

    >>> decode(7, [2, 3, 2])
    [1, 0, 1]
    """
    if not 0 <= index < math.prod(radices):
        raise ValueError(f"index {index} lies outside a space of {math.prod(radices)}")
    digits = []
    for radix in reversed(radices):
        index, digit = divmod(index, radix)
        digits.append(digit)
    return digits[::-1]


def encode(digits: Sequence[int], radices: Sequence[int]) -> int:
    """The index with these digits: the inverse of `decode`.

    >>> encode([1, 0, 1], [2, 3, 2])
    7
    """
    index = 0
    for digit, radix in zip(digits, radices, strict=True):
        index = index * radix + digit
    return index


def order(index: int, count: int) -> list[int]:
    """The order number `index` (0 to count! - 1) of `count` things, in lexicographic order.

    >>> order(3, 3)
    [1, 2, 0]
    """
    left = list(range(count))
    return [left.pop(digit) for digit in decode(index, range(count, 0, -1))]


class Permutation:
    """A pseudo-random order of 0 ... size - 1 that is computed place by place, never stored.

    A balanced Feistel network permutes the next larger power of four; a value outside the range is put
    through again until it falls inside ("cycle walking", Black and Rogaway 2002), fewer than four times
    on average.

    Args:
        size: Number of values, at least 1.
        key: What the order depends on, and nothing else.
    """

    def __init__(self, size: int, *key: str | int) -> None:
        if size < 1:
            raise ValueError(f"a permutation of {size} values")
        self.size = size
        self._half = max(1, ((size - 1).bit_length() + 1) // 2)
        self._low = (1 << self._half) - 1
        seed = stable_seed(*key)
        self._keys = [_mix(seed + number) for number in range(ROUNDS)]

    def __call__(self, place: int) -> int:
        """The value at one place, 0 to size - 1."""
        value = self._permute(place)
        while value >= self.size:
            value = self._permute(value)
        return value

    def __iter__(self) -> Iterator[int]:
        """All values, each once."""
        return map(self, range(self.size))

    def _permute(self, value: int) -> int:
        left, right = value >> self._half, value & self._low
        for key in self._keys:
            left, right = right, left ^ (_mix(right ^ key) & self._low)
        return left << self._half | right


def _mix(value: int) -> int:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): 64 bits that each depend on all 64."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & _MASK
    return value ^ value >> 31
