"""Image sizes: looked up for some of the images of a pair set, from the files' heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.base.errors import FakeInstructError, RecordError, UsageError
from fakeinstruct.base.images import image_size, resolve_under
from fakeinstruct.expand.pair import PairSet

SAMPLE = 200
"""Images that are looked at, spread evenly over the set; each stands for its neighbours."""

ELSEWHERE = "Give image_root=DIR, the folder that the pairs' image paths are relative to."

FEW = 5
"""Images that are looked for before a run is prepared."""


@dataclass(frozen=True)
class Sizes:
    """Width and height of images.

    Attributes:
        size: Of the images that could be read, shape (found, 2).
        of: For each image of the set its row in `size`, shape (images,).
        looked_at: How many images were looked at.
        unread: The first that could not be read, if any could not.
    """

    size: NDArray[np.int64]
    of: NDArray[np.int64]
    looked_at: int
    unread: FakeInstructError | None

    def warning(self) -> str | None:
        """What to say of images that could not be read."""
        if self.unread is None:
            return None
        missing = self.looked_at - len(self.size)
        return f"{missing:,} of {self.looked_at:,} images looked at cannot be read; the first: {self.unread}"


def image_sizes(root: Path, paths: Sequence[str], sample: int = SAMPLE) -> Sizes:
    """Look up the sizes of some images.

    Args:
        root: The image root.
        paths: All images, at least one.
        sample: How many of them are looked at.

    Raises:
        UsageError: If the root is not there, or none of them lies below it.
    """
    if not root.is_dir():
        raise UsageError("the folder of the pairs' images is not there", file=root, hint=ELSEWHERE)
    chosen = np.unique(np.linspace(0, len(paths) - 1, min(sample, len(paths))).round().astype(np.int64))
    found: dict[int, tuple[int, int]] = {}
    unread: FakeInstructError | None = None
    for place in chosen.tolist():
        try:
            found[place] = image_size(resolve_under(root, paths[place]))
        except RecordError as error:
            unread = unread or error.located(record=paths[place])
    if not found:
        raise UsageError(
            f"none of {len(chosen):,} images looked at can be read; the first: {unread}",
            file=root,
            hint=ELSEWHERE,
        )
    middles = np.array([*found])[:-1] + np.diff([*found]) // 2
    of = np.searchsorted(middles, np.arange(len(paths)))
    return Sizes(np.array([*found.values()]), of, len(chosen), unread)


def check_images(pairs: PairSet, split: str) -> None:
    """See that a pair set's images are where it says, by a few of them.

    Raises:
        UsageError: If they are not.
    """
    for batch in pairs.batches(split, None, ["images"]):
        paths = batch["images"].flatten().field("path").unique().to_pylist()
        if paths:
            image_sizes(pairs.image_root, paths, FEW)
            return
