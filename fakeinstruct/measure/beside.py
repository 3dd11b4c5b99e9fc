"""What stands beside an expert on the same images: baselines, other experts' answers, other detectors' tables."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fakeinstruct.base.errors import FakeInstructError, Rejects, UsageError, nearest
from fakeinstruct.base.progress import console
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expert.card import load_card
from fakeinstruct.forensics.answers import AnswerSet, open_answers
from fakeinstruct.forensics.expert_files import expert_sha256
from fakeinstruct.measure.baseline_question import score_questions
from fakeinstruct.measure.baselines import TRAINERS, score_baseline
from fakeinstruct.measure.figures import detector_figures
from fakeinstruct.measure.fitting import Fit, aggregations, apply, choose, fit, stored_fit
from fakeinstruct.measure.reading import read_answers
from fakeinstruct.measure.scores import Scores

QUESTION = "question"
BASELINES = (*TRAINERS, QUESTION)
"""Every baseline by name."""

CACHE = "probe-features"
"""Folder beside the figures where the probe keeps what it computed."""

Detector = tuple[Scores, Fit, dict[str, Any]]
"""Scores of all splits with calibrated margins, what gave these, and what else is to be said of a detector."""


@dataclass(frozen=True)
class Company:
    """What was asked for beside an expert.

    Attributes:
        baselines: Names of baselines to train.
        others: Answer sets of other experts by the name they are to have.
        chains: The chain set that baselines train on.
        expert: Folder of the expert, for its vision tower; by default where the answers say.
        cache: Folder where the probe keeps what it computed, for another run.
        seed: Seed of training and of the consistency bands.
        rejects: Collects chains and images that cannot be read. Without it the first is raised.
    """

    baselines: Sequence[str] = ()
    others: Mapping[str, Path] | None = None
    chains: ChainSet | None = None
    expert: Path | None = None
    cache: Path | None = None
    seed: int = 0
    rejects: Rejects | None = None

    def check(self, answers: Sequence[AnswerSet]) -> None:
        """See that all of it can be had, before the long work begins.

        Raises:
            UsageError: If there is no such baseline, no chain set to train it on, or another expert's folder.
        """
        for name in self.baselines:
            if name == "base":
                raise UsageError(
                    "the untuned base is no baseline that is trained", hint=_base_hint(answers[0])
                )
            if name not in BASELINES:
                raise UsageError(f"there is no baseline '{name}'", hint=nearest(name, BASELINES))
        if self.chains is None and set(self.baselines) & set(TRAINERS):
            raise UsageError("a baseline is trained on a chain set", hint="Name it with --chains.")
        if taken := [name for name in self.others or () if name in self.baselines or name == "expert"]:
            raise UsageError(f"the name '{taken[0]}' is taken", field="beside")
        for path in (self.others or {}).values():
            open_answers(path)
        if "probe" in self.baselines:
            probed_expert(answers[0], self.expert)

    def figures(self, answers: Sequence[AnswerSet], test: Scores) -> tuple[dict[str, Scores], dict[str, Any]]:
        """Score all of it on an expert's test images.

        Args:
            answers: The expert's answer sets.
            test: Its clean scores on the test split.

        Returns:
            Clean test scores and figures of each by its name.

        Raises:
            UsageError: If one cannot be trained, or has none of the images.
        """
        scores, figures = {}, {}
        for name in dict.fromkeys((*self.baselines, *(self.others or {}))):
            began = time.perf_counter()
            if name in self.baselines:
                found, fitted, said = self._baseline(name, answers, test)
                console.print(f"baseline {name}: {time.perf_counter() - began:.1f} s", highlight=False)
            else:
                found, fitted, said = other((self.others or {})[name], test)
            figures[name] = {**detector_figures(found, fitted, self.seed), "fit": fitted.json(), **said}
            scores[name] = found.where((found.split == "test") & (found.condition == "clean"))
        return scores, figures

    def _baseline(self, name: str, answers: Sequence[AnswerSet], test: Scores) -> Detector:
        """A baseline's scores of the test images that the expert answered about."""
        said: dict[str, Any] = {}
        if name == QUESTION:
            scores, said["note"], choices = score_questions(answers, set(test.image), seed=self.seed)
            said |= {"choices": choices} if choices else {}
        else:
            scores, said["note"] = self._trained(name, answers[0], test)
        fitted = fit(scores.where(scores.split == "validation"))
        return apply(fitted, scores, {}), fitted, said

    def _trained(self, name: str, answers: AnswerSet, test: Scores) -> tuple[Scores, str | None]:
        if self.chains is None:
            raise UsageError("a baseline is trained on a chain set", hint="Name it with --chains.")
        scores, note = score_baseline(
            name,
            self.chains,
            test=set(test.image),
            seed=self.seed,
            expert=probed_expert(answers, self.expert) if name == "probe" else None,
            cache=self.cache,
            rejects=self.rejects,
        )
        if len(test) and not (scores.split == "test").any():
            raise UsageError(
                "holds none of the test images that were answered",
                file=self.chains.file,
                hint="Name the chain set that was scored.",
            )
        return scores, note


