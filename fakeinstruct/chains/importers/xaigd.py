"""`import xaigd`: X-AIGD: polygons of perceptual artefacts in generated images, by seven categories.

A row is ``{"generator", "uid", "width", "height", "labels": [{"label": "low-level-texture", "points": [[x, y], ...]}],
"image"}``, as JSON, JSON Lines or Parquet. `image` is a path; without it the image is looked up as
``<generator>/<uid>.png`` (or .jpg, .jpeg, .webp). The published Parquet files hold the images themselves, which have
to be saved first: docs/formats.md has the lines.

Labels: fakes; a row whose `generator` is "real" (or a name given as `real`) is a real image, and has no `labels`.
Pairs: rows of one `uid` belong together, whatever their generators; the real one is the twin of the fakes. Questions:
none. Boxes: polygons, **pixels** of `width` x `height`; an image of another size is rejected. Encoding: UTF-8. Image
paths: relative to the image root. Splits: in the file's name (`labeled_train`). Generators: as spelt. Licence:
CC BY 4.0.

An artefact has a category and no words. Its observation here is a sentence for the category (see `CATEGORIES`), the
same for every image: do not take it for an annotator's own words. All polygons of a category are one trace.

How surely this is known: columns, categories and splits are those of the dataset's card; how real images will be
marked is not published yet, so that "real" and the shared `uid` are our reading of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects
from fakeinstruct.base.images import MissingImageError
from fakeinstruct.base.progress import track
from fakeinstruct.chains.importers.records import ANNOTATIONS, TEXTS, Record
from fakeinstruct.chains.importers.regions import region_from_polygon
from fakeinstruct.chains.importers.source import Imported, Source, published_split
from fakeinstruct.chains.schema import Chain, ImageRef, Label, Manipulation, Region, Trace

CATEGORIES: dict[str, tuple[str | None, str]] = {
    "low-level-edge_shape": ("edge", "Edges or outlines are broken or misaligned here."),
    "low-level-texture": ("texture", "The texture is unnatural here."),
    "low-level-color": ("overall_tone", "The colours are unnatural here."),
    "low-level-symbol": ("text", "Letters or symbols are malformed here."),
    "high-level-semantics": ("shape", "The structure of what is shown is abnormal here."),
    "cognitive-level-commonsense": ("unrealistic", "What is shown here goes against common sense."),
    "cognitive-level-physics": ("unrealistic", "What is shown here goes against the laws of physics."),
}
"""The attribute of the taxonomy that each category is filed under, and the sentence that stands for it."""

LICENCE = "CC BY 4.0 (Xiao et al. 2026, arXiv 2601.19430)"
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_KNOWN = ("generator", "uid", "width", "height", "labels", "image")


class Artefact(Record):
    """One outline and its category."""

    label: str
    points: list[Any]


class Row(Record):
    """One image."""

    generator: str
    uid: str
    width: int
    height: int
    labels: list[Artefact] | None = None
    image: Any = None


def import_xaigd(source: Source, *, rejects: Rejects, real: Sequence[str] = ()) -> Imported:
    """Read rows of X-AIGD; of a folder, every JSON, JSON Lines and Parquet file.

    Args:
        source: The file with the rows, or the folder or zip file that holds it.
        rejects: Collects rows that cannot be taken, with reasons.
        real: More values of `generator` that mean a real image.

    Raises:
        UsageError: If there is no such file.
        FakeInstructError: If one cannot be read.
    """
    notes: Counter[str] = Counter()
    chains = _chains(source, rejects, {"real", *(name.casefold() for name in real)}, notes)
    return Imported(chains, licences={source.dataset: LICENCE}, notes=notes)


def _chains(source: Source, rejects: Rejects, reals: set[str], notes: Counter[str]) -> Iterator[Chain]:
    found: list[Chain] = []
    real_of: dict[str, str] = {}

    def read(file: Path, _: str, value: Any) -> Chain:
        row = Row.read(value)
        return _chain(source, file, row, row.generator.casefold() in reals, notes)

    files = source.annotations(suffixes=tuple(ANNOTATIONS))
    found += source.each([file for file in files if file.suffix.lower() in TEXTS], rejects, read)
    for file in files:
        if file.suffix.lower() not in TEXTS:
            found += source.taken(file, _rows(file, source.named(file)), rejects, read)
    for chain in found:
        if chain.label is Label.REAL:
            real_of.setdefault(chain.group, chain.id)
    for chain in found:
        twin = real_of.get(chain.group) if chain.label is Label.FAKE else None
        yield chain.model_copy(update={"twin": twin})


def _rows(file: Path, named: str) -> Iterator[tuple[str, Any]]:
    """The rows of a Parquet file, numbered from 1, with the columns that are read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file)
        columns = [name for name in _KNOWN if name in table.schema_arrow.names]
        if "image" in columns and not pa.types.is_string(table.schema_arrow.field("image").type):
            raise FakeInstructError(
                "holds the images themselves",
                file=named,
                hint="Save them as files first: docs/formats.md has the lines.",
            )
        number = 0
        for batch in track(table.iter_batches(columns=columns), f"reading {file.name}"):
            for row in batch.to_pylist():
                number += 1
                yield str(number), row
    except (OSError, ValueError, KeyError, OverflowError, pa.ArrowException) as error:
        raise FakeInstructError(f"is not a readable Parquet file ({error})", file=named) from error


