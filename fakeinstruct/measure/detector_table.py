"""A table of scores that any detector gave, as answers: the same figures and report come of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects, UsageError, nearest
from fakeinstruct.base.files import sha256_file
from fakeinstruct.base.json_text import is_text
from fakeinstruct.chains.importers.layout import CLASS_FOLDERS, SPLIT_FOLDERS
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.forensics.answers import SCHEMA, AnswerSet, AnswersMeta
from fakeinstruct.measure.table_chains import ChainIndex
from fakeinstruct.measure.table_rows import table_rows

Scale = Literal["probability", "margin", "score"]
"""What a score is: a probability, its logit, or a number of which only the order means something."""

Side = Literal["fake", "real"]

ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "image", "image_path", "path", "file", "filename", "file_name", "name"),
    "score": ("score", "prob", "probability", "logit", "margin", "p_fake", "y_score", "pred", "prediction"),
    "label": ("label", "target", "y_true", "is_fake", "class", "truth", "ground_truth"),
    "generator": ("generator", "model", "source"),
    "group": ("group",),
    "split": ("split",),
    "condition": ("condition",),
    "prompt": ("prompt",),
}
"""What is read of a row, and the names that its column often has."""

REQUIRED = ("id", "score", "label")

WORDS: Mapping[str, str] = {
    **{word: str(label) for word, label in CLASS_FOLDERS.items()},
    **dict.fromkeys(("synthetic", "generated", "ai-generated", "aigc", "deepfake", "forged"), "fake"),
    **dict.fromkeys(("tampered", "manipulated", "edited"), "fake"),
    **dict.fromkeys(("natural", "authentic", "genuine", "original", "pristine", "photo", "camera"), "real"),
}
"""Words that say what an image is. A bare 0 or 1 is none: published tables disagree on what they mean."""

BITS = {"1": "1", "1.0": "1", "true": "1", "0": "0", "0.0": "0", "false": "0"}

NUMBERED_OUTSIDE = 0.05
"""Share of numbers outside 0 to 1 above which a column holds no probabilities."""


@dataclass(frozen=True)
class DetectorTable(AnswerSet):
    """A table of scores in the place of an answer set; `folder` is the one that it lies in.

    Attributes:
        rows: Its sound rows, as rows of answers.
        scale: What its scores are.
        said: What it was read as, and what to know of it: the part of `provenance` that is its own.
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
class TableFormat:
    """What a table does not say of itself.

    Attributes:
        scores: What its scores are; there is no default.
        positive: What a high score means.
        fake_is: What a bare 1 or 0 in the label column has to be for a fake.
        columns: Names of columns by what they hold, see `ALIASES`; the others are found by usual names.
    """

    scores: Scale | None = None
    positive: Side = "fake"
    fake_is: Literal["1", "0"] | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


def open_table(
    path: str | Path,
    scores: Scale | None = None,
    *,
    positive: Side = "fake",
    fake_is: Literal["1", "0"] | None = None,
    columns: Mapping[str, str] | None = None,
    chains: ChainSet | None = None,
    image_root: str | Path | None = None,
    rejects: Rejects | None = None,
) -> DetectorTable:
    """Read a table of (id, score, label, generator) from anywhere.

    Args:
        path: CSV, TSV, JSON Lines or Parquet.
        scores: What the scores are: a `probability` of 0 to 1, a `margin` (its logit), or a `score` of which only
            the order means something.
        positive: What a high score means, "fake" or "real".
        fake_is: What a bare 1 or 0 has to be for a fake; without it they are refused.
        columns: Names of columns by what they hold: `{"score": "p"}`.
        chains: Chains of the same images, found by id, path or file name: their label, group, split, generator and
            manipulation stand where the table has none.
        image_root: Where the images lie, if the ids are their paths and there are no chains.
        rejects: Collects rows that cannot be used. Without it the first is raised.

    Raises:
        UsageError: If something that has to be said was not, or there is no such column.
        FakeInstructError: If the table cannot be read, or has no usable row.
    """
    path, said = Path(path), TableFormat(scores, positive, fake_is, columns or {})
    if scores is not None and scores not in get_args(Scale):
        raise UsageError(f"there is no kind of scores '{scores}'", hint=nearest(scores, get_args(Scale)))
    bad = Rejects()
    index = None if chains is None else ChainIndex(chains, bad)
    with table_rows(path) as (names, numbered):
        where = find_columns(names, said.columns, path, needed=REQUIRED if index is None else REQUIRED[:2])
        raw = [(number, row) for number, row in numbered]
    scale = _said_scale(said, [row.get(where["score"]) for _, row in raw if isinstance(row, dict)], path)
    found = _sound(raw, where, scale, said, index, bad, path)
    if rejects is None and bad:
        raise bad.errors[0]
    for error in bad.errors if rejects is not None else ():
        rejects.add(error)  # type: ignore[union-attr]
    if not found:
        first = f"; the first: {bad.errors[0]}" if bad else ""
        raise FakeInstructError(f"has no usable row ({len(raw):,} rows read{first})", file=path)
    root = None if image_root is None else str(Path(image_root).resolve())
    meta = AnswersMeta(
        expert=str(path),
        expert_sha256=sha256_file(path),
        items=str(path if chains is None else chains.folder),
        items_sha256=sha256_file(path if chains is None else chains.file),
        image_root=root,
        complete=True,
    )
    known = {"file": str(path), "columns": where, "scores": scale, "positive": positive, "fake_is": fake_is}
    counts = {"rows": len(raw), "used": len(found), "rejected": dict(bad.reasons())}
    remarks = _remarks(found, scale)
    return DetectorTable(path.parent, meta, found, scale, {**known, **counts, "remarks": remarks})


