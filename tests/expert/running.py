"""Training runs as tests start them: a small recipe, real processes, and what they left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from fakeinstruct.expert.launch import train
from fakeinstruct.expert.recipe import Recipe
from fakeinstruct.expert.run import RunFolder


def small_recipe(base: Path, pairs: Path, out: Path, **sections: Any) -> Recipe:
    """A recipe for the untrained small expert; sections are merged into the ones here."""
    recipe: dict[str, Any] = {
        "base": str(base),
        "pairs": str(pairs),
        "out": str(out),
        "tune": {"parts": ["projector", "language_model"]},
        "optimizer": {"lr": 1e-3, "epochs": 1, "batch": 6},
        "packing": {"pairs": 3, "tokens": 4096},
        "checkpoints": {"every": 1, "keep": 1, "choose": "last"},
        "hardware": {"processes": 1, "deepspeed": "zero0", "precision": "fp32"},
    }
    for name, section in sections.items():
        both = isinstance(section, dict) and isinstance(recipe.get(name), dict)
        recipe[name] = recipe[name] | section if both else section
    return Recipe.model_validate_json(json.dumps(recipe))


def run_recipe(recipe: Recipe) -> RunFolder:
    """Train to the end."""
    train(recipe)
    return RunFolder(recipe.out)


def losses(run: RunFolder) -> dict[int, float]:
    """The logged losses by step; with `checkpoints.every: 1` those of every step."""
    history = json.loads(run.history.read_text())
    return {entry["step"]: entry["loss"] for entry in history if "loss" in entry}


def start(recipe: Path | str, *overrides: str, **options: Any) -> subprocess.Popen[str]:
    """`fakeinstruct train` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "fakeinstruct", "train", str(recipe), *overrides],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Its exit status, and what it printed to standard output and standard error."""
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


def write_recipe(recipe: Recipe, file: Path) -> Path:
    """A recipe as a file; JSON is YAML."""
    file.write_text(recipe.model_dump_json())
    return file


def training_processes(run: Path) -> list[int]:
    """Processes that train in a folder, without those that are gone and not waited for."""
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if (
                process.name.isdigit()
                and f"fakeinstruct.expert.process\0{run}" in (process / "cmdline").read_text()
            ):
                found.append(int(process.name))
    return found
