"""Splits that no image straddles: duplicates found by their bytes, shares drawn by a keyed hash."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.base.files import stable_seed
from fakeinstruct.chains.importers.layout import Place
from fakeinstruct.chains.schema import Split

TEST_SHARE = 0.1
"""Share of groups that become the test split where no folder names a split."""

_PRECEDENCE = (Split.TEST, Split.VALIDATION, Split.TRAIN, None)


@dataclass(frozen=True)
class ImageFile:
    """An image that was read in full: its path below the root, what its folders say, its size and hash."""

    path: str
    place: Place
    width: int
    height: int
    sha256: str


def without_straddlers(images: Iterable[ImageFile], rejects: Rejects, *, file: str) -> list[ImageFile]:
    """The images, less copies that would stand in two splits or under two labels.

    Of byte-identical images in several published splits the test split keeps its own, then validation. If the
    same bytes are called both real and fake, nobody knows which is true and all copies are rejected.
    """
    copies: dict[str, list[ImageFile]] = defaultdict(list)
    for image in images:
        copies[image.sha256].append(image)
    kept = []
    for group in copies.values():
        first = min(group, key=lambda image: _PRECEDENCE.index(image.place.split))
        contradictory = len({image.place.label for image in group}) > 1
        for image in group:
            if contradictory:
                other = next(copy for copy in group if copy.place.label is not image.place.label)
                problem, hint = "the same bytes are labelled both real and fake", f"See also {other.path}."
            elif image.place.split is not first.place.split:
                problem = f"the same bytes are in the {first.place.split} split too, where they stay"
                hint = f"Kept: {first.path}."
            else:
                kept.append(image)
                continue
            rejects.add(RecordError(problem, file=file, record=image.path, hint=hint))
    return sorted(kept, key=lambda image: image.path)


def draw_split(
    published: Split | None, group: str, *, has_validation: bool, validation: float, seed: int
) -> Split:
    """The split of a group.

    A published split stays, except that a `validation` share of train groups becomes the validation split
    where none was published. Without published splits, validation and test shares are drawn and the rest is
    train. The draw depends on the seed and the group alone, so that images added later move no other image.

    Args:
        published: The split that the folders name.
        group: What may not straddle splits.
        has_validation: Whether the folders name a validation split.
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
