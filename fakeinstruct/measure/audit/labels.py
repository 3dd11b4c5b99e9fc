"""Labels: whether template or split of a pair tell its label, counted over the whole set."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.chains.schema import Label
from fakeinstruct.expand.pair import PairSet
from fakeinstruct.measure.audit.chance import MARGIN, share_above
from fakeinstruct.measure.audit.finding import Example, Finding, Section, Table
from fakeinstruct.measure.audit.sample import EXAMPLES
from fakeinstruct.measure.detection import FEW_GROUPS

UNEVEN = 0.1
"""How far a split's share of fakes may be from one half before it is worth a warning."""


@dataclass
class Counts:
    """Pairs and images by template, split and label, the splits of each group, and all rows, over the whole set."""

    pairs: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    images: Counter[tuple[str, str]] = field(default_factory=Counter)
    splits: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    total: int = 0

    def by(self, place: int, name: str) -> tuple[int, int]:
        """Pairs of fakes and of reals of one template (place 0) or split (place 1)."""
        counted: Counter[str] = Counter()
        for key, count in self.pairs.items():
            if key[place] == name:
                counted[key[2]] += count
        return counted["fake"], counted["real"]


def count_labels(pairs: PairSet) -> Counts:
    """Count every row by its columns, without reading the texts.

    Raises:
        FakeInstructError: If a shard is damaged or lacks a column.
    """
    counts = Counts()
    for template, split, label, group, chains, rows in _grouped(pairs):
        counts.total += rows
        if template is None or label not in set(Label):
            continue  # no pair, and rejected as such where the texts are read
        name = str(split) if split else "none"
        counts.pairs[str(template), name, str(label)] += rows
        counts.images[str(template), str(label)] += chains
        counts.splits[str(group)].add(name)
    return counts


def _grouped(pairs: PairSet) -> Iterator[tuple[Any, ...]]:
    keys = ["template", "split", "label", "group"]
    for file in pairs.files:
        shard = replace(pairs, files=(file,))  # one at a time: the pairs of a chain lie in one shard
        grouped = _texts(shard, [*keys, "chain"]).group_by(keys)
        counted = grouped.aggregate([("chain", "count_distinct"), ("chain", "count")])
        names = (*keys, "chain_count_distinct", "chain_count")
        yield from zip(*(counted[name].to_pylist() for name in names), strict=True)


def _texts(shard: PairSet, names: list[str]) -> Any:
    """Some columns of a shard as an Arrow table of strings; one that holds nothing has a type of its own."""
    import pyarrow as pa

    schema = pa.schema([(name, pa.string()) for name in names])
    try:
        batches = (pa.Table.from_batches([batch]).cast(schema) for batch in shard.batches(columns=names))
        return pa.concat_tables([schema.empty_table(), *batches])
    except pa.ArrowException as error:
        raise FakeInstructError(f"has a column that is not text ({error})", file=shard.files[0]) from error


def labels_section(counts: Counts) -> Section:
    """Audit the balance of labels.

    Args:
        counts: Counts of the whole set.
    """
    templates = sorted({key[0] for key in counts.pairs})
    splits = sorted({key[1] for key in counts.pairs})
    findings = [
        *filter(None, (_template_finding(counts, name, len(templates)) for name in templates)),
        *filter(None, (_split_finding(counts, name) for name in splits)),
    ]
    if straddling := _straddling(counts):
        findings.append(straddling)
    return Section(
        name="Labels",
        summary="Do template and split tell the label? Every pair was counted. A template is compared with the "
        f"whole set; surely more than {MARGIN} off is a problem, surely off a warning (95 % together).",
        findings=tuple(findings),
        tables=(_table(counts, 0, "template", templates), _table(counts, 1, "split", splits)),
    )


def _template_finding(counts: Counts, template: str, tests: int) -> Finding | None:
    """A template asked of another share of fakes than the whole set: its wording then tells the label."""
    fakes, reals = counts.by(0, template)
    images = counts.images[template, "fake"] + counts.images[template, "real"]
    overall = sum(count for key, count in counts.pairs.items() if key[2] == "fake") / counts.pairs.total()
    if images < FEW_GROUPS or not 0 < overall < 1:
        return None
    off = share_above(fakes / (fakes + reals), overall, images, tests)
    if off.level is None:
        return None
    return Finding(
        level=off.level,
        title=f"{template} is asked {'more of fakes' if fakes / (fakes + reals) > overall else 'more of reals'}",
        detail=f"{fakes:,} fakes and {reals:,} reals; of the whole set {overall:.3f} are fake.",
        hint="Ask it of as many fakes as reals, or not at all: its wording tells the label.",
    )


def _split_finding(counts: Counts, split: str) -> Finding | None:
    fakes, reals = counts.by(1, split)
    share = fakes / (fakes + reals)
    if abs(share - 0.5) <= UNEVEN:
        return None
    alone = not fakes or not reals
    return Finding(
        level="problem" if alone else "warning",
        title=f"The split {split} has {'one label only' if alone else 'uneven labels'}",
        detail=f"{fakes:,} fakes and {reals:,} reals.",
        hint="Balance the labels, or read accuracies against the larger share.",
    )


def _straddling(counts: Counts) -> Finding | None:
    found = sorted(group for group, splits in counts.splits.items() if len(splits) > 1)
    if not found:
        return None
    return Finding(
        level="problem",
        title="Groups in several splits",
        detail=f"{len(found):,} of {len(counts.splits):,} groups: what is tested was seen in training.",
        hint="Keep all images of one source in one split.",
        examples=tuple(Example(text=f"{g}: {', '.join(sorted(counts.splits[g]))}") for g in found[:EXAMPLES]),
    )


def _table(counts: Counts, place: int, what: str, names: list[str]) -> Table:
    rows = []
    for name in names:
        fakes, reals = counts.by(place, name)
        rows.append((name, fakes, reals, round(fakes / (fakes + reals), 3)))
    return Table(
        title=f"Labels by {what}", columns=(what, "fakes", "reals", "share of fakes"), rows=tuple(rows)
    )