def find_columns(
    names: Sequence[str], said: Mapping[str, str], path: Path, needed: Sequence[str] = REQUIRED
) -> dict[str, str]:
    """Which column holds what: as it was said, or the one column of a usual name.

    Raises:
        UsageError: If a column that is needed is not there, several might be meant, or one that was named is not
            there.
    """
    for role, name in said.items():
        if role not in ALIASES:
            raise UsageError(f"nothing called '{role}' is read of a table", hint=nearest(role, ALIASES))
        if name not in names:
            raise UsageError(f"has no column '{name}'", file=path, hint=nearest(name, names))
    where = dict(said)
    for role, usual in ALIASES.items():
        if role in where:
            continue
        likely = [name for name in names if name.lower() in usual and name not in where.values()]
        exact = [name for name in likely if name.lower() == role]
        if len(exact or likely) > 1:
            several = ", ".join(likely)
            raise UsageError(
                f"several columns may hold the {role}: {several}",
                file=path,
                hint=f"Say which: --column {role}={likely[0]}",
            )
        where |= {role: name for name in exact or likely}
        if role in needed and role not in where:
            raise UsageError(
                f"no column is called {' or '.join(usual)}",
                file=path,
                hint=f"Say which of its columns ({', '.join(names) or 'none'}) it is: --column {role}=NAME.",
            )
    return where


def _said_scale(said: TableFormat, values: Sequence[Any], path: Path) -> Scale:
    """What the scores are, as it was said.

    Raises:
        UsageError: If it was not said, or what was said cannot be.
    """
    numbers = [number for value in values if (number := _number(value)) is not None]
    span = f"they lie between {min(numbers):g} and {max(numbers):g}" if numbers else "none is a number"
    if said.scores is None:
        raise UsageError(
            f"it was not said what the scores are; {span}",
            file=path,
            hint="Say --scores probability (0 to 1), --scores margin (its logit, 0 is undecided) or --scores score "
            "(any number, only the order counts).",
        )
    outside = sum(not 0 <= number <= 1 for number in numbers)
    if said.scores == "probability" and outside > 1 and outside > NUMBERED_OUTSIDE * len(numbers):
        raise UsageError(
            f"{outside:,} of {len(numbers):,} scores are no probabilities: {span}",
            file=path,
            hint="Say --scores margin or --scores score.",
        )
    return said.scores


