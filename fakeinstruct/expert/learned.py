"""What an expert learns from a pair set: its card, written before training."""

from __future__ import annotations

from pathlib import Path

from fakeinstruct.base.files import fingerprint
from fakeinstruct.base.versions import versions
from fakeinstruct.expand.pair import PairSet
from fakeinstruct.expert.base_model import base_sha256
from fakeinstruct.expert.card import CARD, UNFITTED, ExpertCard, Readout, load_card
from fakeinstruct.expert.recipe import Data, Recipe

NO_VERDICT = "no verdict is learned: score and detect will have no readout"
"""What is said of an expert that is not asked for a verdict in training."""


def make_card(recipe: Recipe, pairs: PairSet, base: str) -> ExpertCard:
    """The card: readouts and explanation prompts that were learned, and where the pairs came from."""
    manifest = pairs.manifest
    before = card_of(recipe.base)
    templates = learned_templates(pairs, recipe.data) | {readout.name for readout in before.readouts}
    prompts = learned_prompts(pairs, recipe.data) | set(before.explanation_prompts)
    readouts = tuple(
        Readout(name=readout.template, prompt=prompt, fake=readout.fake, real=readout.real, trained=trained)
        for trained in (True, False)
        for readout in manifest.readouts
        if readout.template in templates
        for prompt in (readout.prompts if trained else readout.held_out)
    )
    return ExpertCard(
        base=recipe.base,
        readouts=(*readouts, *_of_other_pairs(before, pairs)),
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


def card_of(base: str) -> ExpertCard:
    """The card of the expert that training starts from; an empty one where it is none."""
    return load_card(base) if (Path(base) / CARD).is_file() else ExpertCard(base=base)


def _of_other_pairs(before: ExpertCard, pairs: PairSet) -> tuple[Readout, ...]:
    """Readouts that the expert before learned from other pairs; what was fitted to it fits no longer."""
    known = {readout.template for readout in pairs.manifest.readouts}
    return tuple(one.model_copy(update=UNFITTED) for one in before.readouts if one.name not in known)


def learned_templates(pairs: PairSet, data: Data) -> set[str]:
    """The templates of the pairs that a recipe's `data` section takes."""
    tasks, found = data.per_image(), set[str]()
    for batch in pairs.batches(
        data.split, list(tasks) if tasks else None, ["template"], templates=data.templates
    ):
        found |= set(batch["template"].unique().to_pylist())
    return found


def learned_verdicts(pairs: PairSet, data: Data) -> list[str]:
    """Those of the templates whose answer begins with the verdict."""
    readouts = {readout.template for readout in pairs.manifest.readouts}
    return sorted(readouts & learned_templates(pairs, data)) if readouts else []


def learned_prompts(pairs: PairSet, data: Data) -> set[str]:
    """The explanation prompts that the pairs which a recipe's `data` section takes ask."""
    tasks, found, known = data.per_image(), set[str](), set(pairs.manifest.explanation_prompts)
    if not known:
        return found
    for batch in pairs.batches(
        data.split, list(tasks) if tasks else None, ["messages"], templates=data.templates
    ):
        blocks = batch["messages"].flatten().field("content").flatten()
        found |= known & set(blocks.field("text").unique().to_pylist())
    return found


def without_verdict(recipe: Recipe, pairs: PairSet) -> str | None:
    """What to say if no stage of a recipe learns a verdict, nor its base did."""
    if card_of(recipe.base).readouts or any(learned_verdicts(pairs, one.data) for one in recipe.single()):
        return None
    return NO_VERDICT
