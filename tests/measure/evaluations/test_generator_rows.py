"""The table of generators: against own reals, and against all where a generator has none."""

from __future__ import annotations

import pytest

from fakeinstruct.measure.evaluations.own_reals import mapped_reals
from fakeinstruct.measure.evaluations.tables import generator_table
from fakeinstruct.measure.scores import Scores
from fakeinstruct.measure.slices import slices


def scores(cameras=("sd14",)):
    sources = [("sd14", True), ("genai", True), *((camera, False) for camera in cameras)]
    return Scores.of(
        {
            "chain": f"{source}-{fake}-{number}",
            "label": "fake" if fake else "real",
            "generator": source if fake else None,
            "camera_set": None if fake else source,
            "split": "test",
            "margin": float(fake) * 2 + (number * 37 % 11) / 4,
        }
        for source, fake in sources
        for number in range(30)
    )


def test_a_generator_without_own_reals_has_figures_against_all_and_its_row_says_so():
    per_generator = slices(scores(), 0)["per_generator"]
    own = {name: row["own_reals"] or {} for name, row in per_generator.items()}
    table = generator_table(own, per_generator)
    against = {row[0]: row[1:5] for row in table.rows}
    area = per_generator["genai"]["auc"]
    assert area is not None
    assert against["genai"] == ("all reals", 30, 30, area)
    assert against["sd14"][0] == "own reals"
    assert "against all where it has none, and then in no mean over own reals" in table.title


def test_the_same_of_a_mapping_to_a_camera_set_that_is_not_there():
    test = scores(("sd14", "laion"))
    mapped = mapped_reals(test, {"genai": "coco"})["per_generator"]
    table = generator_table(mapped, slices(test, 0)["per_generator"])
    assert {row[0]: row[1:4] for row in table.rows} == {
        "genai": ("all reals", 30, 60),
        "sd14": ("own reals", 30, 30),
    }


def test_nothing_is_said_of_all_reals_where_every_generator_has_its_own():
    per_generator = slices(scores(("sd14", "genai")), 0)["per_generator"]
    table = generator_table({name: row["own_reals"] for name, row in per_generator.items()}, per_generator)
    assert table.title == "test split, each generator against its own reals"
    assert {row[1] for row in table.rows} == {"own reals"}
    assert all(row[4] == pytest.approx(per_generator["sd14"]["own_reals"]["auc"]) for row in table.rows)
