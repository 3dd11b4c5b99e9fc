"""Progress on long work: a bar on a terminal, a line every few seconds in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Item = TypeVar("Item")

LOG_SECONDS = 10.0
"""Seconds between two lines where standard error is not a terminal."""

console = Console(stderr=True)
"""Where progress and remarks go; results go to standard output."""


def track(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Pass the items on, showing how many of `total` are done.

    Args:
        items: What is worked on.
        what: A few words for the person who waits ("reading chains").
        total: The number of items, taken from `len(items)` where it has one.
    """
    if total is None:
        total = len(items) if isinstance(items, Sized) else None
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            yield from progress.track(items, total=total, description=what)
        return
    started = last = time.monotonic()
    count = 0
    for count, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= LOG_SECONDS:
            last = now
            _say(what, count, total, now - started)
    if time.monotonic() - started >= LOG_SECONDS:
        _say(what, count, total, time.monotonic() - started)


def _say(what: str, count: int, total: int | None, seconds: float) -> None:
    of = f"/{total:,}" if total is not None else ""
    rate = f", {count / seconds:,.1f} a second" if seconds > 1 else ""
    print(f"{what}: {count:,}{of} ({seconds:.0f} s{rate})", file=sys.stderr, flush=True)
