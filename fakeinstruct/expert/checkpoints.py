"""Checkpoints on disk: complete or passed over, and the newest complete one is gone on from.

checkpoints/
  checkpoint-100/   with complete.json
  checkpoint-200/   without: the run was killed while it was written
"""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import ValidationError

from fakeinstruct.base.config import StrictModel
from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.base.files import read_json, write_json

COMPLETE = "complete.json"
"""The marker's name. It is written last, when every process has written its part."""


class Marker(StrictModel):
    """What stands in a checkpoint's marker.

    Attributes:
        step: Optimizer steps done.
        run: Fingerprint of the run that wrote it.
        processes: How many processes wrote it.
        files: The size in bytes of every file, by its path in the checkpoint.
    """

    step: int
    run: str
    processes: int
    files: dict[str, int]


def folder_of(checkpoints: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return checkpoints / f"checkpoint-{step}"


def mark_complete(folder: Path, step: int, run: str, processes: int) -> None:
    """Vouch for a checkpoint that every process has written."""
    files = {
        str(file.relative_to(folder)): file.stat().st_size for file in folder.rglob("*") if file.is_file()
    }
    marker = Marker(step=step, run=run, processes=processes, files=files)
    write_json(folder / COMPLETE, marker.model_dump(mode="json"))


def read_marker(folder: Path) -> Marker | None:
    """The marker of a checkpoint that is as it was written; None if it was cut off or lost a file."""
    try:
        marker = Marker.model_validate(read_json(folder / COMPLETE))
        if all((folder / name).stat().st_size == size for name, size in marker.files.items()):
            return marker
    except (OSError, FakeInstructError, ValidationError):
        pass
    return None


def complete_checkpoints(checkpoints: Path) -> list[tuple[Path, Marker]]:
    """The complete ones, oldest first."""
    found = ((folder, read_marker(folder)) for folder in checkpoints.glob("checkpoint-*"))
    return sorted(
        ((folder, marker) for folder, marker in found if marker is not None), key=lambda pair: pair[1].step
    )


def newest_checkpoint(checkpoints: Path, run: str, processes: int) -> Path | None:
    """The checkpoint to go on from, if there is one.

    Args:
        checkpoints: Their folder.
        run: Fingerprint of the run that is to go on.
        processes: How many processes it has.

    Raises:
        UsageError: If it is another run's, or was written by another number of processes: which pairs each one takes
            depends on that, and so do ZeRO's shards.
    """
    complete = complete_checkpoints(checkpoints)
    if not complete:
        return None
    folder, marker = complete[-1]
    if marker.run != run:
        raise UsageError(
            "is a checkpoint of another run",
            file=folder,
            hint="Remove it, or give another out=DIR.",
        )
    if marker.processes != processes:
        raise UsageError(
            f"was written by {marker.processes} processes and cannot be gone on from by {processes}",
            file=folder,
            field="hardware.processes",
            hint=f"Start {marker.processes} processes, or remove the checkpoints to begin anew.",
        )
    return folder


def remove_incomplete(checkpoints: Path) -> None:
    """Remove what a killed run left of a checkpoint, which would else be mixed with the next one's files."""
    kept = {folder for folder, _ in complete_checkpoints(checkpoints)}
    for folder in checkpoints.glob("checkpoint-*"):
        if folder not in kept:
            _remove(folder)


def prune(checkpoints: Path, keep: int, best: Path | None = None) -> None:
    """Remove all complete checkpoints but the newest `keep` and the best."""
    for folder, _ in complete_checkpoints(checkpoints)[:-keep]:
        if folder != best:
            _remove(folder)


def disown(folder: Path) -> None:
    """Take back the mark of a checkpoint that turned out to be bad."""
    (folder / COMPLETE).unlink(missing_ok=True)


def _remove(folder: Path) -> None:
    """Remove a checkpoint, its marker first: one that is half removed is not complete."""
    disown(folder)
    shutil.rmtree(folder, ignore_errors=True)
