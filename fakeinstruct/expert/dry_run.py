"""A dry run: what a recipe would do, checked offline and without weights."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.base_model import adapted_base, check_base
from fakeinstruct.expert.families import family_of, why_not_packed
from fakeinstruct.expert.launch import trainable_pairs
from fakeinstruct.expert.learned import without_verdict
from fakeinstruct.expert.published import published_config
from fakeinstruct.expert.recipe import Recipe
from fakeinstruct.expert.resolution import USUAL, ImageTokens, check_pixels, image_tokens
from fakeinstruct.expert.rows import limits_of
from fakeinstruct.expert.succession import check_stages, zero_stage
from fakeinstruct.expert.tree import KEYS
from fakeinstruct.expert.tune import apply_tune, count_parts
from fakeinstruct.expert.validation import what_chooses
from fakeinstruct.expert.workload import Workload, workload

ADAM_BYTES = 12
"""Bytes a trained parameter costs in the optimizer: a float32 master copy and two moments."""

GIB = 2**30


@dataclass(frozen=True)
class Estimate:
    """What a stage would take.

    Attributes:
        method: How it is trained: "full", or "lora" with the rank of its adapters.
        parts: Parameters of each part: the model's own, and how many are trained, adapters among them.
        unpacked: Why pairs do not share their image; absent if they do.
        load: What an epoch goes through.
        gib: Memory of one process in GiB by purpose; activations are a rough estimate.
        batch: Most pairs that a process takes at once.
        validation: What chooses the checkpoint; absent without pairs.
        warnings: What is wrong, or assumed.
    """

    method: str
    parts: dict[str, tuple[int, int]]
    unpacked: str | None
    load: Workload
    gib: dict[str, float]
    batch: int
    validation: str | None
    warnings: tuple[str, ...]


def dry_run(recipe: Recipe) -> dict[str, Estimate]:
    """Resolve and check a recipe: shapes from the table of published ones, no download, no weights.

    Returns:
        An estimate for each stage by its name, "" for a recipe without stages.

    Raises:
        UsageError: If anything the recipe names does not exist or does not fit.
    """
    check_base(recipe.base)
    check_stages(recipe)
    names = tuple(recipe.stages) or ("",)
    found, limit = dict[str, Estimate](), None
    for name, single in zip(names, recipe.single(), strict=True):
        limit = single.data.max_pixels or limit  # which the expert of a stage hands on
        found[name] = _estimate(single, recipe, limit)
    if recipe.pairs and (said := without_verdict(recipe, trainable_pairs(recipe.pairs, recipe.image_root))):
        last = found[names[-1]]
        found[names[-1]] = replace(last, warnings=(*last.warnings, said))
    return found


def _estimate(stage: Recipe, recipe: Recipe, max_pixels: int | None) -> Estimate:
    """One stage of a recipe, whose first base has the shape of all, at its limit of an image's pixels."""
    import torch

    model = meta_model(recipe)
    config = model.config
    check_pixels(stage, config)
    images = image_tokens(recipe.base, max_pixels, config)
    with warnings.catch_warnings(), torch.device("meta"):  # adapters, too, without memory
        warnings.simplefilter("ignore", FutureWarning)  # PEFT's, about names in Transformers
        parts = count_parts(apply_tune(model, stage.tune), family_of(config))
    reason = unpacked(stage, config)
    load = workload(stage, images, limits_of(stage, packed=reason is None), packed=reason is None)
    return Estimate(
        method="full" if stage.tune.lora is None else f"lora, rank {stage.tune.lora.rank}",
        parts=parts,
        unpacked=reason,
        load=load,
        gib=memory(stage, parts, config, load, sharing=zero_stage(stage), packed=reason is None),
        batch=stage.own_optimizer().batch,
        validation=what_chooses(trainable_pairs(stage.pairs, stage.image_root), stage)
        if stage.pairs
        else None,
        warnings=tuple(
            filter(None, (only_warmup(stage, load.steps), assumption(stage, images), load.warning))
        ),
    )


