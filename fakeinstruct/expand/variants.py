"""The countable space of a template's variants: mixed radix, orders, and a keyed draw without replacement."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property

_MASK = (1 << 64) - 1


def decode(index: int, radices: Sequence[int]) -> list[int]:
    """The digits of an index in mixed radix, the first digit the most significant.

    Raises:
        ValueError: If the index lies outside the space.

    >>> decode(7, [2, 3, 2])
    [1, 0, 1]
    """
    rest, digits = index, []
    for radix in reversed(radices):
        rest, digit = divmod(rest, radix)
        digits.append(digit)
    if rest:
        raise ValueError(f"index {index} lies outside a space of {math.prod(radices)}")
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

    The values go round a circle in equal steps: (start + place * step) mod size, with the start and the step drawn
    by the key and the step coprime to the size, so that each value comes once (a Weyl sequence of whole
    numbers). One multiplication a value: most chains draw one or two variants of a template, and for the first
    any start is equally likely.

    Args:
        size: Number of values, at least 1.
        key: What the order depends on, and nothing else, 0 to 2**64 - 1.
    """

    def __init__(self, size: int, key: int) -> None:
        if size < 1:
            raise ValueError(f"a permutation of {size} values")
        self.size = size
        self._first = mix(key)

    @cached_property
    def _step(self) -> int:
        step = mix(self._first) % self.size or 1
        while math.gcd(step, self.size) > 1:
            step += 1
        return step

    def __call__(self, place: int) -> int:
        """The value at one place, 0 to size - 1."""
        start = self._first % self.size
        return (start + place * self._step) % self.size if place else start

    def __iter__(self) -> Iterator[int]:
        """All values, each once."""
        return map(self, range(self.size))


def mix(value: int) -> int:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): 64 bits that each depend on all 64."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & _MASK
    return value ^ value >> 31
