"""The files of a report: a page for people, Markdown for a text, JSON for programs, all of the same figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fakeinstruct.base.files import atomic_write, write_json
from fakeinstruct.measure.report.markdown import markdown
from fakeinstruct.measure.report.page import Material, render


def write_report(figures: Mapping[str, Any], material: Material, out: Path) -> None:
    """Write `report.html`, `figures.md` and, last, `figures.json`.

    Args:
        figures: The contents of `figures.json`.
        material: What the page shows beside them.
        out: Folder to write to.
    """
    page, text = render(figures, material), markdown(figures)
    for name, content in (("report.html", page), ("figures.md", text)):
        with atomic_write(out / name) as file:
            file.write(content.encode())
    write_json(out / "figures.json", figures)
