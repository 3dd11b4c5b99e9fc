"""Scoring: every item asked once, its label tokens' logits stored, resumable after a kill."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import RecordError, Rejects, UsageError
from fakeinstruct.base.files import fingerprint, sha256_file
from fakeinstruct.base.progress import track
from fakeinstruct.base.versions import versions
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expand.pair import PairSet
from fakeinstruct.expert.card import Readout
from fakeinstruct.forensics.answer_folder import begin, held, write_meta
from fakeinstruct.forensics.answers import AnswerSet, AnswersMeta, open_answers, write_part
from fakeinstruct.forensics.benchmark import benchmark_questions
from fakeinstruct.forensics.expert import Expert
from fakeinstruct.forensics.intervene import twin_paths
from fakeinstruct.forensics.perturb import decoders
from fakeinstruct.forensics.prior import prior_pictures, prior_questions
from fakeinstruct.forensics.processes import Processes, joined
from fakeinstruct.forensics.protocol import Protocol, as_protocol, chosen_readouts
from fakeinstruct.forensics.questions import Question, closed_questions, verdict_question, verdict_questions
from fakeinstruct.forensics.scan import sampled
from fakeinstruct.forensics.server import Server
from fakeinstruct.forensics.views import View, Viewer

PART = 512
"""Answers a part: what a killed run may have to ask again."""


def score(
    expert: Expert | Server,
    items: ChainSet | PairSet,
    out: str | Path,
    protocol: Protocol | str | Path | None = None,
    *,
    batch: int | None = None,
    rejects: Rejects | None = None,
) -> AnswerSet:
    """Ask an expert about every item and store what it said.

    Chains are asked the readouts' verdict questions; of pairs, those whose answer is one token are asked.
    A run that was killed goes on where it stopped, with as many processes as one likes; a finished one returns at
    once. A picture that failed keeps its row with the error: it is not asked about again.

    Args:
        expert: Whom to ask.
        items: What to ask about.
        out: Folder of the answer set.
        protocol: How to ask, or a protocol's name or file; by default the expert's first readout, validation and test
            split.
        batch: Images asked at once; by default as many as pay.
        rejects: Collects items that could not be asked, those of earlier starts too; their rows carry the error.

    Raises:
        UsageError: If `out` holds answers of another expert, to other items, or asked otherwise.
        FakeInstructError: If too many items fail, or nothing can be written.
    """
    out = Path(out)
    protocol = as_protocol(protocol)
    rejects = rejects if rejects is not None else Rejects()
    readouts = chosen_readouts(expert.card.readouts, protocol)
    if next(asked(items, readouts, protocol, Rejects(1.0)), None) is None:
        raise UsageError(
            f"no item of the splits {', '.join(protocol.splits)} can be asked about", file=items.folder
        )
    if isinstance(items, ChainSet):
        check_readouts(expert, readouts)
    with joined() as processes:
        if processes.first:
            begin(out, make_meta(expert, items, protocol, readouts))
        processes.wait()
        answers = open_answers(out)
        if not answers.meta.complete:
            with held(out) if processes.first else nullcontext():
                ask_share(expert, items, answers, processes, batch=batch, rejects=rejects)
                processes.wait()
                if processes.first:
                    write_meta(out, answers.meta.model_copy(update={"complete": True}))
            processes.wait()
    answers = open_answers(out)
    for error in answers.errors():
        rejects.add(error)
    return answers


def ask_share(
    expert: Expert | Server,
    items: ChainSet | PairSet,
    answers: AnswerSet,
    processes: Processes,
    *,
    batch: int | None,
    rejects: Rejects,
) -> None:
    """Ask what is missing of this process's share, and write it part by part.

    Args:
        expert: Whom to ask.
        items: What to ask about.
        answers: What stands there.
        processes: Which share is this one's.
        batch: Images asked at once.
        rejects: Collects items that cannot be read.

    Raises:
        FakeInstructError: If too many pictures fail.
    """
    meta, done = answers.meta, set(answers.answered())
    processes.wait()  # before any of them writes
    viewer = Viewer(items.image_root, prior_pictures(items, meta.protocol))

    def missing(rejects: Rejects) -> Iterator[Question]:
        questions = asked(items, meta.readouts, meta.protocol, rejects)
        return (question for question in share(questions, processes) if question.key() not in done)

    total = sum(1 for _ in missing(rejects))
    asker = expert.asker(viewer, batch=batch, explain=meta.protocol.explain)
    rows: Iterable[dict[str, Any]] = asker.stream(missing(Rejects(rejects.share)))
    if processes.first:
        rows = track(rows, "asking the expert", total=total)
    failed = Rejects(rejects.share)
    number, seen = next_number(answers, processes.rank), 0
    for part in parts(iter(rows)):
        seen += len(part)
        for row in part:
            if row.get("error") and row.get("text") is None:  # one that wrote no verdict has answered
                failed.add(RecordError(row["error"], record=row["item"]))
        failed.check(seen)
        write_part(answers.folder, f"{processes.rank:03d}-{number:05d}", part)
        number += 1


def share(questions: Iterable[Question], processes: Processes) -> Iterator[Question]:
    """The questions about a process's images, which are its own whatever is done already."""
    images = (own for _, own in groupby(questions, key=lambda question: question.view.path))
    for image in processes.share(images):
        yield from image


