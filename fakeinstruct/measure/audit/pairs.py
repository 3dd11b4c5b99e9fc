"""The audit of a pair set: questions, choices, turns and labels."""

from __future__ import annotations

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects
from fakeinstruct.base.versions import versions
from fakeinstruct.expand.pair import PairSet
from fakeinstruct.measure.audit.choices import choices_section
from fakeinstruct.measure.audit.finding import Audit, Example, Finding, Section
from fakeinstruct.measure.audit.labels import count_labels, labels_section
from fakeinstruct.measure.audit.questions import questions_section
from fakeinstruct.measure.audit.sample import EXAMPLES, LIMIT, Talk, draw
from fakeinstruct.measure.audit.turns import turns_section

PACKAGES = ("numpy", "scipy", "scikit-learn", "pyarrow")
"""Packages whose version can change a figure."""


def pairs_audit(
    pairs: PairSet, *, seed: int = 0, limit: int = LIMIT, rejects: Rejects | None = None
) -> Audit:
    """Audit a pair set: what in it gives the label away, or is broken.

    Labels are counted over all pairs. Texts are read of as many whole images as `limit` pairs allow.

    Args:
        pairs: The pair set.
        seed: Seed of the drawn images and of the halves.
        limit: Pairs whose texts are read, about.
        rejects: Collects rows that are no pairs. Without it too many of them still end the audit.

    Raises:
        FakeInstructError: If a shard is damaged, or the set holds no sound pair.
    """
    rejects = rejects if rejects is not None else Rejects()
    counts = count_labels(pairs)
    talks = draw(pairs, counts.total, seed=seed, limit=limit, rejects=rejects)
    if not talks:
        raise FakeInstructError("holds no sound pair", file=pairs.folder)
    sections = (
        _extent(talks, counts.total, rejects),
        questions_section(talks, seed=seed),
        choices_section(talks, seed=seed),
        turns_section(talks),
        labels_section(counts),
    )
    return Audit(
        kind="pairs",
        source=pairs.folder.resolve().name,
        n=counts.total,
        seed=seed,
        sections=sections,
        versions=versions(*PACKAGES),
    )


def _extent(talks: list[Talk], total: int, rejects: Rejects) -> Section:
    """What was read, and what could not be."""
    images = len({talk.chain for talk in talks})
    whole = len(talks) + len(rejects) >= total
    read = "all of them" if whole else f"drawn whole images of the {total:,} pairs in all"
    findings = []
    if rejects:
        findings.append(
            Finding(
                level="problem",
                title="Rows that are no pairs",
                detail=f"{len(rejects):,} of {total:,} rows cannot be read as pairs: "
                + "; ".join(f"{reason} ({count:,})" for reason, count in rejects.reasons()[:5]),
                hint="rejects.jsonl lists them.",
                examples=tuple(_rejected(error) for error in rejects.errors[:EXAMPLES]),
            )
        )
    return Section(
        name="Reading",
        summary=f"The texts of {len(talks):,} pairs about {images:,} images were read, {read}.",
        findings=tuple(findings),
    )


def _rejected(error: FakeInstructError) -> Example:
    """A rejected row, without the folder it lies in."""
    return Example(
        text=str(RecordError(error.problem, record=error.record, field=error.field, hint=error.hint))
    )
