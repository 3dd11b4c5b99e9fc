"""Scores: one float32 margin an image, from answers or a baseline, with what is known of the image."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fakeinstruct.measure.figure import UnavailableError

UNNAMED = "unnamed"
"""Generator of fakes whose generator nobody recorded."""


@dataclass(frozen=True)
class Scores:
    """One entry an image, in every array; all of shape (n,).

    Attributes:
        image: The chain's id.
        fake: Truth.
        margin: Logit of fake minus real, float32; see `joining` where an image was asked about several times.
        group: What the image was made from; its own id where nobody said.
        generator: Generator or kind of edit of a fake, "" for reals.
        camera_set: Source of a real image, "" for fakes and where nobody said.
        manipulation: How the image came to be, "" where nobody said.
        split: Part of the set; "test" where nobody said.
        condition: Perturbation, "clean" for none.
        mass: Probability of any label word, 0 to 1, NaN where it is not known.
        calibrated: The margin after scale and bias, NaN where nothing was fitted.
        logit: Whether the margin is a logit, so that its sigmoid is a probability; a foreign score may be no such.
    """

    image: NDArray[np.object_]
    fake: NDArray[np.bool_]
    margin: NDArray[np.float32]
    group: NDArray[np.object_]
    generator: NDArray[np.object_]
    camera_set: NDArray[np.object_]
    manipulation: NDArray[np.object_]
    split: NDArray[np.object_]
    condition: NDArray[np.object_]
    mass: NDArray[np.float64]
    calibrated: NDArray[np.float64]
    logit: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.image)

    def where(self, mask: ArrayLike) -> Scores:
        """The entries where the mask is true."""
        return Scores(*(getattr(self, each.name)[np.asarray(mask, dtype=bool)] for each in fields(self)))

    def scaled(self, scale: float, bias: float) -> Scores:
        """The same with `calibrated` set to scale * margin + bias."""
        return replace(self, calibrated=scale * self.margin.astype(np.float64) + bias)

    def unfitted(self) -> NDArray[np.float64]:
        """The margins whose sigmoid is the unfitted probability, shape (n,).

        Raises:
            UnavailableError: If the scores are no logits.
        """
        if not self.logit.all():
            raise UnavailableError(
                "the scores are neither probabilities nor margins: only their order is known"
            )
        return self.margin.astype(np.float64)

    @staticmethod
    def of(rows: Iterable[dict[str, Any]]) -> Scores:
        """Scores of rows with `chain`, `label`, `margin` and, where known, other columns of answers."""
        rows = list(rows)

        def column(name: str, missing: str) -> NDArray[np.object_]:
            return np.array([row.get(name) or missing for row in rows], dtype=object)

        image = column("chain", "")
        fake = np.array([row["label"] == "fake" for row in rows], dtype=bool)
        group, generator = column("group", ""), column("generator", UNNAMED)

        def number(name: str) -> NDArray[np.float64]:
            values = (row.get(name) for row in rows)
            return np.array([math.nan if value is None else value for value in values], dtype=np.float64)

        return Scores(
            image=image,
            fake=fake,
            margin=np.array([row["margin"] for row in rows], dtype=np.float32),
            group=np.where(group == "", image, group),
            generator=np.where(fake, generator, ""),
            camera_set=np.where(fake, "", column("camera_set", "")),
            manipulation=column("manipulation", ""),
            split=column("split", "test"),
            condition=column("condition", "clean"),
            mass=number("label_mass"),
            calibrated=number("calibrated"),
            logit=np.array([row.get("scale") != "score" for row in rows], dtype=bool),
        )
