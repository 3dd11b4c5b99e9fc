"""The question alone: what the words that were asked tell of the label, without a look at the image.

A logistic regression on word n-grams, the audit's, is fitted on the train split of the pair set that was asked, and
scores the very questions that were answered. Where every image was asked the same, no classifier is needed: the
score is a constant and tells nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import UsageError
from fakeinstruct.base.files import stable_seed
from fakeinstruct.expand.pair import PairSet, open_pairs
from fakeinstruct.forensics.answers import AnswerSet
from fakeinstruct.measure.audit.choices import WAYS, WORDS
from fakeinstruct.measure.audit.sample import LIMIT, Talk, talk_of
from fakeinstruct.measure.audit.views import classify
from fakeinstruct.measure.figure import Row, UnavailableError
from fakeinstruct.measure.joining import is_clean, join_answers, join_prompts
from fakeinstruct.measure.scores import Scores

COLUMNS = (
    *("item", "chain", "kind", "template", "prompt", "position", "look", "condition", "trace", "sample"),
    *("label", "manipulation", "generator", "camera_set", "group", "split"),
)
"""Columns of an answer that say what was asked about which image."""

ASKED = ("verdict", "choice")
"""Kinds of answers to a question about an image."""

CONSTANT = "every image was asked the same in the same words, which tell nothing: the score is a constant"


def score_questions(
    answers: Sequence[AnswerSet], images: set[str], *, seed: int
) -> tuple[Scores, str, dict[str, Any] | None]:
    """Score the images that an expert answered about by the words of the questions, joined as its answers are.

    Args:
        answers: The answer sets of one expert.
        images: Ids of the test images it has a figure for; validation images are scored beside them. If there are
            none, as where letters alone were asked for, every image that was asked about is scored.
        seed: Seed of the draw of questions to fit on.

    Returns:
        Scores of one margin an image; in words what was fitted; and what guessing the right option without the image
        gives, or None where no multiple-choice question was asked.

    Raises:
        UsageError: If the pair set that was asked cannot be read, or its train split lacks a label.
    """
    rows = [row for each in answers for row in each.table(COLUMNS).to_pylist() if _counts(row, images)]
    if _all_alike(rows):
        return _joined([{**row, "margin": 0.0} for row in rows]), CONSTANT, None
    fit, asked = _talks(_pair_sets(answers), {row["item"] for row in rows}, seed)
    rows = [row for row in rows if row["item"] in asked]
    try:
        margins, _ = classify(fit, [asked[row["item"]] for row in rows], "words")
    except (UnavailableError, ValueError) as error:
        raise UsageError(f"baseline 'question' cannot be trained on these questions: {error}") from None
    scored = [{**row, "margin": float(margin)} for row, margin in zip(rows, margins, strict=True)]
    choices = [asked[row["item"]] for row in rows if row["kind"] == "choice" and row["split"] == "test"]
    note = f"logistic regression on the words of {len(fit):,} questions of the train split"
    return _joined(scored), note, guessed(fit, choices)


def guessed(fit: Sequence[Talk], asked: Iterable[Talk]) -> dict[str, Any] | None:
    """How often the option that was most often right in training is right, by its words alone.

    Args:
        fit: Questions of the train split.
        asked: Multiple-choice questions of the test split.

    Returns:
        `n` and `accuracy`, or None where there are no such questions.
    """
    talks = [talk for talk in asked if talk.right is not None]
    if not talks:
        return None
    row = Row(n=len(talks))

    def accuracy() -> float:
        learned = [talk for talk in fit if talk.right is not None]
        if not learned:
            raise UnavailableError("the train split has no multiple-choice questions")
        guess = WAYS[WORDS](learned)
        found = [guess(talk) for talk in talks]
        right = sum((talk.right in places) / len(places) for talk, places in zip(talks, found, strict=True))
        return right / len(talks)

    row.give(("accuracy",), accuracy)
    return row.json()


def _counts(row: dict[str, Any], images: set[str]) -> bool:
    row["chain"], row["split"] = row["chain"] or row["item"], row["split"] or "test"
    known = row["kind"] in ASKED and row["label"] in ("fake", "real") and is_clean(row) and not row["trace"]
    return known and (not images or row["split"] == "validation" or row["chain"] in images)


def _all_alike(rows: list[dict[str, Any]]) -> bool:
    """Whether all images were asked the same questions, those that got no answer included."""
    asked = defaultdict(set)
    for row in rows:
        asked[row["chain"]].add((row["kind"], row["template"], row["prompt"]))
    return len(set(map(frozenset, asked.values()))) < 2


def _joined(rows: list[dict[str, Any]]) -> Scores:
    """The mean over an image's questions, as `joining` joins an expert's prompts."""
    return join_prompts(join_answers(rows))


def _pair_sets(answers: Sequence[AnswerSet]) -> list[PairSet]:
    """The pair sets that were asked; a chain set's questions are the same for all images and are left out.

    Raises:
        UsageError: If there is none, or none any more.
    """
    found, reasons = {}, []
    for each in answers:
        folder = Path(each.meta.items)
        try:
            found[folder] = open_pairs(folder)
        except UsageError as error:
            reasons.append(error.problem)
    if not found:
        raise UsageError(
            f"baseline 'question' is trained on the pair set that was asked: {reasons[0]}",
            file=Path(answers[0].meta.items),
            hint="Run it from the folder that 'score' was run in, or measure without it.",
        )
    return list(found.values())


def _talks(sets: Sequence[PairSet], items: set[str], seed: int) -> tuple[list[Talk], dict[str, Talk]]:
    """The closed questions of the train split, at most about `LIMIT`, and those that were answered by id.

    Raises:
        UsageError: If the train split lacks a label.
    """
    total = sum(each.manifest.per_split.get("train", 0) for each in sets)
    share = min(1.0, LIMIT / max(1, total)) * 2**64
    fit, asked = [], {}
    for each in sets:
        for pair in each.read(tasks=("choice", "verdict")):
            if pair.id in items:
                asked[pair.id] = talk_of(pair)
            elif pair.split == "train" and stable_seed(seed, pair.chain) < share:
                fit.append(talk_of(pair))
    fakes = sum(talk.fake for talk in fit)
    if not 0 < fakes < len(fit):
        raise UsageError(
            f"the train split asks {fakes:,} questions about fakes and {len(fit) - fakes:,} about reals, "
            "so baseline 'question' cannot be trained",
            file=sets[0].folder if sets else None,
            field="split",
        )
    return fit, asked
