"""The training processes from the outside: started by torchrun, listened to, and stopped."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from fakeinstruct.base.errors import ExitStatus, FakeInstructError, UsageError
from fakeinstruct.base.progress import console, track
from fakeinstruct.base.surfaces import PACKAGE
from fakeinstruct.expert.checkpoints import complete_checkpoints
from fakeinstruct.expert.run import RunFolder

AGAIN = "Run the same command again to go on from the last checkpoint."


def start_processes(run: RunFolder, processes: int) -> None:
    """Run the processes to their end and show how far they are.

    Raises:
        FakeInstructError: If one failed, with its message or the log's name.
        KeyboardInterrupt: If the user stops them.
    """
    module = ["-m", "fakeinstruct.expert.process", str(run.folder)]
    torchrun = ["torch.distributed.run", "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"]
    command = [sys.executable, "-m", *torchrun, f"--nproc-per-node={processes}", *module]
    with run.log.open("ab", buffering=0) as log:
        lock(log, run)
        began = log.tell()
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdout=subprocess.PIPE, stderr=log, env=environment(processes)
        )
        problem = None
        try:
            for message in track_steps(show_parts(read_messages(process, log))):
                problem = problem or problem_of(message, run)  # the first: it made the others fail
        except KeyboardInterrupt:
            console.print(how_to_go_on(run), markup=False, highlight=False, soft_wrap=True)
            raise
        finally:
            if process.poll() is None:
                process.terminate()
            status = process.wait()
    if problem is not None:
        raise problem
    if status or not run.expert.is_dir():
        raise FakeInstructError(
            f"training ended with status {status}: {last_words(run.log, began)}", file=run.log, hint=AGAIN
        )


def lock(log: IO[bytes], run: RunFolder) -> None:
    """Let nobody else train in the folder while any of the processes, which all inherit the log, is alive.

    Raises:
        UsageError: If somebody does; those of a run that was killed just now have some seconds to go.
    """
    for _ in range(50):
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(0.1)
    raise UsageError(
        "is being trained in by another process", file=run.folder, hint="Wait for it, or stop it."
    )


def environment(processes: int) -> dict[str, str]:
    """The processes' environment: a share of the cores each, and quiet libraries."""
    threads = max(1, (os.cpu_count() or 1) // processes)
    return os.environ | {
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads)),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": f"{PACKAGE.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",  # a bare checkout's
        # keep freed activations instead of giving them back to the kernel: 1.45 times the steps on two cores
        "MALLOC_MMAP_THRESHOLD_": str(2**30),
        "MALLOC_TRIM_THRESHOLD_": str(2**32),
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }


def read_messages(process: subprocess.Popen[bytes], log: Any) -> Iterator[dict[str, Any]]:
    """The messages of the processes; anything else they print goes to the log."""
    assert process.stdout is not None  # noqa: S101 - it was opened as a pipe
    for line in process.stdout:
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if isinstance(message, dict):
            yield message
        else:
            with suppress(OSError):  # a full disk is the processes' to report
                log.write(line)


def show_parts(messages: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Print what is trained of each part of the model; other messages pass by."""
    for message in messages:
        if "parts" not in message:
            yield message
            continue
        for part, (total, trained) in message["parts"].items():
            console.print(
                f"{part.replace('_', ' ')}: {total:,} parameters, {trained:,} trained", highlight=False
            )


def track_steps(messages: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Show the steps while the messages pass by."""
    first = next((message for message in messages if message.keys() & {"step", "error", "failure"}), None)
    if first is None or "step" not in first:
        yield from [first] if first else []
        yield from messages
        return
    steps = (message for message in messages if "loss" not in message)
    yield first
    yield from track(steps, "training (steps)", total=int(first["of"]) - int(first["step"]))


def problem_of(message: dict[str, Any], run: RunFolder) -> FakeInstructError | None:
    """The error that a message tells of, if it tells of one."""
    if "error" in message:
        usage = message.get("status") == ExitStatus.USAGE
        return (UsageError if usage else FakeInstructError)(message["error"])
    if "failure" in message:
        return FakeInstructError(f"a process failed: {message['failure']}", file=run.log, hint=AGAIN)
    return None


def how_to_go_on(run: RunFolder) -> str:
    """What to say to the user who stops a run."""
    complete = complete_checkpoints(run.checkpoints)
    if not complete:
        return "stopping. There is no checkpoint yet: the same command begins anew."
    return f"stopping. The same command goes on from step {complete[-1][1].step:,}."


def last_words(log: Path, began: int = 0) -> str:
    """Why a run ended whose processes could not say it: a signal, the log's last line with an error, or its last.

    Args:
        log: The log.
        began: The byte at which this start of the run began.
    """
    text = log.read_bytes()[began:].decode(errors="replace")
    if killed := re.findall(r"exitcode\s*: -(\d+)", text[-4000:]):
        memory = ", as the kernel does when memory runs out" if killed[-1] == "9" else ""
        return f"a process was killed by signal {killed[-1]}{memory}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [
        line
        for line in lines
        if "Error" in line and "ChildFailedError" not in line and "traceback" not in line
    ]
    return (errors or lines or ["it said nothing"])[-1][:300]
