"""What DeepSpeed needs on a CPU without a compiler, in one place."""

from __future__ import annotations

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


@contextmanager
def process_group() -> Iterator[None]:
    """Close the process group at the end: without it ranks now and then abort after success."""
    try:
        yield
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
