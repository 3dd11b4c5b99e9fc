"""Errors a person can act on, the exit status they lead to, and the list of rejected records."""

from __future__ import annotations

import difflib
import errno
from collections import Counter
from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path
from typing import Any

LONGEST = 2_000
"""Most characters of a problem: it may quote what somebody else wrote, which has any length."""


class ExitStatus(IntEnum):
    """What a verb's exit status tells the caller."""

    CLEAN = 0
    NO_RESULT = 1
    USAGE = 2
    REJECTS = 3


class FakeInstructError(Exception):
    """A problem with the user's input, worded for the user: no traceback is shown for it.

    Args:
        problem: What is wrong, in one clause.
        file: The file it was found in.
        record: The record in that file: a line number or an id.
        field: The field of the record, dotted (``image.path``).
        hint: What to do about it.
    """

    status = ExitStatus.NO_RESULT

    def __init__(
        self,
        problem: str,
        *,
        file: str | Path | None = None,
        record: str | int | None = None,
        field: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.problem = problem if len(problem) <= LONGEST else f"{problem[: LONGEST - 1]}…"
        self.file = None if file is None else str(file)
        self.record = None if record is None else str(record)
        self.field = field
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        place = ", ".join(
            part
            for part in (
                self.file,
                self.record and f"record {self.record}",
                self.field and f"field {self.field}",
            )
            if part
        )
        text = f"{place}: {self.problem}" if place else self.problem
        return printable(f"{text.rstrip('.')}. {self.hint}" if self.hint else text)

    def located(
        self, *, file: str | Path | None = None, record: str | int | None = None
    ) -> FakeInstructError:
        """The same error with the file and record filled in where they were not known yet."""
        return type(self)(
            self.problem,
            file=self.file or file,
            record=self.record if self.record is not None else record,
            field=self.field,
            hint=self.hint,
        )


class UsageError(FakeInstructError):
    """The command line or a configuration file asks for something that does not exist."""

    status = ExitStatus.USAGE


class RecordError(FakeInstructError):
    """One record is bad. Streams count and list it and go on; see `Rejects`."""


class Rejects:
    """The bad records of one run: counted, listed, and fatal only in bulk.

    A run ends when more than `FREE` records and more than `share` of all records were rejected, since
    that is a wrong format or a wrong folder rather than some bad records.

    Args:
        share: Largest share of rejected records, 0 to 1.
    """

    FREE = 20

    def __init__(self, share: float = 0.2) -> None:
        self.share = share
        self.errors: list[FakeInstructError] = []

    def __len__(self) -> int:
        return len(self.errors)

    def add(self, error: FakeInstructError) -> None:
        """Take note of one bad record."""
        self.errors.append(error)

    def check(self, seen: int) -> None:
        """End the run if too many of the `seen` records were rejected.

        Raises:
            FakeInstructError: Naming the most frequent reason and an example.
        """
        if len(self) <= self.FREE or len(self) <= self.share * seen:
            return
        reason, count = self.reasons()[0]
        raise FakeInstructError(
            f"{len(self):,} of {seen:,} records rejected, more than {self.share:.0%}; "
            f"most often ({count:,}): {reason}; for example: {self.errors[0]}",
            hint="Mend the input, or allow more with --max-rejects.",
        )

    def reasons(self) -> list[tuple[str, int]]:
        """Reasons with their counts, most frequent first; details in brackets do not make another reason."""
        return Counter(printable(error.problem.partition(" (")[0]) for error in self.errors).most_common()

    def rows(self) -> list[dict[str, Any]]:
        """One JSON-ready row a rejected record."""
        return [
            {"file": e.file, "record": e.record, "field": e.field, "problem": e.problem, "hint": e.hint}
            for e in self.errors
        ]

    @property
    def status(self) -> ExitStatus:
        """`CLEAN`, or `REJECTS` if any record was rejected."""
        return ExitStatus.REJECTS if self.errors else ExitStatus.CLEAN


def printable(text: str, *, keep: str = "") -> str:
    """A text with what a terminal would obey, or could not show, as escapes: names of data are somebody else's.

    Args:
        text: The text.
        keep: Characters that stay as they are, ends of lines for example.
    """
    return "".join(
        char if char.isprintable() or char in keep else char.encode("unicode_escape").decode()
        for char in text
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint naming the known word nearest to a misspelt one, or all of them if none is near."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(names)}."


def from_os_error(error: OSError, path: str | Path) -> FakeInstructError:
    """The user's wording of a failed read or write: disk full, no permission, not there."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FakeInstructError("the disk is full", file=path, hint="Free some room and run it again.")
    reason = error.strerror or type(error).__name__
    return FakeInstructError(f"cannot be read or written ({reason})", file=path)