def _chain(source: Source, file: Path, row: Row, is_real: bool, notes: Counter[str]) -> Chain:
    if is_real and row.labels:
        raise RecordError("a real image has artefacts", field="labels")
    image = _image(source, file, row)
    if (image.width, image.height) not in ((row.width, row.height), (None, None)):
        raise RecordError(
            f"the image has another size ({image.width} x {image.height}, not {row.width} x {row.height})",
            field="width",
        )
    return source.chain(
        image,
        Label.REAL if is_real else Label.FAKE,
        manipulation=None if is_real else Manipulation.GENERATED,
        generator=None if is_real else row.generator,
        origin={
            "by": "human" if row.labels else "dataset",
            "label_shown": True if row.labels else None,
            "licence": LICENCE,
            "source_record": f"{row.generator}/{row.uid}",
        },
        traces=_traces(row, notes),
        group=f"uid {row.uid}",
        split=published_split(file),
    )


def _image(source: Source, file: Path, row: Row) -> ImageRef:
    if isinstance(row.image, str):
        return source.images.find(row.image, near=file)
    if row.image is not None:
        raise RecordError(
            "holds the image itself",
            field="image",
            hint="Save the images as files first: docs/formats.md has the lines.",
        )
    for suffix in _SUFFIXES:
        try:
            return source.images.find(f"{row.generator}/{row.uid}{suffix}", near=file)
        except MissingImageError:
            continue
    raise MissingImageError(
        f"image file is missing ('{row.generator}/{row.uid}' with {', '.join(_SUFFIXES)})",
        field="image",
        hint="Say where the images lie with --image-root, or name each in the row's 'image'.",
    )


def _traces(row: Row, notes: Counter[str]) -> list[Trace]:
    regions: dict[str, list[Region]] = defaultdict(list)
    for artefact in row.labels or ():
        if artefact.label not in CATEGORIES:
            raise RecordError(
                f"an unknown category ({artefact.label[:60]!r})",
                field="labels.label",
                hint=f"Known: {', '.join(CATEGORIES)}.",
            )
        region = region_from_polygon(artefact.points, (row.width, row.height), notes)
        regions[artefact.label].append(region)
    return [
        Trace(
            id=f"t{number}",
            attribute=CATEGORIES[label][0],
            attribute_raw=label,
            mapped_by="format",
            points_to=Label.FAKE,
            observation=CATEGORIES[label][1],
            regions=tuple(found),
        )
        for number, (label, found) in enumerate(sorted(regions.items()), start=1)
    ]
