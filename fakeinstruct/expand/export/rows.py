"""Row files: JSON rows written as they come, to as many files as there are splits."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from fakeinstruct.base.config import StrictModel


class WrittenFile(StrictModel):
    """A file of an export: how many rows it holds, and its SHA-256."""

    rows: int
    sha256: str


class RowFiles:
    """JSON files in a folder, opened when their first row comes; to be used in a `with` block.

    A `.json` file holds one list, any other a row a line.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, tuple[IO[bytes], Any]] = {}
        self._rows: dict[str, int] = {}

    def __enter__(self) -> RowFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file, _ in self._open.values():
            file.close()

    def write(self, name: str, row: Any) -> None:
        """Add a row to the file of that name."""
        count = self._rows.get(name, 0)
        # a lone surrogate, as in a file name that is not UTF-8, becomes its JSON escape
        data = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")
        if name.endswith(".json"):
            self._put(name, (b",\n" if count else b"[\n") + data)
        else:
            self._put(name, data + b"\n")
        self._rows[name] = count + 1

    def finish(self) -> dict[str, WrittenFile]:
        """End every file and say what was written, by name."""
        for name in self._open:
            if name.endswith(".json"):
                self._put(name, b"\n]\n")
        return {
            name: WrittenFile(rows=self._rows[name], sha256=self._open[name][1].hexdigest())
            for name in sorted(self._open)
        }

    def _put(self, name: str, data: bytes) -> None:
        if name not in self._open:
            self._open[name] = ((self._folder / name).open("xb"), hashlib.sha256())
        file, digest = self._open[name]
        file.write(data)
        digest.update(data)
