"""Reading answer sets: what can be measured, sorted by what it is for, and what was skipped and why."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from fakeinstruct.base.errors import FakeInstructError, UsageError, nearest
from fakeinstruct.expert.card import Aggregation
from fakeinstruct.forensics.answers import KEY, AnswerSet
from fakeinstruct.forensics.probability import row_margin
from fakeinstruct.measure.joining import ByPrompt, Rows, is_clean, join_answers, join_prompts, lacking, shown
from fakeinstruct.measure.scores import Scores
from fakeinstruct.measure.table.detector_table import DetectorTable

COLUMNS = (
    *("item", "chain", "image", "kind", "template", "prompt", "position", "trained", "look", "condition"),
    *("trace", "attribute", "sample", "label", "manipulation", "generator", "camera_set", "group", "split"),
    *("words", "classes", "margin", "label_mass", "choice", "target", "text", "verdict", "error"),
)
"""Columns of an answer set that figures are computed from."""

LOGITS = ("logits", "piece_logits")
"""Columns that another aggregation needs beside them."""

NO_VERDICT = "wrote no verdict"
"""Reason of a written answer that says neither fake nor real: it counts as wrong, not as missing."""

INTERVENTIONS = ("repair", "mask")
"""What is done to a region that a chain cites; `random-` before it, to a random region of equal area."""


@dataclass(frozen=True)
class Answers:
    """The rows of one expert's answer sets, sorted into what can be measured and what was skipped.

    Attributes:
        scores: One margin an image and condition, joined over prompts.
        by_prompt: The same of each prompt, as rows of answers.
        prior: Verdicts on pictures that show nothing.
        interventions: Verdicts on images of which a region was changed; in no figure of detection.
        choices: Rows of multiple-choice questions.
        pairs: Verdicts asked as pairs where chains were asked too; alone, they are verdicts like any.
        skipped: Number of rows without a figure, as (kind, split, reason) to count.
        texts: Generated explanation of a clean image's verdict, by chain id, where one was asked for.
        paths: Image path relative to the image root, by chain id.
        prompts: Verdict prompts with the number of rows each.
        unsplit: Verdict rows without a split, which count as test.
        lacking: Images that an answer to some prompt is missing of.
        speechless: Images by split and condition that got no score because what was written has no verdict.
        skipped_images: Number of images that skipped rows are about, as (kind, split) to count.
    """

    scores: Scores
    by_prompt: ByPrompt
    prior: Rows
    interventions: Rows
    choices: Rows
    pairs: Rows
    skipped: Counter[tuple[str, str, str]]
    texts: dict[str, str] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    prompts: Counter[str] = field(default_factory=Counter)
    unsplit: int = 0
    lacking: int = 0
    speechless: Counter[tuple[str, str]] = field(default_factory=Counter)
    skipped_images: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def skipped_of(self, kind: str, split: str) -> dict[str, Any]:
        """Number of skipped rows of a kind in a split, of images, and the reasons, most frequent first."""
        reasons = Counter({why: n for (k, s, why), n in self.skipped.items() if (k, s) == (kind, split)})
        return {
            "n": reasons.total(),
            "images": self.skipped_images.get((kind, split), 0),
            "reasons": dict(sorted(reasons.items(), key=lambda each: (-each[1], each[0]))),
        }

    def without(self, images: Collection[str]) -> Answers:
        """The same without some images."""
        by_prompt = {
            key: [row for row in rows if row["chain"] not in images] for key, rows in self.by_prompt.items()
        }
        changed = [row for row in self.interventions if row["chain"] not in images]
        pairs = [row for row in self.pairs if row["chain"] not in images]
        scores = join_prompts(by_prompt)
        return replace(self, scores=scores, by_prompt=by_prompt, interventions=changed, pairs=pairs)


def read_answers(answers: Sequence[AnswerSet], aggregation: Aggregation | None = None) -> Answers:
    """Read the answer sets of one expert.

    Args:
        answers: The sets.
        aggregation: Margins are computed anew from the stored logits by this, instead of as they were scored.

    Raises:
        FakeInstructError: If a set was never finished, they come from different experts or were aggregated
            differently, or something was answered twice.
        UsageError: If the aggregation cannot be had from these words.
    """
    _check_sets(answers, aggregation)
    columns = COLUMNS if aggregation is None else (*COLUMNS, *LOGITS)
    rows = _together(_rows(each, columns) for each in answers)
    _check_repeats(rows)
    skipped: Counter[tuple[str, str, str]] = Counter()
    about: dict[tuple[str, str], set[str]] = defaultdict(set)
    silent: dict[tuple[str, str], str] = {}
    kept: dict[str, Rows] = {"verdict": [], "choice": [], "prior": [], "intervention": [], "pair": []}
    for row in rows:
        row["chain"] = row["chain"] or row["item"]
    chains_asked = any(row["kind"] == "verdict" and row["item"] == row["chain"] for row in rows)
    for row in rows:
        kind = kind_of(row)
        if kind == "verdict" and chains_asked and row["item"] != row["chain"]:
            kind = "pair"  # asked in wordings that differ by image: no score to join with the others
        reason = _reason_to_skip(row) or (aggregation and _aggregate(row, aggregation))
        if reason:
            split = row["split"] or "test"
            skipped[kind, split, reason] += 1
            about[kind, split].add(row["chain"])
            if reason == NO_VERDICT and kind == "verdict":
                silent[shown(row)] = split
        else:
            kept[kind].append(row)
    verdicts = kept["verdict"]
    by_prompt = join_answers(verdicts)
    clean = [row for row in verdicts if is_clean(row)]
    scored = {shown(row) for row in verdicts}
    return Answers(
        scores=join_prompts(by_prompt),
        by_prompt=by_prompt,
        prior=kept["prior"],
        interventions=kept["intervention"],
        choices=kept["choice"],
        pairs=kept["pair"],
        skipped=skipped,
        texts={row["chain"]: row["text"] for row in reversed(clean) if row["text"]},  # the leading prompt's
        paths={row["chain"]: row["image"] for row in verdicts if row["image"]},
        prompts=Counter(row["prompt"] or "" for row in verdicts),
        unsplit=sum(not row["split"] for row in verdicts),
        lacking=lacking(by_prompt),
        speechless=Counter((split, look[1]) for look, split in silent.items() if look not in scored),
        skipped_images={key: len(images) for key, images in about.items()},
    )


def kind_of(row: dict[str, Any]) -> str:
    """The row's kind, "intervention" being apart from "verdict"."""
    condition = (row["condition"] or "").removeprefix("random-")
    if row["kind"] == "verdict" and (row["trace"] or condition.startswith(INTERVENTIONS)):
        return "intervention"
    return str(row["kind"])


