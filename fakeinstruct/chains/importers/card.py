"""What a source's own card says of its size: the counts of splits in the head of a README.md, as Hugging Face has it.

---
dataset_info:
splits:
- name: train
num_examples: 1200
---
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from fakeinstruct.base.config import parse_yaml
from fakeinstruct.chains.importers.layout import SPLIT_FOLDERS
from fakeinstruct.chains.importers.records import Record
from fakeinstruct.chains.schema import Split

CARD = "README.md"
"""The file, in the folder that is imported or beside the annotation file."""

MAX_CHARACTERS = 1 << 20
"""Characters of a card that are read: its counts stand in its head."""


class _Stated(Record):
    """The count of one split."""

    name: str
    num_examples: int


class _Info(Record):
    """What a card's head says of one configuration of the set."""

    splits: list[_Stated] = Field(default_factory=list)


class _Head(Record):
    """The head of a card; a set of several configurations has a list, of which none is the one at hand."""

    dataset_info: _Info | list[_Info] = _Info()


def card_remarks(folder: Path, found: Counter[Split | None], rejected: int) -> Iterator[str]:
    """Where the card beside a source says another number of records than were found.

    Args:
        folder: Where the card may lie.
        found: Chains that were taken, by published split.
        rejected: Records that were not.
    """
    file = folder / CARD
    if not file.is_file():
        return
    try:
        with file.open(encoding="utf-8-sig") as card:
            stated = _counts(card.read(MAX_CHARACTERS))
    except (OSError, ValueError, RecursionError, yaml.YAMLError, ValidationError):
        yield f"{CARD} beside the data has a head that cannot be read, so no counts were compared with it"
        return
    lost = f" ({rejected:,} records were rejected)" if rejected else ""
    splits = {split: count for split, count in stated.items() if split in found}
    for split, count in splits.items():
        if count != found[split]:
            yield f"{CARD} says {count:,} for the split '{split}', and {found[split]:,} chains were found{lost}"
    if stated and not splits and stated.total() != found.total():
        yield f"{CARD} says {stated.total():,} in all, and {found.total():,} chains were found{lost}"


def _counts(text: str) -> Counter[Split]:
    """The counts that a card states, by split."""
    before, fence, rest = text.partition("---\n")
    head, end, _ = rest.partition("\n---")
    if before or not fence or not end:
        return Counter()
    info = _Head.model_validate(parse_yaml(head) or {}).dataset_info
    if isinstance(info, list):
        info = info[0] if len(info) == 1 else _Info()
    counts: Counter[Split] = Counter()
    for stated in info.splits:
        if split := SPLIT_FOLDERS.get(stated.name.casefold()):
            counts[split] += stated.num_examples
    return counts
