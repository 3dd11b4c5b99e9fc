"""Asking a server: questions in, many requests at once, rows of answers back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from fakeinstruct.base.errors import RecordError, UsageError, printable
from fakeinstruct.forensics.asker import fill
from fakeinstruct.forensics.probability import check_sum
from fakeinstruct.forensics.questions import Question
from fakeinstruct.forensics.readout import ResolvedPrompt, Word
from fakeinstruct.forensics.scan import RATIONALE_TOKENS, casing
from fakeinstruct.forensics.server_http import Connection, RefusedError, StoppedServerError, run_to_end
from fakeinstruct.forensics.server_messages import api_messages, shown
from fakeinstruct.forensics.server_tokens import (
    SPACES,
    GarbageError,
    alike,
    place_of,
    read_completion,
    read_words,
)
from fakeinstruct.forensics.verdict import find_verdict

if TYPE_CHECKING:
    from fakeinstruct.forensics.server import Server
    from fakeinstruct.forensics.views import Viewer

AT_ONCE = 16
"""Requests at once."""

BLOCK = 8
"""Questions that are taken for each of the requests at once; their rows are given when all are answered."""

IN_A_ROW = 20
"""Requests in a row that fail before the run ends."""

GO_ON = "What was answered is kept; the same command goes on from there."


class ServerAsker:
    """Asks a server and turns what it returns into rows of answers.

    Logits are log-probabilities here, so that the log-normaliser is 0.

    Args:
        server: Whom to ask.
        viewer: Gives the pictures.
        batch: Requests at once.
        explain: Refused: a server does not say which question it learned to answer with reasons.

    Raises:
        UsageError: If explanations are asked for.
    """

    def __init__(
        self, server: Server, viewer: Viewer, *, batch: int | None = None, explain: bool = False
    ) -> None:
        if explain:
            raise UsageError(
                "a server is not asked for explanations", file=server.url, hint="Give the expert's folder."
            )
        self.server = server
        self.at_once = batch or AT_ONCE
        # the prompts of an image follow one another: it is encoded once
        self._picture = lru_cache(maxsize=self.at_once)(lambda view: shown(view, viewer))
        self._continues = False

    def ask(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        """One row a question, in their order; a question that cannot be asked is a row with its error.

        Raises:
            StoppedServerError: As `stream`.
            UsageError: As `stream`.
        """
        return list(self.stream(questions))

    def stream(self, questions: Iterable[Question]) -> Iterator[dict[str, Any]]:
        """The same for any number of questions, block by block; what was answered comes before an error is raised.

        Raises:
            StoppedServerError: If the server stops answering, or answers nonsense many times in a row.
            UsageError: If the server cannot be made to begin an answer with a given text.
        """
        numbered = enumerate(questions)
        rows: dict[int, dict[str, Any]] = {}
        failing: list[int] = []
        while block := list(islice(numbered, BLOCK * self.at_once)):
            try:
                run_to_end(self._ask_all(block, rows, failing))
            except ExceptionGroup as group:
                answered = rows.keys() - set(failing)
                yield from taken(rows, failing)
                error = group.exceptions[0]
                if not isinstance(error, StoppedServerError):
                    raise error from None
                item = next(each.facts.get("item") for n, each in block if n not in answered)
                message = f"{error.problem}, at item {item}"
                raise StoppedServerError(message, file=self.server.url, hint=GO_ON) from None
            except KeyboardInterrupt:
                yield from taken(rows, failing)
                raise
            yield from taken(rows, failing)
        yield from taken(rows, ())

    def resolve(self, question: Question) -> ResolvedPrompt:
        """The words that are looked for; a server's tokens have no ids here.

        Raises:
            UsageError: If two labels have the same word once leading spaces are gone, or cannot be summed.
        """
        found: dict[str, str] = {}
        for label, words in question.words.items():
            for word in words:
                text = word.strip(SPACES)
                if not text or found.setdefault(text, label) != label:
                    raise UsageError(f"'{word}' tells nothing: a server's tokens are compared without spaces")
        prompt = ResolvedPrompt((), tuple(Word(text, label, ()) for text, label in found.items()))
        check_sum(prompt.tokens("fake"), prompt.tokens("real"), question.aggregation)
        return prompt

    async def _ask_all(
        self, block: Sequence[tuple[int, Question]], rows: dict[int, dict[str, Any]], failing: list[int]
    ) -> None:
        waiting = iter(block)
        async with self.server.connection() as connection, asyncio.TaskGroup() as group:
            prefixed = next((each for _, each in block if each.prefix), None)
            if prefixed and not self._continues:
                await self._check_continues(connection, prefixed)
            for _ in range(self.at_once):
                group.create_task(self._work(connection, waiting, rows, failing))

    async def _work(
        self,
        connection: Connection,
        waiting: Iterator[tuple[int, Question]],
        rows: dict[int, dict[str, Any]],
        failing: list[int],
    ) -> None:
        """Take question after question; `failing` numbers those that failed behind the last success."""
        for number, question in waiting:
            row = question.facts | {"image": question.view.path}
            began = time.perf_counter()
            try:
                await self._answer(connection, question, row)
                failing[:] = [each for each in failing if each > number]
            except (GarbageError, RefusedError) as error:
                row["error"] = str(error)
                failing.append(number)
                if len(failing) >= IN_A_ROW:
                    problem = f"{IN_A_ROW} requests in a row failed, the last because {error.problem}"
                    raise StoppedServerError(problem) from None
            except RecordError as error:
                row["error"] = str(error)
            row["seconds"] = time.perf_counter() - began
            rows[number] = row

    async def _answer(self, connection: Connection, question: Question, row: dict[str, Any]) -> None:
        prompt = self.resolve(question)
        completion = read_completion(await connection.complete(self._body(question)))
        if not question.words:  # it asks for words and no verdict
            row["text"] = completion.text
            return
        if not completion.places:
            raise GarbageError("the server's answer has no log-probabilities")
        place, words = completion.places[0], [word.text for word in prompt.words]
        if question.position == "scan":
            verdict = find_verdict(completion.text, question.words, question.after)
            row |= {"text": completion.text, "verdict": verdict and verdict.label}
            if verdict is None:
                raise RecordError(f"wrote no verdict ('{printable(completion.text)[-80:]}')")
            place, words = place_of(completion, verdict.start), [*map(casing(verdict, question), words)]
        logits, row["note"] = read_words(place, words)
        fill(row, prompt, [[(logits, 0.0)]], question)

    def _body(self, question: Question) -> dict[str, Any]:
        messages = api_messages(question.messages, self._picture(question.view))
        body = self.server.body(messages, RATIONALE_TOKENS if question.position == "scan" else 1)
        if question.draw is not None:
            body |= {"temperature": 1, "seed": question.draw % 2**31}
        if not question.prefix:
            return body
        # the space before the word is the first of the word's token, not the last of the prompt's
        body["messages"] = [*messages, {"role": "assistant", "content": question.prefix.rstrip(" ")}]
        return body | {"continue_final_message": True, "add_generation_prompt": False}

    async def _check_continues(self, connection: Connection, question: Question) -> None:
        """Raise unless the server goes on with a begun answer: one that does not answers the same without the wish."""
        body = self._body(question)
        plain = {name: value for name, value in body.items() if not name.startswith(("continue_", "add_"))}
        hint = "vLLM and SGLang do; or read the answer's first token, or score the model's folder."
        try:
            asked, ignored = [read_completion(await connection.complete(each)) for each in (body, plain)]
        except RefusedError as error:
            raise UsageError(
                f"does not go on with a begun answer ({error.problem})", file=self.server.url, hint=hint
            ) from None
        if not asked.places or alike(asked.places[0], ignored.places[0]):
            raise UsageError("does not go on with a begun answer", file=self.server.url, hint=hint)
        self._continues = True


def taken(rows: dict[int, dict[str, Any]], failing: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Take rows out, by the number of their question, but for those that may be asked again if the run ends here."""
    for number in sorted(rows.keys() - set(failing)):
        yield rows.pop(number)
