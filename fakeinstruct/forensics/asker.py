"""Asking: questions to an expert in memory, in batches, and rows of answers back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from fakeinstruct.base.errors import RecordError
from fakeinstruct.forensics.explain import explain_images
from fakeinstruct.forensics.probability import label_mass, row_margin, word_logits
from fakeinstruct.forensics.questions import Question
from fakeinstruct.forensics.readout import ResolvedPrompt, resolve_prompt

if TYPE_CHECKING:
    from fakeinstruct.forensics.expert import Expert
    from fakeinstruct.forensics.views import Viewer

BATCH = 32
"""Images asked at once."""


class Asker:
    """Asks an expert in memory and turns what it says into rows of answers.

    Args:
        expert: Whom to ask.
        viewer: Gives the pictures.
        batch: Images asked at once.
        explain: Also let it explain each verdict.
    """

    def __init__(
        self, expert: Expert, viewer: Viewer, *, batch: int | None = None, explain: bool = False
    ) -> None:
        self.expert = expert
        self.explain = explain
        self.batch = batch or BATCH
        self.collator, self.packer = expert.collators(viewer)
        self._resolved: dict[str, ResolvedPrompt] = {}

    def ask(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        """One row a question, in their order; a question that cannot be asked is a row with its error."""
        images = [list(group) for _, group in groupby(questions, key=lambda question: question.view)]
        rows: list[dict[str, Any]] = []
        for start in range(0, len(images), self.batch):
            rows += self._ask_batch(images[start : start + self.batch])
        return rows

    def _ask_batch(self, images: Sequence[Sequence[Question]]) -> list[dict[str, Any]]:
        rows = []
        sound = []
        for questions in images:
            blank = [question.facts | {"image": question.view.path} for question in questions]
            rows += blank
            try:
                self.collator.placer.blocks.get(questions[0].view)
                sound.append((questions, blank))
            except RecordError as error:
                for row in blank:
                    row["error"] = str(error)
        if not sound:
            return rows
        began = time.perf_counter()
        asked = [question for questions, _ in sound for question in questions]
        answered = [row for _, blank in sound for row in blank]
        for question, row, read in zip(asked, answered, self._read(asked), strict=True):
            fill(row, self.resolve(question), read, question)
        if self.explain:
            texts = explain_images(self.expert, self.collator, [questions[0].view for questions, _ in sound])
            for (_, blank), text in zip(sound, texts, strict=True):
                blank[0]["text"] = text
        seconds = (time.perf_counter() - began) / len(answered)
        for row in answered:
            row["seconds"] = seconds
        return rows

    def _read(self, questions: Sequence[Question]) -> list[list[list[tuple[list[float], float]]]]:
        """What is read of each question's rows; questions about one view share its tokens."""
        rows: list[dict[str, Any]] = []
        reads: list[list[list[int]]] = []
        counts = []
        for tree, (view, group) in enumerate(groupby(questions, key=lambda question: question.view)):
            for question in group:
                prompt = self.resolve(question)
                rows += [{"input_ids": ids, "image": view, "tree": tree} for ids in prompt.rows()]
                reads += prompt.reads()
                counts.append(len(prompt.rows()))
        found = iter(self.expert.read(self.packer(rows), reads))
        return [[next(found) for _ in range(count)] for count in counts]

    def resolve(self, question: Question) -> ResolvedPrompt:
        """The question as tokens; a verdict's is resolved once."""
        key = f"{question.messages}{question.words}{question.prefix}"
        if key not in self._resolved:
            if len(self._resolved) > 4096:
                self._resolved.clear()
            self._resolved[key] = resolve_prompt(
                self.expert.processor, question.messages, question.words, question.prefix
            )
        return self._resolved[key]


def fill(
    row: dict[str, Any],
    prompt: ResolvedPrompt,
    read: Sequence[Sequence[tuple[Sequence[float], float]]],
    question: Question,
) -> None:
    """Put what an expert said into a row.

    Args:
        row: The row of answers.
        prompt: The question as tokens.
        read: What was read of the prompt row and of each forced row, see `ResolvedPrompt.reads`.
        question: The question.
    """
    (first, normaliser), forced = read[0][0], iter(read[1:])
    pieces, normalisers = [], []
    for word, logit in zip(prompt.words, first, strict=True):
        more = next(forced) if len(word.pieces) > 1 else ()
        pieces.append([logit, *(logits[0] for logits, _ in more)])
        normalisers.append([normaliser, *(norm for _, norm in more)])
    row["words"] = [word.text for word in prompt.words]
    row["classes"] = [word.label for word in prompt.words]
    row["piece_logits"], row["piece_normalisers"] = pieces, normalisers
    row["logits"] = word_logits(pieces, normalisers)
    row["log_normaliser"] = normaliser
    table = np.array([row["logits"]], dtype=np.float32)
    row["label_mass"] = float(label_mass(table, np.array([normaliser], dtype=np.float32))[0])
    if row["kind"] == "choice":
        row["choice"] = prompt.words[int(table[0].argmax())].label
    else:
        row["margin"] = row_margin(row, question.aggregation)
