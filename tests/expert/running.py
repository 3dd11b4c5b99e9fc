"""Training runs as tests start them: a small recipe, real processes, and what they left."""

from __future__ import annotations

import json
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
