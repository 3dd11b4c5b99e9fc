"""The verdicts by which a checkpoint is chosen: one for each of some images that are not trained on."""

from __future__ import annotations

from fakeinstruct.base.files import sha256_bytes
from fakeinstruct.expand.pair import Pair, PairSet
from fakeinstruct.expert.learned import learned_verdicts
from fakeinstruct.expert.recipe import Recipe

UNCHOSEN = "no verdicts in the validation split: the last checkpoint becomes the expert"
"""What is said where validation cannot choose."""


def verdict_templates(pairs: PairSet, recipe: Recipe) -> list[str]:
    """The templates that serve: their answer begins with the verdict, and they are learned."""
    return [] if recipe.data.split == "validation" else learned_verdicts(pairs, recipe.data)


def what_chooses(pairs: PairSet, recipe: Recipe) -> str:
    """What makes a checkpoint the expert, in words; nothing but the images' names is read."""
    if recipe.checkpoints.choose == "last":
        return "none: the last checkpoint becomes the expert (checkpoints.choose: last)"
    learned = verdict_templates(pairs, recipe)
    batches = pairs.batches("validation", ["verdict"], ["chain"], templates=learned) if learned else ()
    images = {chain for batch in batches for chain in batch["chain"].to_pylist()}
    count = min(len(images), recipe.checkpoints.validation_images)
    return f"{count:,} verdicts choose the checkpoint" if count else UNCHOSEN


def validation_pairs(pairs: PairSet, recipe: Recipe) -> list[Pair]:
    """A verdict for each of `checkpoints.validation_images` images of the validation split, drawn by their hash.

    Only templates whose answer begins with the verdict serve, and of these the ones that are learned.

    Args:
        pairs: Where they come from.
        recipe: The run's.

    Returns:
        The pairs, an empty list if there are none.
    """
    learned = verdict_templates(pairs, recipe)
    if not learned:
        return []
    found = one_verdict_each(pairs, "validation", learned)
    drawn = sorted(found, key=lambda chain: sha256_bytes(chain.encode()))
    return [found[chain] for chain in sorted(drawn[: recipe.checkpoints.validation_images])]


def one_verdict_each(pairs: PairSet, split: str, templates: list[str]) -> dict[str, Pair]:
    """A verdict for each chain of a split: of its pairs of some templates the one with the smallest id, a hash."""
    found: dict[str, Pair] = {}
    for pair in pairs.read(split, ["verdict"], templates):
        if pair.chain not in found or pair.id < found[pair.chain].id:
            found[pair.chain] = pair
    return found
