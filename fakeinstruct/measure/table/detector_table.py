"""A table of scores that any detector gave, in the place of an answer set: the same figures and report come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects
from fakeinstruct.base.files import sha256_file
from fakeinstruct.base.json_text import is_text
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.forensics.answers import SCHEMA, AnswerSet, AnswersMeta
from fakeinstruct.measure.table.cells import (
    Bit,
    Scale,
    Side,
    label_of,
    margin_of,
    scale_of,
    split_of,
    text_of,
)
from fakeinstruct.measure.table.chains import ChainIndex
from fakeinstruct.measure.table.columns import REQUIRED, find_columns
from fakeinstruct.measure.table.repeats import AGAIN, CLEAN, check_clean, repeated, torn, untold
from fakeinstruct.measure.table.rows import table_rows
from fakeinstruct.measure.table.said import counts, remarks

LONGEST_ID = 200
"""Characters of an id that an error quotes."""


@dataclass(frozen=True)
class DetectorTable(AnswerSet):
    """A table of scores in the place of an answer set; `folder` is the one that it lies in.

    Attributes:
        rows: Its sound rows, as rows of answers.
        scale: What its scores are.
        said: What it was read as, and what to know of it, for the provenance of figures.
    """

    rows: list[dict[str, Any]] = field(default_factory=list, repr=False)
    scale: Scale = "margin"
    said: dict[str, Any] = field(default_factory=dict, repr=False)

    def parts(self) -> list[Path]:
        """None: it is no answer set on disk."""
        return []

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Its rows as one Arrow table with the columns of `SCHEMA`."""
        table = pa.Table.from_pylist(self.rows, schema=SCHEMA)
        return table.select(list(columns)) if columns else table


@dataclass(frozen=True)
class _Reader:
    """From rows of a table to rows of answers.

    Attributes:
        columns: Which column holds what.
        scale: What the scores are.
        positive: What a high score means.
        fake_is: What a bare 1 or 0 has to be for a fake.
        index: The chains of the images, if there are any.
    """

    columns: Mapping[str, str]
    scale: Scale
    positive: Side
    fake_is: Bit | None
    index: ChainIndex | None

    def sound(self, rows: Sequence[tuple[int, Any]], file: Path, bad: Rejects) -> list[dict[str, Any]]:
        """Rows of answers of the sound rows; the others are rejected, with file and number."""
        found: dict[tuple[str, ...], dict[str, Any]] = {}
        for number, row in rows:
            try:
                answer = self.answer(row)
                key = answer["chain"], answer["condition"], answer["prompt"]
                if key in found:
                    raise repeated(answer, found[key])
                found[key] = answer
            except RecordError as error:
                bad.add(error.located(file=file, record=self.called(number, row)))
        for image in torn(found):
            item = found.pop(image)["item"]
            problem = "one prompt finds it surely fake, another surely real: there is no mean margin"
            hint = "Give margins (logits) instead of probabilities of 0 and 1."
            bad.add(RecordError(problem, file=file, record=item, field="score", hint=hint))
        return list(found.values())

    def called(self, number: int, row: dict[str, Any] | RecordError) -> str:
        """A row as an error names it: its number, and its id if it has one."""
        name = None if isinstance(row, RecordError) else text_of(row.get(self.columns["id"]))
        return f"{number} ({name[:LONGEST_ID]})" if name and is_text(name) else str(number)

    def answer(self, row: dict[str, Any] | RecordError) -> dict[str, Any]:
        """A row of answers.

        Raises:
            RecordError: If the row cannot be read, or id, label, split or score are not usable.
        """
        if isinstance(row, RecordError):
            raise row
        cells = {what: text_of(row.get(name)) for what, name in self.columns.items()}
        if not all(is_text(text) for text in cells.values() if text):
            raise RecordError("is not UTF-8", hint="Save the table as UTF-8.")
        if (name := cells["id"]) is None:
            raise RecordError("has no id", field="id", hint="Name the image, or leave the row out.")
        unsaid = self.index is not None and cells.get("label") is None
        label = None if unsaid else label_of(cells.get("label"), self.fake_is)
        known = {"chain": name, "image": name} if self.index is None else self.index.find(name, label)
        own = {"label": label, "split": split_of(cells.get("split"))}
        own |= {what: cells.get(what) for what in ("generator", "group")}
        answer = {
            "item": name,
            "kind": "verdict",
            **known,
            **{key: text for key, text in own.items() if text},
        }
        if answer["label"] == "real":
            answer["generator"] = None  # a table may name the source of its reals there
        asked = {"condition": cells.get("condition") or CLEAN, "prompt": cells.get("prompt") or ""}
        return {
            **answer,
            **asked,
            "margin": margin_of(row.get(self.columns["score"]), self.scale, self.positive),
        }


