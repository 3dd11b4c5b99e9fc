"""`fakeinstruct lint`: is anything wrong with the templates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fakeinstruct.base.errors import ExitStatus


def lint(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="Folder of templates; the project's by default."),
    ] = None,
) -> None:
    """Check templates by themselves, on examples of every kind of chain, and against each other.

    Found are, among others: misspelt names, questions that give the answer away, values that a chain may lack,
    conditions that are never met, templates that say the same, questions of benchmarks. docs/templates.md has the
    list. Exit status 1 if anything was found.

    **Examples**

    `fakeinstruct lint`

    `fakeinstruct lint my-templates`
    """
    from fakeinstruct.cli.expand import counted
    from fakeinstruct.expand.lint import lint as lint_templates

    sound, findings = lint_templates(folder)
    for finding in findings:
        print(finding.error())
    print(f"{counted(len(sound), 'template')} sound, {counted(len(findings), 'finding')}")
    if findings:
        raise typer.Exit(ExitStatus.NO_RESULT)