def next_number(answers: AnswerSet, rank: int) -> int:
    """The number of a process's next part."""
    own = [part.stem for part in answers.parts() if part.stem.startswith(f"answers-{rank:03d}-")]
    return int(own[-1].rpartition("-")[2]) + 1 if own else 0


def asked(
    items: ChainSet | PairSet, readouts: Sequence[Readout], protocol: Protocol, rejects: Rejects
) -> Iterator[Question]:
    """Every question of a run, those about one picture one after the other.

    Raises:
        UsageError: If interventions are asked for of pairs.
    """
    if isinstance(items, ChainSet) and protocol.questions == "benchmark":
        return benchmark_questions(items, readouts, protocol, rejects)
    if isinstance(items, ChainSet):
        twins = twin_paths(items) if "repair" in protocol.interventions else {}
        questions = chain(
            prior_questions(readouts, prior_pictures(items, protocol)),
            verdict_questions(items.read(rejects), readouts, protocol, twins),
        )
        return (one for question in questions for one in sampled(question, protocol.samples, protocol.seed))
    if protocol.interventions:
        raise UsageError(
            "is a pair set, which does not say what is cited where",
            file=items.folder,
            hint="Ask for interventions on its chain set.",
        )
    return closed_questions(items, protocol)


def check_readouts(expert: Expert | Server, readouts: Sequence[Readout]) -> None:
    """See before anything is written that every readout fits the expert's tokenizer.

    Raises:
        UsageError: If one does not; see `Asker.resolve`.
    """
    asker = expert.asker(Viewer(None))
    for readout in readouts:
        asker.resolve(verdict_question(View(""), readout, {}))


def make_meta(
    expert: Expert | Server, items: ChainSet | PairSet, protocol: Protocol, readouts: Sequence[Readout]
) -> AnswersMeta:
    """What an answer set says of itself."""
    model, processor = expert.sha256()
    return AnswersMeta(
        expert=str(expert.folder),
        expert_sha256=model,
        processor_sha256=processor,
        items=str(items.folder),
        items_sha256=fingerprint([items_sha256(items), sorted(protocol.splits)]),
        image_root=str(items.image_root),
        aggregation=readouts[0].aggregation,
        protocol=protocol,
        readouts=tuple(readouts),
        versions=versions("torch", "transformers", "numpy", "scipy", "pillow") | decoders(),
    )


def items_sha256(items: ChainSet | PairSet) -> str:
    """A hash of what is asked about."""
    return sha256_file(items.file) if isinstance(items, ChainSet) else fingerprint(items.manifest.shards)


def parts(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The rows in parts of `PART`; if asking ends early, what was answered until then is still given."""
    while True:
        part: list[dict[str, Any]] = []
        try:
            part += islice(rows, PART)
        except BaseException:
            if part:
                yield part
            raise
        if not part:
            return
        yield part
