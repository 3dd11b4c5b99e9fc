"""Regions that a template points at: the boxes of a chain's traces, and the crops that a second look takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fakeinstruct.base.boxes import WHOLE_PICTURE, Fractions, place
from fakeinstruct.base.grammar import box_text
from fakeinstruct.expand.context import TraceFacts, where
from fakeinstruct.expand.sandbox import listing

REGION_FIELDS = ("box", "name", "observation", "inference", "where")
LOOK_FIELDS = ("number", *REGION_FIELDS)

MOST_REGIONS = 12
"""Regions of one chain that are asked about, the first ones: annotations of hundreds of boxes exist."""

MOST_LOOKS = 4
"""Crops of one second look; published models look at two to four."""

PADDING = 0.1
"""What a crop takes in around its box on each side, as a share of the box's own width and height."""


@dataclass(frozen=True)
class RegionFacts:
    """One box of a chain and what was seen in it.

    Attributes:
        box: In fractions of the image.
        place: Where it lies, in words.
        traces: The traces that have it, one or more.
    """

    box: Fractions
    place: str
    traces: tuple[TraceFacts, ...]

    @cached_property
    def view(self) -> dict[str, Any]:
        """What templates see of it."""
        return _view((self.box,), self.traces)


@dataclass(frozen=True)
class Look:
    """Boxes that a second look is taken at for the same traces.

    Attributes:
        boxes: In fractions of the image, one or more.
        traces: The traces that have them.
        view: What templates see of it; `number` has the numbers of its crops, "2" or "2 and 3".
    """

    boxes: tuple[Fractions, ...]
    traces: tuple[TraceFacts, ...]
    view: dict[str, Any]


def _view(boxes: tuple[Fractions, ...], traces: tuple[TraceFacts, ...]) -> dict[str, Any]:
    views = [trace.view for trace in traces]
    filed = all(trace.attribute for trace in traces)
    inferences = dict.fromkeys(view["inference"] for view in views if view["inference"])
    return {
        "box": box_text(boxes),
        "name": listing(dict.fromkeys(view["name"] for view in views)) if filed else None,
        "observation": " ".join(dict.fromkeys(view["observation"] for view in views)),
        "inference": " ".join(inferences) or None,
        "where": where(boxes),
    }


def regions_of(traces: Sequence[TraceFacts]) -> tuple[RegionFacts, ...]:
    """The regions of traces that are not nearly the whole picture, each box once, in order."""
    by_box: dict[Fractions, list[TraceFacts]] = {}
    for trace in traces:
        for box in dict.fromkeys(trace.boxes):
            if place(box) != WHOLE_PICTURE:
                by_box.setdefault(box, []).append(trace)
    return tuple(RegionFacts(box, place(box), tuple(own)) for box, own in list(by_box.items())[:MOST_REGIONS])


def looks_at(regions: Sequence[RegionFacts]) -> tuple[Look, ...]:
    """Looks at the first `MOST_LOOKS` regions; regions of the same traces are looked at together."""
    together: dict[tuple[str, ...], list[RegionFacts]] = {}
    for region in regions[:MOST_LOOKS]:
        together.setdefault(tuple(trace.id for trace in region.traces), []).append(region)
    found: list[Look] = []
    crops = 0
    for same in together.values():
        boxes, traces = tuple(region.box for region in same), same[0].traces
        number = listing(str(crops + turn) for turn in range(1, len(boxes) + 1))
        found.append(Look(boxes, traces, {**_view(boxes, traces), "number": number}))
        crops += len(boxes)
    return tuple(found)


def crop_of(box: Fractions) -> Fractions:
    """What a closer look at a box shows: the box, padded, as far as the image reaches.

    >>> crop_of((0.0, 0.5, 0.5, 1.0))
    (0.0, 0.45, 0.55, 1.0)
    """
    x0, y0, x1, y1 = box
    across, down = PADDING * (x1 - x0), PADDING * (y1 - y0)
    return max(0.0, x0 - across), max(0.0, y0 - down), min(1.0, x1 + across), min(1.0, y1 + down)
