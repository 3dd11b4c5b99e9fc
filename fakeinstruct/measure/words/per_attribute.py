"""Flaws claimed against flaws annotated, each attribute of the taxonomy alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fakeinstruct.measure.figure import Row
from fakeinstruct.measure.ratios import Ratio, give_ratios, mean_of
from fakeinstruct.measure.words.said import Images

FIGURES = ("precision", "recall", "f1", "claimed_on_real")
"""Shares of one attribute, each with its interval."""

NEVER_ABSENT = "no annotator judged it absent of any fake, so no claim of it can be wrong"
NEVER_CLAIMED = "it was not claimed of a fake of which it was judged"
NEITHER = "it was neither annotated, nor claimed of a fake of which it was judged"


class Seen(NamedTuple):
    """One attribute in every text; all of shape (texts,).

    Attributes:
        claimed: Whether the text claims it to be flawed.
        present: Whether annotators found it flawed.
        absent: Whether they judged it to be in order.
        flawed: Whether the image is a fake with any annotated flaw.
        real: Whether the image is real.
    """

    claimed: NDArray[np.bool_]
    present: NDArray[np.bool_]
    absent: NDArray[np.bool_]
    flawed: NDArray[np.bool_]
    real: NDArray[np.bool_]

    def counts(self) -> dict[str, int]:
        """Numbers of texts; `absent` is of those about fakes that have another flaw."""
        unjudged = self.flawed & self.claimed & ~self.present & ~self.absent
        parts = {
            "annotated": self.present,
            "absent": self.absent & self.flawed,
            "found": self.present & self.claimed,
            "wrong": self.absent & self.flawed & self.claimed,
            "unjudged": unjudged,
            "on_real": self.real & self.claimed,
        }
        return {name: int(mask.sum()) for name, mask in parts.items()}

    def ratios(self, images: Images) -> dict[str, Ratio]:
        """The figures: of the images that each is about, each image's texts averaged first."""
        judged = self.present | (self.absent & self.flawed)
        absent = bool((self.absent & self.flawed).any())

        def sums(mask: ArrayLike, of: NDArray[np.bool_]) -> NDArray[np.float64]:
            return np.nan_to_num(images.mean(np.where(of, mask, np.nan)))

        right, wrong = sums(self.present & self.claimed, judged), sums(~self.present & self.claimed, judged)
        missed = sums(self.present & ~self.claimed, judged)
        zero = np.zeros_like(right)
        found = {
            "recall": Ratio(right, right + missed, "no fake has it annotated as a flaw"),
            "precision": Ratio(right, right + wrong, NEVER_CLAIMED),
            "f1": Ratio(2 * right, 2 * right + wrong + missed, NEITHER),
            "claimed_on_real": mean_of(
                images.mean(np.where(self.real, self.claimed, np.nan)), "no text about a real test image"
            ),
        }
        if not absent:
            found |= {name: Ratio(zero, zero, NEVER_ABSENT) for name in ("precision", "f1")}
        return found


def per_attribute(seen: dict[str, Seen], images: Images, seed: int) -> dict[str, dict[str, Any]]:
    """Counts and figures of every attribute that is annotated or claimed.

    Args:
        seen: Attributes by key.
        images: The images that the texts are about.
        seed: Seed of the draws behind intervals.

    Returns:
        By attribute the numbers of texts of `Seen.counts`, `FIGURES` with their intervals, and `unavailable`.
    """
    counts = {key: each.counts() for key, each in seen.items()}
    met = {key: row for key, row in counts.items() if any(row[name] for name in row if name != "absent")}
    if not met:
        return {}
    every = Row()
    ratios = {f"{key}.{name}": each for key in met for name, each in seen[key].ratios(images).items()}
    give_ratios(every, ratios, images.groups, seed)
    return {key: row | _own(every, f"{key}.") for key, row in met.items()}


def _own(every: Row, start: str) -> dict[str, Any]:
    """The figures of one attribute out of those of all, which share their draws."""
    names = [name for figure in FIGURES for name in (figure, f"{figure}_low", f"{figure}_high")]
    reasons = {name: every.reasons[start + name] for name in names if start + name in every.reasons}
    return {name: every.values[start + name] for name in names} | {"unavailable": reasons}


def seen_in(
    key: str, found: Sequence[frozenset[str]], truths: Sequence[Any], real: NDArray[np.bool_]
) -> Seen:
    """One attribute in every text.

    Args:
        key: The attribute's.
        found: Attributes that each text claims to be flawed.
        truths: What annotators said of each text's image (`words.attributes.Truth`).
        real: Whether it is real, shape (texts,).
    """
    return Seen(
        claimed=np.array([key in each for each in found], dtype=bool),
        present=np.array([key in each.present for each in truths], dtype=bool),
        absent=np.array([key in each.absent for each in truths], dtype=bool),
        flawed=np.array([bool(each.present) for each in truths], dtype=bool),
        real=real,
    )
