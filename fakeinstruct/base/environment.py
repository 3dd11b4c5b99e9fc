"""What this machine and installation can do: facts for `fakeinstruct doctor`."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Literal, get_args

from packaging.requirements import Requirement

from fakeinstruct import __version__
from fakeinstruct.base.config import StrictModel
from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.base.progress import track
from fakeinstruct.base.surfaces import PACKAGE, Surface, surface

CORE = frozenset({"jinja2", "numpy", "packaging", "pillow", "pyarrow", "pydantic", "pyyaml", "rich", "typer"})
"""Distributions without which no verb works."""

NEEDED_FOR = {
    "accelerate": "train",
    "datasets": "train",
    "deepspeed": "train",
    "evaluate": "the metrics of eval/ through Hugging Face evaluate",
    "matplotlib": "the figures of measure",
    "peft": "LoRA recipes",
    "protobuf": "building an expert from scratch",
    "scikit-image": "sample, demo",
    "scikit-learn": "sample, measure, demo",
    "scipy": "measure",
    "sentencepiece": "building an expert from scratch",
    "tokenizers": "train, score, detect",
    "torch": "train, score, detect, demo",
    "transformers": "train, score, detect, demo",
}
"""What a distribution outside the core is needed for, in the words of the command line."""

IMPORT_NAMES = {
    "pillow": "PIL",
    "protobuf": "google.protobuf",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
}
"""Names to import where they differ from the distribution's."""

_MARK = "fakeinstruct-import "
_IMPORT_PROBE = f"""
import importlib, json, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
        problem = None
    except BaseException as error:
        problem = f"{{type(error).__name__}}: {{error}}"
    print("\\n{_MARK}" + json.dumps(problem), flush=True)
"""
_TORCH_PROBE = """
import json, torch
gpus = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
mps = torch.backends.mps.is_available()
kind = "cuda" if gpus else "mps" if mps else "cpu"
print(json.dumps([kind, [f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB" for gpu in gpus]]))
"""


class Package(StrictModel):
    """One distribution: the version found (None if not installed) and what is wrong with it, if anything."""

    name: str
    requirement: str
    version: str | None
    problem: str | None
    needed_for: str


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
    *packages, torchvision = _packages([*declared_requirements(), "torchvision"])
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
        yield "torchvision is not installed, which is fine: nothing here needs it."
    if found.accelerator == "cpu":
        yield "No GPU was found: the small expert trains in minutes, a 7B expert needs GPUs."
    if not (found.compiler and found.ninja):
        missing = " and ".join(name for name in ("compiler", "ninja") if getattr(found, name) is None)
        yield (
            f"No {missing} was found, which is fine: only the Adam kernels that DeepSpeed compiles for itself "
            "need them, and recipes use torch's unless told otherwise."
        )


def declared_requirements() -> list[str]:
    """What fakeinstruct depends on, as its metadata says, or in a bare checkout its pyproject.toml.

    Raises:
        FakeInstructError: If neither is there.
    """
    try:
        declared = metadata.requires("fakeinstruct") or []
        return sorted(line for line in declared if "extra ==" not in line)
    except metadata.PackageNotFoundError:
        pass
    file = PACKAGE.parent / "pyproject.toml"
    try:
        return sorted(tomllib.loads(file.read_text(encoding="utf-8"))["project"]["dependencies"])
    except (OSError, KeyError, ValueError) as error:
        raise FakeInstructError(
            "neither installed nor in a checkout, so its dependencies are not known", file=file
        ) from error


def _packages(requirements: Sequence[str]) -> list[Package]:
    """Find distributions, import those that are installed, and compare their versions with what is asked for."""
    parsed = [Requirement(line) for line in requirements]
    versions = {each.name: _version(each.name) for each in parsed}
    modules = {
        name: IMPORT_NAMES.get(name, name.replace("-", "_")) for name, found in versions.items() if found
    }
    imported = track(import_problems(list(modules.values())), "importing every dependency", len(modules))
    problems = dict(zip(modules, imported, strict=True))
    return [
        Package(
            name=each.name,
            requirement=str(each),
            version=versions[each.name],
            problem=_problem(each, versions[each.name], problems.get(each.name)),
            needed_for="everything" if each.name in CORE else NEEDED_FOR.get(each.name, "nothing here"),
        )
        for each in parsed
    ]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _problem(requirement: Requirement, version: str | None, import_problem: str | None) -> str | None:
    if version is None:
        return "is not installed"
    if import_problem:
        return f"cannot be imported ({import_problem})"
    if not requirement.specifier.contains(version, prereleases=True):
        return f"is installed as {version}, where {requirement.specifier} is asked for"
    return None


def import_problems(modules: Sequence[str]) -> Iterator[str | None]:
    """Import modules in another process and say of each what went wrong, or None.

    A module whose import ends the process is reported as such, and the rest is imported in a new one.
    """
    done = 0
    while done < len(modules):
        command = [sys.executable, "-c", _IMPORT_PROBE, *modules[done:]]
        with subprocess.Popen(  # noqa: S603 - our own code, no shell
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace"
        ) as process:
            for line in process.stdout or ():
                if line.startswith(_MARK):
                    done += 1
                    yield json.loads(line.removeprefix(_MARK))
        if done < len(modules):
            done += 1
            yield f"it ends the process with status {process.returncode}"


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