def named_aggregation(name: str) -> Aggregation:
    """The aggregation of a name.

    Raises:
        UsageError: If there is none.
    """
    known: tuple[Aggregation, ...] = get_args(Aggregation)
    for each in known:
        if each == name:
            return each
    raise UsageError(f"there is no aggregation '{name}'", hint=nearest(name, known))


def _check_sets(answers: Sequence[AnswerSet], aggregation: Aggregation | None) -> None:
    if not answers:
        raise FakeInstructError("no answer set to measure")
    first = answers[0]
    same = {"expert_sha256": "another expert"}
    if aggregation is None:
        same["aggregation"] = "another aggregation"
    for each in answers:
        if not each.meta.complete:
            raise FakeInstructError(
                "is not complete: figures of a part would pass for figures of the whole",
                file=each.folder,
                hint="Run 'fakeinstruct score' again; it goes on where it stopped.",
            )
        for name, what in same.items():
            if getattr(each.meta, name) != getattr(first.meta, name):
                raise FakeInstructError(
                    f"holds answers of {what} than {first.folder}",
                    file=each.folder,
                    field=name,
                    hint="Measure each on its own.",
                )


def _rows(answers: AnswerSet, columns: Sequence[str]) -> Rows:
    """The set's rows; those of a detector's table with what its scores are."""
    rows: Rows = answers.table(columns).to_pylist()
    if isinstance(answers, DetectorTable):
        for row in rows:
            row["scale"] = answers.scale
    return rows


def _together(sets: Iterable[Rows]) -> Rows:
    """The rows of all sets but those answered in words alone ("open"), which have no score.

    Of a prior that several sets were asked for, the first set's counts: the same pictures, maybe in another size.
    """
    found: Rows = []
    known: set[tuple[Any, ...]] = set()
    for rows in sets:
        own = [row for row in rows if row["kind"] == "prior"]
        found += [row for row in rows if row["kind"] not in ("open", "prior")]
        found += [row for row in own if _key(row) not in known]
        known |= {_key(row) for row in own}
    return found


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in KEY)


def _check_repeats(rows: Rows) -> None:
    seen: set[tuple[Any, ...]] = set()
    for row in rows:
        key = _key(row)
        if key in seen:
            raise FakeInstructError(
                "was answered twice in the same way", record=row["item"], hint="Name each answer set once."
            )
        seen.add(key)


def _reason_to_skip(row: dict[str, Any]) -> str | None:
    wordless = row["position"] == "scan" and row["text"] is not None and not row["verdict"]
    if wordless or row["error"]:
        return NO_VERDICT if wordless else str(row["error"])
    if row["kind"] == "choice":
        return None if row["choice"] and row["target"] and row["words"] else "no choice, target or options"
    if row["kind"] not in ("verdict", "prior"):
        return f"unknown kind {row['kind']!r}"
    if row["kind"] == "verdict" and row["label"] not in ("fake", "real"):
        return "no label"
    margin = math.nan if row["margin"] is None else row["margin"]
    sure = math.isinf(margin) and row.get("scale") == "probability"  # a table's probability of exactly 0 or 1
    return None if math.isfinite(margin) or sure else "no finite margin"


def _aggregate(row: dict[str, Any], aggregation: Aggregation) -> str | None:
    """Compute the row's margin anew, or say why it cannot be.

    Raises:
        UsageError: If the words of the row's prompt do not allow it.
    """
    if row["kind"] == "choice":
        return None
    needed = "piece_logits" if aggregation == "sum" else "logits"
    if not row[needed] or not row["classes"]:
        return f"no {needed} stored to aggregate anew"
    try:
        row["margin"] = row_margin(row, aggregation)
    except UsageError as error:
        raise UsageError(f"prompt “{row['prompt']}”: {error.problem}", hint=error.hint) from None
    return None if math.isfinite(row["margin"]) else "no finite margin"
