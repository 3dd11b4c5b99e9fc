"""Published annotations become chain sets: one module a format, one line in `IMPORTERS`."""

from __future__ import annotations

import inspect
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects, UsageError, nearest
from fakeinstruct.base.files import atomic_folder, check_outside
from fakeinstruct.chains.counts import Kind, counted
from fakeinstruct.chains.hold_out import hold_out as without_held_out
from fakeinstruct.chains.importers.archive import unpack
from fakeinstruct.chains.importers.card import card_remarks
from fakeinstruct.chains.importers.cifake import import_cifake
from fakeinstruct.chains.importers.fakebench import import_fakebench
from fakeinstruct.chains.importers.fakeclue import import_fakeclue
from fakeinstruct.chains.importers.fakexplained import import_fakexplained
from fakeinstruct.chains.importers.generators import import_generators
from fakeinstruct.chains.importers.imagefolder import import_imagefolder
from fakeinstruct.chains.importers.images import Images
from fakeinstruct.chains.importers.llava import import_llava
from fakeinstruct.chains.importers.loki import import_loki
from fakeinstruct.chains.importers.mmfr import import_mmfr
from fakeinstruct.chains.importers.records import ANNOTATIONS
from fakeinstruct.chains.importers.sida import import_sida
from fakeinstruct.chains.importers.sofake import import_sofake
from fakeinstruct.chains.importers.source import Imported, Importer, ImportSummary, Source
from fakeinstruct.chains.importers.synthscars import import_synthscars
from fakeinstruct.chains.importers.xaigd import import_xaigd
from fakeinstruct.chains.items import Item, write_items
from fakeinstruct.chains.schema import Chain, Identifier, Meta
from fakeinstruct.chains.settle import settle
from fakeinstruct.chains.splits import Shares, check_unsplit
from fakeinstruct.chains.store import write_chains

__all__ = ["IMPORTERS", "ImportSummary", "Imported", "Importer", "Source", "import_chains"]

IMPORTERS: dict[str, Callable[..., Imported]] = {
    "imagefolder": import_imagefolder,
    "cifake": import_cifake,
    "generators": import_generators,
    "llava": import_llava,
    "fakeclue": import_fakeclue,
    "mmfr": import_mmfr,
    "loki": import_loki,
    "fakebench": import_fakebench,
    "synthscars": import_synthscars,
    "fakexplained": import_fakexplained,
    "sida": import_sida,
    "xaigd": import_xaigd,
    "sofake": import_sofake,
}
"""The importer of each format. A new one is a module with a function like `Importer`, and a line here."""

IMAGES = "images"
"""Folder of a chain set that an archive's images are unpacked into."""


def import_chains(
    format: str,
    src: str | Path,
    out: str | Path,
    *,
    image_root: str | Path | None = None,
    without_images: bool = False,
    validation: float | None = None,
    test: float | None = None,
    seed: int = 0,
    rejects: Rejects | None = None,
    dataset: str | None = None,
    hold_out: Sequence[str] = (),
    dry_run: bool = False,
    **options: Any,
) -> ImportSummary:
    """Import published annotations as a chain set.

    Images of a folder stay where they are: `meta.json` holds the way from `out` to them, so both can move
    together. A zip file's images are unpacked into ``images/`` of the chain set. The chain set is complete or
    absent; what stood in its place stays until then.

    Args:
        format: A key of `IMPORTERS`.
        src: A folder, a zip file, or an annotation file.
        out: The chain set's folder.
        image_root: Where the images lie, if not in the source or beside the annotation file.
        without_images: Take image paths on trust and read no image; records that need one are rejected.
        validation: Share of groups for validation where no published split is it, 0 to 0.5; by default 0.1, or what
            `test` leaves.
        test: Share of groups for test where no split is published, 0 to 1; by default 0.1.
        seed: Decides which groups become validation (and test, if no split is published).
        rejects: Collects records that cannot be imported; by default a list with the usual limit.
        dataset: Name of the set; by default that of the folder, archive or file.
        hold_out: Content that train and validation split are to lack, see `hold_out`.
        dry_run: Do everything but write.
        options: Options of the format's importer.

    Raises:
        UsageError: If the format, an option or the source does not exist, `out` would replace the source, or a test
            share is given of a source that states its splits.
        FakeInstructError: If there is nothing to import, too many records are bad, or the disk is full.
    """
    importer = _importer(format, options)
    src, out = Path(src), Path(out)
    shares = Shares.of(validation, test)
    root = None if image_root is None else Path(image_root)
    _check_places(src, out, root)
    rejects = Rejects() if rejects is None else rejects
    dataset = dataset or (src.resolve().name if src.is_dir() else src.stem)
    _check_names(dataset=dataset, **options)
    counts: Counter[Kind] = Counter()
    with _destination(out, dry_run) as folder:
        at, file, left_out = _unpacked(src, folder)
        images = Images(root or at, without=without_images)
        imported = importer(Source(src, at, file, images, dataset), rejects=rejects, **options)
        found = list(imported.chains)
        rejects.check(len(found) + len(rejects))
        card = [*card_remarks(at, Counter(chain.split for chain in found), len(rejects))]
        if test is not None:
            check_unsplit(found, src)
        drawn = {"validation": shares.validation, "test": shares.test}
        chains = settle(found, images.prints, rejects, file=str(src), seed=seed, **drawn)
        _check_any(chains, rejects, src)
        chains = without_held_out(chains, hold_out, imported.notes) if hold_out else chains
        meta = Meta(
            name=dataset,
            image_root=IMAGES if root is None and at.parent == folder else _way(out, root or at),
            licences=imported.licences,
            evaluation_only=imported.evaluation_only,
            notes=_notes(format, seed, shares, hold_out),
        )
        items = _write_items(folder, imported, chains, rejects, src)
        total = write_chains(folder, counted(chains, counts), meta)
    remarks = (*_remarks(counts), *card, *(f"{what}: {count:,}" for what, count in imported.notes.items()))
    return ImportSummary(total, counts, imported.ignored + left_out, remarks, items)


