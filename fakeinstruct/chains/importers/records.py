"""Reading annotation files: JSON lists, objects keyed by path, JSON Lines; UTF-8 and UTF-16; hostile or damaged."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from fakeinstruct.base.config import explain
from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects, from_os_error
from fakeinstruct.base.json_text import check_text, may_hold_halves, parse_json, parse_record

MAX_BYTES = 1 << 29
"""Largest JSON document that is read, 512 MiB: five times the largest published set of annotations."""

ANNOTATIONS = {".json": "JSON", ".jsonl": "JSON Lines", ".parquet": "Parquet"}
"""File name endings of annotation files, and what each is called."""

TEXTS = (".json", ".jsonl")
"""Those of the files that `read_records` reads."""


class Record(BaseModel):
    """A record of a published format: its known fields are checked, others are passed over.

    Types are not converted, since a "1" where a 1 is expected, or the other way round, is another format.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    @classmethod
    def read(cls, value: Any) -> Self:
        """Check one record.

        Raises:
            RecordError: Naming the field and what was found instead.
        """
        if not isinstance(value, dict):
            raise RecordError(f"is {_kind(value)}, not an object with fields")
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            field, problem, hint = explain(error, cls)
            raise RecordError(problem, field=field or None, hint=hint) from None


def read_records(file: Path, rejects: Rejects, *, named: str | None = None) -> Iterator[tuple[str, Any]]:
    """Read the records of an annotation file one by one: (name for errors, value).

    A record's name is its key, its number in the list or its line, from 1. NaN and infinite numbers are
    refused, as is a key that comes twice in one object; of JSON Lines only the line is then rejected. A record
    with half a character in its texts is rejected alone.

    Args:
        file: JSON (a list or an object keyed by record) or JSON Lines, in UTF-8, or in UTF-16 with a
            byte-order mark.
        rejects: Collects what cannot be read.
        named: What errors call the file, if not by its path.

    Raises:
        FakeInstructError: If the file is missing, too large, not text of these encodings, or not JSON.
    """
    named = named or str(file)
    text = _text(file, named)
    if file.suffix.lower() == ".jsonl":
        yield from _lines(text, named, rejects)
        return
    try:
        value = parse_json(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise FakeInstructError(f"is not JSON ({error})", file=named) from None
        yield from _lines(text, named, rejects)  # JSON Lines under the name .json
        return
    except (ValueError, RecursionError) as error:
        raise FakeInstructError(f"is not JSON that can be taken ({error})", file=named) from None
    if not isinstance(value, dict | list):
        raise FakeInstructError(f"holds {_kind(value)}, not a list of records", file=named)
    records = value.items() if isinstance(value, dict) else enumerate(value, start=1)
    suspect = may_hold_halves(text)
    for name, record in records:
        try:
            if suspect:
                check_text([name, record])
        except (ValueError, RecursionError) as error:
            rejects.add(RecordError(f"is not text ({error})", file=named, record=name))
        else:
            yield str(name), record


def _text(file: Path, named: str) -> str:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise FakeInstructError(
                f"is larger than {MAX_BYTES >> 20} MiB", file=named, hint="Split it into several files."
            )
        data = file.read_bytes()
    except OSError as error:
        raise from_os_error(error, named) from error
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if wide else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise FakeInstructError(
            f"is not text in {encoding.removesuffix('-sig')} ({error})", file=named
        ) from None


def _lines(text: str, named: str, rejects: Rejects) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):  # splitlines would cut at U+2028 within a text
        if not line.strip():
            continue
        try:
            value = parse_record(line)
        except (ValueError, RecursionError) as error:
            rejects.add(RecordError(f"is not JSON ({error})", file=named, record=number))
        else:
            yield str(number), value


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
