"""The report: one HTML page that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fakeinstruct.base.errors import RecordError
from fakeinstruct.base.images import load_image, resolve_under
from fakeinstruct.base.page import data_uri, environment
from fakeinstruct.measure import plots
from fakeinstruct.measure.calibration import probability, reliability
from fakeinstruct.measure.figure import UnavailableError
from fakeinstruct.measure.scores import Scores

MISTAKES = 8
"""Surest mistakes shown of each label."""

SHOWN_SIDE = 224
"""Longer side of a shown picture in pixels; smaller ones are enlarged by whole factors, without smoothing."""


@dataclass(frozen=True)
class Material:
    """What the page shows beside the figures.

    Attributes:
        test: Clean scores of the expert on the test split.
        baselines: The same of each baseline.
        scale_bias: Scale and bias fitted on validation images, if any.
        texts: Generated explanations by image id.
        paths: Image paths by image id.
        image_root: What the paths are relative to, if it is known.
        seed: Seed of the consistency bands.
    """

    test: Scores
    baselines: Mapping[str, Scores]
    scale_bias: tuple[float, float] | None
    texts: Mapping[str, str]
    paths: Mapping[str, str]
    image_root: Path | None
    seed: int


def render(figures: Mapping[str, Any], material: Material) -> str:
    """The page as HTML. Everything that comes from data is escaped.

    Args:
        figures: The contents of `figures.json`.
        material: Scores, pictures and explanations.
    """
    jinja = environment("fakeinstruct.measure")
    jinja.filters["ci"] = _interval
    experts = {"expert": figures, **figures["baselines"]}
    return jinja.get_template("report.html.jinja").render(
        figures=figures,
        test=figures["overall"]["test"],
        experts=experts,
        reasons=_reasons(experts),
        drawings=_drawings(figures, material),
        mistakes=surest_mistakes(material),
    )


def _interval(row: Mapping[str, Any]) -> str:
    """An interval for people, or nothing where none can be given."""
    if row["auc_low"] is None:
        return ""
    return f"{row['auc_low']:.3f} – {row['auc_high']:.3f}"


def _reasons(experts: Mapping[str, Any]) -> dict[str, list[str]]:
    """Why figures of the test split are missing: reason to `who: figure` names."""
    reasons: dict[str, list[str]] = {}
    for who, each in experts.items():
        for name, reason in each["overall"]["test"]["unavailable"].items():
            if who == "expert" or name != "label_mass":  # a baseline has no label words
                reasons.setdefault(reason, []).append(f"{who}: {name}")
    return reasons


def _drawings(figures: Mapping[str, Any], material: Material) -> dict[str, str]:
    """The drawings that the answers allow, as SVG."""
    test = material.test
    drawings = {}
    if len(test):
        drawings["margins"] = plots.margins(test)
    if test.fake.any() and not test.fake.all():
        sound = {
            name: each for name, each in material.baselines.items() if each.fake.any() and not each.fake.all()
        }
        drawings["roc"] = plots.roc(test, sound)
        rows = {"expert": figures["per_generator"]}
        rows |= {name: each["per_generator"] for name, each in figures["baselines"].items()}
        drawings["generators"] = plots.generator_bars(rows)
    fitted = {"unfitted": (1.0, 0.0)} | ({"calibrated": material.scale_bias} if material.scale_bias else {})
    try:
        found = {
            name: reliability(test.fake, probability(test.margin, *each), seed=material.seed)
            for name, each in fitted.items()
        }
        drawings["reliability"] = plots.reliability_diagram(found)
    except UnavailableError:
        pass  # the table says why there is no calibration error
    return drawings


def surest_mistakes(material: Material) -> dict[str, list[dict[str, Any]]]:
    """The wrong verdicts with the largest margins, `MISTAKES` of each label, surest first.

    Returns:
        "fake" (fakes called real) and "real" (reals called fake) to rows of `image, probability, calibrated,
        source, text, picture`; `picture` is a data URI, or absent with the reason in `missing`.
    """
    test = material.test
    wrong = (test.margin > 0) != test.fake
    found: dict[str, list[dict[str, Any]]] = {}
    for label, mask in (("fake", wrong & test.fake), ("real", wrong & ~test.fake)):
        candidates = np.flatnonzero(mask)
        order = candidates[np.argsort(-np.abs(test.margin[candidates]), kind="stable")]
        found[label] = [_mistake(material, int(index)) for index in order[:MISTAKES]]
    return found


def _mistake(material: Material, index: int) -> dict[str, Any]:
    test = material.test
    image, margin = str(test.image[index]), test.margin[index : index + 1]
    calibrated = probability(margin, *material.scale_bias)[0] if material.scale_bias else None
    source = test.generator[index] or test.manipulation[index].replace("none", "") or "unprocessed"
    row = {
        "image": image,
        "probability": float(probability(margin)[0]),
        "calibrated": calibrated,
        "source": source,
        "text": material.texts.get(image),
    }
    try:
        return {**row, "picture": _picture(material, image), "missing": None}
    except RecordError as error:
        return {**row, "picture": None, "missing": error.problem}


def _picture(material: Material, image: str) -> str:
    """The image as a PNG data URI, about `SHOWN_SIDE` pixels on its longer side.

    Raises:
        RecordError: If it is not known where it lies, or it cannot be read.
    """
    if material.image_root is None or image not in material.paths:
        raise RecordError("it is not known where the picture lies")
    picture = load_image(resolve_under(material.image_root, material.paths[image]))
    return data_uri(picture, SHOWN_SIDE)
