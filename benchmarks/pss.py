"""Peak memory of a process with all its children: proportional set size, in which shared pages count once."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from pathlib import Path

SECONDS = 0.1
"""Between two looks."""


def run(command: list[str], **settings: object) -> tuple[str, int]:
    """Run a command to its end.

    Args:
        command: The command.
        settings: Further arguments of `subprocess.Popen`.

    Returns:
        What it wrote to standard output, and the peak memory of all its processes together, in bytes.

    Raises:
        RuntimeError: If it fails.
    """
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **settings)  # type: ignore[call-overload]
    peak = 0
    while child.poll() is None:
        peak = max(peak, sum(map(_pss, _family(child.pid))))
        time.sleep(SECONDS)
    if child.returncode:
        raise RuntimeError(f"{command} ended with status {child.returncode}")
    return child.stdout.read(), peak


def _family(process: int) -> list[int]:
    """A process and its descendants."""
    children: list[int] = []
    with suppress(OSError):  # it may end while it is looked at
        for task in Path(f"/proc/{process}/task").iterdir():
            children += map(int, (task / "children").read_text().split())
    return [process, *(member for child in children for member in _family(child))]


def _pss(process: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    return 0
