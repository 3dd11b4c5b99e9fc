"""Samples: two pairs a task, with the picture and its boxes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from fakeinstruct.base.boxes import Fractions
from fakeinstruct.base.errors import RecordError
from fakeinstruct.base.files import stable_seed
from fakeinstruct.base.grammar import find_boxes, thousandths
from fakeinstruct.base.images import crop_image, load_image, resolve_under
from fakeinstruct.base.page import data_uri
from fakeinstruct.expand.pair import Pair

SIDE = 256
"""Longer side of a shown picture in pixels; smaller ones are enlarged by whole factors, without smoothing."""


class Picture(NamedTuple):
    """A picture on the page.

    Attributes:
        data: The picture as a data URI, or None with the reason in `missing`.
        boxes: What to draw on it, in fractions of it.
        missing: Why there is no picture.
    """

    data: str | None
    boxes: tuple[Fractions, ...]
    missing: str | None


class Samples:
    """Keeps one pair of each task and label: the one whose id comes first in a fixed shuffle."""

    def __init__(self) -> None:
        self._best: dict[tuple[str, str], tuple[int, Pair]] = {}

    def add(self, pair: Pair) -> None:
        """Consider a pair."""
        key, rank = (pair.task, pair.label.value), stable_seed("card", pair.id)
        if key not in self._best or rank < self._best[key][0]:
            self._best[key] = (rank, pair)

    def by_task(self) -> dict[str, list[Pair]]:
        """The pairs kept, a fake and a real image where there are both."""
        found: dict[str, list[Pair]] = {}
        for (task, _), (_, pair) in sorted(self._best.items()):
            found.setdefault(task, []).append(pair)
        return found


def pictures(pair: Pair, root: Path) -> list[Picture]:
    """The pictures of a pair, the boxes of its target and of its words drawn on the first."""
    said = (box for message in pair.messages for found in find_boxes(message.text()) for box in found.boxes)
    # words round a box to thousandths, so one box may come twice, not quite the same
    boxes = tuple({thousandths(box): box for box in (*said, *pair.target.boxes)}.values())
    shown = []
    for number, each in enumerate(pair.images):
        try:
            image = load_image(resolve_under(root, each.path))
            image = crop_image(image, each.crop) if each.crop else image
            shown.append(Picture(data_uri(image, SIDE), () if number else boxes, None))
        except RecordError as error:
            shown.append(Picture(None, (), error.problem))
    return shown
