"""Every verb as a function, and a command line that starts fast."""

import subprocess
import sys

import pytest

from fakeinstruct import api


def test_every_name_is_a_function_or_class():
    assert all(callable(getattr(api, name)) for name in api.__all__)


def loaded(module: str, among: set[str]) -> set[str]:
    """Which of some packages a module loads."""
    code = f"import sys, {module}; print(*sorted({among} & set(sys.modules)))"
    return set(subprocess.check_output([sys.executable, "-c", code], text=True).split())


def test_the_command_line_loads_nothing_heavy():
    assert not loaded("fakeinstruct.cli.main", {"torch", "transformers", "datasets", "sklearn"})


@pytest.mark.parametrize("module", ["run", "comparison.run", "calibrate"])
def test_measuring_answers_needs_no_torch(module):
    assert not loaded(f"fakeinstruct.measure.{module}", {"torch", "transformers", "datasets"})
