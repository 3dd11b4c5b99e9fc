"""The same picture twice: with two labels, in two splits, or in two groups that are taken for independent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from fakeinstruct.base.progress import track
from fakeinstruct.chains.duplicates import near_pairs
from fakeinstruct.chains.schema import Label, Split
from fakeinstruct.measure.audit.finding import Example, Finding, Level, Section, Table
from fakeinstruct.measure.audit.look import Look
from fakeinstruct.measure.audit.sample import EXAMPLES

Likeness = Literal["same bytes", "same pixels", "near"]
LIKENESSES: Final[tuple[Likeness, ...]] = ("same bytes", "same pixels", "near")

Relation = Literal["other label", "other split", "other group", "versions"]
RELATIONS: Final[tuple[Relation, ...]] = ("other label", "other split", "other group", "versions")
"""How two chains of one picture stand to each other. `versions` are in one group or twins, and said to be alike."""


@dataclass(frozen=True)
class _Check:
    """One finding: the relation, of which likenesses, and what it means."""

    relation: Relation
    likenesses: tuple[Likeness, ...]
    level: Level
    title: str
    hint: str


CHECKS: Final = (
    _Check(
        "other label",
        ("same bytes", "same pixels"),
        "problem",
        "images have the very same pixels under both labels",
        "One of the labels is wrong, and nothing can tell which: remove them.",
    ),
    _Check(
        "other split",
        LIKENESSES,
        "problem",
        "images have the same picture in another split",
        "What is tested was trained on. Import the set again, which puts like pictures into one split.",
    ),
    _Check(
        "other label",
        ("near",),
        "warning",
        "images have nearly the same picture under the other label, and no group or twin says so",
        "If one was made from the other, say so by 'group' and 'twin', so that no split parts them.",
    ),
    _Check(
        "other group",
        LIKENESSES,
        "warning",
        "images have the same picture in another group",
        "Give them one group: folds and intervals take groups for independent.",
    ),
)
"""What is looked for, worst first."""


@dataclass
class _Found:
    """Images that have a like one, by how alike and in what relation, and pairs that show it."""

    images: dict[tuple[Likeness, Relation], set[int]] = field(default_factory=lambda: defaultdict(set))
    pairs: dict[tuple[Likeness, Relation], list[tuple[int, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add(self, looks: Sequence[Look], likeness: Likeness, one: int, other: int) -> None:
        """Take note of a pair."""
        for relation in _relations(looks[one], looks[other], likeness):
            self.images[likeness, relation].update((one, other))
            if len(self.pairs[likeness, relation]) < EXAMPLES // 2:
                self.pairs[likeness, relation].append((one, other))

    def count(self, relation: Relation, *likenesses: Likeness) -> int:
        """How many images have a like one in a relation."""
        return len(set().union(*(self.images[each, relation] for each in likenesses)))


def duplicates_section(looks: Sequence[Look]) -> Section:
    """Pictures that several chains have.

    Args:
        looks: What was seen of each image. Of files that cannot be read, the hashes that chains state are compared.
    """
    name = "Duplicates"
    known = [index for index, look in enumerate(looks) if _sha256(look) is not None]
    if not known:
        reason = "no image could be read, and no chain states a hash"
        return Section(name=name, summary="No picture is known.", skipped=reason)
    found = _search(looks, known)
    prints = sum(look.print is not None for look in looks)
    return Section(
        name=name,
        summary=f"{len(known):,} files compared by their bytes, {prints:,} pictures by their pixels.",
        findings=tuple(each for check in CHECKS if (each := _finding(looks, found, check)) is not None),
        tables=(_table(found),) if any(found.images.values()) else (),
    )


def _search(looks: Sequence[Look], known: Sequence[int]) -> _Found:
    found = _Found()
    distinct = _fold(looks, found, "same bytes", {index: _sha256(looks[index]) for index in known})
    pixels = {index: each.pixels_sha256 for index in distinct if (each := looks[index].print) is not None}
    distinct = _fold(looks, found, "same pixels", pixels)
    prints = [each for index in distinct if (each := looks[index].print) is not None]
    for one, other in track(near_pairs(prints), "looking for near duplicates"):
        found.add(looks, "near", distinct[one], distinct[other])
    return found


def _sha256(look: Look) -> str | None:
    return look.sha256 or look.chain.image.sha256


def _fold(
    looks: Sequence[Look], found: _Found, likeness: Likeness, keys: Mapping[int, str | None]
) -> list[int]:
    """Note images with the same key, each with the first of every label and split; return the firsts of all."""
    same: dict[str | None, list[int]] = defaultdict(list)
    for index, key in keys.items():
        same[key].append(index)
    for members in same.values():
        firsts: dict[tuple[Label, Split | None], int] = {}
        for index in members:
            for other in firsts.values():
                found.add(looks, likeness, other, index)
            firsts.setdefault((looks[index].chain.label, looks[index].chain.split), index)
    return [members[0] for members in same.values()]


def _relations(one: Look, other: Look, likeness: Likeness) -> Iterator[Relation]:
    first, second = one.chain, other.chain
    versions = first.group == second.group or first.twin == second.id or second.twin == first.id
    if first.split is not second.split:
        yield "other split"
    if first.label is not second.label and not (versions and likeness == "near"):
        yield "other label"  # an edit may change few pixels, but it changes some
    elif versions:
        yield "versions"
    elif first.split is second.split:
        yield "other group"


def _finding(looks: Sequence[Look], found: _Found, check: _Check) -> Finding | None:
    count = found.count(check.relation, *check.likenesses)
    if not count:
        return None
    parts = ", ".join(f"{each} {found.count(check.relation, each):,}" for each in check.likenesses)
    pairs = [pair for each in check.likenesses for pair in found.pairs[each, check.relation]]
    return Finding(
        level=check.level,
        title=f"{count:,} {check.title}",
        detail=f"Of {len(looks):,} images: {parts}.",
        hint=check.hint,
        examples=tuple(_example(looks[index]) for pair in pairs[: EXAMPLES // 2] for index in pair),
    )


def _example(look: Look) -> Example:
    chain = look.chain
    text = f"{chain.image.path} ({chain.split or 'no split'}, group {chain.group})"
    return Example(text=text, label=chain.label, image=chain.image.path)


def _table(found: _Found) -> Table:
    rows = tuple((each, *(found.count(relation, each) for relation in RELATIONS)) for each in LIKENESSES)
    columns = ("images with a like one", *RELATIONS[:3], "own group or twin")
    return Table(title="Duplicates", columns=columns, rows=rows)
