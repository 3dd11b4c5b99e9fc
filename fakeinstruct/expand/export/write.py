"""Export: a pair set written in the format of another trainer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from glob import escape
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import ValidationError

from fakeinstruct.base.config import StrictModel
from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects, UsageError, nearest
from fakeinstruct.base.files import atomic_folder, read_json, sha256_file, write_json
from fakeinstruct.base.progress import track
from fakeinstruct.chains.schema import Split
from fakeinstruct.chains.store import PATIENCE
from fakeinstruct.expand.export.conversation import conversation_of, has_answer
from fakeinstruct.expand.export.formats import FORMATS
from fakeinstruct.expand.export.images import Gallery
from fakeinstruct.expand.export.rows import RowFiles, WrittenFile
from fakeinstruct.expand.pair import Pair, PairImage, PairSet, Task

JSONL = "jsonl"
"""The format that keeps the whole pair: one record of the pair schema a line."""

UNSPLIT = "unsplit"
"""Name of the file of pairs that belong to no split."""


class ExportManifest(StrictModel):
    """`manifest.json` of an export.

    `image_root` is what image paths are relative to, itself relative to the export's folder. `without_answer`
    counts evaluation items, which hold nothing to learn. `pairs_sha256` is the hash of the pair set's manifest.
    """

    schema_version: Literal[1] = 1
    format: str
    image_root: str
    pairs: int
    without_answer: int
    rejected: int
    pairs_sha256: str
    files: dict[str, WrittenFile]


def export(
    pairs: PairSet,
    out: str | Path,
    *,
    format: str,
    split: str | None = None,
    tasks: Sequence[str] | None = None,
    copy_images: bool = False,
    rejects: Rejects | None = None,
) -> ExportManifest:
    """Write a pair set in the format of another trainer, a file a split.

    The whole is written beside its place and takes its name when it is complete.

    Args:
        pairs: The pair set.
        out: Folder to write: new, or an earlier export, which is replaced.
        format: `llava`, `ms-swift`, `llama-factory`, `trl`, or `jsonl` for the pairs as they are.
        split: Only pairs of this split.
        tasks: Only pairs of these tasks.
        copy_images: Copy the images into the export. Pairs with crops need that, since other trainers read a
            crop from a file of its own, so it is done for them unasked.
        rejects: Collects pairs that a trainer would drop or misread, and those whose image is missing.

    Returns:
        The manifest, as written to `manifest.json`.

    Raises:
        UsageError: If there is no such format, split or task.
        FakeInstructError: If there is no pair to export, too many are rejected, or `out` holds something else.
    """
    _check(format, split, tasks)
    ours = _files_of(Path(out))
    rejects = rejects if rejects is not None else Rejects()
    copies = copy_images or (format != JSONL and has_crops(pairs, split, tasks))
    root = Path(out) if copies else pairs.image_root
    with atomic_folder(out, ours=ours, marks={"manifest.json"}) as folder:
        gallery = Gallery(pairs.image_root, folder if copies else None)
        done = _Export(format, folder, gallery, rejects)
        stream = pairs.read(split, tasks)
        files = done.write(track(stream, f"exporting {format}", _total(pairs, split, tasks)))
        if not files:
            raise _nothing(pairs, done)
        manifest = ExportManifest(
            format=format,
            image_root=Path(os.path.relpath(root.resolve(), Path(out).resolve())).as_posix(),
            pairs=done.pairs,
            without_answer=done.without_answer,
            rejected=done.rejected,
            pairs_sha256=sha256_file(pairs.folder / "manifest.json"),
            files=files,
        )
        write_json(folder / "manifest.json", manifest.model_dump(mode="json"))
    return manifest


class _Export:
    """One export under way: where its pairs go, and how many went where."""

    def __init__(self, format: str, folder: Path, gallery: Gallery, rejects: Rejects) -> None:
        self.format, self.folder, self.gallery, self.rejects = format, folder, gallery, rejects
        self.pairs = self.without_answer = self.rejected = 0

    def write(self, pairs: Iterator[Pair]) -> dict[str, WrittenFile]:
        """Write all pairs, and what belongs beside them."""
        with RowFiles(self.folder) as files:
            for pair in pairs:
                if self.format != JSONL and not has_answer(pair):
                    self.without_answer += 1
                    continue
                try:
                    for name, row in self._rows(pair):
                        files.write(name, row)
                    self.pairs += 1
                except RecordError as error:
                    self.rejected += 1
                    self.rejects.add(error.located(record=pair.id))
                    self.rejects.check(max(self.pairs + self.rejected, PATIENCE))
            written = files.finish()
        self.rejects.check(self.pairs + self.rejected)
        if self.format != JSONL:
            for name, value in FORMATS[self.format].beside(written).items():
                write_json(self.folder / name, value)
        return written

    def _rows(self, pair: Pair) -> list[tuple[str, Any]]:
        split = pair.split or UNSPLIT
        if self.format == JSONL:
            return [(f"{split}.jsonl", self._whole_pair(pair))]
        format, conversation = FORMATS[self.format], conversation_of(pair, self.gallery.place)
        return [(f"{split}{ending}{format.suffix}", row) for ending, row in format.rows(conversation)]

    def _whole_pair(self, pair: Pair) -> dict[str, Any]:
        images = tuple(self._placed(image) for image in pair.images)
        row = pair.model_copy(update={"images": images}).model_dump(mode="json", exclude_none=True)
        return dict(row)

    def _placed(self, image: PairImage) -> PairImage:
        parent = None if image.parent is None else self.gallery.whole(image.parent)
        return image.model_copy(update={"path": self.gallery.whole(image.path), "parent": parent})


def has_crops(pairs: PairSet, split: str | None = None, tasks: Sequence[str] | None = None) -> bool:
    """Whether any of the pairs has a crop; reads the images alone."""
    for batch in pairs.batches(split, tasks, ["images"]):
        images = batch.column("images").flatten()
        if "crop" in images.type.names and images.field("crop").null_count < len(images):
            return True
    return False


def _check(format: str, split: str | None, tasks: Sequence[str] | None) -> None:
    known = {
        "format": ([format], [*FORMATS, JSONL]),
        "split": ([split] if split is not None else [], [each.value for each in Split]),
        "task": (tasks or [], get_args(Task)),
    }
    if tasks is not None and not tasks:
        raise UsageError("no task is named", hint=f"Known: {', '.join(get_args(Task))}.")
    for what, (given, allowed) in known.items():
        for name in given:
            if name not in allowed:
                raise UsageError(f"there is no {what} '{name}'", hint=nearest(name, allowed))


def _files_of(out: Path) -> list[str]:
    """The files of the export that stands there, as patterns; pairs and chains are results too, and cost more.

    Raises:
        FakeInstructError: If it does.
    """
    if not out.is_dir() or not any(out.iterdir()):
        return []
    try:
        earlier = ExportManifest.model_validate(read_json(out / "manifest.json"))
    except (FakeInstructError, ValidationError):
        raise FakeInstructError(
            "is a folder with contents that are not an export, so it is not replaced",
            file=out,
            hint="Name a new folder, or empty this one.",
        ) from None
    beside = FORMATS[earlier.format].beside(earlier.files) if earlier.format in FORMATS else {}
    return ["manifest.json", "rejects.jsonl", "images/*", *map(escape, (*earlier.files, *beside))]


def _total(pairs: PairSet, split: str | None, tasks: Sequence[str] | None) -> int | None:
    """How many pairs will be read, where the manifest says."""
    if tasks is not None:
        return None if split else sum(pairs.manifest.per_task.get(task, 0) for task in set(tasks))
    return pairs.manifest.per_split.get(split) if split else pairs.manifest.pairs


def _nothing(pairs: PairSet, done: _Export) -> FakeInstructError:
    if done.rejected:
        last = done.rejects.errors[-1]
        return FakeInstructError(
            f"none of its {done.rejected:,} pairs can be exported; the last: {last}", file=pairs.folder
        )
    items = f" ({done.without_answer:,} evaluation items have no answer)" if done.without_answer else ""
    splits, tasks = ", ".join(pairs.manifest.per_split), ", ".join(pairs.manifest.per_task)
    return FakeInstructError(
        f"holds no such pair to export{items}",
        file=pairs.folder,
        hint=f"Its splits: {splits}. Its tasks: {tasks}.",
    )
