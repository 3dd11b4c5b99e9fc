"""Where figures are written: a new folder, an empty one, or one with earlier figures of the same kind."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from fakeinstruct.base.errors import UsageError, from_os_error
from fakeinstruct.measure.beside import CACHE
from fakeinstruct.measure.written import JUDGED

REPORT = ("figures.json", "figures.md", "report.html", "rejects.jsonl", CACHE, JUDGED)
COMPARISON = ("compare.json", "compare.md", "compare.html", "rejects.jsonl")
EVALUATION = (*REPORT, "answers", "answers-[0-9]*", "calibration.json", "submission")


def check_out(out: Path, ours: tuple[str, ...]) -> None:
    """Refuse a folder that holds something and is no earlier result: figures do not go among somebody's files.

    Args:
        out: The folder to write to.
        ours: Names of what such a result consists of; one that holds the first, which is written last, is complete.
            Of one that was stopped before, there is nothing but these.

    Raises:
        UsageError: If it is another's, or cannot be read.
    """
    if not out.is_dir():
        return
    try:
        names = [entry.name for entry in out.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise from_os_error(error, out) from error
    if ours[0] not in names and not all(any(fnmatchcase(name, own) for own in ours) for name in names):
        raise UsageError(
            f"is not empty and holds no earlier result ({ours[0]})", file=out, hint="Give another --out."
        )