def _notes(format: str, seed: int, shares: Shares, hold_out: Sequence[str]) -> str:
    """How a chain set came to be, for its `meta.json`."""
    said = (
        f"Imported as {format}. What splits were drawn: with seed {seed}, validation share {shares.validation:g}, "
        f"test share {shares.test:g}."
    )
    return f"{said} Held out of training and validation: {', '.join(hold_out)}." if hold_out else said


def _check_any(chains: Sequence[Chain], rejects: Rejects, src: Path) -> None:
    """End the import if too little is left of it."""
    rejects.check(len(chains) + len(rejects))
    if not chains:
        first = f"; the first: {rejects.errors[0]}" if rejects else ""
        raise FakeInstructError(f"no image could be taken{first}", file=src)


def _write_items(
    folder: Path, imported: Imported, chains: Sequence[Chain], rejects: Rejects, src: Path
) -> int:
    """Write the evaluation items of the chains that stayed, each id once, and return their number."""
    kept = {chain.id for chain in chains}
    items: dict[str, Item] = {}
    for item in imported.items:
        if item.chain in kept and items.setdefault(item.id, item) is not item:
            rejects.add(RecordError("the id of its question was used before", file=src, record=item.id))
    return write_items(folder, items.values())


def _importer(name: str, options: dict[str, Any]) -> Callable[..., Imported]:
    if name not in IMPORTERS:
        raise UsageError(f"there is no format '{name}'", hint=nearest(name, IMPORTERS))
    importer = IMPORTERS[name]
    known = set(inspect.signature(importer).parameters) - {"source", "rejects"}
    general = {"image_root", "without_images", "validation", "test", "seed", "dataset"}
    for option in options:
        if option not in known:
            raise UsageError(
                f"the format '{name}' has no option '{option}'", hint=nearest(option, known | general)
            )
    return importer


def _check_names(**given: Any) -> None:
    """Refuse names that no record could have, before every record is rejected for them."""
    names = TypeAdapter(Identifier)
    for option, name in given.items():
        try:
            if isinstance(name, str):
                names.validate_python(name)
        except ValidationError:
            raise UsageError(
                f"{name[:80]!r} is no name: it is empty, over 512 characters, or not UTF-8",
                field=option,
                hint=f"Give another with --{option.replace('_', '-')}.",
            ) from None


def _check_places(src: Path, out: Path, image_root: Path | None) -> None:
    if not src.exists():
        raise UsageError("no such folder, zip file or annotation file", file=src)
    if image_root is not None and not image_root.is_dir():
        raise UsageError("the image root is not a folder", file=image_root)
    check_outside(out, src, image_root)


@contextmanager
def _destination(out: Path, dry_run: bool) -> Iterator[Path]:
    if dry_run:
        with TemporaryDirectory(prefix="fakeinstruct-") as folder:
            yield Path(folder)
    else:
        with atomic_folder(out) as folder:
            yield folder


def _unpacked(src: Path, folder: Path) -> tuple[Path, Path | None, int]:
    """The folder to read, the annotation file if `src` is one, and how many files an archive had besides."""
    if src.is_dir():
        return src, None, 0
    if src.suffix.lower() in ANNOTATIONS:
        return src.parent, src, 0
    root = folder / IMAGES
    root.mkdir()
    return root, None, unpack(src, root)


def _way(out: Path, image_root: Path) -> str:
    """The way from the chain set to its images, so that both can move together."""
    return Path(os.path.relpath(image_root.resolve(), out.resolve())).as_posix()


def _remarks(counts: Counter[Kind]) -> Iterator[str]:
    for field in ("split", "label"):
        found = {getattr(kind, field) for kind in counts}
        missing = {"split": ("train", "validation", "test"), "label": ("real", "fake")}[field]
        for name in missing:
            if name not in found:
                yield f"no image has the {field} '{name}'"
    yield from _one_sided(counts)


def _one_sided(counts: Counter[Kind]) -> Iterator[str]:
    """What to say of splits with one label in a set that has both: pairs are made of as many of each."""
    labels: dict[str, list[str]] = defaultdict(list)
    for split, label in sorted({(kind.split, kind.label) for kind in counts}):
        labels[split].append(label)
    if len({kind.label for kind in counts}) < 2:
        return
    for split, found in labels.items():
        if len(found) == 1:
            yield (
                f"the split '{split}' holds {found[0]} images only, and expand gives no pairs of it; where splits "
                "are drawn, give --validation 0.3 or another --seed"
            )
