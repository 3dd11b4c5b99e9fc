"""Figures of boxes: where a text says the traces are, against where annotators saw them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.base.boxes import Fractions
from fakeinstruct.base.errors import Rejects
from fakeinstruct.chains.schema import Chain, Label, Region
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.measure.boxes_overlap import HIT, match, region_iou
from fakeinstruct.measure.figure import Row
from fakeinstruct.measure.ratios import Ratio, give_ratios, mean_of
from fakeinstruct.measure.words.said import Images, chains_of, of_test

UNKNOWN_SIZE = (512, 512)
"""Width and height taken for an image whose chain states none: only polygons and masks are laid on a grid of it."""

RULES = {
    "matching": "one to one; a surplus box costs as much as a missed one",
    "both_empty": "IoU 1; precision and recall are of images with a box only",
    "hit": f"IoU of at least {HIT}",
    "fakes_without_regions": "left out: nobody said where",
}

BINS = 10
"""Equal parts of 0 to 1 in which images are counted by their matched IoU."""


class Boxed(NamedTuple):
    """The boxes of one text.

    Attributes:
        chain: The image's chain.
        group: What the image was made from.
        boxes: Sound ones, in fractions of the image.
        malformed: Number of others.
    """

    chain: str
    group: str
    boxes: tuple[Fractions, ...]
    malformed: int


def box_figures(
    rows: Sequence[Mapping[str, Any]],
    chains: ChainSet | None,
    *,
    seed: int = 0,
    rejects: Rejects | None = None,
) -> dict[str, Any]:
    """Figures of the boxes in texts about the clean images of the test split.

    An image's figures are the mean over its texts, the figures given the mean over images; intervals draw whole groups.

    Args:
        rows: Answers of one expert; a row counts whose `boxes` is a list, if an empty one.
        chains: What annotators marked.
        seed: Seed of the draws behind intervals.
        rejects: Collects chains that cannot be read. Without it the first is raised.

    Returns:
        Over the `n` images of which annotators marked a region that speaks for the label: `matched_iou`, `pair_iou`,
        `union_iou`, `precision`, `recall` (see `boxes_overlap`), `boxes`, `boxes_annotated` an image, and
        `images_by_iou`, the number of images in each tenth of the matched IoU; `n_with_box`, how many of them got a
        box; of the `n_real` real images of which nobody marked anything `claimed_on_real`, the share with any box;
        `left_out`, `malformed` boxes, `rules`.

    Raises:
        FakeInstructError: If the chains cannot be read.
    """
    names = {row.get("chain") or row["item"] for row in rows if row.get("boxes") is not None}
    return boxes_beside(rows, chains_of(chains, names, rejects), seed)


def boxes_beside(rows: Sequence[Mapping[str, Any]], known: Mapping[str, Chain], seed: int) -> dict[str, Any]:
    """The figures of `box_figures`, beside chains that were read before.

    Args:
        rows: Answers of one expert.
        known: Chains by id.
        seed: Seed of the draws behind intervals.
    """
    said = [_boxed(row) for row in rows if row.get("boxes") is not None and of_test(row)]
    images = Images.of(said)
    row = Row(seed=seed, n_groups=len(set(images.groups)), malformed=sum(one.malformed for one in said))
    ratios = _ratios(said, images, known, row)
    give_ratios(row, ratios, images.groups, seed)
    return row.json() | {"rules": RULES}


def _boxed(row: Mapping[str, Any]) -> Boxed:
    chain = row.get("chain") or row["item"]
    boxes = tuple(tuple(float(edge) for edge in box) for box in row["boxes"])
    sound = tuple((box[0], box[1], box[2], box[3]) for box in boxes if _sound(box))
    return Boxed(chain, row.get("group") or chain, sound, len(boxes) - len(sound))


def _sound(box: Sequence[float]) -> bool:
    """Whether it is a box inside the image; answers of other programs may hold anything."""
    if len(box) != 4 or not all(math.isfinite(edge) for edge in box):
        return False
    x0, y0, x1, y1 = box
    return 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1


def regions_of(chain: Chain) -> tuple[Region, ...]:
    """The regions of traces that speak for the chain's label, each once."""
    own = (region for one in chain.traces if one.points_to == chain.label for region in one.regions)
    return tuple(dict.fromkeys(own))


def _ratios(said: Sequence[Boxed], images: Images, known: Mapping[str, Chain], row: Row) -> dict[str, Ratio]:
    true = {name: regions_of(chain) for name, chain in known.items()}
    names = np.array([one.chain for one in said], dtype=object)
    marked = np.array([bool(true.get(name)) for name in names], dtype=bool)
    real = np.array([name in known and known[name].label is Label.REAL for name in names], dtype=bool)
    clean = real & ~marked

    def images_in(which: NDArray[np.bool_]) -> int:
        return len({*names[which].tolist()})

    row.values |= {
        "n": images_in(marked),
        "n_real": images_in(clean),
        "left_out": images_in(~marked & ~real),
    }
    none = "no test image with boxes asked for has an annotated region"
    columns = _columns(said, marked, known, true)
    row.values["n_with_box"] = int((~np.isnan(images.mean(columns["precision"]))).sum())
    row.values["images_by_iou"] = _histogram(images.mean(columns["matched_iou"]))
    ratios = {name: mean_of(images.mean(values), none) for name, values in columns.items()}
    number = np.array([float(len(one.boxes)) for one in said])
    ratios["claimed_on_real"] = mean_of(
        images.mean(np.where(clean, number > 0, np.nan)), "no real test image without an annotated region"
    )
    return ratios


def _histogram(values: NDArray[np.float64]) -> list[int]:
    """How many images there are in each of `BINS` equal parts of 0 to 1; 1 is in the last."""
    return [int(count) for count in np.histogram(values[~np.isnan(values)], BINS, (0.0, 1.0))[0]]


def _columns(
    said: Sequence[Boxed],
    marked: NDArray[np.bool_],
    known: Mapping[str, Chain],
    true: Mapping[str, tuple[Region, ...]],
) -> dict[str, NDArray[np.float64]]:
    """Every figure of every text, NaN where it has none; each of shape (texts,)."""
    names = ("matched_iou", "pair_iou", "precision", "recall", "union_iou", "boxes", "boxes_annotated")
    table = np.full((len(said), len(names)), np.nan)
    for place in np.flatnonzero(marked).tolist():
        one, chain = said[place], known[said[place].chain]
        regions = true[one.chain]
        matched = match(one.boxes, [region.box for region in regions])
        size = (chain.image.width or UNKNOWN_SIZE[0], chain.image.height or UNKNOWN_SIZE[1])
        table[place] = [
            *(np.nan if each is None else each for each in matched),
            region_iou(one.boxes, regions, size),
            len(one.boxes),
            len(regions),
        ]
    return {name: table[:, column] for column, name in enumerate(names)}
