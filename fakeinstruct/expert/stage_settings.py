"""Stages of a recipe as they stand in its file: their settings over the recipe's, and overrides that reach them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from fakeinstruct.base.config import parse_yaml
from fakeinstruct.base.errors import UsageError, nearest

WHOLE = frozenset({"pairs_per_image", "weights", "lr"})
"""Mappings that name tasks or parts: a stage's replaces the recipe's whole, so that it can name fewer."""


def merged(under: Any, over: Any) -> Any:
    """A stage's settings over the recipe's: mappings key by key, all else whole.

    Args:
        under: The recipe's, as in a file, or models of them.
        over: The stage's.
    """
    under, over = (
        value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value
        for value in (under, over)
    )
    if not (isinstance(under, dict) and isinstance(over, dict)):
        return over
    return under | {
        key: value if key in WHOLE else merged(under.get(key), value) for key, value in over.items()
    }


def check_overrides(recipe: Any, overrides: Sequence[str], *, file: Path) -> None:
    """Refuse overrides that no stage of a recipe would heed.

    Args:
        recipe: What the recipe's file holds.
        overrides: `key.sub=value`; what is wrong with one by itself is found when it is applied.
        file: The recipe's file, for the message.

    Raises:
        UsageError: If one names a stage that the recipe lacks, or a key that every stage sets itself.
    """
    found = recipe.get("stages") if isinstance(recipe, dict) else None
    stages = {str(name): stage for name, stage in found.items()} if isinstance(found, dict) else {}
    parted = [override.partition("=") for override in overrides]
    if any(key == "stages" for key, _, _ in parted):  # other stages than the file's
        return
    for key, _, text in parted:
        _check_stage(key, stages, file)
        for leaf in _leaves(key, text):
            if stages and all(_sets(stage, leaf.split(".")) for stage in stages.values()):
                instead = ", ".join(f"stages.{name}.{leaf}=..." for name in stages)
                raise UsageError(
                    "the override has no effect: every stage sets it",
                    file=file,
                    field=leaf,
                    hint=f"Give {instead}",
                )


def _check_stage(key: str, stages: Mapping[str, Any], file: Path) -> None:
    first, *rest = key.split(".")
    if first == "stages" and rest and rest[0] not in stages:
        hint = nearest(rest[0], stages) if stages else "It has none."
        raise UsageError(f"the recipe has no stage '{rest[0]}'", file=file, field=key, hint=hint)


def _leaves(key: str, text: str) -> Iterator[str]:
    """The dotted keys that an override sets: of a mapping each of its own."""
    try:
        value = parse_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return
    yield from _dotted(key, value)


def _dotted(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict) and key.rpartition(".")[2] not in WHOLE:
        for name, inner in value.items():
            yield from _dotted(f"{key}.{name}", inner)
    else:
        yield key


def _sets(stage: Any, key: Sequence[str]) -> bool:
    """Whether a stage has a value of its own at a key, so that the recipe's does not reach it."""
    for part in key:
        if not isinstance(stage, dict):
            return True
        if part not in stage:
            return False
        if part in WHOLE:
            return True
        stage = stage[part]
    return not isinstance(stage, dict)
