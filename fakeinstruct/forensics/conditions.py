"""Conditions: perturbations by name, a kind and an amount: `jpeg-50`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fakeinstruct.base.errors import UsageError, nearest
from fakeinstruct.forensics.perturb import Blur, Crop, Jpeg, Noise, Resize, Webp
from fakeinstruct.forensics.views import Change

COMMON = ("jpeg-90", "jpeg-50", "webp-80", "resize-0.5", "blur-1", "noise-4", "crop-2x2")
"""Conditions to begin with: a good and a poor JPEG, WebP, half the size, a slight blur, faint noise, quarters."""


@dataclass(frozen=True)
class Condition:
    """A perturbation by name.

    Attributes:
        name: In its one spelling: `blur-1`, not `blur-1.0`.
        looks: What is done to the picture, once a look: four crops for `crop-2x2`, else one change.
    """

    name: str
    looks: tuple[Change, ...]


def parse_condition(text: str, seed: int = 0) -> Condition:
    """The condition of a name.

    Args:
        text: A kind and an amount, for example one of `COMMON`.
        seed: Seed of what is drawn.

    Raises:
        UsageError: If there is no such kind, or its amount is none.
    """
    name, _, given = text.partition("-")
    kind = KINDS.get(name)
    if kind is None:
        examples = f"Examples: {', '.join(COMMON)}."
        raise _refused(f"there is no condition '{text}'", f"{nearest(name, KINDS)} {examples}")
    try:
        amount = kind.parse(given)
    except ValueError:
        example = next(each for each in COMMON if each.startswith(f"{name}-"))
        raise _refused(f"'{text}' is no condition: {kind.amount}", f"For example '{example}'.") from None
    return Condition(f"{name}-{_spelt(amount)}", kind.make(amount, seed))


def parse_conditions(texts: Sequence[str], seed: int = 0) -> tuple[Condition, ...]:
    """The conditions of some names, each once, in the order of their first.

    Raises:
        UsageError: As `parse_condition`.
    """
    found = {condition.name: condition for condition in (parse_condition(text, seed) for text in texts)}
    return tuple(found.values())


def _quality(text: str) -> int:
    return _whole(text, 100)


def _whole(text: str, most: int) -> int:
    """A whole number, 1 to `most`."""
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= most:
        raise ValueError(text)
    return int(text)


def _decimal(text: str, most: float) -> float:
    """A number above 0 and at most `most`, of up to four digits behind the point."""
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4})?", text) or not 0 < float(text) <= most:
        raise ValueError(text)
    return float(text)


def _grid(text: str) -> tuple[int, int]:
    """Columns and rows, two cells or more."""
    columns, rows = (_whole(part, 8) for part in text.split("x"))
    if columns * rows == 1:
        raise ValueError(text)
    return columns, rows


def _cells(grid: tuple[int, int]) -> tuple[Change, ...]:
    return tuple(Crop(*grid, look) for look in range(1, grid[0] * grid[1] + 1))


@dataclass(frozen=True)
class Kind:
    """A kind of condition: what its amount is, in words, what reads it or raises `ValueError`, what it makes."""

    amount: str
    parse: Callable[[str], Any]
    make: Callable[[Any, int], tuple[Change, ...]]


KINDS = {
    "jpeg": Kind("the quality is a whole number, 1 to 100", _quality, lambda quality, _: (Jpeg(quality),)),
    "webp": Kind("the quality is a whole number, 1 to 100", _quality, lambda quality, _: (Webp(quality),)),
    "resize": Kind(
        "the factor is above 0 and below 1",
        lambda text: _decimal(text, 0.9999),
        lambda factor, _: (Resize(factor),),
    ),
    "blur": Kind(
        "sigma is in pixels, above 0 and at most 50",
        lambda text: _decimal(text, 50),
        lambda sigma, _: (Blur(sigma),),
    ),
    "noise": Kind(
        "sigma is in levels, above 0 and at most 255",
        lambda text: _decimal(text, 255),
        lambda sigma, seed: (Noise(sigma, seed),),
    ),
    "crop": Kind(
        "a grid is columns x rows, each 1 to 8, and two cells or more", _grid, lambda grid, _: _cells(grid)
    ),
}
"""Every kind of condition by its name."""


def _refused(problem: str, hint: str) -> UsageError:
    return UsageError(problem, field="conditions", hint=hint)


def _spelt(amount: Any) -> str:
    """The one spelling of an amount: no zeros in front, none behind the point."""
    if isinstance(amount, tuple):
        return "x".join(map(str, amount))
    return str(amount) if isinstance(amount, int) else np.format_float_positional(amount, trim="-")
