"""Asking: questions to an expert in memory, in batches, and rows of answers back."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby, islice
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np

from fakeinstruct.base.errors import RecordError, UsageError, printable
from fakeinstruct.forensics.batch_size import BatchSize, is_out_of_memory
from fakeinstruct.forensics.explain import explanations
from fakeinstruct.forensics.probability import check_sum, label_mass, row_margin, word_logits
from fakeinstruct.forensics.questions import Question
from fakeinstruct.forensics.readout import ResolvedPrompt, resolve_prompt
from fakeinstruct.forensics.scan import scan

if TYPE_CHECKING:
    from fakeinstruct.forensics.expert import Expert
    from fakeinstruct.forensics.views import View, Viewer

Asked = tuple[Sequence[Question], Sequence[dict[str, Any]]]
"""The questions about one picture, and their rows."""


class Asker:
    """Asks an expert in memory and turns what it says into rows of answers.

    Args:
        expert: Whom to ask.
        viewer: Gives the pictures.
        batch: Images asked at once; by default as many as pay.
        explain: Also let it explain each verdict.
    """

    def __init__(
        self, expert: Expert, viewer: Viewer, *, batch: int | None = None, explain: bool = False
    ) -> None:
        self.expert = expert
        self.explain = explain
        self.batch = BatchSize(batch)
        self.collator, self.packer = expert.collators(viewer)
        self._next: Sequence[View] = ()
        self._resolved: dict[str, ResolvedPrompt] = {}

    def ask(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        """One row a question, in their order; a question that cannot be asked is a row with its error."""
        return list(self.stream(questions))

    def stream(self, questions: Iterable[Question]) -> Iterator[dict[str, Any]]:
        """The same for any number of questions, batch by batch."""
        images = (list(group) for _, group in groupby(questions, key=lambda question: question.view))
        waiting: deque[list[Question]] = deque()
        while True:
            waiting += islice(images, max(0, 2 * self.batch.size - len(waiting)))
            now = [waiting.popleft() for _ in range(min(self.batch.size, len(waiting)))]
            if not now:
                return
            self._next = [own[0].view for own in islice(waiting, self.batch.size)]
            yield from self._ask_batch(now)

    def _ask_batch(self, images: Sequence[Sequence[Question]]) -> list[dict[str, Any]]:
        began = time.perf_counter()
        asked: list[Asked] = [
            (questions, [question.facts | {"image": question.view.path} for question in questions])
            for questions in images
        ]
        sound = [each for each in asked if self._shown(*each)]
        if sound:
            self._answer(sound)
        self.batch.took(len(sound), time.perf_counter() - began)
        return [row for _, rows in asked for row in rows]

    def _shown(self, questions: Sequence[Question], rows: Sequence[dict[str, Any]]) -> bool:
        """Whether a picture can be read and processed; if not, its rows say why."""
        try:
            self.collator.placer.blocks.get(questions[0].view)
        except Exception as error:  # a processor refuses with nearly any
            _fail(questions, rows, error)
            return False
        return True

    def _answer(self, images: Sequence[Asked], note: str | None = None) -> None:
        """Fill the rows of some pictures; what fails for all is tried with each half, down to the picture to blame.

        Args:
            images: The pictures.
            note: What happened when they were asked among more.
        """
        try:
            self._fill(images, note)
        except UsageError:
            raise
        except Exception as error:  # a model fails with nearly any
            full = is_out_of_memory(error)
            if len(images) == 1:
                _fail(*images[0], error)
                return
        else:
            return
        if full:  # out of the handler, whose traceback keeps the tensors
            if note is None:
                self.batch.full(len(images))
            note = f"out of memory at {len(images)} images"
            _give_back_memory()
        half = len(images) // 2
        self._answer(images[:half], note)
        self._answer(images[half:], note)

    def _fill(self, images: Sequence[Asked], note: str | None) -> None:
        began = time.perf_counter()
        asked = [question for questions, _ in images for question in questions]
        rows = [row for _, own in images for row in own]
        prompts = self._prompts(asked, rows)
        placed = [
            (question, row, prompt)
            for question, row, prompt in zip(asked, rows, prompts, strict=True)
            if prompt is not None
        ]
        reads = self._read([(question.view, prompt) for question, _, prompt in placed])
        for (question, row, prompt), read in zip(placed, reads, strict=True):
            fill(row, prompt, read, question)
        if self.explain:
            first = [(questions[0].view, own[0]) for questions, own in images if "text" not in own[0]]
            said = explanations(self.expert, self.collator, [view for view, _ in first])
            for (_, row), columns in zip(first, said, strict=True):
                row |= columns
        seconds = (time.perf_counter() - began) / len(rows)
        for row in rows:
            row |= {"seconds": seconds, "batch": len(images), "note": note}

    def _prompts(
        self, questions: Sequence[Question], answers: Sequence[dict[str, Any]]
    ) -> list[ResolvedPrompt | None]:
        """Questions as tokens; one whose verdict is scanned for has written up to it, or has none and says why."""
        scanned = [n for n, question in enumerate(questions) if question.position == "scan"]
        rationales = scan(self.expert, self.collator, [questions[n] for n in scanned])
        written = dict(zip(scanned, rationales, strict=True))
        for n, rationale in written.items():
            answers[n] |= rationale.columns()
        return [
            written[n].prompt if n in written else self.resolve(question)
            for n, question in enumerate(questions)
        ]

    def _read(
        self, prompts: Sequence[tuple[View, ResolvedPrompt]]
    ) -> list[list[list[tuple[list[float], float]]]]:
        """What is read of each prompt's rows; those about one view share its tokens."""
        rows: list[dict[str, Any]] = []
        reads: list[list[list[int]]] = []
        counts = []
        for tree, (view, group) in enumerate(groupby(prompts, key=lambda each: each[0])):
            for _, prompt in group:
                rows += [{"input_ids": ids, "image": view, "tree": tree} for ids in prompt.rows()]
                reads += prompt.reads()
                counts.append(len(prompt.rows()))
        if not rows:  # no verdict was written
            return []
        batch = self.packer(rows)
        with self._preparing():
            found = iter(self.expert.read(batch, reads))
        return [[next(found) for _ in range(count)] for count in counts]

    @contextmanager
    def _preparing(self) -> Iterator[None]:
        """Meanwhile the next batch's pictures are read in a thread; nobody else reads any until it is done."""
        thread = Thread(target=self._prepare, args=(self._next,))
        self._next = ()
        thread.start()
        try:
            yield
        finally:
            thread.join()

    def _prepare(self, views: Sequence[View]) -> None:
        for view in views:
            with suppress(Exception):  # it is said when the picture's turn comes
                self.collator.placer.blocks.get(view)

    def resolve(self, question: Question) -> ResolvedPrompt:
        """The question as tokens; a verdict's is resolved once.

        Raises:
            UsageError: If its words cannot be read behind its prompt, or not summed where they are to be.
        """
        key = f"{question.messages}{question.words}{question.prefix}{question.aggregation}"
        if key not in self._resolved:
            if len(self._resolved) > 4096:
                self._resolved.clear()
            self._resolved[key] = self._resolve(question)
        return self._resolved[key]

    def _resolve(self, question: Question) -> ResolvedPrompt:
        try:
            prompt = resolve_prompt(self.expert.processor, question.messages, question.words, question.prefix)
            if question.position != "scan":  # there it is spelled as it stands
                check_sum(prompt.tokens("fake"), prompt.tokens("real"), question.aggregation)
        except UsageError as error:
            raise named(error, question) from None
        return prompt


def named(error: UsageError, question: Question) -> UsageError:
    """An error about a question's words, with its readout (or template) and prompt."""
    facts = question.facts
    if not {"template", "prompt"} <= facts.keys():
        return error
    where = f"readout '{facts['template']}', prompt '{printable(facts['prompt'])[:100]}'"
    return UsageError(f"{where}: {error.problem}", hint=error.hint)


def _fail(questions: Sequence[Question], rows: Sequence[dict[str, Any]], error: Exception) -> None:
    """Let the rows of a picture say why it has no answer, and nothing else."""
    first = (str(error).strip().splitlines() or ["no reason given"])[0]
    reason = f"cannot be asked about ({type(error).__name__}: {first})"
    if isinstance(error, RecordError):
        reason = str(error)
    elif is_out_of_memory(error):
        reason = f"memory does not hold one image ({first})"
    for question, row in zip(questions, rows, strict=True):
        row.clear()
        row.update(question.facts, image=question.view.path, error=reason)


def _give_back_memory() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


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
