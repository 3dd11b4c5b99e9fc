"""`import sida`: SID-Set (SIDA): folders of real, synthetic and tampered images, masks, and descriptions by a model.

``[train|validation|test/]`` above ``real/*.jpg``, ``full_synthetic/*.png``, ``tampered/*.png``,
``masks/<name>_mask.png`` and ``description/<class>_GT.json``, an object keyed by file name.

Labels: the folders' names. Numbers are not read: SID-Set has **0 real, 1 synthetic, 2 tampered**, and the same authors'
So-Fake-OOD 0 synthetic, 1 real, 2 tampered. Synthetic images are `generated`, tampered ones `edited`. Questions: none.
Boxes: none; a mask of a tampered image becomes its run lengths and the box around them. A tampered image without a mask
is rejected, as the authors' loader reports it. Encoding: UTF-8. Image paths: the folders'. Splits: the folder above.

A description is cut at its headings (``<lighting>``, ``<edges>`` ...), each an observation; what it says of place and
content (``<tampered position>``) stays in the text alone, as do the summary and the verdict. Where there is no
description, a tampered image has one trace: that its marked part was edited, which is what the mask says.

How surely this is known: folders, names of masks and of description files are those of the authors' public loader
and README; the headings are those of examples in both. Descriptions were written by a model that knew the label.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects, UsageError
from fakeinstruct.base.images import resolve_under
from fakeinstruct.base.progress import track
from fakeinstruct.chains.importers.layout import folder_split
from fakeinstruct.chains.importers.regions import EDITED, region_from_mask
from fakeinstruct.chains.importers.scan import scan
from fakeinstruct.chains.importers.sentences import as_sentence
from fakeinstruct.chains.importers.source import Imported, Source
from fakeinstruct.chains.importers.text import trace
from fakeinstruct.chains.refusals import is_refusal
from fakeinstruct.chains.schema import Chain, ImageRef, Label, Manipulation, Region, Span, Split, Trace
from fakeinstruct.chains.taxonomy import load_taxonomy

FOLDERS: dict[str, tuple[Label, Manipulation | None]] = {
    "real": (Label.REAL, None),
    "full_synthetic": (Label.FAKE, Manipulation.GENERATED),
    "tampered": (Label.FAKE, Manipulation.EDITED),
}
"""What the images of each folder are. How a real one was processed is not said."""

MASKS = "masks"

_HEADING = re.compile(r"<(?P<name>[A-Za-z][A-Za-z /-]{2,40})>")
_SECTION = re.compile(
    r"\b(?:Type|Areas|Tampered Content|Visual Inconsistencies|Consistency|Authenticity|Final Assessment|Summary)\s*:"
    r"|\[end\]",
    re.IGNORECASE,
)
_NOT_EVIDENCE = frozenset({"tampered position", "types of objects or parts"})


class _Found(NamedTuple):
    """An image and what the folders above it say."""

    path: str
    base: str
    kind: str
    split: Split | None


def import_sida(source: Source, *, rejects: Rejects) -> Imported:
    """Read folders of SID-Set.

    Args:
        source: The folder or zip file that holds the class folders, below split folders or not.
        rejects: Collects images that cannot be taken, with reasons.

    Raises:
        UsageError: If the source is a file, or images lie in folders that SID-Set does not have.
        FakeInstructError: If there are no images, or descriptions cannot be read.
    """
    if source.file is not None or source.images.root != source.root:
        raise UsageError(
            "is no folder of SID-Set's class folders",
            file=source.path,
            hint="Name the folder above real, full_synthetic and tampered.",
        )
    notes: Counter[str] = Counter()
    files = scan(source.root, rejects, source=source.path)
    found, masks = _sorted(source, files.images)
    described = sum(file.is_file() for file in {_description(source, image) for image in found})
    return Imported(_chains(source, found, masks, rejects, notes), files.ignored - described, notes=notes)


def _sorted(source: Source, paths: tuple[str, ...]) -> tuple[list[_Found], set[str]]:
    """The images by their folders, and the paths of masks."""
    found, masks, unknown = [], set(), Counter[str]()
    for path in paths:
        folders = PurePosixPath(path).parts[:-1]
        if MASKS in folders:
            masks.add(path)
            continue
        at = next((index for index, name in enumerate(folders) if name in FOLDERS), None)
        if at is None:
            unknown["/".join(folders) or "."] += 1
            continue
        above = folders[:at]
        found.append(_Found(path, "/".join(above), folders[at], folder_split(above)))
    if unknown:
        listed = ", ".join(f"'{name}' ({count:,})" for name, count in unknown.most_common(5))
        raise UsageError(
            f"images lie in folders that SID-Set does not have: {listed}; it has {', '.join(FOLDERS)} and {MASKS}",
            file=source.path,
        )
    if not found:
        raise FakeInstructError("holds no images", file=source.path)
    return found, masks


def _chains(
    source: Source, found: list[_Found], masks: set[str], rejects: Rejects, notes: Counter[str]
) -> Iterator[Chain]:
    texts = _descriptions(source, found, rejects)

    def read(_: Path, __: str, image: _Found) -> Chain:
        return _chain(source, image, masks, texts.get(image, ""), notes)

    images = ((image.path, image) for image in track(found, "reading images"))
    yield from source.taken(source.path, images, rejects, read)
    used = {_mask_path(image) for image in found if image.kind == "tampered"}
    if spare := len(masks - used):
        notes["masks that belong to no tampered image"] += spare


def _descriptions(source: Source, found: list[_Found], rejects: Rejects) -> dict[_Found, str]:
    """The description of each image that has one."""
    texts: dict[_Found, str] = {}
    by_file: dict[Path, dict[str, _Found]] = defaultdict(dict)
    for image in found:
        by_file[_description(source, image)][PurePosixPath(image.path).name] = image
    for file, images in sorted(by_file.items()):
        if file.is_file():
            texts |= source.each([file], rejects, partial(_described, images))
    return texts


def _description(source: Source, found: _Found) -> Path:
    """The file that would hold an image's description."""
    return source.root / found.base / "description" / f"{found.kind}_GT.json"


