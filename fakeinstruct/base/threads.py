"""Threads for work on images: Pillow and hashing let them run side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH = 64
"""Items in work at a time, which bounds the memory that images take."""


def in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Results of the work on each item, in the order of the items, of which few are held at a time.

    Args:
        work: Called in several threads at once; what it raises ends the run.
        items: What is worked on.
    """
    waiting = iter(items)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while batch := list(islice(waiting, BATCH)):
            yield from pool.map(work, batch)
