"""The packages that fakeinstruct depends on: what each is for, whether it is there, whether it works."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib import metadata

from packaging.requirements import Requirement

from fakeinstruct.base.config import StrictModel
from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.base.progress import track
from fakeinstruct.base.surfaces import PACKAGE

CORE = frozenset({"jinja2", "numpy", "packaging", "pillow", "pyarrow", "pydantic", "pyyaml", "rich", "typer"})
"""Distributions without which no verb works."""

NEEDED_FOR = {
    "accelerate": "train",
    "datasets": "train",
    "deepspeed": "train",
    "evaluate": "the metrics of eval/ through Hugging Face evaluate",
    "httpx2": "score, of a server",
    "matplotlib": "the figures of measure",
    "peft": "LoRA recipes",
    "protobuf": "building an expert from scratch",
    "scikit-image": "sample, demo",
    "scikit-learn": "sample, measure, demo",
    "scipy": "measure",
    "sentencepiece": "building an expert from scratch",
    "tensorboard": "train",
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


class Package(StrictModel):
    """One distribution: the version found (None if not installed) and what is wrong with it, if anything."""

    name: str
    requirement: str
    version: str | None
    problem: str | None
    needed_for: str


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


def inspect_packages(requirements: Sequence[str]) -> list[Package]:
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
