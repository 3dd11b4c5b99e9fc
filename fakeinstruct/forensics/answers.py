"""Answers: what an expert said of each item, one Parquet row each, and answer sets on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field, ValidationError

from fakeinstruct.base.config import StrictModel, explain
from fakeinstruct.base.errors import FakeInstructError, RecordError, UsageError
from fakeinstruct.base.files import atomic_write, read_json
from fakeinstruct.expert.card import Aggregation, Readout
from fakeinstruct.forensics.protocol import Protocol

SCHEMA = pa.schema(
    [
        ("item", pa.string()),  # id of the chain or pair that was asked about
        ("chain", pa.string()),
        ("image", pa.string()),  # path relative to the image root
        ("kind", pa.string()),  # "verdict", "choice", "open", or "prior": a verdict on a picture of nothing
        ("task", pa.string()),
        ("template", pa.string()),  # the template of a pair, the name of a readout
        ("prompt", pa.string()),  # the question as it was asked
        ("trained", pa.bool_()),  # whether the expert was trained on this wording
        ("look", pa.int16()),  # which crop of a grid; 1 for the whole picture
        ("condition", pa.string()),  # perturbation or intervention; "clean" for none
        ("trace", pa.string()),  # the trace whose region was intervened on
        ("attribute", pa.string()),  # its attribute
        ("sample", pa.int16()),  # which sampled rationale
        ("position", pa.string()),  # where the label was read: "first", "prefix" or "scan"
        ("label", pa.string()),  # truth: "fake" or "real"
        ("manipulation", pa.string()),
        ("generator", pa.string()),
        ("camera_set", pa.string()),
        ("group", pa.string()),
        ("split", pa.string()),
        ("words", pa.list_(pa.string())),  # label words or choice letters, in the order of `logits`
        ("classes", pa.list_(pa.string())),  # what each word means: "fake"/"real", or the letter itself
        ("logits", pa.list_(pa.float32())),  # their logits in float32, see `probability.word_logits`
        ("piece_logits", pa.list_(pa.list_(pa.float32()))),  # of each word the logits of its tokens
        ("piece_normalisers", pa.list_(pa.list_(pa.float32()))),  # and the log-normalisers at their places
        ("log_normaliser", pa.float32()),  # log of the sum of exp(logit) over the vocabulary, first place
        ("margin", pa.float32()),  # verdict: aggregated logit of fake minus real; null for a choice
        ("label_mass", pa.float32()),  # probability that the answer is one of `words`, 0 to 1
        ("choice", pa.string()),  # the letter with the largest logit; null for a verdict
        ("target", pa.string()),  # right letter of a choice; null for a verdict
        ("text", pa.string()),  # generated explanation or rationale, if there is one
        ("verdict", pa.string()),  # parsed from `text`, if any
        (
            "boxes",
            pa.list_(pa.list_(pa.float32())),
        ),  # x0, y0, x1, y1 that `text` names, fractions of the picture
        ("batch", pa.int16()),  # images asked at once
        ("note", pa.string()),  # what happened on the way: "out of memory at 32 images"
        ("seconds", pa.float32()),
        ("error", pa.string()),  # why there is no figure; everything read from the model is then null
    ]
)
"""Columns of an answer set."""

KEY = ("kind", "item", "template", "position", "prompt", "look", "condition", "trace", "sample")
"""Columns that tell a row from all others of an answer set."""


class AnswersMeta(StrictModel):
    """`meta.json` of an answer set: which expert answered, to what, how it was asked and read.

    `readouts` are those that were asked with, the leading one first, with the scale and bias they had then;
    `aggregation` is the leading one's.
    """

    schema_version: Literal[1] = 1
    expert: str
    expert_sha256: str
    processor_sha256: str | None = None
    items: str
    items_sha256: str
    image_root: str | None = None
    aggregation: Aggregation = "logsumexp"
    protocol: Protocol = Field(default_factory=Protocol)
    readouts: tuple[Readout, ...] = ()
    versions: dict[str, str] = Field(default_factory=dict)
    complete: bool = False


@dataclass(frozen=True)
class AnswerSet:
    """An answer set on disk: `meta.json` and `answers-*.parquet` parts."""

    folder: Path
    meta: AnswersMeta

    def parts(self) -> list[Path]:
        """Its Parquet parts, in order."""
        return sorted(self.folder.glob("answers-*.parquet"))

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All answers as one Arrow table with the columns of `SCHEMA`.

        Raises:
            FakeInstructError: If there are none, or a part is damaged.
        """
        tables = [_read(part, columns) for part in self.parts()]
        if not tables:
            raise FakeInstructError("holds no answers", file=self.folder)
        return pa.concat_tables(tables)

    def answered(self) -> Iterator[tuple[Any, ...]]:
        """The keys of the rows answered so far, those with an error too.

        Raises:
            FakeInstructError: If a part is damaged.
        """
        for part in self.parts():
            yield from zip(*_read(part, KEY).to_pydict().values(), strict=True)

    def errors(self) -> list[RecordError]:
        """Why rows have no answer, one error each.

        A rationale without a figure is none where another one of the same question has one: that is answered.

        Raises:
            FakeInstructError: If a part is damaged.
        """
        rows = self._failed()
        silent = {_question(row) for row in rows if row["text"] is not None and row["sample"] is not None}
        answered = self._answered(silent) if silent else set()
        return [
            RecordError(row["error"], record=row["item"])
            for row in rows
            if row["text"] is None or _question(row) not in answered
        ]

    def silent(self) -> tuple[int, int]:
        """How many written answers give no figure, and how many were written for a verdict.

        Raises:
            FakeInstructError: If a part is damaged.
        """
        table = self.table(["kind", "position", "text"])
        written = (
            (pc.field("position") == "scan") & (pc.field("kind") != "open") & pc.field("text").is_valid()
        )
        return sum(row["text"] is not None for row in self._failed()), len(table.filter(written))

    def _failed(self) -> list[dict[str, Any]]:
        tables = (_read(part, (*KEY, "text", "error")) for part in self.parts())
        return [row for table in tables for row in table.filter(pc.field("error").is_valid()).to_pylist()]

    def _answered(self, questions: Set[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
        """Those of some questions that a row gives a figure for."""
        tables = (_read(part, (*KEY, "error")) for part in self.parts())
        rows = (row for table in tables for row in table.filter(pc.field("error").is_null()).to_pylist())
        return {key for row in rows if (key := _question(row)) in questions}


def _question(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What tells a row's question from all others, however many rationales were sampled for it."""
    return tuple(row[name] for name in KEY if name != "sample")


def _read(part: Path, columns: Sequence[str] | None) -> pa.Table:
    try:
        return pq.read_table(part, columns=list(columns) if columns else None, schema=SCHEMA)
    except (OSError, ValueError) as error:
        raise FakeInstructError(
            f"is not a readable part of an answer set ({error})",
            file=part,
            hint="Remove it and run 'fakeinstruct score' again: it asks what is missing.",
        ) from error


def write_part(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """Write one part atomically; absent columns are null."""
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    with atomic_write(folder / f"answers-{name}.parquet") as file:
        pq.write_table(table, file, compression="zstd")


def open_answers(folder: str | Path) -> AnswerSet:
    """Find an answer set on disk.

    Raises:
        UsageError: If the folder is not one.
    """
    folder = Path(folder)
    if not (folder / "meta.json").is_file():
        raise UsageError(
            "is not an answer set: it has no meta.json", file=folder, hint="'fakeinstruct score' writes one."
        )
    try:
        meta = AnswersMeta.model_validate(read_json(folder / "meta.json"))
    except ValidationError as error:
        field, problem, hint = explain(error, AnswersMeta)
        raise FakeInstructError(problem, file=folder / "meta.json", field=field, hint=hint) from None
    return AnswerSet(folder, meta)
