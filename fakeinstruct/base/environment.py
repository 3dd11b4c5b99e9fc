"""What this machine and installation can do: facts for `fakeinstruct doctor`."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, get_args

from fakeinstruct.base.config import StrictModel
from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.base.progress import track
from fakeinstruct.base.surfaces import PACKAGE, surface

CORE = frozenset({"jinja2", "numpy", "pillow", "pyarrow", "pydantic", "pyyaml", "rich", "typer"})
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

IMPORT_SECONDS = 180
"""How long one import may take before it counts as hanging."""

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
    accelerator: Literal["cuda", "mps", "cpu"] | None
    devices: tuple[str, ...]
    cores: int
    memory: float | None
    free_disk: float
    compiler: str | None
    ninja: str | None
    surfaces: dict[str, str | None]
    advice: tuple[str, ...]

    @property
    def works(self) -> bool:
        """Whether the core works: its packages import and the templates were found."""
        broken = {package.name for package in self.packages if package.problem}
        return not broken & CORE and self.surfaces["templates"] is not None


def inspect_environment() -> Environment:
    """Look at the machine and import every dependency, each in a process of its own, so that none can end ours."""
    from fakeinstruct import __version__

    requirements = [*declared_requirements(), "torchvision"]
    with ThreadPoolExecutor(max_workers=_cores()) as pool:
        packages = tuple(track(pool.map(_package, requirements), "importing", total=len(requirements)))
    *required, torchvision = packages
    accelerator, devices = _accelerator()
    surfaces = {name: _surface(name) for name in ("templates", "training", "eval")}
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CXX") or "c++", "g++", "clang++"))), None)
    ninja = shutil.which("ninja", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    return Environment(
        fakeinstruct=__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        packages=tuple(required) + ((torchvision,) if torchvision.version else ()),
        accelerator=accelerator,
        devices=devices,
        cores=_cores(),
        memory=_memory(),
        free_disk=shutil.disk_usage(Path.cwd()).free / 2**30,
        compiler=compiler,
        ninja=ninja,
        surfaces=surfaces,
        advice=tuple(_advice(required, torchvision, accelerator, compiler and ninja, surfaces)),
    )
