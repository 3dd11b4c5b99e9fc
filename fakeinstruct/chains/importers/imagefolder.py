"""`import imagefolder`: folders whose names are the labels become label-only chains; nothing is invented.

Labels: the names of class folders (see `layout.CLASS_FOLDERS`) and those that the user gives; never a bare 0 or 1.
Image paths: those below the source. Questions, boxes, texts: none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fakeinstruct.base.errors import FakeInstructError, Rejects, UsageError
from fakeinstruct.base.progress import track
from fakeinstruct.chains.importers.layout import Place, class_names, read_layout, sources
from fakeinstruct.chains.importers.scan import scan
from fakeinstruct.chains.importers.source import Imported, Source
from fakeinstruct.chains.schema import Chain, Label


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
        fake: More class folder names that hold fakes.
        real: More class folder names that hold real images.
        generator: The generator of every fake, where folders do not name it.
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
    named = sources(places)
    given = {Label.FAKE: generator, Label.REAL: camera_set}
    said = {image: given[place.label] or named.get(image) for image, place in places.items()}
    return Imported(_chains(source, places, said, rejects), found.ignored)


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
