"""The verdicts by which a checkpoint is chosen: one for each of some images that are not trained on."""

from __future__ import annotations

from fakeinstruct.base.files import sha256_bytes
from fakeinstruct.expand.pair import Pair, PairSet
from fakeinstruct.expert.recipe import Recipe


def validation_pairs(pairs: PairSet, recipe: Recipe) -> list[Pair]:
    """A verdict for each of `checkpoints.validation_images` images of the validation split, drawn by their hash.

    Only templates whose answer begins with the verdict serve, and of these the ones that are learned.

    Args:
        pairs: Where they come from.
        recipe: The run's.

    Returns:
        The pairs, an empty list if there are none.
    """
    readouts = {readout.template for readout in pairs.manifest.readouts}
    learned = sorted(readouts & set(recipe.data.templates or readouts))
    if not learned or recipe.data.split == "validation":
        return []
    found: dict[str, Pair] = {}
    for pair in pairs.read("validation", ["verdict"], learned):
        if pair.chain not in found or pair.id < found[pair.chain].id:
            found[pair.chain] = pair
    drawn = sorted(found, key=lambda chain: sha256_bytes(chain.encode()))
    return [found[chain] for chain in sorted(drawn[: recipe.checkpoints.validation_images])]
