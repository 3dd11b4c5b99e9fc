"""What DeepSpeed needs on a CPU without a compiler, in one place."""

from __future__ import annotations

import ctypes
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def prepare_deepspeed() -> None:
    """Make DeepSpeed run without compiling anything, and say less. Call it before the model is made.

    On CPU with several ranks DeepSpeed compiles a shared-memory communication op at start-up, which
    needs a C++ compiler and ninja. Its table of compatible ops is private but the only switch; with the
    op marked incompatible, gloo does the communication. Adam is PyTorch's own (no `optimizer` section in
    `training/deepspeed/*.json`), so that no Adam kernel is compiled either.
    """
    warnings.filterwarnings("ignore")
    import deepspeed

    if not torch.cuda.is_available():
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False


def join_deepspeed() -> None:
    """Let DeepSpeed know of the process group that PyTorch has; on a CPU nothing else does before the model is made.

    ZeRO-3 shards the model while it is made, and would take this process for the only one.
    """
    import deepspeed

    deepspeed.init_distributed(auto_mpi_discovery=False, verbose=False)


def die_with_parent() -> None:
    """Let the kernel kill this process when the one that started it is gone, on Linux.

    torchrun gives each process a session of its own: one that is killed without a chance to clear up would leave them
    training, and writing checkpoints beside those of the run that goes on.
    """
    if sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


@contextmanager
def process_group() -> Iterator[None]:
    """Close the process group at the end: without it ranks now and then abort after success."""
    try:
        yield
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
