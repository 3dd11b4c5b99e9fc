"""From a chain set or a pair set to `audit.json` and `index.html`."""

from __future__ import annotations

from pathlib import Path

from fakeinstruct.base.errors import Rejects, UsageError
from fakeinstruct.base.files import atomic_write, write_json
from fakeinstruct.chains.store import open_chains
from fakeinstruct.expand.pair import open_pairs
from fakeinstruct.measure.audit.finding import Audit
from fakeinstruct.measure.audit.report import render


def audit(
    source: str | Path,
    out: str | Path,
    *,
    image_root: str | Path | None = None,
    seed: int = 0,
    rejects: Rejects | None = None,
) -> Audit:
    """Audit a chain set or a pair set and write `audit.json` and `index.html`.

    The same set and seed give the same bytes.

    Args:
        source: Folder of a chain set or of a pair set.
        out: Folder to write to.
        image_root: Where the images lie, if not where the set says.
        seed: Seed of samples, halves and folds.
        rejects: Collects records that cannot be read.

    Returns:
        The contents of `audit.json`.

    Raises:
        UsageError: If the folder holds neither kind of set.
        FakeInstructError: If it cannot be read, or `out` cannot be written.
    """
    rejects = rejects if rejects is not None else Rejects()
    found, root = _audit(Path(source), image_root, seed, rejects)
    page = render(found, root)
    with atomic_write(Path(out) / "index.html") as file:
        file.write(page.encode(errors="backslashreplace"))  # names of pairs may hold halves of characters
    write_json(Path(out) / "audit.json", found.model_dump(mode="json"))
    return found


def _audit(source: Path, image_root: str | Path | None, seed: int, rejects: Rejects) -> tuple[Audit, Path]:
    """The audit of whatever lies in the folder, and its image root."""
    if not source.is_dir():
        raise UsageError("no such folder", file=source)
    if (source / "manifest.json").is_file():
        from fakeinstruct.measure.audit.pairs import pairs_audit

        pairs = open_pairs(source, image_root=image_root)
        return pairs_audit(pairs, seed=seed, rejects=rejects), pairs.image_root
    if not any((source / name).is_file() for name in ("chains.jsonl", "chains.parquet")):
        raise UsageError(
            "is neither a chain set (chains.jsonl and meta.json) nor a finished pair set (manifest.json)",
            file=source,
            hint="'fakeinstruct import' and 'fakeinstruct sample' write the one, 'fakeinstruct expand' the other.",
        )
    from fakeinstruct.measure.audit.chains import chains_audit

    chains = open_chains(source, image_root=image_root)
    return chains_audit(chains, seed, rejects=rejects), chains.image_root
