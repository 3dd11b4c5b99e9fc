"""What the folders above an image say: its label, its split, its generator. Nothing is guessed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fakeinstruct.base.errors import RecordError, Rejects, UsageError
from fakeinstruct.chains.schema import Label, Split

CLASS_FOLDERS: Mapping[str, Label] = {
    "real": Label.REAL,
    "fake": Label.FAKE,
    "0_real": Label.REAL,
    "1_fake": Label.FAKE,
    "nature": Label.REAL,
    "ai": Label.FAKE,
}
"""Folder names that say what they hold: CIFAKE's, CNNDetection's and GenImage's. Never a bare 0 or 1."""

SPLIT_FOLDERS: Mapping[str, Split] = {
    "train": Split.TRAIN,
    "val": Split.VALIDATION,
    "validation": Split.VALIDATION,
    "test": Split.TEST,
}
"""Folder names that say which split they hold."""


@dataclass(frozen=True)
class Place:
    """What the folders above one image say of it.

    `above` are the folders above the class folder that are not splits, outermost first.
    """

    label: Label
    split: Split | None
    above: tuple[str, ...]


def class_names(fake: Iterable[str] = (), real: Iterable[str] = ()) -> dict[str, Label]:
    """The known class folders and those that the user named, which come first; letter case does not count.

    Raises:
        UsageError: If a name stands for both classes.
    """
    named = {name.casefold(): Label.FAKE for name in fake}
    for name in real:
        if named.setdefault(name.casefold(), Label.REAL) is Label.FAKE:
            raise UsageError(f"'{name}' is named both with --fake and with --real")
    return {**CLASS_FOLDERS, **named}


def read_layout(
    images: Sequence[str], names: Mapping[str, Label], rejects: Rejects, *, file: str
) -> dict[str, Place]:
    """Read labels, splits and the folders above off relative paths.

    Images that lie directly in the root, below folders of both classes or of two splits, or outside the split
    folders that others lie in, are rejected.

    Args:
        images: Paths relative to the root, with forward slashes.
        names: Label of each class folder, names in lower case.
        rejects: Collects what could not be placed.
        file: The root, to be named in errors.

    Raises:
        UsageError: If images lie in folders of which nobody said what they hold, or in none.
    """
    places: dict[str, Place] = {}
    unplaced: list[tuple[str, str]] = []
    for image in images:
        folders = image.split("/")[:-1]
        try:
            place = _place(folders, names)
        except RecordError as error:
            rejects.add(error.located(file=file, record=image))
            continue
        if place:
            places[image] = place
        else:
            unplaced.append(
                (image, "/".join(name for name in folders if name.casefold() not in SPLIT_FOLDERS))
            )
    if unknown := Counter(folder for _, folder in unplaced if folder):
        _refuse(unknown, names, file)
    if unplaced and not places:
        raise UsageError(
            "no image lies in a class folder",
            file=file,
            hint="Import the folder above, which holds both classes.",
        )
    for image, _ in unplaced:
        rejects.add(RecordError("lies in no class folder", file=file, record=image))
    return _all_in_splits(places, rejects, file)


def _place(folders: Sequence[str], names: Mapping[str, Label]) -> Place | None:
    """What a list of folders says, outermost first; None if none of them is a class folder."""
    folded = [name.casefold() for name in folders]
    at = [index for index, name in enumerate(folded) if name in names]
    labels = {names[folded[index]] for index in at}
    splits = _splits(name for name in folded if name not in names)
    if not labels:
        return None
    if len(labels) > 1:
        raise RecordError("lies below folders of both classes", hint="Rename the folder that is not a class.")
    if len(splits) > 1:
        raise RecordError("lies below folders of two splits", hint="Rename the folder that is not a split.")
    above = tuple(name for name in folders[: at[0]] if name.casefold() not in SPLIT_FOLDERS)
    return Place(labels.pop(), splits.pop() if splits else None, above)


def folder_split(folders: Iterable[str]) -> Split | None:
    """The split that the folders above an image state, letter case aside; None if none does, or they state two."""
    stated = _splits(folders)
    return stated.pop() if len(stated) == 1 else None


def _splits(folders: Iterable[str]) -> set[Split]:
    return {SPLIT_FOLDERS[name] for name in map(str.casefold, folders) if name in SPLIT_FOLDERS}


def _refuse(unknown: Counter[str], names: Mapping[str, Label], file: str) -> None:
    found = ", ".join(f"'{name}' ({count:,})" for name, count in sorted(unknown.items())[:10])
    more = f" and {len(unknown) - 10:,} more" if len(unknown) > 10 else ""
    raise UsageError(
        f"images lie in folders that do not say whether they are real or fake: {found}{more}; "
        f"known: {', '.join(names)}",
        file=file,
        hint="Say what they hold with --fake NAME and --real NAME (repeatable).",
    )


def _all_in_splits(places: dict[str, Place], rejects: Rejects, file: str) -> dict[str, Place]:
    if not any(place.split for place in places.values()):
        return places
    for image, place in places.items():
        if place.split is None:
            rejects.add(
                RecordError(
                    "lies outside the split folders that others lie in",
                    file=file,
                    record=image,
                    hint="Move it below train, val or test.",
                )
            )
    return {image: place for image, place in places.items() if place.split is not None}


def sources(places: Mapping[str, Place]) -> dict[str, str]:
    """The source of each image whose folders name one: a fake's generator, and for a real image whose it stands beside.

    It is the outermost folder above the class folder that is not a split, after the folders that all images
    share were taken off: ``ADM/train/ai``, ``BigGAN/train/ai`` name generators, the one folder that a zip
    file wraps around everything does not. Real images below ``ADM/train/nature`` are those that the set compares
    ADM's with; as their camera set "ADM" says so.
    """
    shared = _shared([place.above for place in places.values()])
    return {image: place.above[shared] for image, place in places.items() if len(place.above) > shared}


def _shared(paths: Sequence[tuple[str, ...]]) -> int:
    """How many leading folders all paths share."""
    if not paths:
        return 0
    first, last = min(paths), max(paths)  # in sorted order, what these two share is shared by all
    pairs = zip(first, last, strict=False)
    return next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(first), len(last)))
