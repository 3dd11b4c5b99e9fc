"""Every verb as a function, and a command line that starts fast."""

import subprocess
import sys

from fakeinstruct import api


def test_every_name_is_a_function_or_class():
    assert all(callable(getattr(api, name)) for name in api.__all__)


def test_the_command_line_loads_nothing_heavy():
    heavy = {"torch", "transformers", "datasets", "sklearn"}
    code = f"import sys, fakeinstruct.cli.main; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
