"""Are the image files there, readable, and what the chains say of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from fakeinstruct.base.errors import Rejects
from fakeinstruct.measure.audit.finding import Example, Finding, Section, Table
from fakeinstruct.measure.audit.look import Look
from fakeinstruct.measure.audit.sample import EXAMPLES


def files_section(looks: Sequence[Look], rejects: Rejects) -> Section:
    """What is wrong with records and image files.

    Args:
        looks: What was seen of each image.
        rejects: Records that are no chains.
    """
    findings = [*_records(rejects)]
    if not any(look.sha256 for look in looks) and all(look.chain.image.sha256 is None for look in looks):
        return Section(
            name="Image files",
            summary="The set was imported without images, and they are not there.",
            findings=tuple(findings),
            skipped="there is no image under the image root; say where they are with --image-root",
        )
    findings += [*_unreadable(looks), *_sizes(looks), *_hashes(looks)]
    broken = sum(look.problem is not None for look in looks)
    return Section(
        name="Image files",
        summary=f"{len(looks) - broken:,} of {len(looks):,} image files were read and decoded.",
        findings=tuple(findings),
        tables=(_table(looks),) if broken else (),
    )


def _records(rejects: Rejects) -> Iterator[Finding]:
    if not rejects:
        return
    reasons = "; ".join(f"{reason} ({count:,})" for reason, count in rejects.reasons()[:5])
    yield Finding(
        level="problem",
        title=f"{len(rejects):,} records are no sound chains",
        detail=f"{reasons}. They are not part of any figure here.",
        hint="fakeinstruct validate lists them all, with line and field.",
        examples=tuple(
            Example(text=f"record {error.record}, field {error.field or '-'}: {error.problem}")
            for error in rejects.errors[:EXAMPLES]
        ),
    )


def _unreadable(looks: Sequence[Look]) -> Iterator[Finding]:
    broken = [look for look in looks if look.problem is not None]
    if not broken:
        return
    fakes = sum(look.fake for look in broken)
    yield Finding(
        level="problem",
        title=f"{len(broken):,} of {len(looks):,} image files are missing or cannot be read",
        detail=f"{fakes:,} fake, {len(broken) - fakes:,} real. They are left out of figures on headers and pixels.",
        hint="Bring them back, or name another folder with --image-root; fakeinstruct validate lists them all.",
        examples=tuple(
            Example(text=f"{look.chain.image.path}: {look.problem}", label=look.chain.label)
            for look in broken[:EXAMPLES]
        ),
    )


def _sizes(looks: Sequence[Look]) -> Iterator[Finding]:
    wrong = [look for look in looks if look.size is not None and _stated(look) != look.size]
    if wrong:
        yield Finding(
            level="problem",
            title=f"{len(wrong):,} images are not of the size that their chains state",
            detail="Boxes that were converted from pixels by a wrong size lie in wrong places.",
            hint="Import the set again. Sizes are those after the orientation tag was applied.",
            examples=tuple(
                _example(look, f"{look.size} pixels, stated {_stated(look)}") for look in wrong[:EXAMPLES]
            ),
        )


def _stated(look: Look) -> tuple[int, int] | None:
    if look.size is None:
        return None
    image = look.chain.image
    return image.width or look.size[0], image.height or look.size[1]


def _hashes(looks: Sequence[Look]) -> Iterator[Finding]:
    changed = [
        look
        for look in looks
        if look.problem is None and look.chain.image.sha256 and look.sha256 != look.chain.image.sha256
    ]
    if changed:
        yield Finding(
            level="warning",
            title=f"{len(changed):,} image files have changed since the import",
            detail="Their bytes have another SHA-256 than their chains state.",
            hint="Bring the old files back, or import the set again.",
            examples=tuple(_example(look, "another SHA-256") for look in changed[:EXAMPLES]),
        )


def _example(look: Look, what: str) -> Example:
    path = look.chain.image.path
    return Example(text=f"{path}: {what}", label=look.chain.label, image=path)


def _table(looks: Sequence[Look]) -> Table:
    counts = Counter(
        ((look.problem or "").partition(" (")[0], "fake" if look.fake else "real")
        for look in looks
        if look.problem is not None
    )
    reasons = sorted({reason for reason, _ in counts})
    rows = tuple((reason, counts[reason, "fake"], counts[reason, "real"]) for reason in reasons)
    return Table(title="Why files could not be read", columns=("reason", "fake", "real"), rows=rows)
