"""What an importer takes and gives: the form that every format's module has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from fakeinstruct.base.errors import Rejects
from fakeinstruct.chains.counts import Kind
from fakeinstruct.chains.schema import Chain


@dataclass(frozen=True)
class Imported:
    """What an importer found.

    Attributes:
        chains: The chains in order, image paths relative to the root it was given; may be read once.
        ignored: How many files were passed over since they are not of the format.
        licences: Terms of each source, as far as the format says.
    """

    chains: Iterable[Chain]
    ignored: int = 0
    licences: dict[str, str] = field(default_factory=dict)


class Importer(Protocol):
    """A function that reads one published format.

    It takes the folder to read, the source that errors are to name (an archive that was unpacked to that
    folder, or the folder itself), the name of the set, the list of rejects, and keyword options of its own.
    """

    def __call__(
        self, root: Path, *, source: Path, dataset: str, rejects: Rejects, **options: Any
    ) -> Imported:
        """Read the format; see `imagefolder.import_imagefolder`."""


@dataclass(frozen=True)
class ImportSummary:
    """What an import wrote, or would have written.

    Attributes:
        chains: How many chains.
        counts: How many of each kind.
        ignored: How many files were passed over since they are not of the format.
        remarks: What a person should know before using the set.
    """

    chains: int
    counts: Counter[Kind]
    ignored: int
    remarks: tuple[str, ...]
