"""`import imagefolder`: folders whose names are the labels become label-only chains; nothing is invented."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects, UsageError
from fakeinstruct.base.files import sha256_file
from fakeinstruct.base.images import load_image, resolve_under
from fakeinstruct.base.progress import track
from fakeinstruct.chains.importers.layout import Place, class_names, generators, read_layout
from fakeinstruct.chains.importers.scan import scan
from fakeinstruct.chains.importers.source import Imported
from fakeinstruct.chains.importers.splits import ImageFile, draw_split, without_straddlers
from fakeinstruct.chains.schema import Chain, Label, Split
from fakeinstruct.chains.store import parse_chain
from fakeinstruct.chains.taxonomy import load_taxonomy


def import_imagefolder(
    root: Path,
    *,
    source: Path,
    dataset: str,
    rejects: Rejects,
    fake: Sequence[str] = (),
    real: Sequence[str] = (),
    validation: float = 0.1,
    generator: str | None = None,
    camera_set: str | None = None,
    seed: int = 0,
) -> Imported:
    """Read a folder of images sorted into class folders.

    Every image is decoded in full, so a damaged one is rejected here and not hours later. An image's group is
    the SHA-256 of its bytes: byte-identical images share a group, hence a split.

    Args:
        root: The folder; class folders (see `layout.CLASS_FOLDERS`) may lie at any depth below it, also below
            split folders and generator folders.
        source: The folder or archive that errors name.
        dataset: Name of the set, for the chains.
        rejects: Collects images that cannot be taken, with reasons.
        fake: More class folder names that hold fakes.
        real: More class folder names that hold real images.
        validation: Share of groups for validation where no folder names that split, 0 to 0.5.
        generator: The generator of every fake, where folders do not name it.
        camera_set: The source of every real image.
        seed: Decides which groups become validation (and test, if no folder names a split).

    Raises:
        UsageError: If folders do not say what they hold, or an option is out of range.
        FakeInstructError: If there are no images, or too many are bad.
    """
    if not 0 <= validation <= 0.5:
        raise UsageError(f"the validation share is {validation}", hint="It is between 0 and 0.5.")
    names = class_names(fake, real)
    found = scan(root, rejects, source=source)
    if not found.images:
        raise FakeInstructError(f"holds no images ({found.ignored:,} other files)", file=source)
    places = read_layout(found.images, names, rejects, file=str(source))
    read = _read(root, places, rejects, source)
    rejects.check(len(found.images))
    images = without_straddlers(read, rejects, file=str(source))
    rejects.check(len(found.images))
    if not images:
        raise FakeInstructError(f"no image could be taken; the first: {rejects.errors[0]}", file=source)
    named = generators(places) if generator is None else dict.fromkeys(places, generator)

    def chains() -> Iterator[Chain]:
        has_validation = any(image.place.split is Split.VALIDATION for image in images)
        for image in images:
            split = draw_split(
                image.place.split,
                image.sha256,
                has_validation=has_validation,
                validation=validation,
                seed=seed,
            )
            yield _chain(image, split, dataset, named.get(image.path), camera_set)

    return Imported(chains(), found.ignored)


def _read(root: Path, places: dict[str, Place], rejects: Rejects, source: Path) -> list[ImageFile]:
    """Decode every image; those that cannot be, or cannot be a chain, are rejected."""
    images = []
    for path, place in track(places.items(), "reading images", total=len(places)):
        try:
            full = resolve_under(root, path)
            image = load_image(full)
            read = ImageFile(path, place, image.width, image.height, sha256_file(full))
            _chain(read, None, "check", None, None)  # a path too long for an id is a reject, not the end
        except RecordError as error:
            rejects.add(
                RecordError(error.problem, file=source, record=path, field=error.field, hint=error.hint)
            )
        else:
            images.append(read)
    return images


def _chain(
    image: ImageFile, split: Split | None, dataset: str, generator: str | None, camera_set: str | None
) -> Chain:
    is_fake = image.place.label is Label.FAKE
    return parse_chain(
        {
            "id": image.path,
            "image": {
                "path": image.path,
                "width": image.width,
                "height": image.height,
                "sha256": image.sha256,
            },
            "label": image.place.label,
            "dataset": dataset,
            "generator": generator if is_fake else None,
            "camera_set": None if is_fake else camera_set,
            "group": image.sha256,
            "split": split,
            "origin": {"by": "dataset", "name": dataset},
        },
        load_taxonomy(),
    )
