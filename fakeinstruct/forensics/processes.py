"""Several processes that score together: each asks about every n-th image, the first one begins and ends the run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TypeVar

from fakeinstruct.base.errors import FakeInstructError

Item = TypeVar("Item")

PATIENCE = timedelta(days=30)
"""How long processes wait for one another: the last one may have much more to do."""

AGAIN = "Run the same command again to go on where it stopped."


@dataclass(frozen=True)
class Processes:
    """The processes of a run, as one of them sees them.

    Attributes:
        rank: Which this one is, from 0.
        world: How many there are.
    """

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that begins and ends the run, and prints."""
        return self.rank == 0

    def share(self, images: Iterable[Item]) -> Iterator[Item]:
        """This process's images: every `world`-th."""
        return islice(images, self.rank, None, self.world)

    def wait(self) -> None:
        """Wait until all processes have come as far.

        Raises:
            FakeInstructError: If another one ended before.
        """
        if self.world == 1:
            return
        import torch

        try:
            torch.distributed.barrier()
        except RuntimeError as error:
            raise FakeInstructError(
                "another process of this run ended before it was done", hint=AGAIN
            ) from error


@contextmanager
def joined() -> Iterator[Processes]:
    """The processes that a launcher such as torchrun started, or this one alone."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Processes()
        return
    import torch

    from fakeinstruct.expert.engine import die_with_parent, process_group

    die_with_parent()
    with process_group():
        torch.distributed.init_process_group("gloo", timeout=PATIENCE)
        yield Processes(torch.distributed.get_rank(), world)


def launch(arguments: Sequence[str], processes: int) -> None:
    """Run `fakeinstruct` with some arguments in several processes of this machine.

    Raises:
        SystemExit: With the status of a process that said itself what is wrong.
        FakeInstructError: If a process was killed.
    """
    import logging

    from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    from fakeinstruct.expert.torchrun import environment

    logging.disable(logging.ERROR)  # torchrun's own account of a failure, in some fifty lines
    os.environ.update(environment(processes))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        logs_specs=DefaultLogsSpecs(),
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        max_restarts=0,
    )
    try:
        elastic_launch(config, sys.executable)("-u", "-m", "fakeinstruct", *arguments)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode < 0:
            memory = ", as the kernel does when memory runs out" if failure.exitcode == -9 else ""
            raise FakeInstructError(
                f"process {rank} was killed by signal {-failure.exitcode}{memory}", hint=AGAIN
            ) from None
        raise SystemExit(failure.exitcode) from None
    finally:
        logging.disable(logging.NOTSET)
