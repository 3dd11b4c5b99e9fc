"""Generators against the reals that a mapping names: by hand, and one whose reals are not there."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fakeinstruct.measure.evaluations.own_reals import mapped_reals
from fakeinstruct.measure.scores import Scores


def scores():
    rng = np.random.default_rng(0)
    rows = []
    for source, fake, shift in (
        ("dalle", True, 2.0), ("guided", True, 1.0), ("progan", True, 3.0),
        ("laion", False, 0.0), ("imagenet", False, -1.0), ("progan", False, 1.0),
    ):  # fmt: skip
        rows += [
            {
                "chain": f"{source}-{fake}-{number}",
                "label": "fake" if fake else "real",
                "generator": source if fake else None,
                "camera_set": None if fake else source,
                "split": "test",
                "margin": float(rng.normal(shift)),
            }
            for number in range(60)
        ]
    return Scores.of(rows)


def test_each_generator_has_the_reals_of_the_mapping_or_of_its_name():
    test = scores()
    found = mapped_reals(test, {"dalle": "laion", "guided": "imagenet"})
    beside = {"dalle": "laion", "guided": "imagenet", "progan": "progan"}
    areas = {}
    for name, reals in beside.items():
        mask = (test.generator == name) | (test.camera_set == reals)
        areas[name] = roc_auc_score(test.fake[mask], test.margin[mask])
        row = found["per_generator"][name]
        assert row["auc"] == pytest.approx(areas[name], abs=1e-6)
        assert (row["n_fake"], row["n_real"], row["camera_set"]) == (60, 60, reals)
    summary = found["summary"]
    assert summary["macro_auc"] == pytest.approx(np.mean(list(areas.values())), abs=1e-6)
    assert summary["worst"] == min(areas, key=areas.get)
    assert (summary["generators"], summary["in_means"]) == (3, 3)


def test_a_generator_without_reals_has_no_figure_and_is_in_no_mean():
    found = mapped_reals(scores(), {"dalle": "coco", "guided": "imagenet"})
    row = found["per_generator"]["dalle"]
    assert (row["auc"], row["n_real"]) == (None, 0)
    assert "one class only" in row["unavailable"]["auc"]
    assert (found["summary"]["generators"], found["summary"]["in_means"]) == (3, 2)
    none = mapped_reals(scores(), dict.fromkeys(("dalle", "guided", "progan"), "coco"))
    assert none["summary"]["macro_auc"] is None
