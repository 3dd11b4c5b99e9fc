"""Is a chain set sound: every record, every image, and what records say of each other."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects, UsageError
from fakeinstruct.base.files import sha256_file
from fakeinstruct.base.images import load_image
from fakeinstruct.base.progress import track
from fakeinstruct.chains.counts import Kind, kind_of
from fakeinstruct.chains.items import ITEMS, read_items
from fakeinstruct.chains.schema import Chain, Split
from fakeinstruct.chains.store import ChainSet


@dataclass(frozen=True)
class Validation:
    """What was found in a chain set.

    Attributes:
        counts: How many chains of each kind could be read.
        findings: Every problem, each with file, record and field.
        remarks: What is no error and may still be a mistake.
    """

    counts: Counter[Kind]
    findings: Rejects
    remarks: tuple[str, ...] = ()


def validate_chains(chains: ChainSet, *, with_images: bool = True) -> Validation:
    """Check a chain set.

    A record is a finding if it does not fit the schema or the taxonomy; if its id was used before; if its image
    is missing, damaged, or not of the size or hash that it states; if its twin does not exist or is in another
    split; if its group is in another split; if the same bytes have another label or are in another split. So is an
    evaluation item that does not fit its schema, or whose id was used before or whose chain does not exist.

    Args:
        chains: The chain set.
        with_images: Whether to decode and hash every image. Without, stated hashes are believed.

    Raises:
        UsageError: If the image root is not a folder.
        FakeInstructError: If the file holds no records or cannot be read to its end.
    """
    if with_images and not chains.image_root.is_dir():
        raise UsageError(
            "the image root is not a folder",
            file=chains.image_root,
            hint="Say where it is with --image-root.",
        )
    findings = Rejects(share=1.0)
    seen = _Seen(chains.file)
    counts: Counter[Kind] = Counter()
    for chain in track(_read(chains, findings), "checking chains"):
        counts[kind_of(chain)] += 1
        sha256 = chain.image.sha256
        if with_images:
            try:
                sha256 = check_image(chain, chains.image_path(chain))
            except RecordError as error:
                findings.add(error.located(file=chains.file, record=chain.id))
        for problem in seen.compare(chain, sha256):
            findings.add(problem)
    for problem in seen.twins():
        findings.add(problem)
    for item in read_items(chains.folder, findings):
        if item.chain not in seen.splits:
            findings.add(
                RecordError(
                    f"its chain does not exist ('{item.chain}')",
                    file=chains.folder / ITEMS,
                    record=item.id,
                    field="chain",
                )
            )
    return Validation(counts, findings, tuple(_remarks(counts)))


def _read(chains: ChainSet, findings: Rejects) -> Iterator[Chain]:
    """The sound chains; a set without any is a list of findings here, not the end."""
    count = 0
    try:
        for chain in chains.read(findings):
            count += 1
            yield chain
    except FakeInstructError:
        if count or not findings:
            raise


def check_image(chain: Chain, path: Path) -> str:
    """Decode a chain's image, compare it with what the chain states, and return the SHA-256 of its bytes.

    Raises:
        RecordError: If it cannot be read, or its size or hash is another.
    """
    width, height = load_image(path).size
    stated = (chain.image.width or width, chain.image.height or height)
    if stated != (width, height):
        raise RecordError(
            f"the image is {width} x {height} pixels (the chain says {stated[0]} x {stated[1]})",
            field="image.width",
            hint="Sizes are those after the orientation tag was applied.",
        )
    sha256 = sha256_file(path)
    if chain.image.sha256 not in (None, sha256):
        raise RecordError(
            f"the image file has changed (it has the hash {sha256})",
            field="image.sha256",
            hint="Bring the old file back, or import the set again.",
        )
    return sha256


@dataclass
class _Seen:
    """What is remembered of the chains that were read, to compare later ones with."""

    file: Path
    splits: dict[str, Split | None] = field(default_factory=dict)
    twin_of: dict[str, str] = field(default_factory=dict)
    first_of_group: dict[str, Chain] = field(default_factory=dict)
    first_of_bytes: dict[str, Chain] = field(default_factory=dict)

    def compare(self, chain: Chain, sha256: str | None) -> Iterator[RecordError]:
        """Problems of a chain with those before it."""
        self.splits[chain.id] = chain.split
        if chain.twin:
            self.twin_of[chain.id] = chain.twin
        first = self.first_of_group.setdefault(chain.group, chain)
        if first.split is not chain.split:
            yield self._error(
                chain.id, "group", f"its group is in two splits ({_split(first.split)} by '{first.id}')"
            )
        if sha256 is None:
            return
        copy = self.first_of_bytes.setdefault(sha256, chain)
        if copy.label is not chain.label:
            yield self._error(
                chain.id, "label", f"the same image bytes have another label ({copy.label}, '{copy.id}')"
            )
        if copy.split is not chain.split and copy.group != chain.group:
            yield self._error(
                chain.id, "split", f"the same image bytes are in another split ({copy.split}, '{copy.id}')"
            )

    def twins(self) -> Iterator[RecordError]:
        """Problems with twins, once all chains are known."""
        for chain, twin in self.twin_of.items():
            if twin not in self.splits:
                yield self._error(chain, "twin", f"its twin does not exist ('{twin}')")
            elif self.splits[twin] is not self.splits[chain]:
                yield self._error(chain, "twin", f"its twin is in another split ('{twin}')")

    def _error(self, record: str, name: str, problem: str) -> RecordError:
        return RecordError(problem, file=self.file, record=record, field=name)


def _split(split: Split | None) -> str:
    return split or "none"


def _remarks(counts: Counter[Kind]) -> Iterator[str]:
    spellings: dict[str, set[str]] = defaultdict(set)
    for kind in counts:
        spellings[re.sub(r"[^0-9a-z]", "", kind.source.lower())].add(kind.source)
    for names in spellings.values():
        if len(names) > 1:
            yield f"may be one generator under several spellings: {', '.join(sorted(names))}"
    if counts and len({kind.label for kind in counts}) == 1:
        yield f"every image is {next(iter(counts)).label}"
    if {kind.split for kind in counts} > {""}:
        yield "some chains have a split and some have none"
