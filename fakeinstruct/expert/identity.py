"""What makes a run this one and no other, and in what it differs from what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakeinstruct.base.files import fingerprint, read_json
from fakeinstruct.expand.pair import PairSet
from fakeinstruct.expert.recipe import Recipe
from fakeinstruct.expert.run import RunFolder


def identity_of(recipe: Recipe, pairs: PairSet) -> str:
    """What makes a run this one and no other: all that its result depends on."""
    aside: dict[str, Any] = {"out": True, "pairs": True, "image_root": True, "checkpoints": {"every", "keep"}}
    return fingerprint(
        {
            "recipe": recipe.model_dump(mode="json", exclude=aside),
            "pairs": pairs.manifest.model_dump(mode="json", exclude={"image_root"}),
        }
    )


def difference(run: RunFolder, recipe: Recipe) -> str:
    """In what the run in a folder differs from a recipe: the first field, or the pairs."""
    before, now = (flat(one) for one in (read_json(run.recipe), recipe.model_dump(mode="json")))
    aside = ("out", "pairs", "image_root", "stages", "checkpoints.every", "checkpoints.keep")
    for field in sorted(before.keys() | now.keys()):
        if before.get(field) != now.get(field) and field not in aside and not field.startswith("packing"):
            return f"another recipe: there {field} = {before.get(field)}, here {now.get(field)}"
    return "another recipe or of other pairs"


def flat(settings: Mapping[str, Any], under: str = "") -> dict[str, Any]:
    """Nested settings by their dotted names."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= flat(value, f"{under}{name}.") if isinstance(value, dict) else {f"{under}{name}": value}
    return found
