"""`import fakexplained`: FakeXplained, and ms-swift's grounding format in general.

A record is ``{"messages": [{"role", "content"}], "images": [one], "objects": {"ref": [text], "bbox": [[x1, y1, x2,
y2]], "bbox_type", "image_id"}}`` (see `placeholders`). The answer is
``<think>...</think><tag>name: value</tag><verdict>generated</verdict>``.

Labels: the verdict, **real or generated** ("fake" too); without an answer, an image without objects is real, and one
with objects a fake. A verdict "real" with objects is rejected: real images of this set are not annotated. Any other
word is rejected, "not real" and "unrealistic" too, as is an answer without a verdict or with two. Questions: none kept.
Boxes: x1, y1, x2, y2 in **pixels of the original image**, or with `bbox_type` "norm1" in fractions of it; `image_id`
says which image, and there is only one. Encoding: UTF-8. Image paths: relative to the image root, or of another
machine. Splits: in the file's name. Flaws: free text, which becomes an observation with the boxes that follow it.
Generated images are `generated`.

How surely this is known: `objects`, the placeholders, `bbox_type` and `image_id` are those of ms-swift's documentation;
the tags around the answer are those of the paper. What stands in a `<tag>` is known as "name: value" by example only:
another text stays in no field and is counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.chains.importers.placeholders import Flaw, Message, Objects, filled
from fakeinstruct.chains.importers.records import Record
from fakeinstruct.chains.importers.regions import region_from_box
from fakeinstruct.chains.importers.sentences import as_sentence
from fakeinstruct.chains.importers.source import Imported, Source, published_split
from fakeinstruct.chains.importers.text import trace
from fakeinstruct.chains.refusals import is_refusal
from fakeinstruct.chains.schema import Chain, ImageRef, Label, Manipulation, Region, Span, Trace
from fakeinstruct.chains.taxonomy import load_taxonomy

VERDICTS = {"real": Label.REAL, "generated": Label.FAKE, "fake": Label.FAKE}
"""What the word of a verdict means."""

_VERDICT = re.compile(r"<verdict>(?P<word>[^<]*)</verdict>")
_THINK = re.compile(r"<think>(?P<words>[^<]*(?:<(?!/?think>)[^<]*)*)</think>")
_TAG = re.compile(r"<tag>(?P<words>[^<]*)</tag>")
_WRITTEN_BOX = re.compile(r"<\|box_start\|>|\(\s*\d+\s*,\s*\d+\s*\)\s*,\s*\(\s*\d+\s*,\s*\d+\s*\)")


class Grounded(Record):
    """One image, what was said of it, and where."""

    messages: list[Message]
    images: list[str]
    objects: Objects = Objects()


def import_fakexplained(source: Source, *, rejects: Rejects) -> Imported:
    """Read grounded answers in ms-swift's form; of a folder, every JSON and JSON Lines file.

    Args:
        source: The annotation file, or the folder or zip file that holds it.
        rejects: Collects records that cannot be taken, with reasons.

    Raises:
        UsageError: If there is no annotation file.
        FakeInstructError: If it cannot be read.
    """
    notes: Counter[str] = Counter()

    def read(file: Path, name: str, value: Any) -> Chain:
        return _chain(source, file, name, Grounded.read(value), notes)

    return Imported(source.each(source.annotations(), rejects, read), notes=notes)


def _chain(source: Source, file: Path, name: str, record: Grounded, notes: Counter[str]) -> Chain:
    if len(record.images) != 1:
        raise RecordError(f"names {len(record.images)} images, not one", field="images")
    if any(index != 0 for index in record.objects.image_id or ()):
        raise RecordError("a box is of another image than the first", field="objects.image_id")
    answer, flaws = filled(record.messages, record.objects)
    label = _label(answer, record.objects)
    image = source.images.find(record.images[0], near=file)
    think, at = _explanation(answer)
    return source.chain(
        image,
        label,
        manipulation=Manipulation.GENERATED if label is Label.FAKE else None,
        origin={"by": "human", "source_record": name},
        texts=[{"role": "explanation", "text": think}] if think else [],
        traces=_traces(source, image, record.objects, _placed(flaws, think, at), label, notes=notes),
        tags=_tags(answer, notes),
        split=published_split(file),
    )


def _label(answer: str, objects: Objects) -> Label:
    annotated = bool(objects.ref or objects.bbox)
    if not answer.strip():
        return Label.FAKE if annotated else Label.REAL
    if is_refusal(answer):
        raise RecordError("the answer is a refusal", field="messages")
    if not annotated and _WRITTEN_BOX.search(answer):
        raise RecordError(
            "has boxes written into the answer",
            field="messages",
            hint="They are expected in objects.bbox, in pixels of the original image.",
        )
    words = [match["word"].strip().lower() for match in _VERDICT.finditer(answer)]
    if len(words) != 1 or words[0] not in VERDICTS:
        raise RecordError(
            f"has no single verdict ({', '.join(words)[:80] or 'none'})",
            field="messages",
            hint="Expected once: <verdict>real</verdict> or <verdict>generated</verdict>.",
        )
    label = VERDICTS[words[0]]
    if label is Label.REAL and annotated:
        raise RecordError("the verdict is real, and flaws are annotated", field="objects")
    return label


def _explanation(answer: str) -> tuple[str, int]:
    """The reasoning of an answer, and where it starts."""
    match = _THINK.search(answer)
    if not match:
        return "", 0
    words = match["words"]
    return words.strip(), match.start("words") + len(words) - len(words.lstrip())


def _placed(flaws: Sequence[Flaw], think: str, at: int) -> list[tuple[Flaw, Span | None]]:
    """Flaws with their places in the reasoning, where they stand there."""
    placed: list[tuple[Flaw, Span | None]] = []
    for flaw in flaws:
        start, end = flaw.start - at, flaw.start - at + len(flaw.words)
        inside = bool(flaw.words) and start >= 0 and think[start:end] == flaw.words
        placed.append((flaw, Span(text=0, start=start, end=end) if inside else None))
    return placed


def _traces(
    source: Source,
    image: ImageRef,
    objects: Objects,
    flaws: Sequence[tuple[Flaw, Span | None]],
    label: Label,
    *,
    notes: Counter[str],
) -> list[Trace]:
    traces = []
    for number, (flaw, span) in enumerate(flaws, start=1):
        if not flaw.words.strip():
            raise RecordError("a flaw has no words", field="objects.ref")
        one = trace(f"t{number}", as_sentence(flaw.words), load_taxonomy(), label=label, span=span)
        regions = tuple(_region(source, image, objects, box, notes) for box in flaw.boxes)
        traces.append(one.model_copy(update={"regions": regions}))
    if label is Label.FAKE and not traces:
        notes["fakes without an annotated flaw"] += 1
    return traces


def _region(
    source: Source, image: ImageRef, objects: Objects, box: Sequence[float], notes: Counter[str]
) -> Region:
    if objects.bbox_type == "norm1":
        return region_from_box(box, None, notes, convention="norm1")
    return region_from_box(box, source.images.size(image), notes, convention="xyxy")


def _tags(answer: str, notes: Counter[str]) -> dict[str, str]:
    """The tags of an answer, name to value."""
    tags: dict[str, str] = {}
    for match in _TAG.finditer(answer):
        for part in filter(str.strip, re.split(r"[;\n]", match["words"])):
            name, colon, value = (words.strip() for words in part.partition(":"))
            if colon and name and value and tags.setdefault(name, value) == value:
                continue
            notes["tags that are not 'name: value'"] += 1
    return tags
