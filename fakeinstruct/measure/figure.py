"""A figure or the reason why there is none: the rows that `figures.json` is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from fakeinstruct.base.errors import FakeInstructError

DIGITS = 6
"""Decimals that figures are stored with: far below any interval, above the noise of summation order."""


class UnavailableError(FakeInstructError):
    """A figure cannot be given honestly; the message says why."""


class Row:
    """Figures under their names; what cannot be given is null and has its reason under `unavailable`."""

    def __init__(self, **known: Any) -> None:
        self.values: dict[str, Any] = known
        self.reasons: dict[str, str] = {}

    def give(self, names: tuple[str, ...], figures: Callable[[], Any]) -> None:
        """Set the named figures to what `figures` returns, in order, or to null with its reason.

        Args:
            names: One name for a single value, or as many as `figures` returns.
            figures: Computes them, or raises `UnavailableError`.
        """
        try:
            result = figures()
        except UnavailableError as reason:
            for name in names:
                self.values[name] = None
                self.reasons[name] = reason.problem
            return
        for name, value in zip(names, result if len(names) > 1 else (result,), strict=True):
            self.values[name] = rounded(value)

    def nest(self, name: str, row: Row) -> None:
        """Put another row's figures under `name`; its reasons join this row's as `name.figure`."""
        self.values[name] = row.values
        self.reasons.update({f"{name}.{inner}": reason for inner, reason in row.reasons.items()})

    def json(self) -> dict[str, Any]:
        """The figures, and `unavailable` as name to reason."""
        return {**self.values, "unavailable": self.reasons}


def rounded(value: Any) -> Any:
    """Plain JSON numbers with `DIGITS` decimals, also inside lists and mappings.

    Raises:
        ValueError: If a number is not finite: that must have been caught as `UnavailableError`.
    """
    if isinstance(value, Mapping):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is not a figure")
    return round(number, DIGITS) + 0.0  # + 0.0 turns -0.0 into 0.0