def assumption(stage: Recipe, images: ImageTokens) -> str | None:
    """What is assumed of images for want of better."""
    if images.assumes:
        return f"assumed: {images.assumes}"
    if stage.pairs is None and images.of_size(*USUAL) != images.of_size(USUAL[0] // 2, USUAL[1]):
        return f"assumed: images of {USUAL[0]} x {USUAL[1]} pixels; pairs=PAIRS looks at theirs"
    return None


def only_warmup(recipe: Recipe, steps: int) -> str | None:
    """What to say if the learning rate never gets to where it should; it is 0 in the first step of a warm-up."""
    if math.ceil(recipe.own_optimizer().warmup * steps) < steps:
        return None
    few = "the only step has a learning rate of 0" if steps == 1 else f"warm-up takes all {steps:,} steps"
    return f"{few}: train longer, or lower optimizer.warmup"


def unpacked(recipe: Recipe, config: Any) -> str | None:
    """Why the pairs of an image do not share it in this run; absent if they do."""
    return "the recipe says packing: null" if recipe.packing is None else why_not_packed(config)


def meta_model(recipe: Recipe) -> Any:
    """The recipe's model without memory.

    Raises:
        UsageError: If its shape is not known.
    """
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    from fakeinstruct.expert import vision  # noqa: F401 - registers the small tower

    base = adapted_base(recipe.base) or recipe.base
    if recipe.small is not None:
        config = small_config(recipe)
    elif (Path(base) / "config.json").is_file():
        config = AutoConfig.from_pretrained(base)
    else:
        config = published_config(base)
    family_of(config)
    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(config)


def small_config(recipe: Recipe) -> Any:
    """The small expert's configuration with a vocabulary as large as the recipe allows."""
    from fakeinstruct.expert.small import llava_config

    if recipe.small is None:
        raise UsageError("base small needs a section 'small'", field="small")
    return llava_config(recipe.small, vocab_size=recipe.small.vocab_size + 1)


def memory(
    recipe: Recipe,
    parts: dict[str, tuple[int, int]],
    config: Any,
    load: Workload,
    *,
    sharing: int,
    packed: bool,
) -> dict[str, float]:
    """GiB of one process: weights, gradients and optimizer by ZeRO's sharing (Rajbhandari et al. 2020), activations.

    Stage 1 shares the optimizer among the processes, 2 also the gradients, 3 also the weights.
    """
    trained = sum(count for _, count in parts.values())
    total = sum(count for count, _ in parts.values()) + (trained if recipe.tune.lora else 0)
    n, width = recipe.hardware.processes, 2 if recipe.hardware.precision == "bf16" else 4
    master = ADAM_BYTES if width == 2 else 8  # in float32 the weights are their own master copy
    return {
        "weights": total * width / (n if sharing >= 3 else 1) / GIB,
        "gradients": trained * width / (n if sharing >= 2 else 1) / GIB,
        "optimizer": trained * master / (n if sharing >= 1 else 1) / GIB,
        "activations": activations(recipe, config.get_text_config(), load, packed=packed) / GIB,
    }


def activations(recipe: Recipe, text: Any, load: Workload, *, packed: bool) -> float:
    """Bytes of the language model's activations for the longest row, and of the logits.

    With gradient checkpointing one vector a token and layer and one layer in full, else every layer in full, at 34
    bytes a value in 16 bits (Korthikanti et al. 2022, equation 1, without the attention map, which fused kernels do not
    keep). Of a packed row, a layer's repeated keys and values with their gradients, and float32 logits at the
    supervised places alone; else logits at all.
    """
    width = 2 if recipe.hardware.precision == "bf16" else 4
    layers, hidden = text.num_hidden_layers, text.hidden_size
    whole = 34 * load.longest * hidden * width / 2
    kept = layers * whole
    if recipe.hardware.gradient_checkpointing:
        kept = whole + layers * load.longest * hidden * width
    heads = text.num_attention_heads
    keys = min(KEYS, load.longest * limits_of(recipe, packed=packed).pairs) if packed else 0
    repeated = 4 * keys * hidden * text.num_key_value_heads / heads * width
    predicted = load.supervised if packed else load.longest
    return float(kept + repeated + 2 * 4 * predicted * text.vocab_size)
