"""What stands beside an expert on the same images: baselines, other experts' answers, other detectors' tables."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fakeinstruct.base.errors import FakeInstructError, Rejects, UsageError, nearest
from fakeinstruct.base.progress import console
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expert.card import load_card
from fakeinstruct.forensics.answers import AnswerSet
from fakeinstruct.forensics.expert_files import expert_sha256
from fakeinstruct.measure.baselines.question import score_questions
from fakeinstruct.measure.baselines.run import TRAINERS, score_baseline
from fakeinstruct.measure.figures import detector_figures
from fakeinstruct.measure.fitting import Fit, aggregations, apply, asked_readouts, choose, fit, stored_fit
from fakeinstruct.measure.reading import read_answers
from fakeinstruct.measure.report.head import DETECTOR, EXPERT
from fakeinstruct.measure.scores import Scores
from fakeinstruct.measure.table.detector_table import DetectorTable

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
        others: Answer sets of other experts, or tables of detectors, by the name they are to have.
        chains: The chain set that baselines train on.
        expert: Folder of the expert, for its vision tower; by default where the answers say.
        cache: Folder where the probe keeps what it computed, for another run.
        seed: Seed of training and of the consistency bands.
        rejects: Collects chains and images that cannot be read. Without it the first is raised.
    """

    baselines: Sequence[str] = ()
    others: Mapping[str, AnswerSet] | None = None
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
        own = DETECTOR if isinstance(answers[0], DetectorTable) else EXPERT
        check_names(self.others or (), (*self.baselines, own))
        if "probe" in self.baselines:
            check_answered(answers[0], self.expert or Path(answers[0].meta.expert))

    def figures(
        self, answers: Sequence[AnswerSet], expert: Scores
    ) -> tuple[dict[str, Scores], dict[str, Any]]:
        """Score all of it on an expert's test images.

        Args:
            answers: The expert's answer sets.
            expert: Its scores.

        Returns:
            Clean test scores and figures of each by its name.

        Raises:
            UsageError: If one cannot be trained, or has none of the images.
        """
        scores, figures = {}, {}
        test = _clean(expert, "test")
        for name in dict.fromkeys((*self.baselines, *(self.others or {}))):
            began = time.perf_counter()
            if name in self.baselines:
                found, fitted, said = self._baseline(name, answers, expert, test)
                console.print(f"baseline {name}: {time.perf_counter() - began:.1f} s", highlight=False)
            else:
                found, fitted, said = other((self.others or {})[name], expert)
            scores[name] = _clean(found, "test")
            said["lacking"] = len(set(test.image) - set(scores[name].image))
            figures[name] = {**detector_figures(found, fitted, self.seed), "fit": fitted.json(), **said}
        return scores, figures

    def _baseline(self, name: str, answers: Sequence[AnswerSet], expert: Scores, test: Scores) -> Detector:
        """A baseline's scores of the test images that the expert answered about."""
        said: dict[str, Any] = {}
        if name == QUESTION:
            scores, said["note"], choices = score_questions(answers, set(test.image), seed=self.seed)
            said |= {"choices": choices} if choices else {}
            scores = with_facts(scores, expert)
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
            expert=self.expert or Path(answers.meta.expert),
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


def check_names(others: Iterable[str], taken: Sequence[str]) -> None:
    """See that others have names of their own.

    Raises:
        UsageError: If one is that of a baseline, or of the detector that is measured.
    """
    for name in others:
        if name in taken:
            raise UsageError(f"the name '{name}' is taken", field="beside")


def other(answers: AnswerSet, expert: Scores) -> Detector:
    """Another expert's answers or a detector's table, about the images that the measured expert has a figure for.

    Args:
        answers: What it said.
        expert: The measured expert's scores.

    Raises:
        UsageError: If it says nothing of them, or takes fakes for reals.
    """
    read, name = read_answers([answers]), answers.meta.expert
    kept = same_images(read.scores, expert, name)
    stored = stored_fit(read.by_prompt, asked_readouts([answers]), aggregations(read.by_prompt, [answers]))
    own = fit(_clean(kept, "validation"), table=isinstance(answers, DetectorTable))
    fitted = choose(own, stored)
    read = read.without(fitted.items()) if fitted.items() else read
    kept = same_images(apply(fitted, read.scores, read.by_prompt), expert, name)
    said: dict[str, Any] = {"note": f"scores of {name}"}
    if isinstance(answers, DetectorTable):
        said["table"] = answers.said
    return kept, fitted, said


