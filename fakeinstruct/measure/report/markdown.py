"""The report as Markdown: the figures of the page without its drawings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fakeinstruct.measure.low_mass import mass_warning
from fakeinstruct.measure.report.cells import Table, shown
from fakeinstruct.measure.report.head import doubts, table_lines
from fakeinstruct.measure.report.missing import missing_figures, missing_sections
from fakeinstruct.measure.report.tables import tables


def markdown(figures: Mapping[str, Any]) -> str:
    """`figures.md`: what was measured and by what, every table, and what is missing and why.

    Args:
        figures: The contents of `figures.json`.
    """
    return "\n".join(_lines(figures)) + "\n"


def _lines(figures: Mapping[str, Any]) -> Iterator[str]:
    provenance, test = figures["provenance"], figures["overall"]["test"]
    yield f"# Figures of {plain_line(provenance['answers'][0]['expert'])}"
    yield ""
    counts = f"{test['n_fake']:,} fake, {test['n_real']:,} real"
    counts += f", from {test['n_groups']:,} sources" if test["n_groups"] != test["n"] else ""
    yield f"- images of the test split: {test['n']:,} ({counts}); positive class: fake"
    yield f"- probability: {plain_line(provenance['probability'])}"
    yield f"- seed {provenance['seed']}; Python {provenance['python']}; {_named(provenance['packages'])}"
    for prompt, count in provenance["prompts"].items():
        if prompt:
            yield f"- asked {count:,} times: “{plain_line(prompt)}”"
    for each in provenance["answers"]:
        yield f"- {_hashes(each, bool(provenance['tables']))}"
    yield from (f"- {plain_line(line)}" for line in table_lines(figures))
    yield f"- calibrated by: {plain_line(provenance['fit']['source'] or provenance['fit']['reason'] or '')}"
    yield from (f"- {plain_line(doubt)}" for doubt in doubts(figures))
    if warning := mass_warning(figures):
        yield f"- beware: {plain_line(warning)}"
    for table in tables(figures):
        yield from ("", f"## {plain_line(table.title)}", "", *_table(table))
    yield from _missing(figures)


def _hashes(meta: Mapping[str, Any], table: bool) -> str:
    expert, items = meta["expert_sha256"], meta["items_sha256"]
    if not table:
        return f"answers of expert `{expert}` to items `{items}`"
    return f"scores of table `{expert}`" + (f", images of `{items}`" if items != expert else "")


def _table(table: Table) -> Iterator[str]:
    yield _row(table.head)
    yield _row(["---"] + ["---:"] * (len(table.head) - 1))
    yield from (_row([shown(cell, "–") for cell in row]) for row in table.rows)


def _row(cells: Any) -> str:
    return "| " + " | ".join(plain_line(cell) for cell in cells) + " |"


def _missing(figures: Mapping[str, Any]) -> Iterator[str]:
    skipped = figures["overall"]["test"]["skipped"]
    if skipped["n"]:
        yield from ("", f"## skipped: {skipped['n']:,} answers about {_images(skipped['images'])}", "")
        yield from (f"- {count:,}: {plain_line(reason)}" for reason, count in skipped["reasons"].items())
    yield from ("", "## missing, and why", "")
    for reason, names in missing_figures(figures).items():
        yield f"- {plain_line('; '.join(names))}: {plain_line(reason)}"
    yield from (f"- {what}: {plain_line(why)}" for what, why in missing_sections(figures).items())


def _images(n: int) -> str:
    return f"{n:,} image{'s' if n != 1 else ''}"


def _named(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def plain_line(text: str) -> str:
    """Text from data as one line that no Markdown reader takes for anything but text."""
    line = " ".join(text.split())
    return re.sub(r"([\\`*_\[\]<>|#&~$!])", r"\\\1", line)
