"""Scores: one float32 margin an image, from answers or a baseline, with what is known of the image."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.forensics.answers import AnswerSet

COLUMNS = (
    *("item", "chain", "image", "kind", "template", "prompt", "look", "condition", "sample"),
    *("label", "manipulation", "generator", "group", "split"),
    *("words", "margin", "label_mass", "choice", "target", "text", "error"),
)
"""Columns of an answer set that figures are computed from."""

UNNAMED = "unnamed"
"""Generator of fakes whose generator nobody recorded."""


@dataclass(frozen=True)
class Scores:
    """One entry an image, in every array; all of shape (n,).

    Attributes:
        image: The chain's id.
        fake: Truth.
        margin: Logit of fake minus real, float32; the mean where several prompts or looks were scored.
        group: What the image was made from; its own id where nobody said.
        generator: Generator or kind of edit of a fake, "" for reals.
        manipulation: How the image came to be, "" where nobody said.
        split: Part of the set; "test" where nobody said.
        condition: Perturbation, "clean" for none.
        mass: Probability of any label word, 0 to 1, NaN where it is not known.
    """

    image: NDArray[np.object_]
    fake: NDArray[np.bool_]
    margin: NDArray[np.float32]
    group: NDArray[np.object_]
    generator: NDArray[np.object_]
    manipulation: NDArray[np.object_]
    split: NDArray[np.object_]
    condition: NDArray[np.object_]
    mass: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.image)

    def where(self, mask: ArrayLike) -> Scores:
        """The entries where the mask is true."""
        return Scores(*(getattr(self, each.name)[np.asarray(mask, dtype=bool)] for each in fields(self)))

    @staticmethod
    def of(rows: Iterable[dict[str, Any]]) -> Scores:
        """Scores of rows with `chain`, `label`, `margin` and, where known, other columns of answers."""
        rows = list(rows)

        def column(name: str, missing: str) -> NDArray[np.object_]:
            return np.array([row.get(name) or missing for row in rows], dtype=object)

        image = column("chain", "")
        fake = np.array([row["label"] == "fake" for row in rows], dtype=bool)
        group, generator = column("group", ""), column("generator", UNNAMED)
        mass = (row.get("label_mass") for row in rows)
        return Scores(
            image=image,
            fake=fake,
            margin=np.array([row["margin"] for row in rows], dtype=np.float32),
            group=np.where(group == "", image, group),
            generator=np.where(fake, generator, ""),
            manipulation=column("manipulation", ""),
            split=column("split", "test"),
            condition=column("condition", "clean"),
            mass=np.array([math.nan if value is None else value for value in mass], dtype=np.float64),
        )


@dataclass(frozen=True)
class Answers:
    """The rows of one expert's answer sets, sorted into what can be measured and what was skipped.

    Attributes:
        scores: One margin an image and condition.
        choices: Rows of multiple-choice questions.
        skipped: Number of rows without a figure, as (kind, split, reason) to count.
        texts: Generated explanation of an image's verdict, by chain id, where one was asked for.
        paths: Image path relative to the image root, by chain id.
        prompts: Verdict prompts with the number of rows each.
        unsplit: Verdict rows without a split, which count as test.
    """

    scores: Scores
    choices: list[dict[str, Any]]
    skipped: Counter[tuple[str, str, str]]
    texts: dict[str, str] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    prompts: Counter[str] = field(default_factory=Counter)
    unsplit: int = 0

    def skipped_of(self, kind: str, split: str) -> dict[str, Any]:
        """Number of skipped rows of a kind in a split, and the reasons, most frequent first."""
        reasons = Counter({why: n for (k, s, why), n in self.skipped.items() if (k, s) == (kind, split)})
        return {
            "n": reasons.total(),
            "reasons": dict(sorted(reasons.items(), key=lambda each: (-each[1], each[0]))),
        }


def read_answers(answers: Sequence[AnswerSet]) -> Answers:
    """Read the answer sets of one expert.

    Raises:
        FakeInstructError: If a set was never finished, they come from different experts or were aggregated
            differently, or something was answered twice.
    """
    _check_sets(answers)
    rows = [row for each in answers for row in each.table(COLUMNS).to_pylist()]
    _check_repeats(rows)
    skipped: Counter[tuple[str, str, str]] = Counter()
    kept: dict[str, list[dict[str, Any]]] = {"verdict": [], "choice": []}
    for row in rows:
        row["chain"] = row["chain"] or row["item"]
        reason = _reason_to_skip(row)
        if reason is None:
            kept[row["kind"]].append(row)
        else:
            skipped[str(row["kind"]), row["split"] or "test", reason] += 1
    verdicts = kept["verdict"]
    return Answers(
        scores=Scores.of(_per_image(verdicts)),
        choices=kept["choice"],
        skipped=skipped,
        texts={row["chain"]: row["text"] for row in verdicts if row["text"]},
        paths={row["chain"]: row["image"] for row in verdicts if row["image"]},
        prompts=Counter(row["prompt"] or "" for row in verdicts),
        unsplit=sum(not row["split"] for row in verdicts),
    )


def _check_sets(answers: Sequence[AnswerSet]) -> None:
    if not answers:
        raise FakeInstructError("no answer set to measure")
    first = answers[0]
    for each in answers:
        if not each.meta.complete:
            raise FakeInstructError(
                "is not complete: figures of a part would pass for figures of the whole",
                file=each.folder,
                hint="Run 'fakeinstruct score' again; it goes on where it stopped.",
            )
        for name, what in (("expert_sha256", "another expert"), ("aggregation", "another aggregation")):
            if getattr(each.meta, name) != getattr(first.meta, name):
                raise FakeInstructError(
                    f"holds answers of {what} than {first.folder}",
                    file=each.folder,
                    field=name,
                    hint="Measure each on its own.",
                )


def _check_repeats(rows: list[dict[str, Any]]) -> None:
    keys = ("kind", "item", "prompt", "look", "condition", "sample")
    seen: set[tuple[Any, ...]] = set()
    for row in rows:
        key = tuple(row[name] for name in keys)
        if key in seen:
            raise FakeInstructError(
                "was answered twice in the same way", record=row["item"], hint="Name each answer set once."
            )
        seen.add(key)


def _reason_to_skip(row: dict[str, Any]) -> str | None:
    if row["error"]:
        return str(row["error"])
    if row["kind"] == "choice":
        return None if row["choice"] and row["target"] and row["words"] else "no choice, target or options"
    if row["kind"] != "verdict":
        return f"unknown kind {row['kind']!r}"
    if row["label"] not in ("fake", "real"):
        return "no label"
    if row["margin"] is None or not math.isfinite(row["margin"]):
        return "no finite margin"
    return None


def _per_image(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row an image and condition, margin and label mass averaged over prompts, looks and samples."""
    together: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        together.setdefault((row["chain"], row["condition"] or "clean"), []).append(row)
    return [
        {
            **same[0],
            "margin": sum(row["margin"] for row in same) / len(same),
            "label_mass": _mean([row["label_mass"] for row in same if row["label_mass"] is not None]),
        }
        for same in together.values()
    ]


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
