"""Files that are complete or absent: atomic writes, JSON Lines, hashes."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any

from fakeinstruct.base.errors import FakeInstructError, RecordError, UsageError, from_os_error
from fakeinstruct.base.json_text import each_key_once, parse_record

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
"""File name endings that importers take for images."""

CHAIN_SET = (
    "chains.jsonl",
    "chains.parquet",
    "rejects.jsonl",
    "meta.json",
    "items.jsonl",
    *(f"images/*{suffix}" for suffix in sorted(SUFFIXES | {".json", ".jsonl", ".parquet"})),
)
"""Patterns of the files of a chain set, images and annotations unpacked from an archive included."""

CHAINS = frozenset(CHAIN_SET[:3])
"""Files of which every chain set, and every list of rejected records, has one."""

MAX_LINE_BYTES = 64 << 20
"""Longest line of JSON Lines that is read: a thousand times a long chain, and still held with ease."""


@contextmanager
def atomic_write(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes its name only when it is complete and on disk.

    The bytes go to a temporary name in the same folder, which is flushed and renamed at the end. If
    the block raises, nothing is left in the place of `path`.

    Raises:
        FakeInstructError: If the folder cannot be written or the disk is full.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise from_os_error(error, path) from error
    finally:
        with suppress(OSError):  # it has its name already, or could not even be made
            temporary.unlink()


@contextmanager
def atomic_folder(
    path: str | Path, *, ours: Sequence[str] = CHAIN_SET, marks: Set[str] = CHAINS
) -> Iterator[Path]:
    """A new folder that takes its name only when the block ends well, replacing the result that stood there.

    A folder is replaced if it is empty, or if it holds one of `marks` and nothing but `ours`. What else lies in it is
    somebody's own.

    Args:
        path: The folder.
        ours: Patterns of the files, relative to the folder, that a result of this kind consists of.
        marks: Files of which such a result has at least one.

    Raises:
        FakeInstructError: If `path` is a file or a folder that may not be replaced, or the disk is full.
    """
    _refuse_to_replace(Path(path), ours, marks)
    path = Path(path).resolve()  # so that "." has a name, and a symbolic link to a folder stays one
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if path.exists():
            retired = path.with_name(f".{path.name}.{secrets.token_hex(4)}.old")
            path.rename(retired)
            temporary.rename(path)
            shutil.rmtree(retired)
        else:
            temporary.rename(path)
    except OSError as error:
        raise from_os_error(error, path) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _refuse_to_replace(path: Path, ours: Sequence[str], marks: Set[str]) -> None:
    if not path.exists():
        return
    if not path.is_dir():
        raise FakeInstructError("is a file where a folder is to be written", file=path)
    try:
        names = [entry.relative_to(path).as_posix() for entry in path.rglob("*") if not _is_folder(entry)]
        empty = not any(path.iterdir())
    except OSError as error:
        raise from_os_error(error, path) from error
    if empty:
        return
    if marks.isdisjoint(names):
        raise FakeInstructError(
            "is a folder with contents that are not a result of fakeinstruct of this kind, so it is not replaced",
            file=path,
            hint="Name a new folder, or empty this one.",
        )
    own = sorted(name for name in names if not any(fnmatchcase(name.lower(), each.lower()) for each in ours))
    if own:
        more = f" and {len(own) - 3:,} more" if len(own) > 3 else ""
        raise FakeInstructError(
            f"holds what is not a result of fakeinstruct of this kind ({', '.join(own[:3])}{more}), "
            "so it is not replaced",
            file=path,
            hint="Move that away, or name a new folder.",
        )


def _is_folder(entry: Path) -> bool:
    """Whether it is a folder of its own, which a link to one is not."""
    return entry.is_dir() and not entry.is_symlink()


def check_outside(folder: str | Path, *sources: Path | None) -> None:
    """Refuse to write a folder that holds what is read, since the new folder would replace it.

    Args:
        folder: The folder to be written, of `atomic_folder`.
        sources: What is read; None is skipped.

    Raises:
        UsageError: Naming the first of the sources that lies in the folder or is it.
    """
    folder = Path(folder).resolve()
    for source in sources:
        if source is not None and source.resolve().is_relative_to(folder):
            raise UsageError(
                "lies in the folder to be written, which would replace it", file=source, hint="Change --out."
            )


def _encode(value: Any, **options: Any) -> bytes:
    """JSON in UTF-8. A lone surrogate, as in a file name that is not UTF-8, becomes its JSON escape."""
    return json.dumps(value, ensure_ascii=False, **options).encode(errors="backslashreplace") + b"\n"


def write_json(path: str | Path, value: Any) -> None:
    """Write one JSON document atomically, keys in the order given, indented for people."""
    with atomic_write(path) as file:
        file.write(_encode(value, indent=2))


def read_json(path: str | Path) -> Any:
    """Read one JSON document.

    Raises:
        FakeInstructError: If it is missing, not JSON, or has a key twice.
    """
    try:
        return json.loads(Path(path).read_bytes(), object_pairs_hook=each_key_once)
    except FileNotFoundError:
        raise FakeInstructError("no such file", file=path) from None
    except OSError as error:
        raise from_os_error(error, path) from error
    except (ValueError, RecursionError) as error:
        raise FakeInstructError(f"is not JSON ({error})", file=path) from error


def write_jsonl(path: str | Path, rows: Iterable[Any]) -> int:
    """Write JSON Lines atomically and return the number of rows."""
    count = 0
    with atomic_write(path) as file:
        for row in rows:
            file.write(_encode(row, separators=(",", ":")))
            count += 1
    return count


def read_jsonl(path: str | Path) -> Iterator[tuple[int, Any | RecordError]]:
    """Read JSON Lines one by one: (line number, value).

    The value is a `RecordError` where a line is not JSON in UTF-8 as `parse_record` takes it, or longer than
    `MAX_LINE_BYTES`.

    Raises:
        FakeInstructError: If the file is missing or unreadable.
    """
    try:
        with Path(path).open("rb") as file:
            for number, line in enumerate(_lines(file), start=1):
                if line is None:
                    problem = f"is longer than {MAX_LINE_BYTES >> 20} MiB"
                    yield (
                        number,
                        RecordError(
                            problem, file=path, record=number, hint="JSON Lines hold one record a line."
                        ),
                    )
                elif line.strip():
                    yield number, _parse_line(line, path, number)
    except FileNotFoundError:
        raise FakeInstructError("no such file", file=path) from None
    except OSError as error:
        raise from_os_error(error, path) from error


def _lines(file: IO[bytes]) -> Iterator[bytes | None]:
    """Lines of a file, None for one that is too long to be held."""
    while line := file.readline(MAX_LINE_BYTES):
        if len(line) < MAX_LINE_BYTES or line.endswith(b"\n"):
            yield line
            continue
        while (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
            pass
        yield None


def _parse_line(line: bytes, path: str | Path, number: int) -> Any | RecordError:
    try:
        return parse_record(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return RecordError(f"is not JSON ({error})", file=path, record=number)


def sha256_bytes(data: bytes) -> str:
    """Hexadecimal SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(value: Any) -> str:
    """Hexadecimal SHA-256 of a JSON value, independent of the order of keys."""
    return sha256_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def stable_seed(*parts: str | int) -> int:
    """A 64-bit seed that depends on the parts alone: the same in every process and on every machine."""
    digest = hashlib.blake2b(json.dumps(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
