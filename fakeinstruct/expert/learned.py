"""What an expert learns from a pair set: its card, written before training."""

from __future__ import annotations

from pathlib import Path

from fakeinstruct.base.files import fingerprint
from fakeinstruct.base.versions import versions
from fakeinstruct.expand.pair import PairSet
from fakeinstruct.expert.base_model import base_sha256
from fakeinstruct.expert.card import CARD, ExpertCard, Readout, load_card
from fakeinstruct.expert.recipe import Recipe


def make_card(recipe: Recipe, pairs: PairSet, base: str) -> ExpertCard:
    """The card: readouts and explanation prompts that were learned, and where the pairs came from."""
    manifest = pairs.manifest
    learned, prompts = learned_questions(recipe, pairs)
    readouts = tuple(
        Readout(name=readout.template, prompt=prompt, fake=readout.fake, real=readout.real, trained=trained)
        for trained in (True, False)
        for readout in manifest.readouts
        if readout.template in learned
        for prompt in (readout.prompts if trained else readout.held_out)
    )
    return ExpertCard(
        base=recipe.base,
        readouts=readouts,
        explanation_prompts=tuple(prompt for prompt in manifest.explanation_prompts if prompt in prompts),
        trained_on={
            "base_sha256": base_sha256(base) if recipe.tune.method == "lora" else None,
            "chains_sha256": manifest.chains_sha256,
            "templates_sha256": manifest.templates_sha256,
            "shards_sha256": fingerprint(manifest.shards),
            "split": recipe.data.split,
            "seed": recipe.seed,
            "recipe": recipe.model_dump(mode="json", exclude={"pairs", "out", "image_root"}),
        },
        versions=versions("torch", "transformers", "deepspeed", "peft"),
    )


def learned_questions(recipe: Recipe, pairs: PairSet) -> tuple[set[str], set[str]]:
    """The templates and the explanation prompts that an expert learns, or learned in the stage before."""
    manifest, templates = pairs.manifest, recipe.data.templates
    if templates is None:
        return {readout.template for readout in manifest.readouts}, set(manifest.explanation_prompts)
    learned, prompts = set(templates), set[str]()
    if (Path(recipe.base) / CARD).is_file():
        before = load_card(recipe.base)
        learned |= {readout.name for readout in before.readouts}
        prompts |= set(before.explanation_prompts)
    for batch in pairs.batches(recipe.data.split, None, ["messages"], templates=templates):
        blocks = batch["messages"].flatten().field("content").flatten()
        prompts |= set(blocks.field("text").unique().to_pylist()) & set(manifest.explanation_prompts)
    return learned, prompts
