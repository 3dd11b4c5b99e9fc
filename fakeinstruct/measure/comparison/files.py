"""The files of a comparison: a page for people, Markdown for a text, JSON for programs, all of the same figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import RecordError
from fakeinstruct.base.files import atomic_write, write_json
from fakeinstruct.base.images import load_image, resolve_under
from fakeinstruct.base.page import data_uri, environment, number
from fakeinstruct.measure.comparison import plots
from fakeinstruct.measure.report.gallery import LONGEST_TEXT, SHOWN_SIDE
from fakeinstruct.measure.report.head import by_generator
from fakeinstruct.measure.report.markdown import plain_line
from fakeinstruct.measure.scores import UNNAMED, Scores
from fakeinstruct.measure.table.said import rows_line

NAMES = {
    "accuracy": "accuracy at 0.5",
    "brier": "Brier",
    "nll": "log loss",
    "ece": "ECE",
    "smooth_ece": "smooth ECE",
}
"""Figures of a probability, as people call them."""

TEMPLATES = ("fakeinstruct.measure.comparison", "fakeinstruct.measure.report")
"""Packages of the page's templates and of the style that it shares with a report."""


@dataclass(frozen=True)
class Side:
    """One of the two detectors.

    Attributes:
        test: Its scores of the clean test images that both scored.
        texts: Its explanations, by image id.
        paths: Image paths, by image id.
    """

    test: Scores
    texts: Mapping[str, str]
    paths: Mapping[str, str]


def write_comparison(
    figures: Mapping[str, Any], sides: tuple[Side, Side], root: Path | None, out: Path
) -> None:
    """Write `compare.html`, `compare.md` and, last, `compare.json`.

    Args:
        figures: The contents of `compare.json`.
        sides: Both detectors.
        root: What image paths are relative to, if it is known.
        out: Folder to write to.
    """
    rows = table_rows(figures["overall"])
    page, text = (environment(*TEMPLATES, escape=escape) for escape in (True, False))
    text.filters["safe_text"] = plain_line
    for jinja in (page, text):
        jinja.filters |= {"p": p_value, "signed": signed}
    shown = {
        side: [_card(row, sides, root) for row in figures["most_different"][side]]
        for side in ("a_nearer", "b_nearer")
    }
    known = {"figures": figures, "auc": figures["overall"]["auc"], "rows": rows, "p": figures["provenance"]}
    known |= {
        "missing": missing(rows),
        "tables": _tables(figures["provenance"]),
        "pictures": root is not None,
    }
    known["generators"] = by_generator(figures)
    drawings = _drawings(figures, sides)
    for name, jinja in (("compare.html", page), ("compare.md", text)):
        template = jinja.get_template(f"{name}.jinja")
        with atomic_write(out / name) as file:
            file.write(template.render(**known, shown=shown, drawings=drawings).encode())
    write_json(out / "compare.json", figures)


def table_rows(overall: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The figures of a part as rows of name, both values, difference, interval, p, and why something is missing.

    AUC and accuracy have a p; of the others the interval is the test.
    """
    rows = [{"name": "AUC", **overall["auc"], "why": _why(overall, "auc")}]
    for kind, after in (("unfitted", ""), ("calibrated", ", calibrated"), ("validation_threshold", "")):
        for figure, values in overall[kind].items():
            name = (
                "accuracy at validation threshold"
                if kind == "validation_threshold"
                else NAMES[figure] + after
            )
            empty = dict.fromkeys(("a", "b", "difference", "low", "high"))
            rows.append(
                {"name": name, "p": None, **(values or empty), "why": _why(overall, f"{kind}.{figure}")}
            )
    return rows


def missing(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What rows lack, by the reason: names of the figures that are absent, or whose interval or test is."""
    found: dict[str, list[str]] = {}
    for row in rows:
        for why in row["why"]:
            found.setdefault(why, []).append(row["name"])
    return found


def _tables(provenance: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What is to be known of the sides that are tables, with `line`, which says what rows were used."""
    read = {side.upper(): provenance[side]["table"] for side in "ab"}
    return {side: {**said, "line": rows_line(said)} for side, said in read.items() if said}


def _why(overall: Mapping[str, Any], name: str) -> list[str]:
    reasons = [
        why for key, why in overall["unavailable"].items() if key == name or key.startswith(f"{name}.")
    ]
    return list(dict.fromkeys(reasons))


def p_value(value: float | None) -> str:
    """A p value for people."""
    return "–" if value is None else "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def signed(value: float | None) -> str:
    """A difference for people, always with its sign."""
    return number(value) if value is None else f"{value:+.3f}".replace("-", "−")


def _drawings(figures: Mapping[str, Any], sides: tuple[Side, Side]) -> dict[str, str]:
    a, b = (side.test for side in sides)
    drawings = {}
    if len(a):
        drawings["against"] = plots.margins_against(a, b, figures["provenance"]["seed"])
    if figures["overall"]["auc"]["difference"] is not None:
        drawings["rocs"] = plots.both_rocs(a, b)
    generators = by_generator(figures)
    if any(row["auc"]["difference"] is not None for row in generators.values()):
        drawings["differences"] = plots.difference_bars(generators)
    return drawings


def _card(row: Mapping[str, Any], sides: tuple[Side, Side], root: Path | None) -> dict[str, Any]:
    image = row["image"]
    texts = [(side.texts.get(image) or "")[:LONGEST_TEXT] for side in sides]
    card = {**row, "texts": texts, "generator": row["generator"].replace(UNNAMED, "")}
    path = next((side.paths[image] for side in sides if image in side.paths), None)
    try:
        if root is None or path is None:
            raise RecordError("it is not known where the picture lies")
        picture = load_image(resolve_under(root, path))
        kind = "PNG" if max(picture.size) <= SHOWN_SIDE else "JPEG"
        return {**card, "picture": data_uri(picture, SHOWN_SIDE, kind), "missing": None}  # type: ignore[arg-type]
    except RecordError as error:
        return {**card, "picture": None, "missing": error.problem}