def same_images(scores: Scores, expert: Scores, name: str) -> Scores:
    """The scores of another detector on an expert's images, with what the expert's answers say of each image.

    Validation images are kept whether the expert answered about them or not.

    Args:
        scores: The other's scores of all splits and conditions.
        expert: The expert's.
        name: The other, for errors.

    Raises:
        UsageError: If it has none of them, or calls some fake that are real or the reverse.
    """
    fake = dict(zip(expert.image, expert.fake, strict=True))
    known = np.array([image in fake for image in scores.image], dtype=bool)
    kept = with_facts(scores, expert).where(known | (scores.split == "validation"))
    wrong = sorted(
        {image for image, said in zip(kept.image, kept.fake, strict=True) if fake.get(image, said) != said}
    )
    if wrong:
        raise UsageError(
            f"{len(wrong):,} images have the other label in {name}, '{wrong[0]}' for one",
            field="beside",
            hint="One of the two has its labels the wrong way round, or ids that mean other images.",
        )
    if not len(_clean(kept, "test")):
        raise UsageError(
            f"{name} holds none of the test images that were answered",
            field="beside",
            hint="Images are matched by their ids.",
        )
    return kept


def with_facts(scores: Scores, expert: Scores) -> Scores:
    """Scores with what an expert's answers say of each image that they know: where it comes from, and its split."""
    known = expert.where(expert.condition == "clean")
    place = {image: number for number, image in enumerate(known.image)}
    at = np.array([place.get(image, -1) for image in scores.image], dtype=np.int64)
    facts = {}
    for name in ("group", "generator", "camera_set", "manipulation", "split"):
        facts[name] = getattr(scores, name).copy()
        facts[name][at >= 0] = getattr(known, name)[at[at >= 0]]
    return replace(scores, **facts)


def _clean(scores: Scores, split: str) -> Scores:
    return scores.where((scores.condition == "clean") & (scores.split == split))


def check_answered(answers: AnswerSet, expert: Path) -> None:
    """See that a folder holds the expert that answered.

    Raises:
        UsageError: If it is not there, or holds another expert.
    """
    if not expert.is_dir():
        raise UsageError(
            "the expert whose vision tower is to be probed is not there",
            file=expert,
            hint="Name it with --expert.",
        )
    if expert_sha256(expert) != answers.meta.expert_sha256:
        raise UsageError("is not the expert that answered", file=expert, hint="Name it with --expert.")


def _base_hint(answers: AnswerSet) -> str:
    """How the untuned base comes beside an expert, or why there is none."""
    try:
        base = load_card(answers.meta.expert).base
    except FakeInstructError:
        base = "BASE"
    if base == "small":
        return "This expert was trained from nothing: it has no untuned base."
    return (
        f"Ask it the same with 'score {base} ITEMS --out ANSWERS' (--protocol zero-shot if it has no readouts), "
        "then give --beside base=ANSWERS."
    )


def named_paths(given: Sequence[str]) -> dict[str, Path]:
    """`NAME=PATH` as it is given to `--beside`.

    Raises:
        UsageError: If one has no name or no path, or a name comes twice.
    """
    found: dict[str, Path] = {}
    for each in given:
        name, _, path = each.partition("=")
        if not name.strip() or not path:
            raise UsageError(
                f"'{each}' is not NAME=ANSWERS",
                field="beside",
                hint="Give it a name before the answers, for example --beside other=runs/other/answers.",
            )
        if name in found:
            raise UsageError(f"the name '{name}' is given twice", field="beside")
        found[name] = Path(path)
    return found
