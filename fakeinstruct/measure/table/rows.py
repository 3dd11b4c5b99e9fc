"""Rows of a table that somebody else wrote: CSV, TSV, JSON Lines or Parquet, read as a stream."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import FakeInstructError, RecordError, UsageError, from_os_error
from fakeinstruct.base.files import read_jsonl

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
"""Ends of names that say how a table is written."""

LOOKED_AT = 100
"""Records of JSON Lines whose keys are the table's columns."""

WANTED = "A table names its columns, in CSV in its first line, and has a row an image."

COMMAS = (
    "A decimal comma (0,93) or another comma inside a cell cuts it in two: write 0.93, or quote the cell."
)

SHORT = "Every row needs a cell for each column: leave one empty, and keep its comma."

QUOTED = "A quotation mark inside a cell is doubled, and the cell quoted."

Numbered = Iterator[tuple[int, dict[str, Any] | RecordError]]
"""Records with their numbers; a `RecordError` where one cannot be read."""


@contextmanager
def table_rows(path: Path) -> Iterator[tuple[Sequence[str], Numbered]]:
    """Open a table: the names of its columns, and its rows, numbered as the file numbers them.

    Args:
        path: The table; the end of its name says how it is written.

    Raises:
        UsageError: If it is not there, or of another format.
        FakeInstructError: If it cannot be read as what its name says, or has no row.
    """
    if not path.is_file():
        raise UsageError("no such table", file=path)
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"is none of the tables that are read ({', '.join(FORMATS)})", file=path)
    read = {".parquet": _parquet, ".jsonl": _json_lines}.get(path.suffix.lower(), _separated)
    try:
        with read(path) as (columns, rows):
            first = next(rows, None) if columns else None
            if first is None:
                what = "names its columns and has no row" if columns else "is empty"
                raise FakeInstructError(what, file=path, hint=WANTED)
            yield columns, itertools.chain([first], rows)
    except OSError as error:
        raise from_os_error(error, path) from error


def column_names(path: Path) -> Sequence[str]:
    """The names of a table's columns.

    Args:
        path: The table.
    """
    with table_rows(path) as (names, _):
        return names


@contextmanager
def _separated(path: Path) -> Iterator[tuple[Sequence[str], Numbered]]:
    """CSV or TSV in UTF-8, its first line naming the columns; bytes that are no UTF-8 come as surrogates."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        first = next((line for line in file if line.strip()), "")
        file.seek(0)
        delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=first.count)
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            named = next((row for row in reader if any(cell.strip() for cell in row)), [])
        except csv.Error as error:
            raise FakeInstructError(f"has no line that names its columns ({error})", file=path) from None
        columns = [name.strip() for name in named]
        if len(set(columns)) < len(columns):
            raise FakeInstructError("names a column twice", file=path, record=1)
        yield columns, _split_rows(reader, columns)


def _split_rows(reader: Any, columns: Sequence[str]) -> Numbered:
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, RecordError(f"is not a row ({error})", hint=QUOTED)
            continue
        if not cells:
            continue  # an empty line
        if len(cells) != len(columns):
            problem = f"does not have the {len(columns)} columns of the first line"
            yield reader.line_num, RecordError(problem, hint=COMMAS if len(cells) > len(columns) else SHORT)
        else:
            yield reader.line_num, dict(zip(columns, cells, strict=True))


@contextmanager
def _json_lines(path: Path) -> Iterator[tuple[Sequence[str], Numbered]]:
    rows = read_jsonl(path)
    first = list(itertools.islice(rows, LOOKED_AT))
    columns = list(dict.fromkeys(key for _, row in first if isinstance(row, dict) for key in row))
    yield columns, ((number, _object(row)) for number, row in itertools.chain(first, rows))


def _object(row: Any) -> dict[str, Any] | RecordError:
    return row if isinstance(row, dict | RecordError) else RecordError("is not a JSON object", hint=WANTED)


@contextmanager
def _parquet(path: Path) -> Iterator[tuple[Sequence[str], Numbered]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            flat = [each.name for each in file.schema_arrow if not pa.types.is_nested(each.type)]
            if len(set(flat)) < len(flat):
                raise FakeInstructError("names a column twice", file=path)
            yield flat, _batched(file, flat)
    except (ValueError, KeyError, OverflowError, pa.ArrowException) as error:
        raise FakeInstructError(f"is not a readable Parquet file ({error})", file=path) from error


def _batched(file: Any, columns: list[str]) -> Numbered:
    number = itertools.count(1)
    for batch in file.iter_batches(columns=columns):
        for row in batch.to_pylist():
            yield next(number), row
