"""Columns: rendered pairs as an Arrow table, built flat, without a dictionary a row.

What the pairs of a chain share (its image, label, split, group) is stored once and taken by the pair's
chain number, and likewise what a template's pairs share, so that a pair costs its own words and little else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fakeinstruct.expand.context import Facts
from fakeinstruct.expand.render import Rendered, advice_origin
from fakeinstruct.expand.target import target_of
from fakeinstruct.expand.template import Template

_CONTENT = pa.struct([("type", pa.string()), ("text", pa.string())])
_BOX = pa.list_(pa.float64())

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("chain", pa.string()),
        ("template", pa.string()),
        ("task", pa.string()),
        ("stage", pa.string()),
        ("images", pa.list_(pa.struct([("path", pa.string()), ("crop", _BOX), ("parent", pa.string())]))),
        ("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.list_(_CONTENT))]))),
        ("label", pa.string()),
        ("split", pa.string()),
        ("group", pa.string()),
        (
            "target",
            pa.struct(
                [
                    ("verdict", pa.string()),
                    ("choice", pa.string()),
                    ("attributes", pa.list_(pa.string())),
                    ("boxes", pa.list_(_BOX)),  # x0, y0, x1, y1 in fractions of the image
                    ("tags", pa.list_(pa.struct([("name", pa.string()), ("value", pa.string())]))),
                    ("text", pa.string()),
                ]
            ),
        ),
        ("polarity", pa.string()),
        ("choices", pa.list_(pa.string())),
        ("references", pa.list_(pa.string())),
        ("advice_origin", pa.string()),
    ]
)
"""Columns of a shard: the fields of `Pair` that expansion fills."""


class Kind(NamedTuple):
    """What the pairs of a shard are counted by."""

    template: str
    task: str
    label: str
    split: str


class Columns:
    """Pairs as columns, in the order in which they are added; those of a chain come together.

    Args:
        templates: The templates that pairs may come from.
    """

    def __init__(self, templates: tuple[Template, ...]) -> None:
        self._templates = templates
        self._numbers = {template.id: number for number, template in enumerate(templates)}
        self._pairs: list[Rendered] = []
        self._chains: list[Facts] = []
        self._chain: list[int] = []
        self._template: list[int] = []

    def __len__(self) -> int:
        return len(self._pairs)

    def add(self, pair: Rendered) -> None:
        """Add a pair."""
        if not self._chains or self._chains[-1] is not pair.facts:
            self._chains.append(pair.facts)
        self._pairs.append(pair)
        self._chain.append(len(self._chains) - 1)
        self._template.append(self._numbers[pair.template.id])

    def counts(self) -> Counter[Kind]:
        """Pairs of each kind."""
        found: Counter[Kind] = Counter()
        count = len(self._templates)
        keys = np.array(self._chain, np.int64) * count + np.array(self._template, np.int64)
        for key, number in zip(*np.unique(keys, return_counts=True), strict=True):
            facts, of = self._chains[key // count].chain, self._templates[key % count]
            found[Kind(of.id, of.front.task, facts.label.value, facts.split or "none")] += int(number)
        return found

    def table(self) -> pa.Table:
        """The pairs as a table of `SCHEMA`."""
        chains = [facts.chain for facts in self._chains]
        fronts = [template.front for template in self._templates]
        explains = [pair.template.front.explains for pair in self._pairs]
        columns = {
            "id": pa.array([pair.id for pair in self._pairs], pa.string()),
            "chain": self._of_chains([chain.id for chain in chains]),
            "template": self._of_templates([template.id for template in self._templates]),
            "task": self._of_templates([front.task for front in fronts]),
            "stage": self._of_templates([front.stage for front in fronts]),
            "images": self._images(),
            "messages": self._messages(),
            "label": self._of_chains([chain.label.value for chain in chains]),
            "split": self._of_chains([chain.split.value if chain.split else None for chain in chains]),
            "group": self._of_chains([chain.group for chain in chains]),
            "target": self._targets(),
            "polarity": self._of_templates([f.polarity.value if f.polarity else None for f in fronts]),
            "choices": self._own(
                [pair.choices.texts if pair.choices else None for pair in self._pairs], "choices"
            ),
            "references": self._own(
                [
                    pair.facts.references or None if said else None
                    for pair, said in zip(self._pairs, explains, strict=True)
                ],
                "references",
            ),
            "advice_origin": self._own([advice_origin(pair) for pair in self._pairs], "advice_origin"),
        }
        return pa.Table.from_pydict(columns, schema=SCHEMA)

    def _of_chains(self, values: list[str | None]) -> pa.Array:
        return pa.array(values, pa.string()).take(pa.array(self._chain, pa.int32()))

    def _of_templates(self, values: list[str | None]) -> pa.Array:
        return pa.array(values, pa.string()).take(pa.array(self._template, pa.int32()))

    def _own(self, values: list[Any], column: str) -> pa.Array:
        return pa.array(values, SCHEMA.field(column).type)

    def _images(self) -> pa.Array:
        """The whole image of each pair, then its crops."""
        number, crops = [], []
        for chain, pair in zip(self._chain, self._pairs, strict=True):
            number += [chain] * (1 + len(pair.subject.crops))
            crops += [None, *pair.subject.crops]
        paths = pa.array([facts.chain.image.path for facts in self._chains], pa.string())
        path = paths.take(pa.array(number, pa.int32()))
        parent = pa.array(
            [None if crop is None else n for n, crop in zip(number, crops, strict=True)], pa.int32()
        )
        values = [path, pa.array(crops, _BOX), paths.take(parent)]
        flat = pa.StructArray.from_arrays(values, fields=list(SCHEMA.field("images").type.value_type))
        return pa.ListArray.from_arrays(_offsets([1 + len(p.subject.crops) for p in self._pairs]), flat)

    def _messages(self) -> pa.Array:
        """Turns as lists of content: images where a turn has some, then its words.

        turns      user              assistant   user_2 (two looks)        assistant_2
        content    image  "Real?"    "fake"      crop  crop  "And now?"    "Still fake."
        """
        texts: list[str | None] = []  # None where an image stands
        for pair in self._pairs:
            texts.append(None)
            if crops := len(pair.subject.looks) and len(pair.subject.crops):
                texts += (*pair.texts[:2], *[None] * crops, *pair.texts[2:])
            else:
                texts += pair.texts
        turns = np.array([len(pair.texts) for pair in self._pairs], np.int32)
        first = np.cumsum(turns) - turns
        position = np.arange(turns.sum(), dtype=np.int32) - np.repeat(first, turns)
        sizes = 1 + (position == 0)
        for number, pair in enumerate(self._pairs):
            if pair.subject.looks:
                sizes[first[number] + 2] += len(pair.subject.crops)
        words = pa.array(texts, pa.string())
        kinds = pc.if_else(pc.is_null(words), "image", "text")
        content = pa.StructArray.from_arrays([kinds, words], fields=list(_CONTENT))
        roles = pc.if_else(pa.array(position % 2 == 0), "user", "assistant")
        contents = pa.ListArray.from_arrays(_offsets(sizes), content)
        kind = SCHEMA.field("messages").type.value_type
        return pa.ListArray.from_arrays(
            _offsets(turns), pa.StructArray.from_arrays([roles, contents], fields=list(kind))
        )

    def _targets(self) -> pa.Array:
        found = [target_of(pair.template, pair.facts, pair.subject, pair.choices) for pair in self._pairs]
        kind = SCHEMA.field("target").type
        values = [pa.array([target[field.name] for target in found], field.type) for field in kind]
        return pa.StructArray.from_arrays(values, fields=list(kind))


def _offsets(sizes: Sequence[int] | NDArray[np.integer]) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
