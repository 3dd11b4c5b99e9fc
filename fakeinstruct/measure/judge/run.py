"""A judge of explanations: a language model behind the OpenAI API marks an expert's words beside annotators' own.

Replies are kept in a folder, part by part, so that an interrupted run goes on where it stopped and no text is marked
twice. What a judge says varies: figures name its model, the hash of its prompt, and how often it was asked.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects, UsageError
from fakeinstruct.base.files import fingerprint, stable_seed
from fakeinstruct.base.progress import track
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.forensics.server import Server, plain_address
from fakeinstruct.forensics.server_http import Connection, Patience, StoppedServerError, run_to_end
from fakeinstruct.forensics.server_probe import served_model
from fakeinstruct.forensics.server_tokens import read_completion
from fakeinstruct.measure.judge.kept import (
    PARTS,
    Asked,
    JudgeMeta,
    claim_folder,
    read_replies,
    write_replies,
)
from fakeinstruct.measure.judge.marks import Case, Judgement, judgement_of
from fakeinstruct.measure.judge.prompt import JudgePrompt, load_judge_prompt
from fakeinstruct.measure.words.own import Own, own_words
from fakeinstruct.measure.words.said import Said, chains_of, texts_of

AT_ONCE = 16
"""Requests at once."""

PART = 128
"""Replies that are written at once: what a crash costs at most."""

GO_ON = "What was marked is kept; the same command goes on from there."

Rows = Sequence[Mapping[str, Any]]

Part = TypeVar("Part", bound=Hashable)
"""What tells the texts that have figures of their own apart."""


@dataclass(frozen=True)
class Judge:
    """Who is asked, how, and how often.

    Attributes:
        server: The language model's; without a model's name it is asked which one it has, once there is something to
            mark.
        prompt: What is asked.
        samples: How often each text is marked.
    """

    server: Server
    prompt: JudgePrompt
    samples: int

    @property
    def meta(self) -> JudgeMeta:
        """What replies are kept under."""
        return JudgeMeta(
            server=self.server.url,
            model=self.server.model,
            prompt=self.prompt.wording.name,
            prompt_sha256=self.prompt.sha256,
            samples=self.samples,
        )

    def body(self, case: Case) -> dict[str, Any]:
        """The request for a case's marks."""
        body = {
            "model": self.server.model,
            "messages": case.messages,
            "max_tokens": self.prompt.wording.max_tokens,
            "temperature": 0,
        }
        if self.samples == 1:
            return body
        return body | {"temperature": 1, "seed": stable_seed(case.key, case.sample) % 2**31}

    def mark(
        self, parts: Mapping[Part, Rows], chains: ChainSet, out: str | Path, rejects: Rejects | None = None
    ) -> dict[Part, Judgement]:
        """Marks of the texts about test images that annotators wrote about as well, each part by itself.

        Args:
            parts: Answers of one expert, apart by what they answer.
            chains: What annotators wrote.
            out: Folder for the replies. What is there already is not asked again.
            rejects: Collects texts that the server refuses to mark, and chains that cannot be read. Without it the
                first is raised.

        Raises:
            UsageError: If the folder holds replies of another judge, prompt or number of samples, or the server has
                several models and none was named.
            FakeInstructError: If nothing is there to be marked, or the server does not answer.
        """
        cases = _cases(parts, chains, self, rejects)
        every = {case.asked: case for some in cases.values() for case in some}
        return self._named()._mark(cases, every, Path(out), rejects)

    def _named(self) -> Judge:
        """The same with the model's name."""
        return self if self.server.model else replace(self, server=_with_model(self.server))

    def _mark(
        self,
        cases: Mapping[Part, Sequence[Case]],
        every: Mapping[Asked, Case],
        folder: Path,
        rejects: Rejects | None,
    ) -> dict[Part, Judgement]:
        claim_folder(folder, self.meta)
        replies = read_replies(folder)
        missing = [case for asked, case in every.items() if asked not in replies]
        for start in track(range(0, len(missing), PART), "asking the judge"):
            replies |= _ask_part(self, missing[start : start + PART], folder, rejects)
        return {part: judgement_of(self.meta, some, replies) for part, some in cases.items()}


def open_judge(
    url: str,
    model: str | None = None,
    *,
    prompt: JudgePrompt | None = None,
    samples: int = 1,
    patience: Patience | None = None,
) -> Judge:
    """A judge behind a server that speaks the OpenAI API; the environment variable OPENAI_API_KEY has its key.

    Nothing is sent before there is something to mark.

    Args:
        url: The server's address.
        model: The model's name; without it the server is asked which one it has.
        prompt: What is asked; `eval/judge/explanation.yaml` by default.
        samples: How often each text is marked: once at temperature 0, more often at temperature 1 by fixed seeds.
        patience: How long the server is waited for.

    Raises:
        UsageError: If the address is none.
    """
    key = os.environ.get("OPENAI_API_KEY")
    server = Server(plain_address(url), model or "", key, patience=patience or Patience())
    return Judge(server, prompt or load_judge_prompt(), samples)


