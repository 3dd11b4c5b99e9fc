"""Splits drawn by a keyed hash, so that images added later move no other image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fakeinstruct.base.errors import UsageError
from fakeinstruct.base.files import stable_seed
from fakeinstruct.chains.schema import Chain, Split

VALIDATION_SHARE = 0.1
"""Share of groups that become the validation split where none is published and none is asked for."""

TEST_SHARE = 0.1
"""Share of groups that become the test split where no split is published and none is asked for."""


def draw_split(
    published: Split | None,
    group: str,
    *,
    has_validation: bool,
    validation: float,
    seed: int,
    test: float = TEST_SHARE,
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
        test: Share of groups for test where no split is published, 0 to 1; with `validation` no more than 1.
    """
    draw = stable_seed("split", seed, group) / 2**64
    if published is None:
        if draw >= 1 - test:
            return Split.TEST
        return Split.VALIDATION if draw < validation else Split.TRAIN
    if published is Split.TRAIN and not has_validation and draw < validation:
        return Split.VALIDATION
    return published


class Shares(NamedTuple):
    """The shares of groups that splits are drawn by where none is published; what they leave is the train split."""

    validation: float
    test: float

    @classmethod
    def of(cls, validation: float | None, test: float | None) -> Shares:
        """The shares that somebody asked for, or the usual ones.

        Raises:
            UsageError: If one is out of its bounds, or they are more than everything.
        """
        test = TEST_SHARE if test is None else test
        if not 0 <= test <= 1:
            raise UsageError(f"the test share is {test}", hint="It is between 0 and 1.")
        if validation is None:  # one option says "all of it is test"
            validation = min(VALIDATION_SHARE, round(1 - test, 12))
        if not 0 <= validation <= 0.5:
            raise UsageError(f"the validation share is {validation}", hint="It is between 0 and 0.5.")
        if round(validation + test, 12) > 1:
            raise UsageError(
                f"the shares of validation ({validation:g}) and test ({test:g}) are more than 1 together",
                hint="What they leave is the train split.",
            )
        return cls(validation, test)


def check_unsplit(chains: Sequence[Chain], src: Path) -> None:
    """Refuse a test share where all splits are published: these stay, and the share would do nothing.

    Raises:
        UsageError: If each chain has a split.
    """
    if chains and all(chain.split for chain in chains):
        splits = ", ".join(sorted({str(chain.split) for chain in chains}))
        raise UsageError(
            f"states the split of every image ({splits}), so that no test split is drawn",
            file=src,
            field="test",
            hint="Leave --test out; or import one of its split folders, whose own name is then not read.",
        )
