"""Work as the tasks of a Ray cluster, results in the order of the work."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from fakeinstruct.base.errors import FakeInstructError, UsageError

Work = TypeVar("Work")
Shared = TypeVar("Shared")
Result = TypeVar("Result")


def in_order(
    work: Iterable[Work], do: Callable[[Shared, Work], Result], shared: Shared, workers: int | None
) -> Iterator[Result]:
    """Do the work as Ray tasks of one core each and yield the results in the order given.

    The cluster is that which this process has already joined, or that of the environment variable `RAY_ADDRESS`, or
    else one that is started on this machine and ended with the work. Its machines share a file system.

    Args:
        work: Read only as fast as it is done: two pieces a task ahead.
        do: What to do with a piece; a function of a module.
        shared: Sent once to each machine.
        workers: Most tasks at once; by default one for each core of the cluster.

    Raises:
        UsageError: If Ray is not installed.
        FakeInstructError: If a task was ended from outside.
        Exception: What `do` raises.
    """
    ray = _ray()
    joined = not ray.is_initialized()
    if joined:
        _join(ray, workers)
    try:
        at_once = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        task = ray.remote(num_cpus=1)(do)
        everywhere = ray.put(shared)
        pending: deque[Any] = deque()
        for piece in work:
            pending.append(task.remote(everywhere, piece))
            if len(pending) >= 2 * at_once:
                yield _result(ray, pending.popleft())
        while pending:
            yield _result(ray, pending.popleft())
    finally:
        if joined:
            ray.shutdown()


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UsageError(
            "the engine 'ray' needs Ray, which is not installed", hint="pip install 'fakeinstruct[ray]'"
        ) from None
    return ray


def _join(ray: Any, workers: int | None) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": "warning"}
    if not os.environ.get("RAY_ADDRESS"):
        settings |= {"num_cpus": workers, "include_dashboard": False}
    ray.init(**settings)


def _result(ray: Any, reference: Any) -> Any:
    """A task's result, or the error that it raised.

    Raises:
        FakeInstructError: If the task could not be finished.
    """
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise FakeInstructError(
            f"a Ray task was ended from outside ({type(error).__name__})",
            hint="Run it again; it goes on where it stopped.",
        ) from None
