"""`import loki`: LOKI's open questions (what is wrong, with boxes) and its true/false questions, merged by image.

Open: ``{"image_path", "problems": {"regional": [{"region": [x, y, w, h], "desc"}], "global": [{"desc"}]}, "id",
"question"}``; true/false: ``{"image_path", "question", "answer": "Yes", "question_type": "..._ask_fake_...", "id"}``.

Labels: every open record is a fake; a true/false answer means the label that `question_type` asks for: `ask_fake`,
`ask_real`. An image under both labels is rejected with all its records. Questions: kept as evaluation items; "yes"
means what `question_type` says. Boxes: **x, y, width, height** in pixels of the image as stored. Encoding: UTF-16 with
a byte-order mark (open), UTF-8 (true/false). Image paths: `media_data/image/...`, relative to the image root; a root
that ends with these folders will do. Splits: all test, since LOKI is a benchmark. Content: what `question_type` ends
with ("animals", "satellite"), as published; an image without a true/false question has none.

Descriptions were translated by a chat model, whose phrases ("The text translates to:", "Certainly! Here are ...") are
no observation and are left out of the traces. Empty descriptions are passed over and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.chains.importers.conversation import question_words
from fakeinstruct.chains.importers.loki_records import (
    Open,
    Problem,
    RegionalProblem,
    TrueFalse,
    answered,
    asked,
    shown,
)
from fakeinstruct.chains.importers.regions import region_from_box
from fakeinstruct.chains.importers.sentences import as_sentence, parts
from fakeinstruct.chains.importers.source import BAD, Imported, Source
from fakeinstruct.chains.importers.text import trace
from fakeinstruct.chains.importers.translations import without_translator
from fakeinstruct.chains.items import Item
from fakeinstruct.chains.schema import Chain, ImageRef, Label, Region, Split, Trace
from fakeinstruct.chains.taxonomy import load_taxonomy

FILES = ("open_ended_vqa.json", "true_or_false.json")
"""The published files about single images."""


@dataclass(frozen=True)
class _Opened:
    """An open record and where it stands."""

    file: Path
    name: str
    record: Open


@dataclass(frozen=True)
class _Answered:
    """A true/false record, where it stands, and the label that it means."""

    file: Path
    name: str
    record: TrueFalse
    label: Label


@dataclass
class _Said:
    """What was said of one image."""

    opens: list[_Opened] = field(default_factory=list)
    answers: list[_Answered] = field(default_factory=list)

    @property
    def labels(self) -> set[Label]:
        """The labels that its records state."""
        return {Label.FAKE for _ in self.opens} | {answer.label for answer in self.answers}


def import_loki(source: Source, *, rejects: Rejects) -> Imported:
    """Read LOKI's questions about single images.

    Args:
        source: `open_ended_vqa.json` or `true_or_false.json`, or a folder or zip file with one or both.
        rejects: Collects records that cannot be taken, with reasons.

    Raises:
        UsageError: If there is no such file.
        FakeInstructError: If one cannot be read.
    """
    items: list[Item] = []
    notes: Counter[str] = Counter()
    return Imported(_chains(source, rejects, items, notes), items=items, notes=notes)


def _chains(source: Source, rejects: Rejects, items: list[Item], notes: Counter[str]) -> Iterator[Chain]:
    def refuse(records: Sequence[_Opened | _Answered], error: RecordError | ValidationError) -> None:
        for record in records:
            source.reject(rejects, error, record.file, record.name)

    for written, said in _by_image(source, rejects).items():
        everything: list[_Opened | _Answered] = [*said.opens, *said.answers]
        try:
            if len(said.labels) > 1:
                raise RecordError("the image is called both fake and real", field="image_path")
            image = source.images.find(written, near=everything[0].file)
        except BAD as error:
            refuse(everything, error)
            continue
        try:
            chain = _chain(source, image, said, notes)
        except BAD as error:  # of a box or a description: what was answered of the image still holds
            refuse(said.opens, error)
            said.opens.clear()
            if not said.answers:
                continue
            chain = _chain(source, image, said, notes)
        items.extend(_items(chain, said))
        yield chain


def _by_image(source: Source, rejects: Rejects) -> dict[str, _Said]:
    found: dict[str, _Said] = {}

    def read(file: Path, name: str, value: Any) -> None:
        if isinstance(value, dict) and "problems" in value:
            opened = Open.read(value)
            question_words(opened.question)
            found.setdefault(opened.image_path, _Said()).opens.append(_Opened(file, name, opened))
            return
        record = TrueFalse.read(value)
        question_words(record.question)
        answer = _Answered(file, name, record, answered(record))
        found.setdefault(record.image_path, _Said()).answers.append(answer)

    for _ in source.each(source.annotations(*FILES), rejects, read):
        pass
    return found


def _chain(source: Source, image: ImageRef, said: _Said, notes: Counter[str]) -> Chain:
    traces: list[Trace] = []
    texts: list[dict[str, str]] = []
    for opened in said.opens:
        problems = opened.record.problems
        for problem in (*problems.regional, *problems.everywhere):
            if not problem.desc.strip():
                notes["problems without a description, passed over"] += 1
                continue
            regions = _regions(source, image, problem, notes)
            traces += _traces(problem.desc, regions, len(traces), notes)
            texts.append({"role": "original", "text": problem.desc.strip()})
    everything: list[_Opened | _Answered] = [*said.opens, *said.answers]
    return source.chain(
        image,
        next(iter(said.labels)),
        origin={
            "by": "human" if said.opens else "dataset",
            "label_shown": True if said.opens else None,
            "source_record": everything[0].record.id,
        },
        traces=_joined(traces),
        texts=texts,
        split=Split.TEST,
        content=tuple(dict.fromkeys(kind for one in said.answers if (kind := shown(one.record)))),
    )


def _joined(traces: Iterable[Trace]) -> list[Trace]:
    """Traces of the same words as one: LOKI repeats a description for every region that it applies to."""
    by_words: dict[str, Trace] = {}
    for one in traces:
        known = by_words.setdefault(one.observation, one)
        regions = tuple(dict.fromkeys((*known.regions, *one.regions)))
        by_words[one.observation] = known.model_copy(update={"regions": regions})
    return list(by_words.values())


def _regions(source: Source, image: ImageRef, problem: Problem, notes: Counter[str]) -> tuple[Region, ...]:
    if not isinstance(problem, RegionalProblem):
        return ()
    return (region_from_box(problem.region, source.images.size(image), notes, convention="xywh"),)


def _traces(desc: str, regions: Sequence[Region], before: int, notes: Counter[str]) -> Iterator[Trace]:
    """The traces of a description: one a listed point, or one for the whole, in the region that it is about."""
    words = without_translator(desc)
    if words is None:
        notes["descriptions that are a translator's reply, left out of the traces"] += 1
        return
    points = [words[part.start : part.end] for part in parts(words) if part.listed] or [words]
    for number, point in enumerate(points, start=before + 1):
        one = trace(f"t{number}", as_sentence(point), load_taxonomy(), label=Label.FAKE)
        yield one.model_copy(update={"regions": tuple(regions)})


def _items(chain: Chain, said: _Said) -> Iterator[Item]:
    for opened in said.opens:
        record = opened.record
        yield Item(
            id=record.id,
            chain=chain.id,
            kind="open",
            question=question_words(record.question),
            answer=chain.label,
            source_record=record.id,
        )
    for answer in said.answers:
        yield Item(
            id=answer.record.id,
            chain=chain.id,
            kind="verdict",
            question=question_words(answer.record.question),
            answer=answer.label,
            yes=asked(answer.record),
            source_record=answer.record.id,
        )