def other(path: Path, test: Scores) -> Detector:
    """Another expert's answers, about the images that the measured one has a figure for.

    Args:
        path: Its answer set.
        test: The measured expert's clean scores on the test split.

    Raises:
        UsageError: If it answered about none of them, or takes fakes for reals.
    """
    answers = open_answers(path)
    read = read_answers([answers])
    clean = read.scores.where(read.scores.condition == "clean")
    own = fit(clean.where(clean.split == "validation"))
    used = aggregations(read.by_prompt, [answers])
    fitted = choose(own, stored_fit(read.by_prompt, answers.meta.readouts, used))
    scores, lacking = same_images(apply(fitted, read.scores, read.by_prompt), test, path)
    return scores, fitted, {"note": f"answers of {answers.meta.expert}", "lacking": lacking}


def same_images(scores: Scores, test: Scores, path: Path) -> tuple[Scores, int]:
    """The scores of another detector without the test images that an expert has no figure for.

    Args:
        scores: The other's scores of all splits and conditions.
        test: The expert's clean scores on the test split.
        path: Where the other's lie, for errors.

    Returns:
        What is left, and how many of the expert's images the other lacks.

    Raises:
        UsageError: If it has none of them, or calls some fake that are real or the reverse.
    """
    truth = dict(zip(test.image, test.fake.tolist(), strict=True))
    shared = np.array([image in truth for image in scores.image], dtype=bool)
    kept = scores.where(((scores.split == "test") & shared) | (scores.split == "validation"))
    of_test = kept.where((kept.split == "test") & (kept.condition == "clean"))
    if not len(of_test):
        raise UsageError(
            "holds none of the test images that were answered",
            file=path,
            hint="Images are matched by their ids.",
        )
    unlike = [image for image, fake in zip(of_test.image, of_test.fake, strict=True) if truth[image] != fake]
    if unlike:
        raise UsageError(
            f"{len(unlike):,} images have the other label here, '{unlike[0]}' for one",
            file=path,
            field="label",
            hint="One of the two sets has its labels the wrong way round, or ids that mean other images.",
        )
    return kept, len(truth.keys() - set(of_test.image))


def probed_expert(answers: AnswerSet, expert: Path | None) -> Path:
    """The folder of the expert that answered.

    Raises:
        UsageError: If it is not there, or holds another expert.
    """
    folder = Path(answers.meta.expert) if expert is None else expert
    if not folder.is_dir():
        raise UsageError(
            "the expert whose vision tower is to be probed is not there",
            file=folder,
            hint="Name it with --expert.",
        )
    if expert_sha256(folder) != answers.meta.expert_sha256:
        raise UsageError(
            "is not the expert that answered", file=folder, field="expert", hint="Name it with --expert."
        )
    return folder


def _base_hint(answers: AnswerSet) -> str:
    """How the untuned base comes beside an expert, or why there is none."""
    try:
        base = load_card(answers.meta.expert).base
    except FakeInstructError:
        base = "BASE"
    if base == "small":
        return "This expert was trained from nothing: it has no untuned base."
    return f"Ask it the same with 'score {base} ITEMS --out ANSWERS', then give --beside base=ANSWERS."


def named_paths(given: Sequence[str]) -> dict[str, Path]:
    """`NAME=PATH` as it is given to `--beside`.

    Raises:
        UsageError: If one has no name or no path, or a name comes twice.
    """
    found: dict[str, Path] = {}
    for each in given:
        name, _, path = each.partition("=")
        if not name.strip() or not path:
            raise UsageError(f"'{each}' is not NAME=ANSWERS", field="beside")
        if name in found:
            raise UsageError(f"the name '{name}' is given twice", field="beside")
        found[name] = Path(path)
    return found
