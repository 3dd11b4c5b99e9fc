"""Who is how many: labels, sources, contents and attributes, by label and by split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from fakeinstruct.base.progress import track
from fakeinstruct.chains.schema import Chain, Label
from fakeinstruct.measure.audit.finding import Cell, Finding, Section, Table
from fakeinstruct.measure.audit.names import FIELDS, Counts

UNEVEN: Final = 2.0
"""Times as many images of one label as of the other in a split from which it is worth a warning."""

FEW: Final = 20
"""Images below which a value with one label may be chance."""

ROWS: Final = 40
"""Most rows of a table."""

BY_LABEL: Final = ("dataset", "content", "attribute annotated", "attribute assessed")
"""What should be there for both labels. A generator is of fakes and a camera set of reals by definition."""


class Balance:
    """Counts over all chains of a set, whatever its size."""

    def __init__(self) -> None:
        self.splits: Counter[tuple[str, Label]] = Counter()
        self.sources: Counter[tuple[str, str, Label, str]] = Counter()
        self.values: dict[str, Counter[tuple[str, Label]]] = {what: Counter() for what in BY_LABEL}
        self.traced: Counter[tuple[bool, Label]] = Counter()
        self.names: Counts = {field: Counter() for field in FIELDS}

    def count(self, chains: Iterable[Chain]) -> Iterator[Chain]:
        """Pass chains on and count them."""
        for chain in track(chains, "counting chains"):
            self._add(chain)
            yield chain

    def _add(self, chain: Chain) -> None:
        split = chain.split or "none"
        source = chain.generator or chain.camera_set or "not said"
        self.splits[split, chain.label] += 1
        self.sources[source, chain.manipulation or "not said", chain.label, split] += 1
        self.traced[bool(chain.traces), chain.label] += 1
        found: dict[str, Iterable[str]] = {
            "dataset": [chain.dataset],
            "content": set(chain.content),
            "attribute annotated": {trace.attribute for trace in chain.traces if trace.attribute},
            "attribute assessed": chain.assessed,
        }
        for what, values in found.items():
            self.values[what].update((value, chain.label) for value in values)
        for field in FIELDS:
            value = getattr(chain, field)
            self.names[field].update([value] if isinstance(value, str) else value or ())

    def of(self, label: Label) -> int:
        """How many chains have a label."""
        return sum(count for (_, each), count in self.splits.items() if each is label)


def balance_section(balance: Balance) -> Section:
    """How even labels, sources, contents and attributes are."""
    fakes, reals = balance.of(Label.FAKE), balance.of(Label.REAL)
    findings = [*_labels(balance), *_traces(balance)]
    if fakes and reals:
        for what in BY_LABEL:
            findings += _one_sided(what, balance)
    findings += _unseen(balance)
    tables = [_split_table(balance), _source_table(balance)]
    tables += [_value_table(what, values) for what, values in balance.values.items() if len(values) > 1]
    return Section(
        name="Balance",
        summary=f"{fakes + reals:,} chains: {fakes:,} fake, {reals:,} real.",
        findings=tuple(findings),
        tables=tuple(tables),
    )


def _labels(balance: Balance) -> Iterator[Finding]:
    fakes, reals = balance.of(Label.FAKE), balance.of(Label.REAL)
    if not fakes or not reals:
        yield Finding(
            level="problem",
            title=f"Every image is {'fake' if fakes else 'real'}",
            detail=f"{fakes + reals:,} chains have one label, so nothing can learn to tell, or be measured.",
            hint="Add images of the other label that were made, stored and named alike.",
        )
        return
    uneven = []
    for split in sorted({split for split, _ in balance.splits}):
        fake, real = balance.splits[split, Label.FAKE], balance.splits[split, Label.REAL]
        if max(fake, real) > UNEVEN * min(fake, real):
            uneven.append(f"{split} has {fake:,} fake and {real:,} real")
    if uneven:
        yield Finding(
            level="warning",
            title="Labels are uneven",
            detail=f"{'; '.join(uneven)}. An accuracy there says little beside the larger share.",
            hint="expand balances labels by template; figures by AUC do not depend on the mixture.",
        )


def _traces(balance: Balance) -> Iterator[Finding]:
    for label in Label:
        traced, total = balance.traced[True, label], balance.of(label)
        other = sum(count for (has, each), count in balance.traced.items() if has and each is not label)
        if total >= FEW and not traced and other:
            yield Finding(
                level="warning",
                title=f"No {label} image has traces",
                detail=f"{other:,} images of the other label have some: asked why, the label can be read off the "
                "question being asked at all.",
                hint="Annotate some, or use templates that serve both labels: wrong premises and absent attributes.",
            )


def _one_sided(what: str, balance: Balance) -> list[Finding]:
    """Values that only one label has, though there are enough of them for both."""
    values = balance.values[what]
    total = {label: balance.of(label) for label in Label}
    if what == "attribute annotated":  # where a label has no traces at all, that was said
        total = {label: balance.traced[True, label] for label in Label}
    found = []
    for value in {name for name, _ in values}:
        here = {label: values[value, label] for label in Label}
        for label, other in ((Label.FAKE, Label.REAL), (Label.REAL, Label.FAKE)):
            # as many of the other label would be expected; FEW of them do not go missing by chance
            if here[label] >= FEW and not here[other] and here[label] / total[label] * total[other] >= FEW:
                found.append((here[label], value, label))
    if not found:
        return []
    found.sort(key=lambda each: (-each[0], each[1]))
    listing = ", ".join(f"{value} ({count:,} {label})" for count, value, label in found[:12])
    more = f" and {len(found) - 12} more" if len(found) > 12 else ""
    return [
        Finding(
            level="warning",
            title=f"{len(found)} value{'s' * (len(found) > 1)} of '{what}' with one label only",
            detail=f"{listing}{more}. Whoever is told it, or sees it, knows the label.",
            hint="Add images of the other label with it, or keep it out of questions (audit the pairs as well).",
        )
    ]


def _unseen(balance: Balance) -> Iterator[Finding]:
    """Sources that are tested and not trained on: an honest test, if it is meant."""
    splits: dict[str, set[str]] = {}
    for (source, _, _, split), count in balance.sources.items():
        if count and source != "not said":
            splits.setdefault(source, set()).add(split)
    unseen = sorted(name for name, found in splits.items() if "train" not in found and "test" in found)
    if unseen and any("train" in found for found in splits.values()):
        yield Finding(
            level="note",
            title=f"{len(unseen)} source{'s' * (len(unseen) > 1)} in test and not in train",
            detail=f"{', '.join(unseen[:20])}. Figures on them are of unseen sources.",
        )


def _split_table(balance: Balance) -> Table:
    order = ("train", "validation", "test", "none")
    rows: list[tuple[Cell, ...]] = []
    for split in order:
        fake, real = balance.splits[split, Label.FAKE], balance.splits[split, Label.REAL]
        if fake or real:
            rows.append((split, fake, real, round(fake / (fake + real), 3)))
    return Table(title="Labels by split", columns=("split", "fake", "real", "share fake"), rows=tuple(rows))


def _source_table(balance: Balance) -> Table:
    splits = [
        each for each in ("train", "validation", "test", "none") if any(s == each for s, _ in balance.splits)
    ]
    kinds = sorted({key[:3] for key in balance.sources}, key=lambda key: (key[2], key[0], key[1]))
    rows = tuple(
        (
            str(label),
            source,
            manipulation,
            *(balance.sources[source, manipulation, label, each] for each in splits),
        )
        for source, manipulation, label in kinds[:ROWS]
    )
    return Table(title="Sources by split", columns=("label", "source", "manipulation", *splits), rows=rows)


def _value_table(what: str, values: Counter[tuple[str, Label]]) -> Table:
    names = Counter[str]()
    for (value, _), count in values.items():
        names[value] += count
    rows = tuple(
        (value, values[value, Label.FAKE], values[value, Label.REAL]) for value, _ in names.most_common(ROWS)
    )
    return Table(title=f"Images by {what}", columns=(what, "fake", "real"), rows=rows)
