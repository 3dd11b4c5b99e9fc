"""Do file names and headers give the label away: each fact alone, and all together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fakeinstruct.measure.audit.facts import HEADER_FAMILIES, NAME_FAMILIES, NUMBERS, Encoder, Facts, facts_of
from fakeinstruct.measure.audit.finding import Cell, Finding, Section, Table
from fakeinstruct.measure.audit.judged import TESTS, Judged, best_of, examples_of, judge, values_of
from fakeinstruct.measure.audit.look import Look
from fakeinstruct.measure.audit.telling import Folds, Told, by_boosting, make_folds, tell
from fakeinstruct.measure.figure import UnavailableError

TITLES: Final = {
    "extension": "File extensions tell",
    "file name": "File names tell",
    "file number": "Numbers in file names tell",
    "encoding": "Encodings tell",
    "size": "Image sizes tell",
    "bytes": "Sizes in bytes tell",
}
RENAME = (
    "Train and score without names, and give them out without meaning: fakeinstruct reencode names by hash."
)
RESIZE = "Give both labels one size: fakeinstruct reencode CHAINS --out DIR --size N."
HINTS: Final = {
    "extension": "An extension stands for an encoding, which pixels betray too: save both labels alike with "
    "fakeinstruct reencode.",
    "file name": RENAME,
    "file number": RENAME,
    "encoding": "Save both labels alike with fakeinstruct reencode. What compression did to the pixels before stays.",
    "size": RESIZE,
}

NAMES: Final = "names alone"

ALIKE: Final = (
    "All images have one encoding and one size, so that bytes are only how well the pixels compress, "
    "and pixels are what a detector is to look at."
)


def metadata_section(looks: Sequence[Look], seed: int) -> Section:
    """How well names and headers tell fake from real.

    Args:
        looks: What was seen of each image; headers are judged on those that have one.
        seed: Seed of the folds.
    """
    name = "File names and headers"
    try:
        folds = _folds(looks, seed)
    except UnavailableError as reason:
        return Section(name=name, summary="No figure could be given.", skipped=reason.problem)
    kinds = [_Kind(NAMES, NAME_FAMILIES, [look.names for look in looks], looks, folds)]
    readable = [look for look in looks if look.header is not None]
    without = None
    try:
        if not readable:
            raise UnavailableError("no image could be opened")
        kinds.append(_headers(readable, folds if len(readable) == len(looks) else _folds(readable, seed)))
        kinds.append(_both(readable, kinds[1].folds))
    except UnavailableError as reason:
        without = f"Headers could not be judged: {reason.problem}."
    facts = {family: facts for kind in kinds[:2] for family, facts in kind.facts().items()}
    looks_of = {family: kind.looks for kind in kinds[:2] for family in kind.families}
    vary = {family for family, some in facts.items() if any(fact.varies for fact in some)}
    beside = () if vary & {"encoding", "size"} else ("bytes",)
    totals = [(kind.what, kind.together(beside)) for kind in kinds]
    findings = [_finding(family, some, looks_of[family], vary) for family, some in facts.items()]
    found = [each for each in findings if each is not None]
    if all(each.level == "note" for each in found):
        found += _company(totals, vary)
    told = [family for family, each in zip(facts, findings, strict=True) if each is not None]
    tables = [_overview(totals, facts)]
    tables += [values_of(family, best_of(facts[family]), looks_of[family]) for family in told]
    if beside and "bytes" in vary:
        without = f"Bytes are left out of these figures. {ALIKE}"
    return Section(
        name=name, summary=_summary(totals, facts, without), findings=tuple(found), tables=tuple(tables)
    )


def _folds(looks: Sequence[Look], seed: int) -> Folds:
    fake = np.array([look.fake for look in looks], dtype=bool)
    return make_folds(fake, [look.chain.group for look in looks], seed)


@dataclass(frozen=True)
class _Kind:
    """Facts of one kind, of all images that have them."""

    what: str
    families: dict[str, tuple[str, ...]]
    rows: list[Facts]
    looks: Sequence[Look]
    folds: Folds

    def together(self, beside: Collection[str] = ()) -> Told:
        """All facts in one classifier, without those of the families that only pixels decide."""
        families = {family: names for family, names in self.families.items() if family not in beside}
        encoder = Encoder(self.rows, facts_of(families))
        return tell(self.folds, by_boosting(self.folds, encoder.encode(self.rows), encoder.words), TESTS)

    def facts(self) -> dict[str, list[Judged]]:
        """Each fact alone, by family."""
        return {
            family: [judge(name, self.rows, self.folds) for name in names]
            for family, names in self.families.items()
        }


def _headers(looks: Sequence[Look], folds: Folds) -> _Kind:
    return _Kind("headers alone", HEADER_FAMILIES, [look.header or {} for look in looks], looks, folds)


def _both(looks: Sequence[Look], folds: Folds) -> _Kind:
    rows = [look.names | (look.header or {}) for look in looks]
    return _Kind("names and headers", NAME_FAMILIES | HEADER_FAMILIES, rows, looks, folds)


def _finding(family: str, facts: list[Judged], looks: Sequence[Look], vary: set[str]) -> Finding | None:
    best = best_of(facts)
    level = best.told.auc.level
    if level is None:
        return None
    alike = family == "bytes" and not vary & {"encoding", "size"}
    hint = ALIKE if alike else _mend(vary) if family == "bytes" else HINTS[family]
    share = sum(look.fake for look in looks) / len(looks)
    alone = (
        f"{best.told}: '{best.name}' alone, on images held out; always saying the commoner label has accuracy "
        f"{max(share, 1 - share):.3f}."
    )
    told = f"AUC {best.told.auc.value:.3f}, accuracy {best.told.accuracy:.3f}"
    title = f"{TITLES[family]} fake from real: '{best.name}', {told}"
    return Finding(
        level="note" if alike else level,
        title=title,
        detail=" ".join(filter(None, (alone, _rules(facts)))),
        hint=hint,
        examples=examples_of(best, looks),
    )


def _rules(facts: list[Judged]) -> str:
    """What everybody quotes: the rule that the commoner label of each value makes, none held out."""
    worded = [fact for fact in facts if fact.name not in NUMBERS and fact.told.auc.level]
    if not worded:
        return ""
    rules = ", ".join(f"'{fact.name}' {fact.rule:.4f}" for fact in worded)
    return f"Accuracy of the commoner label of each value, none held out: {rules}."


def _company(totals: list[tuple[str, Told]], vary: set[str]) -> list[Finding]:
    """Facts that tell in company only; what helps depends on which of them vary."""
    what, told = max(totals, key=lambda total: total[1].auc.value)
    level = told.auc.level
    if level is None:
        return []
    return [
        Finding(
            level=level,
            title=f"Together, {what} tell fake from real: AUC {told.auc.value:.3f}",
            detail=f"{told}, by gradient boosting on all of them; no fact tells enough alone.",
            hint=RENAME if what == NAMES else _mend(vary),
        )
    ]


def _mend(vary: set[str]) -> str:
    """What makes those facts of headers alike that are not; where all are, names are left."""
    return " ".join(HINTS[each] for each in ("encoding", "size") if each in vary) or RENAME


def _overview(totals: list[tuple[str, Told]], facts: dict[str, list[Judged]]) -> Table:
    rows: list[tuple[Cell, ...]] = [_row(f"all: {what}", told) for what, told in totals]
    alone = [
        (f"{family}: {fact.name}", fact.told)
        for family, some in facts.items()
        for fact in some
        if fact.varies
    ]
    rows += [_row(what, told) for what, told in sorted(alone, key=lambda each: -each[1].auc.value)]
    columns = ("what", "AUC", "low", "high", "accuracy", "images")
    return Table(title="What each fact tells on images held out", columns=columns, rows=tuple(rows))


def _row(what: str, told: Told) -> tuple[Cell, ...]:
    figures = (told.auc.value, told.auc.low, told.auc.high, told.accuracy)
    return what, *(round(figure, 3) for figure in figures), told.n


def _summary(totals: list[tuple[str, Told]], facts: dict[str, list[Judged]], without: str | None) -> str:
    figures = "; ".join(f"{what} {told}" for what, told in totals)
    same = [f"'{fact.name}'" for some in facts.values() for fact in some if not fact.varies]
    alike = f"The same for every image: {', '.join(same)}." if same else None
    return " ".join(part for part in (f"By gradient boosting: {figures}.", alike, without) if part)
