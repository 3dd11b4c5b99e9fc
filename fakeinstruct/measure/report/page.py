"""The report: one HTML page that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from fakeinstruct.base.page import environment
from fakeinstruct.measure.calibration import probability, reliability
from fakeinstruct.measure.evaluations.contents import HELD_OUT, SEEN
from fakeinstruct.measure.evaluations.tables import protocol_tables
from fakeinstruct.measure.figure import UnavailableError
from fakeinstruct.measure.low_mass import mass_warning
from fakeinstruct.measure.report import plots_boxes, plots_detector, plots_spread, plots_words
from fakeinstruct.measure.report.cells import Table, part, shown
from fakeinstruct.measure.report.every import every_figure
from fakeinstruct.measure.report.gallery import Pictures, gallery
from fakeinstruct.measure.report.head import by_generator, doubts, read_tables, subject
from fakeinstruct.measure.report.missing import missing_figures, missing_sections, no_transfer
from fakeinstruct.measure.report.plots import BASELINES
from fakeinstruct.measure.report.tables import pairs, seeds, transfer
from fakeinstruct.measure.report.words import words_said
from fakeinstruct.measure.report.written import WRITTEN
from fakeinstruct.measure.scores import Scores
from fakeinstruct.measure.table.said import rows_line

SHOWN_REASONS = 40
"""Reasons of skipped answers that the page lists; `figures.json` has them all."""


@dataclass(frozen=True)
class Material:
    """What the page shows beside the figures.

    Attributes:
        test: Clean scores of the expert on the test split.
        baselines: The same of each baseline.
        calibrated: Whether the expert's scores carry calibrated margins.
        pictures: The pictures, their explanations and boxes.
        seed: Seed of the consistency bands.
    """

    test: Scores
    baselines: Mapping[str, Scores]
    calibrated: bool
    pictures: Pictures
    seed: int


def render(figures: Mapping[str, Any], material: Material) -> str:
    """The page as HTML. Everything that comes from data is escaped.

    Args:
        figures: The contents of `figures.json`.
        material: Scores, pictures and explanations.
    """
    jinja = environment("fakeinstruct.measure.report")
    jinja.filters |= {"ci": _interval, "shown": lambda cell: shown(cell, "–")}
    return jinja.get_template("report.html.jinja").render(
        figures=figures,
        test=figures["overall"]["test"],
        experts={subject(figures): figures, **figures["baselines"]},
        who=subject(figures),
        doubts=doubts(figures),
        tables=read_tables(figures),
        rows_line=rows_line,
        generators=by_generator(figures),
        reasons=missing_figures(figures),
        absent=missing_sections(figures),
        low_mass=mass_warning(figures),
        every=every_figure(figures["overall"]["test"], subject(figures)),
        skipped=_skipped(figures),
        shown_reasons=SHOWN_REASONS,
        drawings=drawings(figures, material),
        words_said=words_said(figures["words"]),
        carried=transfer(figures) if no_transfer(figures) is None else None,
        plain={name: made(figures[name]) for name, made in PLAIN.items() if part(figures, name)},
        protocol_tables=protocol_tables(figures),
        mistakes=gallery(material.test, material.calibrated, material.pictures),
    )


PLAIN: dict[str, Callable[[Mapping[str, Any]], list[Table]]] = {
    "pair_verdicts": lambda row: [pairs({"pair_verdicts": row})],
    "seeds": lambda row: [seeds({"seeds": row})],
    **WRITTEN,
}
"""Parts of the figures that the page shows as they come: drawings if there are any, and then tables."""


def _interval(row: Mapping[str, Any]) -> str:
    """An interval for people, or nothing where none can be given."""
    if row["auc_low"] is None:
        return ""
    return f"{row['auc_low']:.3f} – {row['auc_high']:.3f}"


def _skipped(figures: Mapping[str, Any]) -> list[tuple[str, str, str, int]]:
    """Skipped answers as (kind, split, reason, count), most frequent first."""
    found = [
        (kind, split, reason, count)
        for kind, splits in figures["provenance"]["skipped"].items()
        for split, each in splits.items()
        for reason, count in each["reasons"].items()
    ]
    return sorted(found, key=lambda each: (-each[3], each))


def drawings(figures: Mapping[str, Any], material: Material) -> dict[str, Any]:
    """The drawings that the answers allow, as SVG; several of a kind under one name by theirs.

    Args:
        figures: The contents of `figures.json`.
        material: The scores that curves and histograms are drawn from.
    """
    test = material.test
    found: dict[str, Any] = {"reliability": _reliability(material)}
    if len(test):
        found["margins"] = plots_detector.margins(test)
    if test.fake.any() and not test.fake.all():
        both = {
            name: each for name, each in material.baselines.items() if each.fake.any() and not each.fake.all()
        }
        found["roc"] = plots_detector.roc(test, both, subject(figures))
        rows = {subject(figures): by_generator(figures)}
        rows |= {name: each["per_generator"] for name, each in figures["baselines"].items()}
        found["generators"] = plots_detector.generator_bars(rows, figures["generators"]["worst"])
    found["conditions"] = plots_spread.robustness(figures["overall"]["test"], figures["per_condition"])
    asked = figures["prompts"]["per_prompt"]
    if sum(row["auc"] is not None for row in asked) > 1:
        found["prompts"] = plots_spread.prompt_dots(asked)
    added = figures.get("protocol") or {}
    if "clean" in added.get("by_content", {}):
        found["content"] = plots_spread.content_dots(
            added["by_content"]["clean"],
            _told_apart(added["by_content_beside"]),
            dict(zip(figures["baselines"], cycle(BASELINES), strict=False)),
            HELD_OUT,
        )
    if no_transfer(figures) is None:
        carried = transfer(figures)
        found["transfer"] = plots_spread.heat_map(
            [str(row[0]) for row in carried.rows], carried.head[1:], [row[1:] for row in carried.rows]
        )
    found["interventions"] = {
        kind: plots_spread.attribute_dots(kind, row)
        for kind, row in figures["interventions"].items()
        if row["cited"] is not None
    }
    found["words"] = plots_words.word_drawings(figures["words"]) if figures["words"] else {}
    found["boxes"] = {"boxes": plots_boxes.box_plot(figures["boxes"])} if part(figures, "boxes.n") else {}
    return found


def _told_apart(beside: Mapping[str, Any]) -> dict[str, Any]:
    """Of other experts the rows of what they were trained on and what not, clean."""
    return {
        other: {name: row for name, row in theirs.get("clean", {}).items() if name in (SEEN, HELD_OUT)}
        for other, theirs in beside.items()
    }


def _reliability(material: Material) -> dict[str, str]:
    test, found = material.test, {}
    margins = {"unfitted": test.unfitted, "calibrated": lambda: test.calibrated}
    for name in ("unfitted", "calibrated")[: 1 + material.calibrated]:
        try:
            p = probability(margins[name]())
            bins = reliability(test.fake, p, seed=material.seed)
        except UnavailableError:
            continue  # the list of what is missing says why there is no calibration error
        found[name] = plots_detector.reliability_diagram(name, bins, p, test.fake)
    return found
