"""Tables that several verbs print to standard output."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table

from fakeinstruct.base.errors import printable
from fakeinstruct.chains.counts import Kind, in_order


def print_counts(counts: Counter[Kind]) -> None:
    """Print how many chains of each kind there are."""
    table = Table("split", "label", "manipulation", "generator or camera set", box=None, pad_edge=False)
    table.add_column("chains", justify="right")
    for kind, count in in_order(counts):
        table.add_row(*(printable(word) or "-" for word in kind), f"{count:,}")
    table.add_row("all", "", "", "", f"{counts.total():,}")
    console = Console(markup=False, highlight=False)
    console.print(table)
