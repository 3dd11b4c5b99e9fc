"""Finding `templates/`, `training/` and `eval/`: inside the package in a wheel, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fakeinstruct.base.errors import FakeInstructError

PACKAGE = Path(__file__).resolve().parent.parent


Surface = Literal["templates", "training", "eval"]
"""The folders that users edit."""


def surface(name: Surface) -> Path:
    """The folder of one of the three surfaces that users edit.

    Raises:
        FakeInstructError: If the installation lacks it.
    """
    for parent in (PACKAGE, PACKAGE.parent):
        if (parent / name).is_dir():
            return parent / name
    raise FakeInstructError(
        f"the installation has no folder '{name}', neither in {PACKAGE} nor beside it",
        hint="Install fakeinstruct again, or name a folder of your own on the command line.",
    )
