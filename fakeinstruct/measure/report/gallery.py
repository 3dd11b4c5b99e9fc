"""The surest mistakes: picture, probability, explanation, and the boxes of the answer and of the chain on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fakeinstruct.base.boxes import Fractions
from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.base.images import load_image, resolve_under
from fakeinstruct.base.page import data_uri
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.forensics.answers import AnswerSet
from fakeinstruct.measure.calibration import probability
from fakeinstruct.measure.scores import UNNAMED, Scores

MISTAKES = 8
"""Surest mistakes shown of each label."""

SHOWN_SIDE = 224
"""Longer side of a shown picture in pixels; smaller ones are enlarged by whole factors, without smoothing."""

PICTURES_LIMIT = 3_000_000
"""Characters of all pictures of a page: what they leave of 5 MB is for drawings and tables."""

LONGEST_TEXT = 1200
"""Characters of an explanation that are shown."""

MOST_BOXES = 40
"""Boxes drawn on a picture from each side."""


@dataclass(frozen=True)
class Pictures:
    """What is known of the pictures beside their scores; all by image id.

    Attributes:
        root: What the paths are relative to, if it is known.
        paths: Image paths.
        texts: Generated explanations.
        named: Boxes that the explanation names.
        cited: Regions that the chain cites.
    """

    root: Path | None = None
    paths: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    named: Mapping[str, Sequence[Fractions]] = field(default_factory=dict)
    cited: Mapping[str, Sequence[Fractions]] = field(default_factory=dict)


def surest_mistakes(test: Scores) -> dict[str, list[int]]:
    """Indices of the wrong verdicts with the largest margins, `MISTAKES` of each label, surest first.

    Of scores of which only the order is known the calibrated margin decides; without it nothing is a mistake.
    """
    margin = test.margin.astype(np.float64) if test.logit.all() else test.calibrated
    wrong = ((margin > 0) != test.fake) & ~np.isnan(margin)
    found = {}
    for label, mask in (("fake", wrong & test.fake), ("real", wrong & ~test.fake)):
        candidates = np.flatnonzero(mask)
        order = candidates[np.argsort(-np.abs(margin[candidates]), kind="stable")]
        found[label] = [int(index) for index in order[:MISTAKES]]
    return found


def gallery(test: Scores, calibrated: bool, pictures: Pictures) -> dict[str, Any]:
    """The surest mistakes as the page shows them.

    Args:
        test: Clean scores of the test split.
        calibrated: Whether they carry calibrated margins.
        pictures: The pictures.

    Returns:
        `fake` and `real`, a list of cards each, `left_out`, the number of pictures for which the page has no room, and
        `placed`, whether it is known where pictures lie.
    """
    room, left_out = PICTURES_LIMIT, 0
    cards: dict[str, Any] = {}
    for label, indices in surest_mistakes(test).items():
        cards[label] = [_card(test, index, calibrated, pictures) for index in indices]
        for card in cards[label]:
            if card["picture"] and len(card["picture"]) > room:
                card |= {"picture": None, "missing": "left out: the page has no room for more pictures"}
                left_out += 1
            room -= len(card["picture"] or "")
    return {**cards, "left_out": left_out, "placed": _placed(pictures)}


def _placed(pictures: Pictures) -> bool:
    """Whether it is known of any picture where it lies; if of none, the page says so once."""
    return pictures.root is not None and bool(pictures.paths)


def _card(test: Scores, index: int, calibrated: bool, pictures: Pictures) -> dict[str, Any]:
    image = str(test.image[index])
    text = pictures.texts.get(image)
    card = {
        "image": image,
        "probability": float(probability((test.margin if test.logit[index] else test.calibrated)[index])),
        "calibrated": float(probability(test.calibrated[index])) if calibrated else None,
        "source": _source(test, index),
        "text": text if text is None or len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…",
        "named": list(pictures.named.get(image, ()))[:MOST_BOXES],
        "cited": list(pictures.cited.get(image, ()))[:MOST_BOXES],
    }
    try:
        return {**card, "picture": _picture(pictures, image), "missing": None}
    except RecordError as error:
        return {**card, "picture": None, "missing": error.problem}


def _source(test: Scores, index: int) -> str:
    """What made the image, as far as anybody said."""
    generator, manipulation = str(test.generator[index]), str(test.manipulation[index])
    return generator.replace(UNNAMED, "") or manipulation.replace("none", "unprocessed")


def _picture(pictures: Pictures, image: str) -> str:
    """The image as a data URI, about `SHOWN_SIDE` pixels on its longer side.

    Raises:
        RecordError: If it is not known where it lies, or it cannot be read.
    """
    if pictures.root is None or image not in pictures.paths:
        raise RecordError("it is not known where the picture lies")
    picture = load_image(resolve_under(pictures.root, pictures.paths[image]))
    return data_uri(picture, SHOWN_SIDE, "PNG" if max(picture.size) <= SHOWN_SIDE else "JPEG")


def named_boxes(answers: Sequence[AnswerSet], images: Collection[str]) -> dict[str, list[Fractions]]:
    """Boxes that the explanations of some clean images name, by chain id; what is no box is left out."""
    found: dict[str, list[Fractions]] = {}
    for each in answers:
        for row in each.table(("item", "chain", "condition", "boxes")).to_pylist():
            image = row["chain"] or row["item"]
            if image in images and row["boxes"] and (row["condition"] or "clean") == "clean":
                found.setdefault(image, [(b[0], b[1], b[2], b[3]) for b in row["boxes"] if _is_box(b)])
    return found


def _is_box(box: Sequence[float | None]) -> bool:
    known = [value for value in box if value is not None and 0 <= value <= 1]
    return len(known) == len(box) == 4 and known[0] < known[2] and known[1] < known[3]


def cited_regions(chains: ChainSet | None, images: Collection[str]) -> dict[str, list[Fractions]]:
    """Boxes of the regions that some chains cite, by chain id. Chains that cannot be read have none."""
    if chains is None or not images:
        return {}
    return {
        chain.id: [region.box for trace in chain.traces for region in trace.regions]
        for chain in chains.read(Rejects())
        if chain.id in images
    }
