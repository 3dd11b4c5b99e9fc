"""Finding the image files of a folder, in an order that does not depend on the file system."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.base.files import SUFFIXES
from fakeinstruct.base.json_text import is_text

RESOURCE_FORK = "__MACOSX"
"""Folder of zip files made on a Mac that repeats every file's name without being that file."""


RESULT = frozenset({"chains.jsonl", "meta.json"})
"""Files that every chain set of an import has."""


@dataclass(frozen=True)
class Scan:
    """The files below a folder.

    Attributes:
        root: The folder.
        images: Paths of image files relative to it, with forward slashes, sorted.
        ignored: How many other files there are.
    """

    root: Path
    images: tuple[str, ...]
    ignored: int


def is_image(path: str) -> bool:
    """Whether a relative path is taken for an image: by its suffix, unless it or a folder above is hidden."""
    return not is_hidden(path) and PurePosixPath(path).suffix.lower() in SUFFIXES


def leave_out_results(folders: list[str], files: list[str]) -> None:
    """Empty the lists of a folder that is a chain set: an earlier import into the source is no source itself."""
    if RESULT.issubset(files):
        folders.clear()
        files.clear()


def is_hidden(path: str) -> bool:
    """Whether a relative path or a folder above is hidden, or a Mac's resource fork."""
    return any(part.startswith(".") or part == RESOURCE_FORK for part in PurePosixPath(path).parts)


def scan(root: Path, rejects: Rejects, *, source: Path) -> Scan:
    """Find the image files below `root`.

    Hidden files and folders are ignored. A symbolic link to a folder is not followed, since it may lead in
    circles or out of the root; it is rejected, as are folders that cannot be listed and names that are not
    UTF-8. Errors name `source`, and the path below the root as the record.
    """
    images: list[str] = []
    ignored = 0

    def reject(path: str | Path, problem: str, hint: str | None = None) -> None:
        record = Path(path).relative_to(root).as_posix()
        rejects.add(RecordError(problem, file=source, record=record, hint=hint))

    def unreadable(error: OSError) -> None:
        reject(error.filename, f"folder cannot be listed ({error.strerror})")

    for folder, folders, files in os.walk(root, onerror=unreadable):
        here = Path(folder)
        leave_out_results(folders, files)
        folders.sort()  # walked and rejected in this order
        for name in folders:
            if (here / name).is_symlink():
                reject(
                    here / name,
                    "is a symbolic link to a folder, which is not followed",
                    "Import the folder that it leads to, or copy it here.",
                )
        folders[:] = [name for name in folders if not name.startswith(".") and name != RESOURCE_FORK]
        for name in sorted(files):
            relative = (here / name).relative_to(root).as_posix()
            if not is_image(relative):
                ignored += 1
            elif not is_text(relative):
                reject(here / name, "file name is not UTF-8", "Rename the file.")
            elif "\\" in relative:
                reject(
                    here / name,
                    "file name holds a backslash, which other systems cut paths at",
                    "Rename the file.",
                )
            else:
                images.append(relative)
    return Scan(root, tuple(sorted(images)), ignored)
