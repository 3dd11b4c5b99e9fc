"""Looking up the images of records: published paths are often those of the author's machine."""

from __future__ import annotations

from pathlib import Path

from fakeinstruct.base.errors import RecordError
from fakeinstruct.base.files import sha256_file
from fakeinstruct.base.images import MissingImageError, load_image, resolve_under
from fakeinstruct.chains.duplicates import Print, print_of
from fakeinstruct.chains.schema import ImageRef

MAX_PATH = 1_000
"""Most characters of a written image path."""


class Images:
    """The images below a folder, each decoded once; remembers size, hash and a perceptual print.

    Args:
        root: The image root.
        without: Whether images are not at hand, so that paths are taken on trust and sizes stay unknown.

    Attributes:
        prints: The print of each image that was found, by its path below the root.
    """

    def __init__(self, root: Path, *, without: bool = False) -> None:
        self.root = root
        self.without = without
        self.prints: dict[str, Print] = {}
        self._refs: dict[str, ImageRef] = {}
        self._written: dict[str, str] = {}

    def find(self, written: str, *, near: Path | None = None) -> ImageRef:
        """The image that a record names.

        A path below the root is taken as it is, or one below a folder between the root and the annotation file.
        The leading folders of a relative path are left out if the folder ends with them (``media_data/image/a.png``
        with the root ``.../media_data/image``). Of a path of another machine, absolute or with backslashes, the
        longest end that exists is taken.

        Args:
            written: The path as the record has it.
            near: The annotation file.

        Raises:
            MissingImageError: If it is not there.
            RecordError: If it climbs out of the root or cannot be read, or if a path of another
                machine leads to the image that a different such path led to.
        """
        path, foreign = _clean(written)
        if self.without:
            return self.at(path)
        below = self._below(path, foreign, near)
        if foreign and self._written.setdefault(below, path) != path:
            raise RecordError(
                f"image path is ambiguous ({written!r} and '{self._written[below]}' both lead to '{below}')",
                field="image",
                hint="Name the folder that tells them apart as --image-root.",
            )
        return self.at(below)

    def at(self, path: str) -> ImageRef:
        """The image at exactly this path below the root.

        Raises:
            RecordError: If it leaves the root, is missing or cannot be read.
        """
        if path not in self._refs:
            self._refs[path] = self._read(path)
        return self._refs[path]

    def size(self, ref: ImageRef) -> tuple[int, int]:
        """Width and height in pixels.

        Raises:
            RecordError: If the images are not at hand.
        """
        if ref.width is None or ref.height is None:
            raise RecordError(
                "its boxes need the image's size, and the images are not at hand",
                field="image",
                hint="Say where the images lie with --image-root.",
            )
        return ref.width, ref.height

    def _below(self, path: str, foreign: bool, near: Path | None) -> str:
        parts = path.split("/")
        folders = _between(self.root, near)
        for start in range(len(parts)):
            for folder in folders:
                ends = (self.root / folder).resolve().parts[-start:]
                if start and not foreign and list(ends) != parts[:start]:
                    continue
                end = "/".join((*folder.parts, *parts[start:]))
                if _is_file(resolve_under(self.root, end)):
                    return end
        raise MissingImageError(
            f"image file is missing ({path!r})",
            field="image",
            hint="Say where the images lie with --image-root.",
        )

    def _read(self, path: str) -> ImageRef:
        if self.without:
            return ImageRef(path=path)
        file = resolve_under(self.root, path)
        image = load_image(file)
        self.prints[path] = print_of(image)
        return ImageRef(path=path, width=image.width, height=image.height, sha256=sha256_file(file))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have: too long, or not of Unicode
        return False


def _between(root: Path, near: Path | None) -> list[Path]:
    """The folders from the root, which comes first, to that of the annotation file, relative to the root."""
    if near is None or not near.is_relative_to(root):
        return [Path()]
    return [*near.relative_to(root).parents][::-1]


def _clean(written: str) -> tuple[str, bool]:
    """A written path with forward slashes and no root, and whether it is a path of another machine."""
    path = written.strip().replace("\\", "/")
    foreign = path.startswith("/") or path[1:3] == ":/" or "://" in path
    if len(path) > MAX_PATH:
        raise RecordError(f"image path is too long ({len(path):,} characters)", field="image")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if foreign and parts and parts[0].endswith(":"):
        parts = parts[1:]
    if not parts or ".." in parts or "\0" in path:
        raise RecordError(
            f"image path {written!r} leaves the image root" if parts else "the image path is empty",
            field="image",
            hint="Paths are relative to the image root, without '..'; see --image-root.",
        )
    return "/".join(parts), foreign