def judge(
    rows: Rows,
    chains: ChainSet,
    url: str,
    out: str | Path,
    *,
    model: str | None = None,
    prompt: JudgePrompt | None = None,
    samples: int = 1,
    patience: Patience | None = None,
    rejects: Rejects | None = None,
) -> Judgement:
    """Let a judge mark the texts of some answers, see `open_judge` and `Judge.mark`.

    Raises:
        UsageError: If the folder holds replies of another judge, prompt or number of samples.
        FakeInstructError: If nothing is there to be marked, or the server does not answer.
    """
    asked = open_judge(url, model, prompt=prompt, samples=samples, patience=patience)
    return asked.mark({None: rows}, chains, out, rejects)[None]


def _with_model(server: Server) -> Server:
    """A server with the name of the only model that it has."""

    async def only_model() -> str:
        async with server.connection() as connection:
            return await served_model(connection)

    try:
        return replace(server, model=run_to_end(only_model()))
    except UsageError as error:  # `score` names it otherwise
        raise UsageError(error.problem, file=server.url, hint="Name one with --judge-model.") from None
    except StoppedServerError:
        raise _never_there(server) from None


def _never_there(server: Server) -> FakeInstructError:
    return FakeInstructError(
        "the judge's server does not answer",
        file=server.url,
        hint="Is it running, and is --judge its address?",
    )


def _cases(
    parts: Mapping[Part, Rows], chains: ChainSet, asked: Judge, rejects: Rejects | None
) -> dict[Part, list[Case]]:
    """What is to be marked; a text that an image has twice in a part, once.

    Raises:
        FakeInstructError: If there is nothing.
    """
    said = {part: texts_of(rows) for part, rows in parts.items()}
    known = chains_of(chains, (one.chain for some in said.values() for one in some), rejects)
    own = {name: own_words(chain) for name, chain in known.items()}
    found = {part: list(_of_texts(some, own, asked)) for part, some in said.items()}
    if not any(found.values()):
        raise FakeInstructError(_nothing(said, own), file=chains.folder, hint="Leave the judge out.")
    return found


def _nothing(said: Mapping[Part, Sequence[Said]], own: Mapping[str, Own | str]) -> str:
    """Why there is nothing to mark: no text, or no words of annotators, and why not."""
    images = dict.fromkeys(one.chain for some in said.values() for one in some)
    if not images:
        return "there is nothing to judge: no test image has a text"
    why = Counter(str(own.get(image, "no chain")) for image in images)
    listed = ", ".join(f"{count:,} {reason}" for reason, count in why.most_common())
    return (
        f"there is nothing to judge: no words of annotators about the {len(images):,} test images ({listed})"
    )


def _of_texts(said: Sequence[Said], own: Mapping[str, Own | str], asked: Judge) -> Iterable[Case]:
    cases = {}
    for one in said:
        words = own.get(one.chain)
        if isinstance(words, Own):
            messages = asked.prompt.messages(one.text, words.references)
            key = fingerprint(messages)
            for sample in range(asked.samples):
                cases[one.chain, key, sample] = Case(one.chain, key, sample, messages)
    return cases.values()


def _ask_part(asked: Judge, cases: Sequence[Case], folder: Path, rejects: Rejects | None) -> dict[Asked, str]:
    """Ask about some texts and keep what was replied, also where the server stops in between.

    Raises:
        FakeInstructError: If the server stops answering, or refuses all of them and never took one.
    """
    replies: dict[Asked, str] = {}
    refused: list[RecordError] = []
    begun = any(folder.glob(PARTS))
    try:
        run_to_end(_ask_all(asked, cases, replies, refused))
    except ExceptionGroup as group:
        stopped, others = group.split(StoppedServerError)
        if stopped is None or others is not None:
            raise
        if not replies and not begun:
            raise _never_there(asked.server) from None
        raise FakeInstructError(str(stopped.exceptions[0]), hint=GO_ON) from None
    finally:
        write_replies(folder, replies)
    for error in refused:
        if rejects is None or not (replies or begun):
            raise error
        rejects.add(error)
    return replies


async def _ask_all(
    asked: Judge, cases: Sequence[Case], replies: dict[Asked, str], refused: list[RecordError]
) -> None:
    waiting = iter(cases)

    async def work(connection: Connection) -> None:
        for case in waiting:
            try:
                reply = read_completion(await connection.complete(asked.body(case)))
                replies[case.asked] = reply.text
            except RecordError as error:
                refused.append(RecordError(error.problem, file=asked.server.url, record=case.chain))

    async with asked.server.connection() as connection, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work(connection))
