"""What an importer takes and gives: the form that every format's module has."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from fakeinstruct.base.config import explain
from fakeinstruct.base.errors import RecordError, Rejects, UsageError
from fakeinstruct.base.progress import track
from fakeinstruct.chains.counts import Kind
from fakeinstruct.chains.importers.images import Images
from fakeinstruct.chains.importers.layout import SPLIT_FOLDERS
from fakeinstruct.chains.importers.records import ANNOTATIONS, TEXTS, read_records
from fakeinstruct.chains.importers.scan import is_hidden, leave_out_results
from fakeinstruct.chains.items import Item
from fakeinstruct.chains.schema import Chain, ImageRef, Label, Split
from fakeinstruct.chains.store import parse_chain
from fakeinstruct.chains.taxonomy import load_taxonomy

Read = TypeVar("Read")
Value = TypeVar("Value")

BAD = (RecordError, ValidationError)
"""What a record that cannot be taken raises: an importer's own error, or that of a model it does not fit."""


@dataclass(frozen=True)
class Source:
    """Where a format is read from.

    Attributes:
        path: As the user named it, which errors name: a folder, a zip file or an annotation file.
        root: The folder to read: `path`, the folder of the annotation file, or where a zip file was unpacked.
        file: The annotation file, if the user named one.
        images: Where the records' images are looked up.
        dataset: Name of the set.
    """

    path: Path
    root: Path
    file: Path | None
    images: Images
    dataset: str

    def annotations(self, *names: str, suffixes: Sequence[str] = TEXTS) -> tuple[Path, ...]:
        """The annotation files: the one that the user named, or those of these names at any depth.

        Args:
            names: File names, letter case aside.
            suffixes: Without names, every file with one of these endings.

        Raises:
            UsageError: If there is none.
        """
        if self.file is not None:
            return (self.file,)
        wanted = {name.casefold() for name in names}
        found = tuple(
            path
            for path in _files(self.root)
            if (path.name.casefold() in wanted if wanted else path.suffix.lower() in suffixes)
        )
        if not found:
            kinds = " or ".join(names or (ANNOTATIONS[suffix] for suffix in suffixes))
            raise UsageError(
                f"holds no {kinds if names else f'{kinds} file'}",
                file=self.path,
                hint="Name the annotation file itself as the source.",
            )
        return found

    def named(self, file: Path) -> str:
        """How errors name a file: one in a zip file by the zip file and its place in that."""
        if self.path.suffix.lower() != ".zip" or not file.is_relative_to(self.root):
            return str(file)
        return f"{self.path}/{file.relative_to(self.root).as_posix()}"

    def each(
        self, files: Iterable[Path], rejects: Rejects, read: Callable[[Path, str, Any], Read]
    ) -> Iterator[Read]:
        """What `read` makes of every record of the files; those that it refuses are rejected.

        Args:
            files: Annotation files.
            rejects: Collects the records that `read` refuses.
            read: Takes the file, the record's name and its value; raises one of `BAD` to refuse the record.
        """
        for file in files:
            records = read_records(file, rejects, named=self.named(file))
            yield from self.taken(file, track(records, f"reading {file.name}"), rejects, read)

    def taken(
        self,
        file: Path,
        records: Iterable[tuple[str, Value]],
        rejects: Rejects,
        read: Callable[[Path, str, Value], Read],
    ) -> Iterator[Read]:
        """What `read` makes of every record of one file, or of every image of a folder.

        Args:
            file: An annotation file, or the source itself where its images are the records.
            records: The name and the value of each.
            rejects: Collects the records that `read` refuses.
            read: As of `each`.
        """
        for name, value in records:
            try:
                yield read(file, name, value)
            except BAD as error:
                self.reject(rejects, error, file, name)

    def reject(self, rejects: Rejects, error: RecordError | ValidationError, file: Path, name: str) -> None:
        """Reject a record; its problem names the file that has it, unless the record's own name does."""
        if isinstance(error, ValidationError):
            field, problem, hint = explain(error, Chain)
            error = RecordError(problem, field=field or None, hint=hint)
        elsewhere = error.file if error.file and not error.file.endswith(name) else None
        problem = f"{error.problem} ({self.named(Path(elsewhere))})" if elsewhere else error.problem
        rejects.add(
            RecordError(problem, file=self.named(file), record=name, field=error.field, hint=error.hint)
        )

    def chain(
        self, image: ImageRef, label: Label, *, id: str | None = None, origin: dict[str, Any], **more: Any
    ) -> Chain:
        """A chain of this set, checked; its id is the image's path and its group the image's hash, or the path.

        Args:
            image: The image.
            label: What it is.
            id: The chain's id, if not the image's path.
            origin: Who wrote it; `by` is needed, the rest is as in `Origin`.
            more: Other fields of the chain.

        Raises:
            RecordError: Naming the field that does not fit.
        """
        row = {
            "id": id or image.path,
            "image": image.model_dump(),
            "label": label,
            "dataset": self.dataset,
            "group": image.sha256 or image.path,
            "origin": {"name": self.dataset, **origin},
        }
        return parse_chain(row | more, load_taxonomy())


def _files(root: Path) -> list[Path]:
    """The files below a folder that are not hidden, sorted; links to folders are not followed."""
    found = []
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        leave_out_results(folders, files)
        found += [here / name for name in files if not is_hidden((here / name).relative_to(root).as_posix())]
    return sorted(found)


def unique(seen: Counter[str], path: str) -> str:
    """An id for a chain: the image's path, numbered from the second record of the same image on."""
    seen[path] += 1
    return path if seen[path] == 1 else f"{path}#{seen[path]}"


def published_split(file: Path) -> Split | None:
    """The split that a file's name states as a word of its own: ``train.json``, ``mmfr_test.jsonl``."""
    words = re.split(r"[^a-z]+", PurePosixPath(file.name).stem.lower())
    named = {SPLIT_FOLDERS[word] for word in words if word in SPLIT_FOLDERS}
    return named.pop() if len(named) == 1 else None


@dataclass(frozen=True)
class Imported:
    """What an importer found.

    Attributes:
        chains: The chains; `group` is the importer's own idea of it (a source image's name, the image's hash
            or the id), and `split` the published one or None. May be read once.
        ignored: How many files were passed over since they are not of the format.
        licences: Terms of each source, as far as the format says.
        items: Questions of a benchmark about these chains' images; read after the chains.
        evaluation_only: Why the set may not be trained on, if so.
        notes: What was counted on the way and a person should know ("boxes clipped at the edge").
    """

    chains: Iterable[Chain]
    ignored: int = 0
    licences: dict[str, str] = field(default_factory=dict)
    items: Iterable[Item] = ()
    evaluation_only: str | None = None
    notes: Counter[str] = field(default_factory=Counter)


class Importer(Protocol):
    """A function that reads one published format; its keyword options are those of `import_chains`.

    Its module's docstring states the label polarity, the polarity of questions, the convention of boxes, the
    encoding, and what image paths are relative to.
    """

    def __call__(self, source: Source, *, rejects: Rejects, **options: Any) -> Imported:
        """Read the format; see `imagefolder.import_imagefolder`."""


@dataclass(frozen=True)
class ImportSummary:
    """What an import wrote, or would have written.

    Attributes:
        chains: How many chains.
        counts: How many of each kind.
        ignored: How many files were passed over since they are not of the format.
        remarks: What a person should know before using the set.
        items: How many evaluation items.
    """

    chains: int
    counts: Counter[Kind]
    ignored: int
    remarks: tuple[str, ...]
    items: int = 0
