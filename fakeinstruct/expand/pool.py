"""Work on several processes, results in the order of the work, no more in memory than is being worked on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any, TypeVar

from fakeinstruct.base.errors import FakeInstructError

Work = TypeVar("Work")
Shared = TypeVar("Shared")
Result = TypeVar("Result")

_shared: Any = None


def in_order(
    work: Iterable[Work], do: Callable[[Shared, Work], Result], shared: Shared, workers: int | None
) -> Iterator[Result]:
    """Do the work and yield its results in the order given.

    Args:
        work: Read only as fast as it is done: two pieces a worker ahead.
        do: What to do with a piece; a function of a module.
        shared: Sent once to each process.
        workers: Number of processes; with one, or none named, the work is done in this one.

    Raises:
        FakeInstructError: If a process was killed.
        Exception: What `do` raises; work not begun is given up.
    """
    if workers is None or workers <= 1:
        yield from (do(shared, piece) for piece in work)
        return
    # Spawned, not forked: a fork copies the locks of Arrow's and PyTorch's threads in whatever state they are.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_start, initargs=(shared,)) as pool:
        pending: deque[Future[Result]] = deque()
        try:
            for piece in work:
                pending.append(pool.submit(_run, do, piece))
                if len(pending) >= 2 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool:
            raise FakeInstructError(
                "a worker process was ended from outside, perhaps for want of memory",
                hint="Run it again with fewer --workers; it goes on where it stopped.",
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _start(shared: Any) -> None:
    global _shared  # one worker process serves one expansion
    _shared = shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and ends the pool in order
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent is killed: the pool's own queue would keep it waiting for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _run(do: Callable[[Any, Work], Result], piece: Work) -> Result:
    return do(_shared, piece)
