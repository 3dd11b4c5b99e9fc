"""`import imagefolder`: folders whose names are the labels become label-only chains; nothing is invented.

Labels: the names of class folders (see `layout.CLASS_FOLDERS`) and those that the user gives; never a bare 0 or 1.
Generators: of fakes, the outermost folder that tells images apart, see `layout.sources`; else the class folder, where
the user named two or more. Image paths: those below the source. Questions, boxes, texts: none.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fakeinstruct.base.errors import FakeInstructError, Rejects, UsageError
from fakeinstruct.base.progress import track
from fakeinstruct.chains.importers.layout import (
    CLASS_FOLDERS,
    SPLIT_FOLDERS,
    Place,
    class_names,
    read_layout,
    sources,
)
from fakeinstruct.chains.importers.scan import scan
from fakeinstruct.chains.importers.source import Imported, Source
from fakeinstruct.chains.schema import Chain, Label

LABEL_WORDS = frozenset({*CLASS_FOLDERS, "0", "1", "fakes", "generated", "synthetic"})
"""Names of class folders that say a label and no generator, in lower case."""

SHOWN = 5
"""Folders that a note names; of more it says how many."""


def import_imagefolder(
    source: Source,
    *,
    rejects: Rejects,
    fake: Sequence[str] = (),
    real: Sequence[str] = (),
    generator: str | None = None,
    camera_set: str | None = None,
) -> Imported:
    """Read a folder of images sorted into class folders.

    Every image is decoded in full, so a damaged one is rejected here and not hours later.

    Args:
        source: The folder; class folders (see `layout.CLASS_FOLDERS`) may lie at any depth below it, also below
            split folders and generator folders.
        rejects: Collects images that cannot be taken, with reasons.
        fake: More class folder names that hold fakes; where there are several, each is the generator of its fakes,
            unless it is one of `LABEL_WORDS` or a folder above names the generator.
        real: More class folder names that hold real images.
        generator: The generator of every fake, whatever folders are called.
        camera_set: The source of every real image, where folders do not name it.

    Raises:
        UsageError: If folders do not say what they hold, or the source is a file.
        FakeInstructError: If there are no images, or too many are bad.
    """
    if source.file is not None or source.images.root != source.root:
        raise UsageError("an image folder has no annotation file and no other image root", file=source.path)
    names = class_names(fake, real)
    found = scan(source.root, rejects, source=source.path)
    if not found.images:
        raise FakeInstructError(f"holds no images ({found.ignored:,} other files)", file=source.path)
    places = read_layout(found.images, names, rejects, file=str(source.path))
    above, by_class = sources(places), named_generators(places, fake)
    # folders above that tell no fakes apart ("made/flux", "made/sd14" beside "shot/camera") are no generators
    told = len({above.get(image) for image in by_class}) > 1
    named = by_class | above if told else above | by_class
    given = {Label.FAKE: generator, Label.REAL: camera_set}
    said = {image: given[place.label] or named.get(image) for image, place in places.items()}
    notes = _notes({} if told or generator else by_class, _unread(places, names, said))
    return Imported(_chains(source, places, said, rejects), found.ignored, notes=notes)


def named_generators(places: Mapping[str, Place], fake: Sequence[str]) -> dict[str, str]:
    """The generator of each fake whose class folder is one of several that the user named.

    Args:
        places: What the folders above each image say.
        fake: The class folder names that the user gave; of one alone nobody knows whether it is a generator.

    Returns:
        By image the outermost of these folders, spelt as on the disk.
    """
    names = {name.casefold() for name in fake}
    generators = names - LABEL_WORDS if len(names) > 1 else set()
    folders = {
        image: [name for name in image.split("/")[:-1] if name.casefold() in generators]
        for image, place in places.items()
        if place.label is Label.FAKE
    }
    return {image: found[0] for image, found in folders.items() if found}


def _unread(
    places: Mapping[str, Place], names: Mapping[str, Label], said: Mapping[str, str | None]
) -> Counter[str]:
    """Folders below class folders of fakes without a generator, less those that reals have too, with their images."""
    below: dict[Label, Counter[str]] = {label: Counter() for label in Label}
    for image, place in places.items():
        folders = image.split("/")[:-1]
        last = max(index for index, name in enumerate(folders) if name.casefold() in names)
        inner = [name for name in folders[last + 1 :] if name.casefold() not in SPLIT_FOLDERS]
        if inner and (place.label is Label.REAL or not said[image]):
            below[place.label][inner[0]] += 1
    return Counter({name: n for name, n in below[Label.FAKE].items() if name not in below[Label.REAL]})


def _notes(by_class: Mapping[str, str], unread: Counter[str]) -> Counter[str]:
    """What was taken for the generators of fakes, and which folders were not, with what would."""
    notes: Counter[str] = Counter()
    if by_class:
        taken = _listed(sorted(set(by_class.values())))
        notes[f"fakes whose generator is the folder named with --fake ({taken})"] = len(by_class)
    if unread:
        found = sorted(unread)
        one = f"--generator {shlex.quote(found[0])}"
        several = " ".join(f"--fake {shlex.quote(name)}" for name in found[:SHOWN])
        several += " ..." if len(found) > SHOWN else ""
        advice = one if len(found) == 1 else f"{several}, or 'import generators' of {found[0]}/fake and so on"
        notes[
            f"fakes in subfolders that were not read as generators ({_listed(found)}); if they are: {advice}"
        ] = unread.total()
    return notes


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _chains(
    source: Source,
    places: Mapping[str, Place],
    named: Mapping[str, str | None],
    rejects: Rejects,
) -> Iterator[Chain]:
    def read(_: Path, path: str, place: Place) -> Chain:
        return _chain(source, path, place, named[path])

    images = track(places.items(), "reading images", total=len(places))
    return source.taken(source.path, images, rejects, read)


def _chain(source: Source, path: str, place: Place, named: str | None) -> Chain:
    is_fake = place.label is Label.FAKE
    return source.chain(
        source.images.at(path),
        place.label,
        origin={"by": "dataset"},
        generator=named if is_fake else None,
        camera_set=None if is_fake else named,
        split=place.split,
    )
