"""Chain sets on disk: a folder with `chains.jsonl` (or `.parquet`) and `meta.json`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fakeinstruct.base.config import explain, without_nulls
from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects, UsageError
from fakeinstruct.base.files import read_json, read_jsonl, write_json, write_jsonl
from fakeinstruct.base.images import resolve_under
from fakeinstruct.chains.schema import Chain, Meta
from fakeinstruct.chains.taxonomy import Taxonomy, load_taxonomy

PATIENCE = 1_000
"""Records over which the share of bad ones is reckoned at least, so that a bad start does not end a run."""


@dataclass(frozen=True)
class ChainSet:
    """A chain set that was found on disk; its chains are read as a stream.

    Attributes:
        folder: The chain set's folder.
        file: `chains.jsonl` or `chains.parquet` in it.
        meta: The contents of `meta.json`.
        image_root: The folder that image paths are relative to.
        taxonomy: The attributes that chains may name.
    """

    folder: Path
    file: Path
    meta: Meta
    image_root: Path
    taxonomy: Taxonomy

    def read(self, rejects: Rejects | None = None) -> Iterator[Chain]:
        """The chains, in the order of the file.

        Args:
            rejects: Collects bad records. Without it the first bad record is raised.

        Raises:
            FakeInstructError: If the file cannot be read, or holds no sound chain or too many bad records.
        """
        seen: set[str] = set()
        number = 0
        for number, row in self._rows():
            try:
                chain = row if isinstance(row, RecordError) else parse_chain(row, self.taxonomy)
                if isinstance(chain, RecordError):
                    raise chain
                if chain.id in seen:
                    raise RecordError(f"the id '{chain.id}' was used before", field="id")
            except RecordError as error:
                located = error.located(file=self.file, record=number)
                if rejects is None:
                    raise located from None
                rejects.add(located)
                rejects.check(max(number, PATIENCE))
                continue
            seen.add(chain.id)
            yield chain
        if not seen:
            first = f"; the first: {rejects.errors[0]}" if rejects else ""
            raise FakeInstructError(f"holds no sound chain ({number:,} records read{first})", file=self.file)
        if rejects is not None:
            rejects.check(number)

    def check_trainable(self) -> None:
        """Refuse a set that was published for evaluation only.

        Raises:
            UsageError: Saying why it may not be trained on.
        """
        if self.meta.evaluation_only:
            raise UsageError(
                f"may not be trained on: {self.meta.evaluation_only}",
                file=self.folder,
                hint="Score it instead; its questions are in items.jsonl.",
            )

    def image_path(self, chain: Chain) -> Path:
        """The image file of a chain.

        Raises:
            RecordError: If its path leaves the image root.
        """
        try:
            return resolve_under(self.image_root, chain.image.path)
        except RecordError as error:
            raise error.located(file=self.file, record=chain.id) from None

    def _rows(self) -> Iterator[tuple[int, Any]]:
        if self.file.suffix == ".jsonl":
            yield from read_jsonl(self.file)
            return
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            batches = pq.ParquetFile(self.file).iter_batches()
            number = 0
            for batch in batches:
                for row in batch.to_pylist(maps_as_pydicts="strict"):
                    number += 1
                    yield number, without_nulls(row)
        except (OSError, ValueError, KeyError, OverflowError, pa.ArrowException) as error:
            raise FakeInstructError(f"is not a readable Parquet file ({error})", file=self.file) from error


def parse_chain(row: Any, taxonomy: Taxonomy) -> Chain:
    """Check one record.

    Raises:
        RecordError: Naming the field and what is wrong with it.
    """
    try:
        chain = Chain.model_validate(row)
    except ValidationError as error:
        field, problem, hint = explain(error, Chain)
        raise RecordError(problem, field=field or None, hint=hint) from None
    for index, trace in enumerate(chain.traces):
        if trace.attribute is not None:
            taxonomy.check(trace.attribute, field=f"traces.{index}.attribute")
    for attribute in chain.assessed:
        taxonomy.check(attribute, field=f"assessed.{attribute}")
    return chain


def open_chains(
    folder: str | Path, *, image_root: str | Path | None = None, taxonomy: Taxonomy | None = None
) -> ChainSet:
    """Find a chain set on disk.

    Args:
        folder: The chain set's folder.
        image_root: Where its images lie, if not where `meta.json` says.
        taxonomy: The attributes that chains may name; the project's own by default.

    Raises:
        UsageError: If the folder is not there or not a chain set.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError("no such chain set folder", file=folder)
    files = [folder / name for name in ("chains.jsonl", "chains.parquet") if (folder / name).is_file()]
    if len(files) > 1:
        raise UsageError(
            "holds both chains.jsonl and chains.parquet",
            file=folder,
            hint="Remove the stale one.",
        )
    if not files or not (folder / "meta.json").is_file():
        raise UsageError(
            "is not a chain set: it needs chains.jsonl (or chains.parquet) and meta.json",
            file=folder,
            hint="'fakeinstruct import' and 'fakeinstruct sample' write chain sets.",
        )
    try:
        meta = Meta.model_validate(read_json(folder / "meta.json"))
    except ValidationError as error:
        field, problem, hint = explain(error, Meta)
        raise FakeInstructError(problem, file=folder / "meta.json", field=field or None, hint=hint) from None
    root = Path(image_root) if image_root is not None else folder / meta.image_root
    return ChainSet(folder, files[0], meta, root, taxonomy or load_taxonomy())


def write_chains(folder: str | Path, chains: Iterable[Chain], meta: Meta) -> int:
    """Write a chain set and return the number of chains; `meta.json` comes last, so its presence vouches."""
    folder = Path(folder)
    (folder / "meta.json").unlink(missing_ok=True)
    count = write_jsonl(
        folder / "chains.jsonl", (chain.model_dump(mode="json", exclude_defaults=True) for chain in chains)
    )
    write_json(folder / "meta.json", meta.model_dump(mode="json"))
    return count