def open_table(
    path: str | Path,
    scores: Scale | None = None,
    *,
    positive: Side = "fake",
    fake_is: Bit | None = None,
    columns: Mapping[str, str] | None = None,
    chains: ChainSet | None = None,
    image_root: str | Path | None = None,
    rejects: Rejects | None = None,
) -> DetectorTable:
    """Read a table of (id, score, label, generator) from anywhere.

    Args:
        path: CSV, TSV, JSON Lines or Parquet.
        scores: What the scores are: a `probability` of 0 to 1, a `margin` (its logit), or a `score` of which only
            the order means something. It is never guessed.
        positive: What a high score means.
        fake_is: What a bare 1 or 0 has to be for a fake; without it such labels are refused.
        columns: Names of columns by what they hold, `{"score": "p"}`; the others are found by their usual names.
        chains: Chains of the images, found by id, path or file name: their label, group, split, generator and
            manipulation stand where the table has none.
        image_root: Where the images lie, if the ids are their paths and there are no chains.
        rejects: Collects rows that cannot be used. Without it the first is raised.

    Raises:
        UsageError: If something that has to be said was not, there is no such column, or no row is of an unprocessed
            image.
        FakeInstructError: If the table cannot be read, or has no usable row.
    """
    path, bad, unread = Path(path), Rejects(), Rejects()
    index = None if chains is None else ChainIndex(chains, unread)
    with table_rows(path) as (names, numbered):
        where = find_columns(names, columns or {}, path, needed=REQUIRED if index is None else REQUIRED[:2])
        rows = [(number, _kept(row, where)) for number, row in numbered]
    scale = scale_of(scores, [row.get(where["score"]) for _, row in rows if isinstance(row, dict)], path)
    found = _Reader(where, scale, positive, fake_is, index).sound(rows, path, bad)
    if not found:
        first = f"; the first: {bad.errors[0]}" if bad else ""
        raise FakeInstructError(f"has no usable row ({len(rows):,} rows read{first})", file=path)
    check_clean(found, where, path)
    for error in (*unread.errors, *bad.errors):
        if rejects is None:
            raise error
        rejects.add(error)
    said: dict[str, Any] = {
        "file": str(path),
        "columns": where,
        "scores": scale,
        "positive": positive,
        "fake_is": fake_is,
    }
    said |= counts([_id(row, where) for _, row in rows], [row["item"] for row in found], bad)
    again = sum(error.problem.startswith(AGAIN) for error in bad.errors)
    said["remarks"] = [*untold(path, where, again, len(rows)), *remarks(found, scale, names, where)]
    return DetectorTable(path.parent, _meta(path, chains, image_root), found, scale, said)


def _id(row: dict[str, Any] | RecordError, where: Mapping[str, str]) -> str | None:
    return text_of(row.get(where["id"])) if isinstance(row, dict) else None


def _kept(row: dict[str, Any] | RecordError, where: Mapping[str, str]) -> dict[str, Any] | RecordError:
    """The cells that are read: a table may hold much else."""
    return row if isinstance(row, RecordError) else {name: row.get(name) for name in where.values()}


def _meta(path: Path, chains: ChainSet | None, image_root: str | Path | None) -> AnswersMeta:
    own = sha256_file(path)
    return AnswersMeta(
        expert=str(path),
        expert_sha256=own,
        items=str(path if chains is None else chains.folder),
        items_sha256=own if chains is None else sha256_file(chains.file),
        image_root=None if image_root is None else str(Path(image_root).resolve()),
        complete=True,
    )
