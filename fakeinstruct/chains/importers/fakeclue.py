"""`import fakeclue`: FakeClue (FakeVLM): LLaVA's JSON with a label and a category.

A record is ``{"image", "label": 0, "cate": "animal", "conversations": [..., {"from": "gpt", "value": "This is a fake
image. ..."}]}``.

Labels: **0 is fake, 1 is real**, the opposite of most sets; the answer's first sentence must agree, or the record is
rejected. Questions: not kept. Boxes: none. Encoding: UTF-8. Image paths: relative to the image root. Splits: `train` or
`test` in the file's name. Who wrote the answers: models that knew the label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.chains.importers.conversation import Turn, answers
from fakeinstruct.chains.importers.records import Record
from fakeinstruct.chains.importers.sentences import parts
from fakeinstruct.chains.importers.source import Imported, Source, published_split, unique
from fakeinstruct.chains.importers.text import split_text
from fakeinstruct.chains.importers.verdict import stated_verdict
from fakeinstruct.chains.schema import Chain, Label
from fakeinstruct.chains.taxonomy import load_taxonomy

LABELS = {0: Label.FAKE, 1: Label.REAL}
"""What the numbers mean here."""


class Clue(Record):
    """One image with an explained verdict."""

    image: str
    label: int
    conversations: list[Turn]
    cate: str | None = None


def import_fakeclue(source: Source, *, rejects: Rejects) -> Imported:
    """Read FakeClue; of a folder, every JSON and JSON Lines file.

    Args:
        source: The annotation file, or the folder or zip file that holds it.
        rejects: Collects records that cannot be taken, with reasons.

    Raises:
        UsageError: If there is no annotation file.
        FakeInstructError: If it cannot be read.
    """
    notes: Counter[str] = Counter()
    return Imported(_chains(source, rejects, notes), notes=notes)


def _chains(source: Source, rejects: Rejects, notes: Counter[str]) -> Iterator[Chain]:
    seen: Counter[str] = Counter()

    def read(file: Path, name: str, value: Any) -> Chain:
        record = Clue.read(value)
        text = "\n\n".join(answers(record.conversations))
        label = _label(record.label, text, notes)
        image = source.images.find(record.image, near=file)
        return source.chain(
            image,
            label,
            id=unique(seen, image.path),
            origin={"by": "model", "label_shown": True, "source_record": name},
            texts=[{"role": "explanation", "text": text}],
            traces=split_text(text, load_taxonomy(), label=label),
            content=(record.cate,) if record.cate else (),
            split=published_split(file),
        )

    return source.each(source.annotations(), rejects, read)


def _label(number: int, text: str, notes: Counter[str]) -> Label:
    if number not in LABELS:
        raise RecordError(f"must be 0 (fake) or 1 (real), not {number}", field="label")
    label = LABELS[number]
    first = next(parts(text), None)
    stated = stated_verdict(text[first.start : first.end]) if first else None
    if stated is None:
        notes["answers whose first sentence states no verdict, taken by their label"] += 1
    elif stated is not label:
        raise RecordError(
            f"its label {number} means {label}, and its answer says {stated}",
            field="label",
            hint="In FakeClue 0 is fake and 1 is real; is this a file of another convention?",
        )
    return label
