"""The images that two detectors both scored, in one order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.forensics.answers import AnswerSet
from fakeinstruct.measure.reading import Answers
from fakeinstruct.measure.scores import UNNAMED, Scores
from fakeinstruct.measure.table.detector_table import DetectorTable

SPLITS = ("train", "validation", "test")
"""Where two say different splits of an image, the one named first here holds: it is no test image then."""


@dataclass(frozen=True)
class Aligned:
    """Two detectors' scores of the same images and conditions, in the same order.

    Attributes:
        a: Scores of the first.
        b: Scores of the second; image, truth, group, generator, split and condition are those of `a`.
        left_out: Images and conditions that only the one, or only the other, has.
    """

    a: Scores
    b: Scores
    left_out: tuple[int, int]

    def where(self, mask: NDArray[np.bool_]) -> Aligned:
        """The entries where the mask is true."""
        return replace(self, a=self.a.where(mask), b=self.b.where(mask))

    def split(self, name: str, condition: str = "clean") -> Aligned:
        """The entries of a split and condition."""
        return self.where((self.a.split == name) & (self.a.condition == condition))


def align(a: Scores, b: Scores) -> Aligned:
    """Join by image and condition.

    Args:
        a: Scores of one detector, each image and condition once.
        b: Scores of the other.

    Raises:
        FakeInstructError: If they have no image in common, or do not agree on what an image is.
    """
    places = {key: index for index, key in enumerate(zip(b.image, b.condition, strict=True))}
    keys = list(zip(a.image, a.condition, strict=True))
    mine = [index for index, key in enumerate(keys) if key in places]
    theirs = [places[keys[index]] for index in mine]
    if not mine:
        examples = ", ".join(f"'{each.image[0]}'" if len(each) else "none" for each in (a, b))
        raise FakeInstructError(
            f"the two have no image in common (the first of each: {examples})",
            hint="--chains finds the images of a table by id, path or file name.",
        )
    left_out = len(a) - len(mine), len(b) - len(theirs)
    first, second = _taken(a, mine), _taken(b, theirs)
    if (differ := np.flatnonzero(first.fake != second.fake)).size:
        index = differ[0]
        said = ["fake" if each.fake[index] else "real" for each in (first, second)]
        raise FakeInstructError(
            f"the first says that the image is {said[0]}, the second {said[1]}; "
            f"{differ.size:,} image{'s differ' if differ.size != 1 else ' differs'}",
            record=first.image[index],
            hint="Labels of one table may stand for the opposite: see --fake-is and --fake-is-b.",
        )
    return Aligned(*_agreed(first, second), left_out)


def _taken(scores: Scores, order: list[int]) -> Scores:
    return Scores(*(each[order] for each in vars(scores).values()))


def _agreed(a: Scores, b: Scores) -> tuple[Scores, Scores]:
    """Both with what either knows of the images."""
    ranks = [
        np.array([SPLITS.index(name) if name in SPLITS else 0 for name in each.split]) for each in (a, b)
    ]
    known: dict[str, Any] = {
        "group": np.where(a.group != a.image, a.group, b.group),
        "generator": np.where(np.isin(a.generator, ("", UNNAMED)), b.generator, a.generator),
        "manipulation": np.where(a.manipulation == "", b.manipulation, a.manipulation),
        "split": np.where(ranks[0] <= ranks[1], a.split, b.split),
    }
    return replace(a, **known), replace(b, **known)


def check_alike(a: Answers, b: Answers, sets: tuple[AnswerSet, AnswerSet]) -> None:
    """Refuse to compare answers to different questions: a wording's offset would pass for an expert's.

    A table that names no prompt goes with any.

    Raises:
        UsageError: Naming the prompts.
    """
    asked = [{(key.prompt, key.position) for key in each.by_prompt} for each in (a, b)]
    if any(isinstance(each, DetectorTable) and asked[i] <= {("", "first")} for i, each in enumerate(sets)):
        return
    if asked[0] != asked[1]:
        only = [
            ", ".join(f"“{prompt}” (position {position})" for prompt, position in sorted(mine - theirs))
            or "none"
            for mine, theirs in (asked, asked[::-1])
        ]
        named = "; ".join(
            f"only {each.meta.expert}: {prompts}" for each, prompts in zip(sets, only, strict=True)
        )
        raise UsageError(
            f"the two were asked differently; {named}",
            hint="Score both with the same prompts: see 'fakeinstruct score --help'.",
        )
