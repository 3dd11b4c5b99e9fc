"""`import fakebench`: FakeBench's three query files: evaluation items about 6,000 images, never to be trained on.

FakeClass: ``{"image_id", "question", "answer", "authenticity"}``; FakeClue: ``{"image_id", "image_caption",
"generation_model", "content_categories", "faultfinding_mode", "inference_mode"}``; FakeQA: ``{"image_id", "Q1": ...,
"Q14": ...}``. What they say of one image becomes one chain.

Labels: `authenticity`, **0 is fake, 1 is real**, which must agree with question and answer; every image of FakeClue
and FakeQA is a fake. Questions: "Is this a real image?" is answered "no" for a fake; an item's `yes` says which.
A question of FakeQA is about the attribute that it names, not about the one of its number, since their order varies.
Answers of FakeClue and FakeQA are blank. Boxes: none. Encoding: UTF-8. Image paths: file names, relative to the
image root, or in the folders `fake_images` and `real_images` of the published images. Splits: all test. Terms: files
MIT, README CC BY-NC; for evaluation only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.base.images import MissingImageError
from fakeinstruct.chains.importers.records import Record
from fakeinstruct.chains.importers.source import BAD, Imported, Source
from fakeinstruct.chains.items import Item
from fakeinstruct.chains.schema import Chain, ImageRef, Label, Split
from fakeinstruct.chains.taxonomy import load_taxonomy

FILES = ("FakeClass.json", "FakeClue.json", "FakeQA.json")
"""The published files."""

LABELS = {0: Label.FAKE, 1: Label.REAL}
"""What `authenticity` means."""

TERMS = "FakeBench is published for evaluation only (annotation files MIT, README CC BY-NC)"

_NUMBERED = re.compile(r"Q\d{1,2}")


class Class(Record):
    """A question of the verdict, and its answer."""

    image_id: str
    question: str
    answer: Literal["fake", "real", "yes", "no"]
    authenticity: int


class Clue(Record):
    """Two open prompts about a fake."""

    image_id: str
    faultfinding_mode: str
    inference_mode: str
    image_caption: str = ""
    content_categories: str = ""
    generation_model: str | None = None


@dataclass
class _Said:
    """What was said of one image: its label, its items before their chain is known, and more of the chain."""

    file: Path
    name: str
    label: Label
    items: list[dict[str, Any]] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)


def import_fakebench(source: Source, *, rejects: Rejects) -> Imported:
    """Read FakeBench's query files.

    Args:
        source: One of the files, or a folder or zip file with some of them.
        rejects: Collects records that cannot be taken, with reasons.

    Raises:
        UsageError: If there is no such file.
        FakeInstructError: If one cannot be read.
    """
    items: list[Item] = []
    notes: Counter[str] = Counter()
    return Imported(
        _chains(source, rejects, items, notes),
        licences={"FakeBench": TERMS},
        items=items,
        evaluation_only=TERMS,
        notes=notes,
    )


def _chains(source: Source, rejects: Rejects, items: list[Item], notes: Counter[str]) -> Iterator[Chain]:
    found: dict[str, _Said] = {}

    def read(file: Path, name: str, value: Any) -> None:
        image, said = _read(file, name, value, notes)
        known = found.setdefault(image, _Said(file, name, said.label))
        if known.label is not said.label:
            raise RecordError(
                f"'{image}' is called {said.label} here and {known.label} in record {known.name}"
            )
        known.items += said.items
        known.more |= said.more

    for _ in source.each(source.annotations(*FILES), rejects, read):
        pass
    for image, said in found.items():
        try:
            chain = source.chain(
                _image(source, image, said),
                said.label,
                origin={"by": "dataset", "source_record": image, "licence": TERMS},
                split=Split.TEST,
                **said.more,
            )
            kept = [
                Item(chain=chain.id, answer=said.label, source_record=image, **item) for item in said.items
            ]
        except BAD as error:
            source.reject(rejects, error, said.file, said.name)
        else:
            items.extend(kept)
            yield chain


def _image(source: Source, image: str, said: _Said) -> ImageRef:
    """The image, by its name alone or in the folder that the published images of its label lie in."""
    try:
        return source.images.find(image, near=said.file)
    except MissingImageError:
        for above in ("", "FakeBench_images/"):
            with suppress(MissingImageError):
                return source.images.find(f"{above}{said.label}_images/{image}", near=said.file)
        raise


def _read(file: Path, name: str, value: Any, notes: Counter[str]) -> tuple[str, _Said]:
    if isinstance(value, dict) and "authenticity" in value:
        return _class(file, name, Class.read(value))
    if isinstance(value, dict) and "faultfinding_mode" in value:
        return _clue(file, name, Clue.read(value))
    if isinstance(value, dict) and "Q1" in value:
        return _questions(file, name, value, notes)
    raise RecordError("is of none of FakeBench's three files", hint=f"They are {', '.join(FILES)}.")


def _class(file: Path, name: str, record: Class) -> tuple[str, _Said]:
    if record.authenticity not in LABELS:
        raise RecordError(f"must be 0 (fake) or 1 (real), not {record.authenticity}", field="authenticity")
    label = LABELS[record.authenticity]
    yes = _yes(record.question)
    means: dict[str, Label | None] = {"fake": Label.FAKE, "real": Label.REAL}
    if yes:
        means = {"yes": yes, "no": yes.other}
    said = means.get(record.answer)
    if said is None:
        raise RecordError(f"{record.answer!r} does not answer {record.question[:80]!r}", field="answer")
    if said is not label:
        raise RecordError(
            f"authenticity {record.authenticity} means {label}, and {record.answer!r} to this question {said}",
            field="authenticity",
        )
    item = {
        "id": f"{record.image_id}#class",
        "kind": "verdict",
        "question": record.question.strip(),
        "yes": yes,
    }
    return record.image_id, _Said(file, name, label, [item])


def _yes(question: str) -> Label | None:
    """What "yes" means to a question, None if it is not one of yes or no.

    Raises:
        RecordError: If it is one and does not say.
    """
    if not re.search(r"\byes or no\b", question, re.IGNORECASE):
        return None
    named = {label for label in Label if re.search(rf"\b{label}\b", question, re.IGNORECASE)}
    if len(named) != 1:
        raise RecordError(f"does not say what 'yes' means ({question[:80]!r})", field="question")
    return named.pop()


def _clue(file: Path, name: str, record: Clue) -> tuple[str, _Said]:
    items = [
        {"id": f"{record.image_id}#{mode}", "kind": "open", "question": question.strip()}
        for mode, question in (
            ("faultfinding", record.faultfinding_mode),
            ("inference", record.inference_mode),
        )
    ]
    content = tuple(filter(None, (word.strip() for word in record.content_categories.split(","))))
    more: dict[str, Any] = {"generator": record.generation_model, "content": content}
    if record.image_caption.strip():
        more["texts"] = [{"role": "caption", "text": record.image_caption.strip()}]
    return record.image_id, _Said(file, name, Label.FAKE, items, more)


def _questions(file: Path, name: str, value: dict[str, Any], notes: Counter[str]) -> tuple[str, _Said]:
    image = value.get("image_id")
    if not isinstance(image, str):
        raise RecordError("must be text", field="image_id")
    items = []
    for key in filter(_NUMBERED.fullmatch, value):
        question = value[key]
        if not isinstance(question, str) or not question.strip():
            raise RecordError("must be a question", field=key)
        attribute = asked_attribute(question)
        if attribute is None:
            notes["questions that name no attribute, or several"] += 1
        items.append(
            {
                "id": f"{image}#{key}",
                "kind": "attribute",
                "question": question.strip(),
                "attribute": attribute,
            }
        )
    return image, _Said(file, name, Label.FAKE, items)


def asked_attribute(question: str) -> str | None:
    """The attribute that a question of FakeQA is about, if it names exactly one."""
    named = load_taxonomy().named_in(question)
    if not named and re.search(r"\b(?:realistic|unrealism)\b", question):
        return "unrealistic"
    return next(iter(named)) if len(named) == 1 else None
