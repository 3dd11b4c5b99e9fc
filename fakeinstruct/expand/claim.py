"""Claiming a folder for one expansion, safely beside other processes that work on the same one."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import FakeInstructError, from_os_error
from fakeinstruct.base.files import read_json, write_json

MARK = "plan.json"
"""What a pair set's folder is claimed with: it says which expansion this is, and comes before all else."""

TOLD_APART_BY = ("chains_sha256", "templates_sha256", "seed", "budget")
"""Fields of the mark that say how two expansions differ."""


@contextmanager
def claimed(out: Path, says: dict[str, Any]) -> Iterator[None]:
    """Hold a folder for an expansion; other processes may hold it for the same one at the same time.

    What killed runs left behind half-written is removed on entering and on leaving, unless another process holds
    the folder and may still be writing it.

    Args:
        out: The folder: new, empty, or claimed for the same expansion.
        says: What the mark says; its `fingerprint` tells expansions apart.

    Raises:
        FakeInstructError: If the folder holds anything else.
    """
    if out.exists() and not out.is_dir():
        raise FakeInstructError("is a file where a folder is to be written", file=out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        holding = os.open(out, os.O_RDONLY)
    except OSError as error:
        raise from_os_error(error, out) from error
    try:
        _lock(holding, fcntl.LOCK_SH)
        _mark(out, says)
        _sweep_if_alone(holding, out)
        _lock(holding, fcntl.LOCK_SH)  # which asking for the folder alone gave up
        yield
        _sweep_if_alone(holding, out)
    finally:
        os.close(holding)


def _mark(out: Path, says: dict[str, Any]) -> None:
    """Put the mark into a new or empty folder; only one of several processes that try at once succeeds."""
    names = {entry.name for entry in out.iterdir() if not entry.name.endswith(".tmp")}
    if names and MARK not in names:
        raise FakeInstructError(
            "is not empty and not a pair set", file=out, hint="Choose another --out, or empty the folder."
        )
    if not names:
        complete = out / f".{MARK}.{secrets.token_hex(4)}.tmp"
        write_json(complete, says)
        with suppress(FileExistsError):
            _link(complete, out / MARK)
        complete.unlink(missing_ok=True)
    _compare(out, says)


def _link(complete: Path, mark: Path) -> None:
    """Give a file the mark's name, unless that is taken.

    Raises:
        FileExistsError: If it is.
    """
    try:
        mark.hardlink_to(complete)
    except FileExistsError:
        raise
    except (
        OSError
    ):  # a file system without hard links: two different expansions at once are then not told apart
        complete.replace(mark)


def _compare(out: Path, says: dict[str, Any]) -> None:
    found = read_json(out / MARK)
    found = found if isinstance(found, dict) else {}
    if found.get("fingerprint") == says["fingerprint"]:
        return
    other = [field.removesuffix("_sha256") for field in TOLD_APART_BY if found.get(field) != says[field]]
    raise FakeInstructError(
        f"holds another expansion (other: {', '.join(other) or 'version of fakeinstruct or NumPy'})",
        file=out,
        hint="Choose another --out, or delete the folder.",
    )


def _sweep_if_alone(holding: int, out: Path) -> None:
    if _lock(holding, fcntl.LOCK_EX | fcntl.LOCK_NB):
        for leftover in out.glob(".*.tmp"):
            leftover.unlink(missing_ok=True)


def _lock(holding: int, how: int) -> bool:
    """Lock the folder, or say that it cannot be had; locks of a killed process are gone with it."""
    try:
        fcntl.flock(holding, how)
    except OSError:  # another process has it, or the file system knows no locks: nothing is swept then
        return False
    return True
