"""The command line inside the test's own process, which has loaded what a new one would load for seconds."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple
from unittest.mock import patch

from typer.testing import CliRunner

from fakeinstruct.cli.main import app, run


def call(*words):
    """Run `fakeinstruct` with words, and raise what is no exit: a test shall see where it came from."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


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
