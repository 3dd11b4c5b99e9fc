"""Unpacking zip files that somebody else made: only images and annotations, only below the folder, only so much."""

from __future__ import annotations

import errno
import shutil
import stat
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from fakeinstruct.base.errors import FakeInstructError, from_os_error
from fakeinstruct.base.progress import track
from fakeinstruct.chains.importers.records import ANNOTATIONS
from fakeinstruct.chains.importers.scan import is_hidden, is_image

MAX_BYTES = 256 << 30
"""Largest total of unpacked files: above the largest published set of images in one archive."""

MAX_RATIO = 100
"""Largest ratio of unpacked to packed bytes: images are packed already, so 1 is usual; bombs reach 1,000."""

UNUSABLE = frozenset(
    {errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.EILSEQ, errno.EINVAL}
)
"""What a file system says of a name that it cannot have, or of a file where a folder is."""

LONGEST_SHOWN = 200
"""Characters of an entry's name in a message."""

FREE_BYTES = 256 << 20
"""Unpacked bytes up to which the ratio does not matter, since blank bitmaps pack well too."""


def unpack(archive: Path, folder: Path) -> int:
    """Unpack a zip file's images and annotations into `folder`; return how many other files were left out.

    An archive with one entry that leaves the folder is refused whole, since somebody meant it to.

    Raises:
        FakeInstructError: If the archive is damaged, encrypted, a bomb, or has an entry that is absolute,
            climbs out, is a symbolic link, or comes twice.
    """
    try:
        with zipfile.ZipFile(archive) as source:
            entries = [entry for entry in source.infolist() if not entry.filename.endswith("/")]
            for entry in entries:
                _check_entry(archive, entry)
            wanted = [entry for entry in entries if _is_wanted(entry.filename)]
            _check_all(archive, wanted)
            for entry in track(wanted, "unpacking"):
                _write(source, entry, archive, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        raise FakeInstructError(
            f"is not a sound zip file ({error})",
            file=archive,
            hint="Download it again."
            if archive.suffix.lower() == ".zip"
            else "A source is a folder, a zip file, or an annotation file.",
        ) from error
    except OSError as error:
        raise from_os_error(error, error.filename or archive) from error
    return len(entries) - len(wanted)


def _write(source: zipfile.ZipFile, entry: zipfile.ZipInfo, archive: Path, folder: Path) -> None:
    target = folder / entry.filename
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with source.open(entry) as packed, target.open("xb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
    except OSError as error:
        if error.errno not in UNUSABLE:
            raise
        raise FakeInstructError(
            f"the entry cannot be unpacked ({error.strerror})",
            file=archive,
            record=entry.filename[:LONGEST_SHOWN],
            hint="Unpack the archive by hand, rename the file, and import the folder.",
        ) from error


def _is_wanted(name: str) -> bool:
    annotation = PurePosixPath(name).suffix.lower() in ANNOTATIONS and not is_hidden(name)
    return annotation or is_image(name)


def _check_entry(archive: Path, entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    path = PurePosixPath(name)
    problem = None
    if not path.parts:
        problem = "has no name"
    elif path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0]:
        problem = "leaves the folder that the archive is unpacked into"
    elif stat.S_ISLNK(entry.external_attr >> 16):
        problem = "is a symbolic link"
    elif entry.flag_bits & 1:
        problem = "is encrypted"
    if problem:
        raise FakeInstructError(
            f"the entry {problem}",
            file=archive,
            record=name,
            hint="Unpack the archive by hand, look at it, and import the folder.",
        )


def _check_all(archive: Path, entries: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse bombs and doubles. The sizes are those declared, beyond which `zipfile` does not read."""
    unpacked = sum(entry.file_size for entry in entries)
    packed = max(1, min(archive.stat().st_size, sum(entry.compress_size for entry in entries)))
    if unpacked > MAX_BYTES or (unpacked > FREE_BYTES and unpacked > MAX_RATIO * packed):
        raise FakeInstructError(
            f"would unpack from {packed:,} to {unpacked:,} bytes, which no set of images does",
            file=archive,
            hint="Unpack the archive by hand, look at it, and import the folder.",
        )
    seen: set[PurePosixPath] = set()
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path in seen:
            raise FakeInstructError(
                "the entry comes twice",
                file=archive,
                record=entry.filename,
                hint="Unpack the archive by hand, look at both, and import the folder.",
            )
        seen.add(path)