def _described(images: Mapping[str, _Found], _: Path, name: str, text: Any) -> tuple[_Found, str]:
    """The image that a description is of, and the description."""
    if not isinstance(text, str) or not text.strip():
        raise RecordError(f"is not a description but {str(text)[:40]!r}")
    if is_refusal(text):
        raise RecordError("the description is a refusal")
    if name not in images:
        raise RecordError("describes an image that is not there")
    return images[name], text.strip()


def _chain(source: Source, found: _Found, masks: set[str], text: str, notes: Counter[str]) -> Chain:
    label, manipulation = FOLDERS[found.kind]
    image = source.images.at(found.path)
    regions: tuple[Region, ...] = ()
    if found.kind == "tampered":
        regions = (_mask(source, image, found, masks, notes),)
    traces = [one.model_copy(update={"regions": regions}) for one in description_traces(text, label)]
    if regions and not traces:
        traces = [Trace(id="t1", points_to=label, observation=EDITED, regions=regions)]
    return source.chain(
        image,
        label,
        manipulation=manipulation,
        origin={
            "by": "model" if text else "dataset",
            "label_shown": True if text else None,
            "source_record": found.path,
        },
        texts=[{"role": "explanation", "text": text}] if text else [],
        traces=traces,
        split=found.split,
    )


def _mask_path(found: _Found) -> str:
    return str(PurePosixPath(found.base) / MASKS / f"{PurePosixPath(found.path).stem}_mask.png")


def _mask(source: Source, image: ImageRef, found: _Found, masks: set[str], notes: Counter[str]) -> Region:
    path = _mask_path(found)
    if path not in masks:
        raise RecordError(f"a tampered image has no mask ('{path}')")
    return region_from_mask(resolve_under(source.root, path), source.images.size(image), notes)


def description_traces(text: str, label: Label) -> Iterator[Trace]:
    """The observations under a description's headings, each a trace of the attribute that its heading names."""
    headings = list(_HEADING.finditer(text))
    number = 0
    for index, heading in enumerate(headings):
        end = headings[index + 1].start() if index + 1 < len(headings) else len(text)
        if section := _SECTION.search(text, heading.end(), end):
            end = section.start()
        words = text[heading.end() : end]
        start = heading.end() + len(words) - len(words.lstrip())
        words = words.strip()
        if not words or heading["name"].lower() in _NOT_EVIDENCE:
            continue
        number += 1
        span = Span(text=0, start=start, end=start + len(words))
        one = trace(f"t{number}", as_sentence(words), load_taxonomy(), label=label, span=span)
        key = load_taxonomy().key(heading["name"])
        yield one.model_copy(
            update={
                "attribute": key,
                "attribute_raw": heading["name"],
                "mapped_by": "alias" if key else None,
            }
        )
