"""`import synthscars`: SynthScars (LEGION): polygons of what is wrong in fully synthetic images, each explained.

A file is a list of one-key objects ``{"317": {"img_file_name", "caption", "refs": [{"sentence", "segmentation":
[[x1, y1, x2, y2, ...], ...], "explanation"}]}}``.

Labels: every image is a fake, generated whole; a set of these images alone needs real ones beside it (see `merge`).
Questions: none. Boxes: polygons, **absolute pixels** of the image as stored. Encoding: UTF-8. Image paths: a file
name; the image lies in `images` beside the annotation's own folder (the authors' is spelt `annoations`). Splits:
`train.json`, `test.json`.

`sentence` should be a part of `caption`. The authors' loader drops a ref whose sentence is not, and says nothing. Here
it stays, since its region and explanation are as true as before; only its place in the text is unknown, and it is
counted.

How surely this is known: the keys, the pixels and the folders are those that the authors' public loader and README
use; no record was at hand. A record of another form is rejected with what was expected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.base.images import MissingImageError
from fakeinstruct.chains.importers.records import Record
from fakeinstruct.chains.importers.regions import region_from_polygon
from fakeinstruct.chains.importers.sentences import as_sentence
from fakeinstruct.chains.importers.source import Imported, Source, published_split
from fakeinstruct.chains.importers.text import trace
from fakeinstruct.chains.schema import Chain, ImageRef, Label, Manipulation, Span, Trace
from fakeinstruct.chains.taxonomy import load_taxonomy

IMAGES = "images"
"""The folder of images beside that of the annotations."""


class Ref(Record):
    """One artefact: the part of the caption that names it, its outlines, and why it is one."""

    sentence: str
    segmentation: list[Any]
    explanation: str | None = None


class Scars(Record):
    """What was found in one image."""

    img_file_name: str
    caption: str
    refs: list[Ref]


def import_synthscars(source: Source, *, rejects: Rejects) -> Imported:
    """Read SynthScars; of a folder, `train.json` and `test.json` at any depth.

    Args:
        source: An annotation file, or the folder or zip file that holds them.
        rejects: Collects records that cannot be taken, with reasons.

    Raises:
        UsageError: If there is no such file.
        FakeInstructError: If one cannot be read.
    """
    notes: Counter[str] = Counter()
    return Imported(_chains(source, rejects, notes), notes=notes)


def _chains(source: Source, rejects: Rejects, notes: Counter[str]) -> Iterator[Chain]:
    def read(file: Path, _: str, value: Any) -> Chain:
        if not isinstance(value, dict) or len(value) != 1:
            raise RecordError("is not an object of one key, the record's number, as SynthScars has them")
        [(key, record)] = value.items()
        return _chain(source, file, key, Scars.read(record), notes)

    return source.each(source.annotations("train.json", "test.json"), rejects, read)


def _chain(source: Source, file: Path, key: str, record: Scars, notes: Counter[str]) -> Chain:
    image = _image(source, file, record.img_file_name)
    caption = record.caption.strip().strip('"').strip()
    traces = []
    for number, ref in enumerate(record.refs, start=1):
        regions = [
            region_from_polygon(points, source.images.size(image), notes) for points in ref.segmentation
        ]
        one = _trace(f"t{number}", ref, caption, notes)
        traces.append(one.model_copy(update={"regions": tuple(regions)}))
    if not traces:
        notes["images without an annotated artefact"] += 1
    return source.chain(
        image,
        Label.FAKE,
        manipulation=Manipulation.GENERATED,
        origin={"by": "human", "label_shown": True, "source_record": key},
        texts=[{"role": "explanation", "text": caption}] if caption else [],
        traces=traces,
        split=published_split(file),
    )


def _image(source: Source, file: Path, name: str) -> ImageRef:
    try:
        return source.images.find(name, near=file)
    except MissingImageError:
        return source.images.find(f"{IMAGES}/{name}", near=file)


def _trace(id: str, ref: Ref, caption: str, notes: Counter[str]) -> Trace:
    sentence, explanation = ref.sentence.strip(), (ref.explanation or "").strip()
    if not (sentence or explanation):
        raise RecordError("has neither a sentence nor an explanation", field="refs.sentence")
    start = caption.find(sentence) if sentence else -1
    if start < 0:
        notes["sentences that are no part of their caption"] += 1
    return trace(
        id,
        as_sentence(explanation or sentence),
        load_taxonomy(),
        label=Label.FAKE,
        span=Span(text=0, start=start, end=start + len(sentence)) if start >= 0 else None,
    )
