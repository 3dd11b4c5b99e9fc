"""Splits drawn by a keyed hash, so that images added later move no other image."""

from __future__ import annotations

from fakeinstruct.base.files import stable_seed
from fakeinstruct.chains.schema import Split

TEST_SHARE = 0.1
"""Share of groups that become the test split where no split is published."""


def draw_split(
    published: Split | None, group: str, *, has_validation: bool, validation: float, seed: int
) -> Split:
    """The split of a group.

    A published split stays, except that a `validation` share of train groups becomes the validation split
    where none was published. Without published splits, validation and test shares are drawn and the rest is
    train. The draw depends on the seed and the group alone, so that images added later move no other image.

    Args:
        published: The split that the source names.
        group: What may not straddle splits.
        has_validation: Whether the source names a validation split.
        validation: Share of groups for validation, 0 to 0.5.
        seed: Another seed draws other groups.
    """
    draw = stable_seed("split", seed, group) / 2**64
    if published is None:
        if draw >= 1 - TEST_SHARE:
            return Split.TEST
        return Split.VALIDATION if draw < validation else Split.TRAIN
    if published is Split.TRAIN and not has_validation and draw < validation:
        return Split.VALIDATION
    return published
