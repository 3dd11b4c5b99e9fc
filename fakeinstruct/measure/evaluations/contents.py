"""Figures by what images show, and of what was held out of training against what was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fakeinstruct.base.errors import FakeInstructError, Rejects
from fakeinstruct.base.files import sha256_file
from fakeinstruct.chains.schema import Chain, Split
from fakeinstruct.chains.store import open_chains
from fakeinstruct.expert.card import load_card
from fakeinstruct.forensics.answers import AnswerSet
from fakeinstruct.measure.figures import split_figures
from fakeinstruct.measure.fitting import Fit
from fakeinstruct.measure.scores import Scores

SEEN, HELD_OUT = "seen in training", "held out of training"


@dataclass(frozen=True)
class Contents:
    """What the images of a chain set show.

    Attributes:
        of: Contents by chain id.
        trained: Contents of the train split.
    """

    of: Mapping[str, tuple[str, ...]]
    trained: frozenset[str]

    @classmethod
    def read(cls, chains: Sequence[Chain]) -> Contents:
        """The contents of some chains."""
        train = [chain for chain in chains if chain.split is Split.TRAIN]
        return cls(
            {chain.id: chain.content for chain in chains},
            frozenset(content for chain in train for content in chain.content),
        )

    def rows(self, test: Scores) -> dict[str, np.ndarray[Any, np.dtype[np.bool_]]]:
        """Which of some images each row is of: what was seen in training, what was held out, and each content.

        Without a train split nobody knows what was seen, and those two rows are not there.
        """
        shown = [set(self.of.get(image, ())) for image in test.image]
        names = sorted(set().union(*shown)) if shown else []
        rows = {name: np.array([name in some for some in shown], dtype=bool) for name in names}
        if not self.trained:
            return rows
        seen = np.array([bool(some & self.trained) for some in shown], dtype=bool)
        known = np.array([bool(some) for some in shown], dtype=bool)
        return {SEEN: seen, HELD_OUT: known & ~seen, **rows}


def learned_contents(answers: AnswerSet) -> Contents | None:
    """What the images show that another expert was trained on, and those that it was asked about.

    Args:
        answers: Its answers about the chain set that its training's pairs were made of.

    Returns:
        None if the set or the expert's card is not where the answers say, or the expert was trained on another set.
    """
    try:
        chains = open_chains(Path(answers.meta.items))
        trained_on = load_card(answers.meta.expert).trained_on
        if trained_on.get("chains_sha256") != sha256_file(chains.file):
            return None
        return Contents.read(list(chains.read(Rejects(1.0))))
    except FakeInstructError:
        return None


def content_figures(scores: Scores, contents: Contents, fitted: Fit, seed: int) -> dict[str, Any]:
    """Detection and calibration figures by what the test images show, under every condition.

    Args:
        scores: Scores of all splits and conditions, with calibrated margins if there are any.
        contents: What images show.
        fitted: What gave the calibrated margins.
        seed: Seed of the consistency bands.

    Returns:
        By condition, "clean" first, by content the figures of `figures.split_figures`; a row without images is absent.
    """
    test = scores.where(scores.split == "test")
    names = sorted(set(test.condition), key=lambda name: (name != "clean", name))
    return {name: _of_one(test.where(test.condition == name), contents, fitted, seed) for name in names}


def _of_one(scores: Scores, contents: Contents, fitted: Fit, seed: int) -> dict[str, Any]:
    return {
        name: split_figures(scores.where(mask), fitted, seed).json()
        for name, mask in contents.rows(scores).items()
        if mask.any()
    }
