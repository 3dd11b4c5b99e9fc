"""The audit for people: one HTML page that needs nothing beside itself, problems first."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from fakeinstruct.base.errors import RecordError
from fakeinstruct.base.images import load_image, resolve_under
from fakeinstruct.base.page import data_uri, environment, number
from fakeinstruct.measure.audit.finding import LEVELS, Audit, Cell

PICTURES = 60
"""Pictures on a page at most; the worst findings come first and take theirs first."""

SIDE = 144
"""Longer side of a shown picture in pixels."""

ROWS = 100
"""Rows of a table that are shown; audit.json holds all."""


@dataclass
class Pictures:
    """Thumbnails by path, each read once, `PICTURES` in all."""

    root: Path | None
    _made: dict[str, tuple[str | None, str]] = field(default_factory=dict)

    def show(self, image: str) -> tuple[str | None, str]:
        """A picture as a data URI, or None and the reason why it is not shown."""
        if image not in self._made and len(self._made) >= PICTURES:
            return None, "not shown: the page holds enough"
        if image not in self._made:
            self._made[image] = self._make(image)
        return self._made[image]

    def _make(self, image: str) -> tuple[str | None, str]:
        if self.root is None:
            return None, "it is not known where the picture lies"
        try:
            return data_uri(load_image(resolve_under(self.root, image)), SIDE, "JPEG"), ""
        except RecordError as error:
            return None, error.problem


def render(audit: Audit, image_root: Path | None) -> str:
    """The page as HTML. Everything that comes from data is escaped.

    Args:
        audit: What was found.
        image_root: What the paths of examples are relative to, if that is known.
    """
    jinja = environment("fakeinstruct.measure.audit")
    jinja.filters["cell"] = _cell
    findings = {level: [each for each in audit.findings() if each[1].level == level] for level in LEVELS}
    return jinja.get_template("report.html.jinja").render(
        audit=audit, findings=findings, show=Pictures(image_root).show, rows=ROWS
    )


def _cell(value: Cell) -> str:
    """A cell for people; very small numbers, such as a p, keep their power of ten."""
    if isinstance(value, float) and 0 < abs(value) < 0.001:
        return f"{value:.0e}"
    return value if isinstance(value, str) else number(value)
