"""Scoring: every item asked once, its label tokens' logits stored, resumable after a kill."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from fakeinstruct.base.errors import RecordError, Rejects, UsageError
from fakeinstruct.base.files import fingerprint, sha256_file, write_json
from fakeinstruct.base.progress import track
from fakeinstruct.base.versions import versions
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expand.pair import PairSet
from fakeinstruct.forensics.answers import AnswerSet, AnswersMeta, open_answers, write_part
from fakeinstruct.forensics.expert import Expert, expert_sha256, processor_sha256
from fakeinstruct.forensics.explain import explain_images
from fakeinstruct.forensics.probability import Aggregation, label_margin, label_mass
from fakeinstruct.forensics.questions import Question, closed_questions, verdict_questions
from fakeinstruct.forensics.readout import ResolvedPrompt, resolve_prompt

PART = 512
"""Items a part: what a killed run may have to ask again."""


def score(
    expert: Expert,
    items: ChainSet | PairSet,
    out: str | Path,
    *,
    splits: Sequence[str] = ("validation", "test"),
    readout: str | None = None,
    aggregation: Aggregation = "logsumexp",
    explain: bool = False,
    batch: int = 32,
    rejects: Rejects | None = None,
) -> AnswerSet:
    """Ask an expert about every item and store what it said.

    Chains are asked the readout's verdict question; of pairs, those whose answer is one token are asked.
    A run that was killed goes on where it stopped; a finished one returns at once.

    Args:
        expert: Whom to ask.
        items: What to ask about.
        out: Folder of the answer set.
        splits: Splits to ask about.
        readout: Name of the readout, the expert's first by default.
        aggregation: How the words of a label are joined into the margin.
        explain: Also let the expert explain each verdict in words.
        batch: Items asked at once.
        rejects: Collects items that could not be asked; their rows carry the error.

    Raises:
        UsageError: If `out` holds answers of another expert, to other items, or read otherwise.
    """
    out = Path(out)
    rejects = rejects if rejects is not None else Rejects()
    chosen = expert.readout(readout)
    meta = AnswersMeta(
        expert=str(expert.folder),
        expert_sha256=expert_sha256(expert.folder),
        processor_sha256=processor_sha256(expert.folder),
        items=str(items.folder),
        items_sha256=fingerprint([items_sha256(items), sorted(splits)]),
        image_root=str(items.image_root),
        aggregation=aggregation,
        readout=chosen.model_dump(mode="json", exclude={"scale", "bias", "fitted_on"})
        | {"explained": explain},
        versions=versions("torch", "transformers", "numpy", "pillow"),
    )
    if isinstance(items, ChainSet):
        questions = verdict_questions(items.read(rejects), chosen, splits)
    else:
        questions = closed_questions(items, splits)
    answers = begin(out, meta)
    if answers.meta.complete:
        return answers
    done = set(answers.items())
    number = len(answers.parts())
    open_questions = (question for question in questions if question.facts["item"] not in done)
    asker = Asker(expert, items.image_root, aggregation, explain=explain, batch=batch)
    for part in parts(track(open_questions, "asking the expert")):
        rows = asker.ask(part)
        for row in rows:
            if row.get("error"):
                rejects.add(RecordError(row["error"], record=row["item"]))
        write_part(out, number, rows)
        number += 1
    if not number:
        raise UsageError(f"no item of the splits {', '.join(splits)} can be asked about", file=items.folder)
    write_json(out / "meta.json", meta.model_copy(update={"complete": True}).model_dump(mode="json"))
    return open_answers(out)


def items_sha256(items: ChainSet | PairSet) -> str:
    """A hash of what is asked about."""
    return sha256_file(items.file) if isinstance(items, ChainSet) else fingerprint(items.manifest.shards)


def begin(out: Path, meta: AnswersMeta) -> AnswerSet:
    """A new answer set, or the one that stands there if it is of the same run.

    Raises:
        UsageError: If other answers, or anything else, stand there.
    """
    if (out / "meta.json").is_file():
        old = open_answers(out)
        same = ("expert_sha256", "processor_sha256", "items_sha256", "aggregation", "readout")
        for name in same:
            if getattr(old.meta, name) != getattr(meta, name):
                raise UsageError(
                    f"holds answers with another {name.removesuffix('_sha256')}",
                    file=out,
                    hint="Give another --out, or remove the folder.",
                )
        return old
    if out.exists() and any(out.iterdir()):
        raise UsageError("is not empty and not an answer set", file=out, hint="Give another --out.")
    write_json(out / "meta.json", meta.model_dump(mode="json"))
    return AnswerSet(out, meta)


def parts(questions: Iterator[Question]) -> Iterator[list[Question]]:
    """The questions in parts of `PART`."""
    while part := list(islice(questions, PART)):
        yield part


class Asker:
    """Asks an expert questions in batches and turns what it says into rows of answers.

    Args:
        expert: Whom to ask.
        image_root: The folder that image paths are relative to.
        aggregation: How the words of a label are joined.
        explain: Also let it explain each verdict.
        batch: Questions asked at once.
    """

    def __init__(
        self,
        expert: Expert,
        image_root: Path,
        aggregation: Aggregation,
        *,
        explain: bool = False,
        batch: int = 32,
    ) -> None:
        self.expert = expert
        self.aggregation = aggregation
        self.explain = explain
        self.batch = batch
        self.collator, self.packer = expert.collators(image_root)
        self._resolved: dict[str, ResolvedPrompt] = {}

    def ask(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        """One row a question, in their order; a question that cannot be asked is a row with its error."""
        rows: list[dict[str, Any]] = []
        for start in range(0, len(questions), self.batch):
            rows += self._ask_batch(questions[start : start + self.batch])
        return rows

    def _ask_batch(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        rows = [_blank(question) for question in questions]
        sound = []
        for question, row in zip(questions, rows, strict=True):
            try:
                self.collator.placer.blocks.get(question.image)
                sound.append((question, row))
            except RecordError as error:
                row["error"] = str(error)
        if not sound:
            return rows
        began = time.perf_counter()
        for (question, row), logits, normaliser in zip(
            sound, *self._logits([q for q, _ in sound]), strict=True
        ):
            self._fill(row, self.resolve(question), logits, normaliser)
        if self.explain:
            images = [question.image for question, _ in sound]
            for (_, row), text in zip(sound, explain_images(self.expert, self.collator, images), strict=True):
                row["text"] = text
        seconds = (time.perf_counter() - began) / len(sound)
        for _, row in sound:
            row["seconds"] = seconds
        return rows

    def _logits(self, questions: Sequence[Question]) -> tuple[list[Any], list[float]]:
        """Logits of each question's words, and log-normalisers; questions about one image share its tokens."""
        from fakeinstruct.expert.collate import pad

        prompts = [self.resolve(question) for question in questions]
        trees = accumulate(one.image != other.image for one, other in pairwise(questions))
        rows = [
            {"input_ids": prompt.input_ids, "image": question.image, "tree": tree}
            for prompt, question, tree in zip(prompts, questions, (0, *trees), strict=True)
        ]
        token_ids = pad([prompt.token_ids for prompt in prompts], 0)
        logits, normalisers = self.expert.next_token(self.packer(rows), token_ids)
        kept = [row[: len(p.token_ids)].numpy() for row, p in zip(logits, prompts, strict=True)]
        return kept, normalisers.tolist()

    def resolve(self, question: Question) -> ResolvedPrompt:
        """The question as tokens; a verdict's is resolved once."""
        key = f"{question.messages}{question.words}"
        if key not in self._resolved:
            if len(self._resolved) > 4096:
                self._resolved.clear()
            self._resolved[key] = resolve_prompt(
                self.expert.processor, question.messages, dict(question.words)
            )
        return self._resolved[key]

    def _fill(self, row: dict[str, Any], prompt: ResolvedPrompt, logits: Any, normaliser: float) -> None:
        """Put what the expert said into a row."""
        table = np.asarray(logits, dtype=np.float32)[None]
        row["words"] = list(prompt.words)
        row["classes"] = list(prompt.classes)
        row["logits"] = table[0].tolist()
        row["log_normaliser"] = normaliser
        row["label_mass"] = float(label_mass(table, np.array([normaliser], dtype=np.float32))[0])
        if row["kind"] == "verdict":
            row["margin"] = float(label_margin(table, prompt.classes, self.aggregation)[0])
        else:
            row["choice"] = prompt.classes[int(table[0].argmax())]


def _blank(question: Question) -> dict[str, Any]:
    fixed = {"look": 1, "condition": "clean", "sample": 0, "position": "first"}
    return question.facts | fixed | {"image": question.image}
