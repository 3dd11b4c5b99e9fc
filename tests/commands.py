"""The command line inside the test's own process, which has loaded what a new one would load for seconds."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple
from unittest.mock import patch

from fakeinstruct.cli.main import run


class Run(NamedTuple):
    """What a command left."""

    returncode: int
    stdout: str
    stderr: str


def command(*arguments) -> Run:
    """Run `fakeinstruct` with arguments."""
    out, err = io.StringIO(), io.StringIO()
    status = 0
    with (
        patch.object(sys, "argv", ["fakeinstruct", *map(str, arguments)]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            run()
        except SystemExit as end:
            status = int(end.code or 0)
    return Run(status, out.getvalue(), err.getvalue())
