"""The audit of a chain set: every question in turn, over one reading of the set and its images."""

from __future__ import annotations

from fakeinstruct.base.errors import Rejects
from fakeinstruct.base.versions import versions
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.measure.audit.balance import Balance, balance_section
from fakeinstruct.measure.audit.duplicates import duplicates_section
from fakeinstruct.measure.audit.files import files_section
from fakeinstruct.measure.audit.finding import Audit
from fakeinstruct.measure.audit.look import LIMIT, draw, look_at
from fakeinstruct.measure.audit.metadata import metadata_section
from fakeinstruct.measure.audit.names import names_section
from fakeinstruct.measure.audit.texts import texts_section


def chains_audit(
    chains: ChainSet, seed: int = 0, *, limit: int = LIMIT, rejects: Rejects | None = None
) -> Audit:
    """Find what in a chain set gives the label away, repeats, or is broken.

    Labels, sources and attributes are counted over the whole set; images are opened, and texts read, of
    at most `limit` chains, drawn by group.

    Args:
        chains: The chain set. Without its images, names and records are audited.
        seed: Seed of the draw and of the folds.
        limit: Most images to open.
        rejects: Collects records that are no chains; they are a finding, too.

    Raises:
        FakeInstructError: If the file cannot be read, or holds no sound chain or too many bad records.
    """
    rejects = Rejects(share=1.0) if rejects is None else rejects
    balance = Balance()
    drawn = draw(balance.count(chains.read(rejects)), seed, limit)
    looks = look_at(chains, drawn)
    sections = (
        metadata_section(looks, seed),
        duplicates_section(looks),
        balance_section(balance),
        names_section(balance.names),
        texts_section(drawn, seed),
        files_section(looks, rejects),
    )
    return Audit(
        kind="chains",
        source=chains.meta.name,
        n=len(drawn),
        seed=seed,
        sections=sections,
        versions=versions(),
    )
