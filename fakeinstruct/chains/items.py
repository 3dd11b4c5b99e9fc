"""Evaluation items: a benchmark's questions about the images of a chain set, with the answers it keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError

from fakeinstruct.base.config import StrictModel, explain
from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.base.files import read_jsonl, write_jsonl
from fakeinstruct.chains.schema import Identifier, Label, Words

ITEMS: Final = "items.jsonl"
"""The file of a chain set that holds its evaluation items, if it has any."""


class Item(StrictModel):
    """One question of a benchmark about one image, as published.

    `chain` is the id of the image's chain. `kind` is what is asked for: a verdict, an explanation in free words
    (`open`), or a word on one attribute, which `attribute` then names by its key in the taxonomy. `answer` is
    the label that the benchmark keys, None if it keys none. `yes` is the label that "yes" means, None where the
    question is not one of yes or no. `source_record` is the record that the item was read from.
    """

    id: Identifier
    chain: Identifier
    kind: Literal["verdict", "open", "attribute"]
    question: Words
    answer: Label | None = None
    yes: Label | None = None
    attribute: Annotated[str, Field(min_length=1)] | None = None
    source_record: str | None = None


def write_items(folder: str | Path, items: Iterable[Item]) -> int:
    """Write the evaluation items of a chain set and return their number; of none no file is written."""
    rows = [item.model_dump(mode="json", exclude_defaults=True) for item in items]
    return write_jsonl(Path(folder) / ITEMS, rows) if rows else 0


def read_items(folder: str | Path, rejects: Rejects | None = None) -> Iterator[Item]:
    """The evaluation items of a chain set, none if it has no such file.

    Args:
        folder: The chain set's folder.
        rejects: Collects bad items. Without it the first is raised.

    Raises:
        RecordError: Naming the line and the field of a bad item, or an id that was used before.
    """
    file = Path(folder) / ITEMS
    if not file.exists():
        return
    seen: set[str] = set()
    for number, row in read_jsonl(file):
        try:
            item = _item(row)
            if item.id in seen:
                raise RecordError(f"the id '{item.id}' was used before", field="id")
        except RecordError as error:
            located = error.located(file=file, record=number)
            if rejects is None:
                raise located from None
            rejects.add(located)
            continue
        seen.add(item.id)
        yield item


def _item(row: Any) -> Item:
    if isinstance(row, RecordError):
        raise row
    try:
        return Item.model_validate(row)
    except ValidationError as error:
        field, problem, hint = explain(error, Item)
        raise RecordError(problem, field=field or None, hint=hint) from None
