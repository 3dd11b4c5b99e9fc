"""The folder that answers are written to: whose they are, and one run at a time."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import UsageError
from fakeinstruct.base.files import write_json
from fakeinstruct.expert.card import UNFITTED
from fakeinstruct.forensics.answers import AnswersMeta, open_answers

SHORT = 100
"""Most characters of two values that a message shows."""

IDENTITY = {
    "expert_sha256": "with another expert",
    "processor_sha256": "with another processor",
    "items_sha256": "about other items or splits",
    "protocol": "asked by another protocol",
    "readouts": "read by other readouts",
}
"""What makes answers those of another run, and how that is said."""

NOT_IDENTITY: dict[str, Any] = {
    "protocol": {"prompts_sha256": True, "readouts": {"__all__": set(UNFITTED)}},
    "readouts": set(UNFITTED),
}
"""What no answer depends on: the pin of prompts that the protocol holds anyway, and what `calibrate` fits."""


def begin(out: Path, meta: AnswersMeta) -> None:
    """Make a new answer set, unless one of the same run stands there.

    Raises:
        UsageError: If other answers, or anything else, stand there.
    """
    if not (out / "meta.json").is_file():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UsageError("is not empty and not an answer set", file=out, hint="Give another --out.")
        write_meta(out, meta)
        return
    check_same(out, meta)


def check_same(out: Path, meta: AnswersMeta) -> None:
    """See that the answers in a folder are those of the same run.

    Raises:
        UsageError: If they are of another expert, other items, or asked otherwise.
    """
    old = open_answers(out).meta
    for name, difference in IDENTITY.items():
        theirs, ours = identity(old, name), identity(meta, name)
        if theirs != ours:
            fields = f" ({differing(theirs, ours)})" if name == "protocol" else ""
            raise UsageError(
                f"holds answers {difference}{fields}",
                file=out,
                hint="Give another --out, or remove the folder.",
            )


def identity(meta: AnswersMeta, name: str) -> Any:
    """What must agree of a field of `meta.json`."""
    value = getattr(meta, name)
    if name == "readouts":
        return [readout.model_dump(exclude=NOT_IDENTITY[name]) for readout in value]
    return value.model_dump(mode="json", exclude=NOT_IDENTITY[name]) if name == "protocol" else value


def differing(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """The fields of two protocols that differ, with their values where those are short."""
    said = []
    for name in (name for name in ours if theirs[name] != ours[name]):
        values = f": there {json.dumps(theirs[name])}, here {json.dumps(ours[name])}"
        said.append(name + (values if len(values) <= SHORT else ""))
    return "; ".join(said)


def write_meta(out: Path, meta: AnswersMeta) -> None:
    """Write `meta.json` of an answer set."""
    write_json(out / "meta.json", meta.model_dump(mode="json"))


@contextmanager
def held(out: Path) -> Iterator[None]:
    """Let no other run write to the folder, and clear away what a killed one was writing.

    Raises:
        UsageError: If another run does.
    """
    folder = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for unfinished in out.glob(".answers-*.tmp"):
            unfinished.unlink(missing_ok=True)
        yield
    except BlockingIOError:
        raise UsageError(
            "is being written to by another process", file=out, hint="Wait for it, or stop it."
        ) from None
    finally:
        os.close(folder)
