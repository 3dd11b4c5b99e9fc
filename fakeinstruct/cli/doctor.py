"""`fakeinstruct doctor`: what is installed, what it runs on, what is missing for what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from fakeinstruct.base.errors import ExitStatus

if TYPE_CHECKING:
    from fakeinstruct.base.environment import Environment


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")] = False,
) -> None:
    """Look at this machine and installation, and say what is missing for what.

    Exit status 0 if the core works, 1 if not; a missing GPU, compiler or training package is no failure.

    **Examples**

    `fakeinstruct doctor`

    `fakeinstruct doctor --json > environment.json`
    """
    from fakeinstruct.base.environment import advice, inspect_environment

    found = inspect_environment()
    if as_json:
        print(
            json.dumps({**found.model_dump(), "works": found.works, "advice": list(advice(found))}, indent=2)
        )
    else:
        _show(found)
        for sentence in advice(found):
            print(f"- {sentence}")
        print("The core works." if found.works else "The core does not work.")
    raise typer.Exit(ExitStatus.CLEAN if found.works else ExitStatus.NO_RESULT)


def _show(found: Environment) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "", "", box=None, show_header=False, pad_edge=False)
    memory = "unknown" if found.memory is None else f"{found.memory:.1f} GiB"
    torch = "torch does not work" if found.accelerator is None else found.accelerator
    table.add_row("fakeinstruct", f"{found.fakeinstruct} on Python {found.python}, {found.platform}")
    table.add_row("accelerator", "; ".join((torch, *found.devices)))
    table.add_row("cores, memory", f"{found.cores}, {memory}")
    table.add_row("free disk", f"{found.free_disk:.1f} GiB in the current folder")
    table.add_row("compiler, ninja", f"{found.compiler or 'none'}, {found.ninja or 'none'}")
    for name, folder in found.surfaces.items():
        table.add_row(f"{name}/", folder or "not found")
    for package in (*found.packages, found.torchvision):
        table.add_row(package.name, package.version or "-", package.problem or "ok")
    Console(markup=False, highlight=False, soft_wrap=True).print(table)
