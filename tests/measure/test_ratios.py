"""Means and shares with intervals that draw groups, against drawing them one by one."""

import numpy as np
import pytest

from fakeinstruct.measure.figure import Row
from fakeinstruct.measure.ratios import Ratio, give_ratios, mean_of


def given(groups, **ratios):
    row = Row()
    give_ratios(row, ratios, groups, 0)
    return row.json()


def test_a_mean_leaves_out_what_has_no_value():
    found = given(range(8), mean=mean_of([1, 0, np.nan, 1, 1, 0, 1, 0], "none"))
    assert found["mean"] == pytest.approx(4 / 7, abs=1e-6)
    assert found["mean_low"] < 4 / 7 < found["mean_high"]


def test_the_interval_is_that_of_whole_groups_drawn_one_by_one():
    rng = np.random.default_rng(1)
    groups = rng.integers(30, size=200)
    bottom = rng.integers(0, 4, size=200).astype(float)
    top = np.minimum(bottom, rng.integers(0, 4, size=200) * (groups % 2))
    found = given(groups, share=Ratio(top, bottom, "none"))
    drawn = []
    for _ in range(4000):
        chosen = np.concatenate([np.flatnonzero(groups == g) for g in rng.choice(np.unique(groups), 30)])
        drawn.append(top[chosen].sum() / bottom[chosen].sum())
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert (found["share_low"], found["share_high"]) == (
        pytest.approx(low, abs=0.02),
        pytest.approx(high, abs=0.02),
    )


def test_what_cannot_be_given_is_absent_with_its_reason():
    some = mean_of([1, 0, 1], "none")
    found = given(list("abc"), nothing=mean_of([np.nan] * 3, "no text"), few=some)
    assert (found["nothing"], found["nothing_low"], found["few_low"]) == (None, None, None)
    assert found["unavailable"]["nothing"] == found["unavailable"]["nothing_low"] == "no text"
    assert found["unavailable"]["few_low"] == "only 3 sources to draw from"
    assert given([], mean=mean_of([], "no text"))["unavailable"]["mean"] == "no text"
    same = given(range(10), mean=mean_of(np.ones(10), "none"))
    assert (same["mean"], same["mean_low"]) == (1, None)


def test_groups_in_which_nothing_counts_are_no_sources():
    values = [1, 0, 1, np.nan, np.nan, np.nan, np.nan]
    assert (
        given(range(7), mean=mean_of(values, "none"))["unavailable"]["mean_low"]
        == "only 3 sources to draw from"
    )
