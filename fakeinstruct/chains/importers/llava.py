"""`import llava`: free English explanations in LLaVA's JSON, and true/false benchmarks of the same authors' form.

A record is ``{"id", "image", "conversations": [{"from": "human", ...}, {"from": "gpt", "value": explanation}],
"metadata": {"generator", "object_category"}}`` or, of a benchmark, ``{"image", "question", "ground_truth": "Real"}``.

Labels: `metadata.generator` ("natural" is real, any other name is a fake's generator) and the verdict in the text;
where both are there they must agree, where neither is the record is rejected. No number stands for a label.
Questions: a benchmark's ask for the word; none is one of yes or no. Boxes: none. Encoding: UTF-8, or UTF-16 with a
byte-order mark. Image paths: relative to the image root, or absolute on the author's machine, of which the end is
looked up. Splits: `train`, `val` or `test` in the file's name; a benchmark's images are test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.chains.importers.conversation import Turn, answers, question_words
from fakeinstruct.chains.importers.records import Record
from fakeinstruct.chains.importers.source import Imported, Source, published_split, unique
from fakeinstruct.chains.importers.text import split_text
from fakeinstruct.chains.importers.verdict import stated_verdict
from fakeinstruct.chains.items import Item
from fakeinstruct.chains.schema import Chain, Label, Split
from fakeinstruct.chains.taxonomy import load_taxonomy

PHOTOGRAPHS = frozenset({"natural", "nature", "real"})
"""Values of `metadata.generator` that mean a photograph."""


class Metadata(Record):
    """What is known of the image beside the conversation."""

    generator: str | None = None
    object_category: str | None = None


class Explanation(Record):
    """A conversation about one image."""

    image: str
    conversations: list[Turn]
    id: str | int | None = None
    metadata: Metadata = Metadata()


class Question(Record):
    """A question of a benchmark with the word that it keys."""

    image: str
    question: str
    ground_truth: str
    id: str | int | None = None
    metadata: Metadata = Metadata()


def import_llava(source: Source, *, rejects: Rejects) -> Imported:
    """Read explanations in LLaVA's JSON; of a folder, every JSON and JSON Lines file.

    Args:
        source: The annotation file, or the folder or zip file that holds it.
        rejects: Collects records that cannot be taken, with reasons.

    Raises:
        UsageError: If there is no annotation file.
        FakeInstructError: If it cannot be read.
    """
    items: list[Item] = []
    notes: Counter[str] = Counter()
    return Imported(_chains(source, rejects, items, notes), items=items, notes=notes)


def _chains(source: Source, rejects: Rejects, items: list[Item], notes: Counter[str]) -> Iterator[Chain]:
    seen: Counter[str] = Counter()

    def read(file: Path, name: str, value: Any) -> Chain:
        if isinstance(value, dict) and "ground_truth" in value:
            chain, item = _question(source, seen, file, name, Question.read(value))
            items.append(item)
            return chain
        chain = _explanation(source, seen, file, name, Explanation.read(value))
        if not chain.traces:
            notes["texts that are only a verdict"] += 1
        return chain

    return source.each(source.annotations(), rejects, read)


def _explanation(source: Source, seen: Counter[str], file: Path, name: str, record: Explanation) -> Chain:
    text = "\n\n".join(answers(record.conversations))
    label = _label(record.metadata.generator, stated_verdict(text))
    image = source.images.find(record.image, near=file)
    return source.chain(
        image,
        label,
        id=unique(seen, image.path),
        origin={"by": "dataset", "source_record": str(record.id or name)},
        texts=[{"role": "explanation", "text": text}],
        traces=split_text(text, load_taxonomy(), label=label),
        split=published_split(file),
        **_known(record.metadata, label),
    )


def _question(
    source: Source, seen: Counter[str], file: Path, name: str, record: Question
) -> tuple[Chain, Item]:
    stated = {"real": Label.REAL, "fake": Label.FAKE}.get(record.ground_truth.strip().lower())
    if stated is None:
        raise RecordError(
            f"must be Real or Fake, not {record.ground_truth[:40]!r}",
            field="ground_truth",
            hint="Questions with several choices are not read.",
        )
    label = _label(record.metadata.generator, stated)
    image = source.images.find(record.image, near=file)
    id_ = unique(seen, image.path)
    source_record = str(record.id or name)
    chain = source.chain(
        image,
        label,
        id=id_,
        origin={"by": "dataset", "source_record": source_record},
        split=Split.TEST,
        **_known(record.metadata, label),
    )
    item = Item(
        id=f"{id_}#question",
        chain=id_,
        kind="verdict",
        question=question_words(record.question),
        answer=label,
        source_record=source_record,
    )
    return chain, item


def _label(generator: str | None, stated: Label | None) -> Label:
    """The label that metadata and text agree on."""
    known = None
    if generator:
        known = Label.REAL if generator.strip().lower() in PHOTOGRAPHS else Label.FAKE
    if known and stated and known is not stated:
        raise RecordError(
            f"is called {stated} and its generator is '{generator}': one of them is wrong",
            field="metadata.generator",
        )
    label = known or stated
    if label is None:
        raise RecordError(
            "neither its text nor metadata.generator says whether the image is real or fake",
            field="conversations",
            hint="State it in metadata.generator: 'natural', or the generator's name.",
        )
    return label


def _known(metadata: Metadata, label: Label) -> dict[str, Any]:
    """The generator of a fake, in its published spelling, and what the image shows."""
    content = (metadata.object_category,) if metadata.object_category else ()
    return {"generator": metadata.generator if label is Label.FAKE else None, "content": content}