def _number(value: Any) -> float | None:
    """A finite number, None for anything else."""
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _sound(
    raw: Sequence[tuple[int, dict[str, Any] | RecordError]],
    where: Mapping[str, str],
    scale: Scale,
    said: TableFormat,
    index: ChainIndex | None,
    bad: Rejects,
    path: Path,
) -> list[dict[str, Any]]:
    """Rows of answers of the sound rows; the others are rejected, with file and number."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for number, row in raw:
        try:
            if isinstance(row, RecordError):
                raise row
            answer = _answer({role: _text(row.get(name)) for role, name in where.items()}, said, index)
            answer["margin"] = _margin(row.get(where["score"]), scale, said.positive)
            key = (answer["chain"], answer["condition"], answer["prompt"])
            if key in found:
                raise _repeated(answer, found[key])
            found[key] = answer
        except RecordError as error:
            bad.add(error.located(file=path, record=number))
    return list(found.values())


def _repeated(answer: Mapping[str, Any], before: Mapping[str, Any]) -> RecordError:
    if answer["label"] != before["label"]:
        return RecordError(
            "the id was used before with another label",
            field="id",
            hint="A file name without its folders is no id: name the column of whole paths with --column id=NAME.",
        )
    same = answer["margin"] == before["margin"]
    return RecordError(f"the id was used before{'' if same else ' with another score'}", field="id")


def _text(value: Any) -> str | None:
    """A cell as text, None for an empty one."""
    if value is None or isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dict | list | bytes):
        return None
    return str(value).strip() or None


def _answer(cells: Mapping[str, str | None], said: TableFormat, index: ChainIndex | None) -> dict[str, Any]:
    """A row of answers without its margin.

    Raises:
        RecordError: If id, label or split are not usable.
    """
    if not all(is_text(text) for text in cells.values() if text):
        raise RecordError("is not UTF-8")
    name = cells["id"]
    if name is None:
        raise RecordError("has no id", field="id")
    label = _label(cells["label"], said) if cells.get("label") or index is None else None
    known = {} if index is None else index.find(name, label)
    own = {
        "label": label,
        "split": _split(cells.get("split")),
        **{role: cells.get(role) for role in ("generator", "group")},
    }
    merged = {"chain": name, "image": name, **known} | {key: text for key, text in own.items() if text}
    if merged["label"] == "real":
        # a table may name the source of its reals there: the generator whose fakes they stand beside, for one
        merged |= {"camera_set": cells.get("generator") or known.get("camera_set"), "generator": None}
    condition = cells.get("condition") or "clean"
    return {"item": name, "kind": "verdict", "condition": condition, "prompt": cells.get("prompt") or "", **merged}


def _label(text: str | None, said: TableFormat) -> str:
    if text is None:
        raise RecordError("has no label", field="label")
    word = text.lower().replace(" ", "-")
    if word in BITS:
        if said.fake_is is None:
            raise RecordError(
                "the label is a bare 0 or 1", field="label", hint="Say which is fake: --fake-is 1 or --fake-is 0."
            )
        return "fake" if BITS[word] == said.fake_is else "real"
    if word not in WORDS and word.replace("_", "-") not in WORDS:
        raise RecordError(f"unknown label ({text!r})", field="label", hint=f"Known: {', '.join(WORDS)}.")
    return WORDS[word if word in WORDS else word.replace("_", "-")]


def _split(text: str | None) -> str | None:
    if text is None:
        return None
    if text.lower() not in SPLIT_FOLDERS:
        raise RecordError(f"unknown split ({text!r})", field="split", hint=f"Known: {', '.join(SPLIT_FOLDERS)}.")
    return str(SPLIT_FOLDERS[text.lower()])


def _margin(value: Any, scale: Scale, positive: Side) -> float:
    """The margin of fake minus real; of a probability of exactly 0 or 1 an infinite one.

    Raises:
        RecordError: If the score is no number, or not such a probability.
    """
    number = _number(value)
    if number is None:
        raise RecordError("the score is no number", field="score")
    if scale == "probability":
        if not 0 <= number <= 1:
            raise RecordError(f"the score is no probability ({number:g})", field="score")
        number = math.log(number) - math.log1p(-number) if 0 < number < 1 else math.inf * (2 * number - 1)
    elif abs(number) > np.finfo(np.float32).max:
        raise RecordError(f"the score is beyond single precision ({number:g})", field="score")
    return number if positive == "fake" else -number


def _remarks(rows: Sequence[Mapping[str, Any]], scale: Scale) -> list[str]:
    """What to know of a table: what its numbers have lost, or what makes it doubtful that they are what was said."""
    margins = np.array([row["margin"] for row in rows])
    found = []
    if sure := int(np.isinf(margins).sum()):
        found.append(
            f"{sure:,} of {len(margins):,} probabilities ({sure / len(margins):.1%}) are exactly 0 or 1: they tie, and "
            "the order among them is lost; margins (logits) would keep it"
        )
    distinct, stored = len(np.unique(margins)), len(np.unique(margins.astype(np.float32)))
    if stored < distinct:
        found.append(f"{distinct:,} distinct scores are {stored:,} in single precision, in which they are compared")
    if scale == "margin" and len(margins) > 1 and margins.min() >= 0 and margins.max() <= 1:
        found.append("every margin lies between 0 and 1: are they not probabilities?")
    few = Counter(row["label"] for row in rows)
    return found + [f"no image is {label}" for label in ("fake", "real") if not few[label]]
