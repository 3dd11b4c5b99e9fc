"""A dry run: what a recipe would do, checked offline and without weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expand.pair import open_pairs
from fakeinstruct.expert.families import family_of
from fakeinstruct.expert.published import PUBLISHED, published_config
from fakeinstruct.expert.recipe import Recipe, deepspeed_config
from fakeinstruct.expert.tune import apply_tune, count_parts

TEXT_TOKENS = 80
"""Tokens of a pair beside its image, where no pairs are given to count: FakeInstruct's pairs have 5 to 150."""

PAIRS = 2_000_000
"""Pairs assumed where none are given: the size of FakeInstruct."""

ADAM_BYTES = 12
"""Bytes a trained parameter costs in the optimizer: a float32 master copy and two moments."""

GIB = 2**30


@dataclass(frozen=True)
class Estimate:
    """What a run would take.

    Attributes:
        parts: Parameters of each part: all, and trained.
        pairs: Pairs an epoch; assumed if `counted` is false.
        counted: Whether the pairs were counted in a pair set.
        tokens: Tokens of one pair on average, its image included; an estimate.
        steps: Optimizer steps.
        gib: Memory of one process in GiB by purpose; activations are a rough estimate.
    """

    parts: dict[str, tuple[int, int]]
    pairs: int
    counted: bool
    tokens: int
    steps: int
    gib: dict[str, float]


def dry_run(recipe: Recipe) -> Estimate:
    """Resolve and check a recipe: shapes from the table of published ones, no download, no weights.

    Raises:
        UsageError: If anything the recipe names does not exist or does not fit.
    """
    zero = deepspeed_config(recipe).get("zero_optimization", {})
    stage = int(zero.get("stage", 0)) if isinstance(zero, dict) else 0
    model, image_tokens = meta_model(recipe)
    family = family_of(model.config)
    text_config = model.config.get_text_config()
    parts = count_parts(apply_tune(model, recipe.tune), family)
    pairs, counted = count_pairs(recipe)
    tokens = image_tokens + TEXT_TOKENS
    optimizer, processes = recipe.optimizer, recipe.hardware.processes
    steps = math.ceil(pairs / (optimizer.batch * optimizer.accumulate * processes)) * optimizer.epochs
    return Estimate(
        parts, pairs, counted, tokens, math.ceil(steps), memory(recipe, parts, text_config, tokens, stage)
    )


def meta_model(recipe: Recipe) -> tuple[Any, int]:
    """The recipe's model without memory, and how many tokens an image costs.

    Raises:
        UsageError: If its shape is not known.
    """
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    from fakeinstruct.expert import vision  # noqa: F401 - registers the small tower

    if recipe.small is not None:
        config, image_tokens = small_config(recipe)
    elif (Path(recipe.base) / "config.json").is_file():
        config = AutoConfig.from_pretrained(recipe.base)
        image_tokens = int(getattr(config, "image_seq_length", 0)) or 256
    else:
        config = published_config(recipe.base)
        image_tokens = PUBLISHED[recipe.base].image_tokens
    family_of(config)
    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(config), image_tokens


def small_config(recipe: Recipe) -> tuple[Any, int]:
    """The small expert's configuration with a vocabulary as large as the recipe allows."""
    from fakeinstruct.expert.small import llava_config

    if recipe.small is None:
        raise UsageError("base small needs a section 'small'", field="small")
    config = llava_config(recipe.small, vocab_size=recipe.small.vocab_size + 1)
    return config, config.image_seq_length


def count_pairs(recipe: Recipe) -> tuple[int, bool]:
    """Pairs an epoch and whether they were counted; `data.pairs_per_image` limits what is counted."""
    if recipe.pairs is None:
        return PAIRS, False
    from fakeinstruct.expert.rows import choose

    pairs = open_pairs(recipe.pairs, image_root=recipe.image_root)
    if recipe.data.pairs_per_image is None and recipe.data.templates is None:
        return pairs.manifest.per_split.get(recipe.data.split, 0), True
    return sum(1 for _ in choose(pairs, recipe.data)), True


def memory(
    recipe: Recipe, parts: dict[str, tuple[int, int]], text_config: Any, tokens: int, stage: int
) -> dict[str, float]:
    """GiB of one process: weights, gradients and optimizer by ZeRO's sharing (Rajbhandari et al. 2020), activations.

    Stage 1 shares the optimizer among the processes, 2 also the gradients, 3 also the weights. Activations
    are those of the language model alone: with gradient checkpointing one vector a token and layer and one layer
    in full, else every layer in full, at 34 bytes a value in 16 bits (Korthikanti et al. 2022, equation
    1, without the attention map, which fused kernels do not keep); and the float32 logits.
    """
    total = sum(count for count, _ in parts.values())
    trained = sum(count for _, count in parts.values())
    n, width = recipe.hardware.processes, 2 if recipe.hardware.precision == "bf16" else 4
    batch_tokens = recipe.optimizer.batch * tokens
    layers, hidden = text_config.num_hidden_layers, text_config.hidden_size
    whole = 34 * batch_tokens * hidden * width / 2
    kept = (
        whole + layers * batch_tokens * hidden * width
        if recipe.hardware.gradient_checkpointing
        else layers * whole
    )
    master = ADAM_BYTES if width == 2 else 8  # in float32 the weights are their own master copy
    return {
        "weights": total * width / (n if stage >= 3 else 1) / GIB,
        "gradients": trained * width / (n if stage >= 2 else 1) / GIB,
        "optimizer": trained * master / (n if stage >= 1 else 1) / GIB,
        "activations": (kept + 2 * 4 * batch_tokens * text_config.vocab_size) / GIB,
    }
