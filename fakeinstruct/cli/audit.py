"""`fakeinstruct audit`: what in a set gives the label away, or is broken."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fakeinstruct.base.errors import printable
from fakeinstruct.cli.common import ImageRoot, Out, Seed, close

if TYPE_CHECKING:
    from rich.table import Table

    from fakeinstruct.measure.audit.finding import Audit

SHOWN = 12
"""Findings printed, so that they fit a screen; index.html shows all."""

WIDTH = 120
"""Columns of the printed table where standard output is a file or a pipe."""


def audit(
    source: Annotated[
        Path, typer.Argument(help="Folder of a chain set or of a pair set.", metavar="CHAINS_OR_PAIRS")
    ],
    out: Out,
    image_root: ImageRoot = None,
    seed: Seed = 0,
) -> None:
    """Find what in a set gives the label away, or is broken, before anything is trained on it.

    Of chains: what files, names and texts tell without a look at the pixels; copies across labels and splits. Of
    pairs: what a classifier makes of the questions alone; letters and lengths of right options; the turns.

    Writes `audit.json`, and `index.html`, one page that stands on its own. Findings are the result: the exit status
    is 0 with or without them, and 3 if records could not be read.

    Examples:
    - `fakeinstruct audit chains/cifake --out audits/cifake`
    - `fakeinstruct audit pairs/cifake --out audits/cifake-pairs --seed 1`
    """
    from fakeinstruct.base.errors import Rejects
    from fakeinstruct.measure.audit.run import audit as run

    rejects = Rejects()
    found = run(source, out, image_root=image_root, seed=seed, rejects=rejects)
    print_audit(found, out)
    close(rejects, out)


def print_audit(found: Audit, out: Path) -> None:
    """Print the findings, problems first, a line for each section, and the path of the page."""
    from rich.console import Console

    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=WIDTH)
    counts = ", ".join(
        f"{found.count(level):,} {level}{'s' * (found.count(level) != 1)}"
        for level in ("problem", "warning", "note")
    )
    console.print(f"{_line(found.source)}: {found.n:,} {found.kind}, {counts}", markup=False, highlight=False)
    total = sum(1 for _ in found.findings())
    if total:
        console.print(findings_table(found))
    if total > SHOWN:
        console.print(f"and {total - SHOWN:,} more", markup=False, highlight=False)
    for line in quiet_sections(found):
        console.print(printable(line), markup=False, highlight=False)
    console.print(f"report: {out / 'index.html'}", markup=False, highlight=False, soft_wrap=True)


def findings_table(found: Audit) -> Table:
    """The worst findings as a rich table, two lines each at most."""
    from itertools import islice

    from rich.table import Table
    from rich.text import Text

    styles = {"problem": "bold red", "warning": "yellow", "note": "dim"}
    table = Table("", "section", "finding", "detail", box=None, pad_edge=False)
    for section, finding in islice(found.findings(), SHOWN):
        level = Text(finding.level, style=styles[finding.level])
        table.add_row(level, Text(section.name), *(Text(_line(t)) for t in (finding.title, finding.detail)))
    return table


def quiet_sections(found: Audit) -> list[str]:
    """Which sections found nothing, and which could not be done, with the reason."""
    quiet = [each.name for each in found.sections if not each.findings and each.skipped is None]
    lines = [f"nothing found: {', '.join(quiet)}"] if quiet else []
    return lines + [f"not done: {each.name}: {each.skipped}" for each in found.sections if each.skipped]


def _line(text: str, most: int = 90) -> str:
    """A text on one line, without what a terminal would obey, cut to what two lines of a column hold."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    if len(plain) <= most:
        return plain
    short = plain[: most - 1]
    whole = short.rpartition(" ")[0]  # half a figure would be read as another one
    return (whole if len(whole) > most // 2 else short).rstrip(" ;:,") + "…"
