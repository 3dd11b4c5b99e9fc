"""What an expert wrote about the test images, one entry a text, and how several texts of an image are joined."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fakeinstruct.base.errors import Rejects
from fakeinstruct.chains.schema import Chain, Label
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.measure.joining import is_clean
from fakeinstruct.measure.words.verdict import written_verdict


class About(Protocol):
    """Something about an image."""

    @property
    def chain(self) -> str:
        """The image's chain."""

    @property
    def group(self) -> str:
        """What the image was made from."""


@dataclass(frozen=True)
class Said:
    """One text about one image.

    Attributes:
        chain: The image's chain.
        label: Truth, None where nobody said.
        group: What the image was made from.
        text: What was written.
        verdict: What it says the image is, by the question's own words or as a sentence.
        margin: Logit of fake minus real that was read elsewhere than in this text; NaN if none was.
    """

    chain: str
    label: Label | None
    group: str
    text: str
    verdict: Label | None
    margin: float


def texts_of(rows: Iterable[Mapping[str, Any]]) -> list[Said]:
    """The texts about clean images of the test split, in order; a row without a text has none."""
    return [_said(row) for row in rows if row.get("text") is not None and of_test(row)]


def of_test(row: Mapping[str, Any]) -> bool:
    """Whether a row is about a whole, clean image of the test split."""
    about = row["kind"] == "verdict" and not row.get("trace") and (row.get("look") or 1) == 1
    return about and is_clean(row) and (row.get("split") or "test") == "test"


def _said(row: Mapping[str, Any]) -> Said:
    chain = row.get("chain") or row["item"]
    label, verdict, margin = row.get("label"), row.get("verdict"), row.get("margin")
    return Said(
        chain=chain,
        label=Label(label) if label in tuple(Label) else None,
        group=row.get("group") or chain,
        text=row["text"],
        verdict=Label(verdict) if verdict in tuple(Label) else written_verdict(row["text"]),
        margin=math.nan if margin is None or row.get("position") == "scan" else float(margin),
    )


@dataclass(frozen=True)
class Images:
    """Images in the order in which they were first written about.

    Attributes:
        names: Their chains' ids.
        groups: What each was made from, shape (images,).
        place: Of each text its image, shape (texts,).
    """

    names: tuple[str, ...]
    groups: NDArray[np.object_]
    place: NDArray[np.int64]

    @staticmethod
    def of(said: Sequence[About]) -> Images:
        """The images that texts are about."""
        groups = {one.chain: one.group for one in reversed(said)}
        numbers = {name: number for number, name in enumerate(dict.fromkeys(one.chain for one in said))}
        place = np.array([numbers[one.chain] for one in said], dtype=np.int64)
        return Images(tuple(numbers), np.array([groups[name] for name in numbers], dtype=object), place)

    def mean(self, values: ArrayLike) -> NDArray[np.float64]:
        """Mean over each image's texts that have a value, NaN where none has; values of shape (texts,)."""
        numbers = np.asarray(values, dtype=np.float64)
        known = ~np.isnan(numbers)
        size = len(self.names)
        total = np.bincount(self.place[known], numbers[known], size)
        count = np.bincount(self.place[known], minlength=size)
        mean: NDArray[np.float64] = np.divide(total, count, out=np.full(size, np.nan), where=count > 0)
        return mean


def chains_of(chains: ChainSet | None, wanted: Iterable[str], rejects: Rejects | None) -> dict[str, Chain]:
    """The chains of the ids wanted; none without a chain set."""
    names = set(wanted)
    return {} if chains is None else {one.id: one for one in chains.read(rejects) if one.id in names}
