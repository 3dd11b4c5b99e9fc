"""What to beware of where scale and bias were fitted: that they turn scores round, that images were few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from fakeinstruct.measure import detection
from fakeinstruct.measure.figure import UnavailableError
from fakeinstruct.measure.scores import Scores

FEW = 20
"""Fewer images of a label than this tell little of scale and bias: a fit on them is warned of."""


LOOK = {
    False: "whether a readout's words for fake and real are swapped, or the labels of the images",
    True: "what the table's high scores mean (--positive real), and which of its labels is fake (--fake-is)",
}
"""Where to look if scores rank the wrong way round: of an expert, and of a table."""


def beware(images: Scores, scale: float, *, table: bool = False) -> str | None:
    """What to say of a scale that was fitted on some images: that it turns their scores round, or that they are few.

    Args:
        images: Scores of the images it was fitted on.
        scale: The fitted scale.
        table: Whether the scores are of a table, which the command line has options for.
    """
    fakes = int(images.fake.sum())
    found = (_turned_on(images, scale, table), few_images(fakes, len(images) - fakes))
    return "; ".join(filter(None, found)) or None


def _turned_on(images: Scores, scale: float, table: bool) -> str | None:
    """What to say of a negative scale, which may be chance: on which side of 0.5 the AUC's interval lies tells."""
    if scale >= 0:
        return None
    area = detection.auc(images.fake, images.margin)
    try:
        high = detection.auc_interval(images.fake, images.margin, images.group)[2]
    except UnavailableError:
        high = 0.5 if area else 0.0  # without an interval nothing is sure, unless no fake scores above a real
    if high < 0.5:
        return _turned(scale, table)
    return (
        f"the fitted scale is negative ({scale:.3g}), but the images do not show that the scores rank the wrong way "
        f"round (AUC {area:.3f}): the calibrated figures say little"
    )


def _turned(scale: float, table: bool) -> str:
    """What to say of a scale that is negative for good reason."""
    return (
        f"the fitted scale is negative ({scale:.3g}): on the images it was fitted on the scores rank the wrong way "
        f"round, and calibrating turns them; before any figure is believed see {LOOK[table]}"
    )


def few_images(fakes: int, reals: int) -> str | None:
    """What to say of a fit on so many images."""
    if min(fakes, reals) >= FEW:
        return None
    return f"fitted on {fakes:,} fake and {reals:,} real images, which is few: it would differ on others"


def beware_stored(
    scales: Sequence[float], fewest: Mapping[Literal["fake", "real"], int] | None
) -> str | None:
    """What to say of stored fits.

    Args:
        scales: Scale of every prompt.
        fewest: Images of each label behind the fit that has fewest, where that is known.
    """
    turned = _turned(min(scales), False) if min(scales) < 0 else None
    few = few_images(fewest.get("fake", 0), fewest.get("real", 0)) if fewest else None
    return "; ".join(filter(None, (turned, few))) or None
