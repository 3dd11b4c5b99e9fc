"""Pictures that a person shows an expert: files, folders of them, or images in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from fakeinstruct.base.errors import RecordError, UsageError
from fakeinstruct.base.images import load_image, upright_rgb
from fakeinstruct.forensics.views import View, Viewer

Picture = str | Path | Image.Image
"""A file, or an image in memory."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
"""Endings that a folder's pictures are known by; a file that is named itself may have any."""

AT_ONCE = 8
"""Pictures decoded at once: as photographs of a camera they take about 300 MB."""


@dataclass(frozen=True)
class Shown:
    """A picture, or why it cannot be shown.

    Attributes:
        name: The file, or "image 2" of those in memory.
        image: The picture in RGB.
        error: Why there is none.
    """

    name: str
    image: Image.Image | None = None
    error: str | None = None


def picture_files(paths: Sequence[Path]) -> list[Path]:
    """Files as they are, and in the place of each folder the pictures in it and below, by name.

    Raises:
        UsageError: If a folder has none.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(file for file in path.rglob("*") if is_picture_name(file) and file.is_file())
        if not found:
            raise UsageError("has no picture in it", file=path, hint=f"Known endings: {', '.join(SUFFIXES)}.")
        files += found
    return files


def is_picture_name(path: Path) -> bool:
    """Whether a file's name has a picture's ending."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def show(pictures: Sequence[Picture]) -> Iterator[list[Shown]]:
    """Pictures in order, a few at a time; one that cannot be read comes with its error.

    Raises:
        UsageError: If one is no picture but another object.
    """
    number = 0
    for some in (pictures[start : start + AT_ONCE] for start in range(0, len(pictures), AT_ONCE)):
        shown = []
        for picture in some:
            number += 1
            shown.append(_shown(picture, f"image {number}"))
        yield shown


def _shown(picture: object, name: str) -> Shown:
    if not isinstance(picture, str | Path | Image.Image):
        kind = type(picture).__name__
        raise UsageError(
            f"{name} is of type '{kind}': a picture is a path or a PIL image",
            hint="Image.fromarray(array) makes one of an array of uint8." if kind == "ndarray" else None,
        )
    name = name if isinstance(picture, Image.Image) else str(picture)
    try:
        image = upright_rgb(picture) if isinstance(picture, Image.Image) else load_image(picture)
    except RecordError as error:
        return Shown(name, error=str(error))
    return Shown(name, image)


def viewer_of(shown: Sequence[Shown]) -> tuple[list[View], Viewer]:
    """The views of pictures that can be shown, in order, and what gives them."""
    memory = {str(number): one.image for number, one in enumerate(shown) if one.image is not None}
    return [View(name) for name in memory], Viewer(None, memory)
