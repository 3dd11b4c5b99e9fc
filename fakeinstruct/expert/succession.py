"""What a stage may start from: the adapter that the one before leaves fits few."""

from __future__ import annotations

from itertools import pairwise

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.base_model import is_adapter
from fakeinstruct.expert.recipe import Recipe, Tune, deepspeed_config


def check_stages(recipe: Recipe) -> None:
    """Compare the stages of a recipe with each other, before the first of them is trained.

    Raises:
        UsageError: If a stage could not go on from the adapter that it starts from.
    """
    stages = tuple(zip(recipe.stages or ("",), recipe.single(), strict=True))
    starts_from_adapter = is_adapter(recipe.base)
    for name, stage in stages:
        if starts_from_adapter and stage.tune.method == "full" and zero_stage(stage) == 3:
            raise UsageError(
                "training all weights from an adapter is not done under ZeRO-3: it cannot be merged into shards",
                field=f"stages.{name}.hardware.deepspeed" if name else "hardware.deepspeed",
                hint="Take zero2 here.",
            )
        starts_from_adapter = stage.tune.method == "lora"
    for (first, before), (second, after) in pairwise(stages):
        if differing := different_adapters(before.tune, after.tune):
            raise UsageError(
                f"the stages '{first}' and '{second}' have adapters that differ: {differing}",
                field=f"stages.{second}.tune",
                hint="An adapter is trained on as it is. Give both the same, "
                "or put a stage with method full between them, which merges the adapter.",
            )


def different_adapters(before: Tune, after: Tune) -> str:
    """In what the adapters of two stages differ, in words; empty if the second trains those of the first on."""
    if before.lora is None or after.lora is None:
        return ""
    settings = {
        "rank": (before.lora.rank, after.lora.rank),
        "alpha": (before.lora.alpha, after.lora.alpha),
        "parts": (" and ".join(sorted(before.parts)), " and ".join(sorted(after.parts))),
    }
    return "; ".join(f"{name} {one}, then {other}" for name, (one, other) in settings.items() if one != other)


def zero_stage(recipe: Recipe) -> int:
    """ZeRO's stage in the DeepSpeed configuration that a recipe of one stage names, 0 to 3."""
    zero = deepspeed_config(recipe).get("zero_optimization", {})
    return int(zero.get("stage", 0)) if isinstance(zero, dict) else 0
