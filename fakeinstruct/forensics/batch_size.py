"""How many images are asked at once: found while asking, and halved when memory runs out."""

from __future__ import annotations

import resource
from pathlib import Path

START, MOST = 2, 64
"""Images asked at first, and at most."""

GAIN = 1.05
"""Growth of images a second below which a doubled batch is not worth its memory."""

PATIENCE = 2
"""Doublings in a row that do not pay before the search ends: one may have met a busy moment."""

TRIALS = 2
"""Batches of a size whose faster one counts: the first of all is slow whatever its size."""

FULL = ("not enough memory", "out of memory", "can't allocate memory", "cannot allocate memory", "bad_alloc")
"""What PyTorch and the C++ library say when an allocation fails on a CPU, where it has no exception of its own."""


class BatchSize:
    """The number of images that are asked at once.

    It begins small and doubles while images a second grow and memory holds. Out of memory halves it, and
    then it does not grow again.

    Args:
        fixed: The number, if it is not to be found; memory may still halve it.
    """

    def __init__(self, fixed: int | None = None) -> None:
        self.size = fixed or START
        self.found = fixed is not None
        self._rates: list[float] = []
        self._best = (0.0, self.size)  # images a second, and at which size
        self._at_rest = _peak()

    def took(self, images: int, seconds: float) -> None:
        """Take note of a batch that was answered; it says nothing if it was not a full one.

        Args:
            images: How many images it had.
            seconds: How long it took.
        """
        if self.found or images != self.size:
            return
        self._rates.append(images / max(seconds, 1e-9))
        if len(self._rates) < TRIALS:
            return
        rate = max(self._rates)
        self._rates.clear()
        if rate >= self._best[0] * GAIN:
            self._best = (rate, self.size)
        too_large = self.size * 2 > MOST or not self._room()
        if too_large or self.size >= self._best[1] << PATIENCE:
            self.size, self.found = self._best[1], True
        else:
            self.size *= 2

    def full(self, images: int) -> None:
        """Take note of a batch of so many images that memory did not hold."""
        self.size, self.found = max(1, min(self.size, images // 2)), True

    def _room(self) -> bool:
        """Whether memory holds twice as many: on a CPU the kernel would rather kill than refuse."""
        return 2 * (_peak() - self._at_rest) < _available()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on a GPU or on a CPU."""
    import torch

    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and any(words in str(error).lower() for words in FULL)
    )


def _peak() -> int:
    """The most memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _available() -> float:
    """Memory that processes may still take, in bytes; as much as one likes where nobody says."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith("MemAvailable"))) * 1024
    except (OSError, StopIteration):
        return float("inf")
