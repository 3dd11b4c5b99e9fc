"""Scoring: every item asked once, its label tokens' logits stored, resumable after a kill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from fakeinstruct.base.errors import RecordError, Rejects, UsageError
from fakeinstruct.base.files import fingerprint, sha256_file, write_json
from fakeinstruct.base.progress import track
from fakeinstruct.base.versions import versions
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expand.pair import PairSet
from fakeinstruct.expert.card import Readout
from fakeinstruct.forensics.answers import AnswerSet, AnswersMeta, open_answers, write_part
from fakeinstruct.forensics.expert import Expert
from fakeinstruct.forensics.protocol import Protocol, chosen_readouts
from fakeinstruct.forensics.questions import Question, closed_questions, verdict_questions
from fakeinstruct.forensics.views import Viewer

PART = 512
"""Questions a part: what a killed run may have to ask again."""


def score(
    expert: Expert,
    items: ChainSet | PairSet,
    out: str | Path,
    protocol: Protocol | None = None,
    *,
    batch: int | None = None,
    rejects: Rejects | None = None,
) -> AnswerSet:
    """Ask an expert about every item and store what it said.

    Chains are asked the readouts' verdict questions; of pairs, those whose answer is one token are asked.
    A run that was killed goes on where it stopped; a finished one returns at once.

    Args:
        expert: Whom to ask.
        items: What to ask about.
        out: Folder of the answer set.
        protocol: How to ask; by default the expert's first readout, validation and test split.
        batch: Images asked at once.
        rejects: Collects items that could not be asked; their rows carry the error.

    Raises:
        UsageError: If `out` holds answers of another expert, to other items, or asked otherwise.
    """
    out = Path(out)
    protocol = protocol or Protocol()
    rejects = rejects if rejects is not None else Rejects()
    readouts = chosen_readouts(expert.card.readouts, protocol)
    answers = begin(out, make_meta(expert, items, protocol, readouts))
    if answers.meta.complete:
        return answers
    viewer = Viewer(items.image_root)
    asker = expert.asker(viewer, batch=batch, explain=protocol.explain)
    done = set(answers.answered())
    number = len(answers.parts())
    questions = (each for each in asked(items, readouts, protocol, rejects) if each.key() not in done)
    for part in parts(track(questions, "asking the expert")):
        rows = asker.ask(part)
        for row in rows:
            if row.get("error"):
                rejects.add(RecordError(row["error"], record=row["item"]))
        write_part(out, f"{number:05d}", rows)
        number += 1
    if not number:
        raise UsageError(
            f"no item of the splits {', '.join(protocol.splits)} can be asked about", file=items.folder
        )
    write_json(out / "meta.json", answers.meta.model_copy(update={"complete": True}).model_dump(mode="json"))
    return open_answers(out)


def asked(
    items: ChainSet | PairSet, readouts: Sequence[Readout], protocol: Protocol, rejects: Rejects
) -> Iterator[Question]:
    """Every question of a run, those about one picture one after the other."""
    if isinstance(items, ChainSet):
        return verdict_questions(items.read(rejects), readouts, protocol.splits)
    return closed_questions(items, protocol.splits)


def make_meta(
    expert: Expert, items: ChainSet | PairSet, protocol: Protocol, readouts: Sequence[Readout]
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
        versions=versions("torch", "transformers", "numpy", "pillow"),
    )


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
        for name in ("expert_sha256", "processor_sha256", "items_sha256", "aggregation", "protocol"):
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
