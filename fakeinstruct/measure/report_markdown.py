"""The report as Markdown: the figures of the page without its drawings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fakeinstruct.measure.report_missing import missing_figures, missing_sections
from fakeinstruct.measure.report_tables import Table, shown, tables


def markdown(figures: Mapping[str, Any]) -> str:
    """`figures.md`: what was measured and by what, every table, and what is missing and why.

    Args:
        figures: The contents of `figures.json`.
    """
    return "\n".join(_lines(figures)) + "\n"


def _lines(figures: Mapping[str, Any]) -> Iterator[str]:
    provenance, test = figures["provenance"], figures["overall"]["test"]
    yield f"# Figures of {_safe(provenance['answers'][0]['expert'])}"
    yield ""
    yield f"- images of the test split: {test['n']:,} ({test['n_fake']:,} fake, {test['n_real']:,} real, "
    yield f"  from {test['n_groups']:,} sources); positive class: fake"
    yield f"- probability: {_safe(provenance['probability'])}"
    yield f"- seed {provenance['seed']}; Python {provenance['python']}; {_named(provenance['packages'])}"
    for prompt, count in provenance["prompts"].items():
        yield f"- asked {count:,} times: “{_safe(prompt)}”"
    for each in provenance["answers"]:
        yield f"- answers of expert `{each['expert_sha256']}` to items `{each['items_sha256']}`"
    yield f"- calibrated by: {_safe(provenance['fit']['source'] or provenance['fit']['reason'] or '')}"
    for table in tables(figures):
        yield from ("", f"## {_safe(table.title)}", "", *_table(table))
    yield from _missing(figures)


def _table(table: Table) -> Iterator[str]:
    yield _row(table.head)
    yield _row(["---"] + ["---:"] * (len(table.head) - 1))
    yield from (_row([shown(cell, "–") for cell in row]) for row in table.rows)


def _row(cells: Any) -> str:
    return "| " + " | ".join(_safe(cell) for cell in cells) + " |"


def _missing(figures: Mapping[str, Any]) -> Iterator[str]:
    skipped = figures["overall"]["test"]["skipped"]
    if skipped["n"]:
        yield from ("", "## skipped", "")
        yield from (f"- {count:,}: {_safe(reason)}" for reason, count in skipped["reasons"].items())
    yield from ("", "## missing, and why", "")
    for reason, names in missing_figures(figures).items():
        yield f"- {_safe(', '.join(names))}: {_safe(reason)}"
    yield from (f"- {what}: {_safe(why)}" for what, why in missing_sections(figures).items())


def _named(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _safe(text: str) -> str:
    """Text from data as one line that no Markdown reader takes for anything but text."""
    line = " ".join(text.split())
    return re.sub(r"([\\`*_\[\]<>|#&~$!])", r"\\\1", line)
