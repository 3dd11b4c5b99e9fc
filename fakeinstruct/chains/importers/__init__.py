"""Published annotations become chain sets: one module a format, one line in `IMPORTERS`."""

from __future__ import annotations

import inspect
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fakeinstruct.base.errors import Rejects, UsageError, nearest
from fakeinstruct.base.files import atomic_folder
from fakeinstruct.chains.counts import Kind, counted
from fakeinstruct.chains.importers.archive import unpack
from fakeinstruct.chains.importers.imagefolder import import_imagefolder
from fakeinstruct.chains.importers.source import Imported, Importer, ImportSummary
from fakeinstruct.chains.schema import Meta
from fakeinstruct.chains.store import write_chains

__all__ = ["IMPORTERS", "ImportSummary", "Imported", "Importer", "import_chains"]

IMPORTERS: dict[str, Callable[..., Imported]] = {
    "imagefolder": import_imagefolder,
}
"""The importer of each format. A new one is a module with a function like `Importer`, and a line here."""

IMAGES = "images"
"""Folder of a chain set that an archive's images are unpacked into."""


def import_chains(
    format: str,
    src: str | Path,
    out: str | Path,
    *,
    rejects: Rejects | None = None,
    dataset: str | None = None,
    dry_run: bool = False,
    **options: Any,
) -> ImportSummary:
    """Import published annotations as a chain set.

    Images of a folder stay where they are: `meta.json` holds the way from `out` to them, so both can move
    together. A zip file's images are unpacked into ``images/`` of the chain set. The chain set is complete or
    absent; what stood in its place stays until then.

    Args:
        format: A key of `IMPORTERS`.
        src: A folder or a zip file.
        out: The chain set's folder.
        rejects: Collects records that cannot be imported; by default a list with the usual limit.
        dataset: Name of the set; by default that of the folder or archive.
        dry_run: Do everything but write.
        options: Options of the format's importer.

    Raises:
        UsageError: If the format, an option or the source does not exist, or `out` would replace the source.
        FakeInstructError: If there is nothing to import, too many records are bad, or the disk is full.
    """
    importer = _importer(format, options)
    src, out = Path(src), Path(out)
    if not src.exists():
        raise UsageError("no such folder or zip file", file=src)
    if src.resolve().is_relative_to(out.resolve()):
        raise UsageError(
            "lies in the folder to be written, which would replace it", file=src, hint="Change --out."
        )
    rejects = Rejects() if rejects is None else rejects
    dataset = dataset or (src.resolve().name if src.is_dir() else src.stem)
    counts: Counter[Kind] = Counter()
    with _destination(out, dry_run) as folder:
        root, image_root, left_out = _images(src, out, folder)
        imported = importer(root, source=src, dataset=dataset, rejects=rejects, **options)
        meta = Meta(
            name=dataset,
            image_root=image_root,
            licences=imported.licences,
            notes=f"Imported as {format}.",
        )
        total = write_chains(folder, counted(imported.chains, counts), meta)
    return ImportSummary(total, counts, imported.ignored + left_out, tuple(_remarks(counts)))


def _importer(name: str, options: dict[str, Any]) -> Callable[..., Imported]:
    if name not in IMPORTERS:
        raise UsageError(f"there is no format '{name}'", hint=nearest(name, IMPORTERS))
    importer = IMPORTERS[name]
    known = set(inspect.signature(importer).parameters) - {"root", "source", "dataset", "rejects"}
    for option in options:
        if option not in known:
            raise UsageError(f"the format '{name}' has no option '{option}'", hint=nearest(option, known))
    return importer


@contextmanager
def _destination(out: Path, dry_run: bool) -> Iterator[Path]:
    if dry_run:
        with TemporaryDirectory(prefix="fakeinstruct-") as folder:
            yield Path(folder)
    else:
        with atomic_folder(out) as folder:
            yield folder


def _images(src: Path, out: Path, folder: Path) -> tuple[Path, str, int]:
    """Where the images lie now, the image root for `meta.json`, and how many files an archive had besides."""
    if src.is_dir():
        return src, Path(os.path.relpath(src.resolve(), out.resolve())).as_posix(), 0
    root = folder / IMAGES
    root.mkdir()
    return root, IMAGES, unpack(src, root)


def _remarks(counts: Counter[Kind]) -> Iterator[str]:
    for field in ("split", "label"):
        found = {getattr(kind, field) for kind in counts}
        missing = {"split": ("train", "validation", "test"), "label": ("real", "fake")}[field]
        for name in missing:
            if name not in found:
                yield f"no image has the {field} '{name}'"
