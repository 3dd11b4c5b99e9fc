"""What this machine and installation can do: facts for `fakeinstruct doctor`."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from fakeinstruct import __version__
from fakeinstruct.base.config import StrictModel
from fakeinstruct.base.dependencies import CORE, Package, declared_requirements, inspect_packages
from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.base.surfaces import Surface, surface

_TORCH_PROBE = """
import json, torch
gpus = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
mps = torch.backends.mps.is_available()
kind = "cuda" if gpus else "mps" if mps else "cpu"
print(json.dumps([kind, [f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB" for gpu in gpus]]))
"""


class Environment(StrictModel):
    """What was found. Sizes are in GiB; `accelerator` is None where torch does not work."""

    fakeinstruct: str
    python: str
    platform: str
    packages: tuple[Package, ...]
    torchvision: Package
    accelerator: Literal["cuda", "mps", "cpu"] | None
    devices: tuple[str, ...]
    cores: int
    memory: float | None
    free_disk: float
    compiler: str | None
    ninja: str | None
    surfaces: dict[Surface, str | None]

    @property
    def works(self) -> bool:
        """Whether the core works: its packages import and the templates were found."""
        broken = {package.name for package in self.packages if package.problem}
        return not broken & CORE and self.surfaces["templates"] is not None


def inspect_environment() -> Environment:
    """Look at the machine and import every dependency, in another process, so that none can end ours."""
    *packages, torchvision = inspect_packages([*declared_requirements(), "torchvision"])
    accelerator, devices = _accelerator()
    return Environment(
        fakeinstruct=__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        packages=tuple(packages),
        torchvision=torchvision,
        accelerator=accelerator,
        devices=devices,
        cores=_cores(),
        memory=_memory(),
        free_disk=shutil.disk_usage(Path.cwd()).free / 2**30,
        compiler=_tool(os.environ.get("CXX"), "c++", "g++", "clang++"),
        ninja=_tool("ninja"),
        surfaces={name: _surface(name) for name in get_args(Surface)},
    )


def advice(found: Environment) -> Iterator[str]:
    """What is missing for what, and what to do about it, a sentence or two each."""
    for package in found.packages:
        if package.problem:
            yield f"{package.name} {package.problem}. It is needed for {package.needed_for}."
    for name, folder in found.surfaces.items():
        if folder is None:
            yield f"The folder {name} was not found. Install fakeinstruct again, or run from a checkout."
    if found.torchvision.problem and found.torchvision.version:
        yield (
            "torchvision is installed but does not fit torch, and then the Auto classes of transformers fail too. "
            "Remove it (pip uninstall torchvision) or install the build made for this torch."
        )
    elif found.torchvision.version is None:
        yield (
            "torchvision is not installed, which is fine: only videos need it, and the processors of Qwen-VL, InternVL "
            "and SmolVLM are built without that part."
        )
    if found.accelerator == "cpu":
        yield "No GPU was found: the small expert trains in minutes, a 7B expert needs GPUs."
    if not (found.compiler and found.ninja):
        missing = " and ".join(name for name in ("compiler", "ninja") if getattr(found, name) is None)
        yield (
            f"No {missing} was found, which is fine: only the Adam kernels that DeepSpeed compiles for itself "
            "need them, and recipes use torch's unless told otherwise."
        )


def _accelerator() -> tuple[Literal["cuda", "mps", "cpu"] | None, tuple[str, ...]]:
    """What torch computes on, and the names of its GPUs."""
    probe = [sys.executable, "-c", _TORCH_PROBE]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)  # noqa: S603 - our own code
    if done.returncode != 0:
        return None, ()
    kind, devices = json.loads(done.stdout.splitlines()[-1])
    return kind, tuple(devices)


def _surface(name: Surface) -> str | None:
    try:
        return str(surface(name))
    except FakeInstructError:
        return None


def _tool(*names: str | None) -> str | None:
    """The first of some programs that is on the PATH or in the environment's own folder."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = (shutil.which(name, path=places) for name in names if name)
    return next(filter(None, found), None)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> float | None:
    """Memory in GiB, or the control group's limit if that is lower; None where the system does not say."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    with contextlib.suppress(OSError, ValueError):  # no control groups, or "max"
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return total / 2**30
