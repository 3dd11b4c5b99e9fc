"""Drawings of the report: what is drawn, in which order, and that they turn dark with the page."""

import re

import numpy as np
from simulated_answers import verdict

from fakeinstruct.measure.report.plots_detector import generator_bars, margins
from fakeinstruct.measure.report.plots_spread import families, heat_map, robustness
from fakeinstruct.measure.scores import Scores


def test_conditions_of_a_kind_go_from_weak_to_strong():
    names = ["blur-2", "blur-0.5", "jpeg-50", "jpeg-90", "jpeg-100", "crop-2x2", "resize-0.25", "resize-0.5"]
    assert families(names) == {
        "blur": ["blur-0.5", "blur-2"],
        "crop-2x2": ["crop-2x2"],
        "jpeg": ["jpeg-100", "jpeg-90", "jpeg-50"],
        "resize": ["resize-0.5", "resize-0.25"],
    }


def test_a_curve_goes_on_where_a_figure_is_missing():
    row = {"auc": 0.9, "auc_low": 0.8, "auc_high": 0.95, "ece": 0.1, "calibrated": {"ece": None}}
    lost = {"auc": None, "auc_low": None, "auc_high": None, "ece": None, "calibrated": {"ece": None}}
    found = robustness(row, {"jpeg-50": lost, "noise-4": row})
    assert list(found) == ["jpeg", "noise"]
    assert "unfitted" in found["noise"]
    assert "calibrated" not in found["noise"]


def test_the_worst_generator_comes_first_and_is_named():
    rows = {name: {"auc": area, "auc_low": None, "auc_high": None} for name, area in (("b", 0.9), ("a", 0.4))}
    drawn = generator_bars({"expert": rows}, "a")
    assert drawn.index(">a (worst)<") < drawn.index(">b<")


def test_colours_are_the_page_s_own_but_in_a_heat_map_s_cells():
    drawn = margins(Scores.of([verdict(n, n % 2 == 0, float(n % 5) - 2) for n in range(40)]))
    colours = set(re.findall(r"#[0-9a-f]{6}", re.sub(r"var\([^)]*\)", "", drawn)))
    assert colours == set()
    assert "var(--plot-fake,#c2410c)" in drawn


def test_infinite_margins_are_drawn_in_the_outermost_bins():
    rows = [verdict(n, n % 2 == 0, margin) for n, margin in enumerate([np.inf, -np.inf, 1.0, -1.0])]
    assert "<svg" in margins(Scores.of(rows))
    assert "<svg" in margins(Scores.of(rows[:2]))


def test_cells_of_the_heat_map_show_their_figure_or_none():
    drawn = heat_map(["nothing", "gan"], ["gan", "vae"], [[0.02, None], [0.01, 0.5]])
    assert all(f">{value}<" in drawn for value in ("0.020", "–", "0.010", "0.500"))
