"""Whether the verdict rests on what is cited: paired drops and their interval."""

import numpy as np
import pytest
from simulated_answers import simulated, verdict

from fakeinstruct.measure.figure import UnavailableError
from fakeinstruct.measure.interventions import cluster_interval
from fakeinstruct.measure.run import measure


def changed(index, kind, cited, random, *, trace="t1", attribute="shadows", margin=4.0, **other):
    """Answers about one image changed at one trace: the drop where it is cited, and at random places."""
    facts = {"trace": trace, "attribute": attribute} | other
    rows = [verdict(index, True, margin - cited, condition=kind, look=1, **facts)]
    rows += [
        verdict(index, True, margin - drop, condition=f"random-{kind}", look=look, **facts)
        for look, drop in enumerate(random, start=1)
    ]
    return rows


def test_drops_are_paired_by_trace(answer_set, tmp_path):
    rows = [verdict(index, True, 4.0) for index in range(6)] + [verdict(9, False, -1.0)]
    for index in range(6):
        rows += changed(index, "repair", 1.0 + index, [0.5, 1.5])
        rows += changed(index, "mask", 2.0, [2.0], trace="t2", attribute="edges")
    rows += changed(0, "repair", 8.0, [0.0], trace="t3", attribute="edges")
    found = measure([answer_set(rows)], tmp_path / "out")["interventions"]
    repair = found["repair"]
    assert (repair["n"], repair["n_groups"], repair["incomplete"]) == (7, 6, 0)
    assert repair["cited"] == pytest.approx((1 + 2 + 3 + 4 + 5 + 6 + 8) / 7, abs=1e-6)
    assert repair["random"] == pytest.approx(6 / 7, abs=1e-6)
    assert repair["difference"] == pytest.approx(repair["cited"] - repair["random"], abs=1e-6)
    assert repair["low"] < repair["difference"] < repair["high"]
    assert repair["per_attribute"]["edges"]["difference"] == pytest.approx(8.0)
    assert repair["per_attribute"]["shadows"]["n"] == 6
    assert found["mask"]["difference"] == found["mask"]["low"] == found["mask"]["high"] == 0
    assert "Does the verdict rest on what is cited?" in (tmp_path / "out/report.html").read_text()


def test_each_prompt_is_compared_with_its_own_clean_margin(answer_set, tmp_path):
    rows = []
    for prompt, offset in (("a", 0.0), ("b", 100.0)):
        rows.append(verdict(0, True, 4.0 + offset, prompt=prompt))
        rows += changed(0, "mask", 3.0, [1.0], margin=4.0 + offset, prompt=prompt)
    found = measure([answer_set(rows)], tmp_path / "out")["interventions"]["mask"]
    assert (found["n"], found["cited"], found["random"]) == (1, 3.0, 1.0)


def test_traces_without_a_control_or_a_clean_answer_are_counted_and_left_out(answer_set, tmp_path):
    rows = [verdict(0, True, 4.0), *changed(0, "mask", 3.0, []), *changed(1, "mask", 3.0, [1.0])]
    rows += [row | {"split": "validation"} for row in changed(2, "mask", 3.0, [1.0])]
    found = measure([answer_set(rows)], tmp_path / "out")["interventions"]["mask"]
    assert (found["n"], found["incomplete"], found["difference"]) == (0, 2, None)
    assert sorted(found["incomplete_reasons"].values()) == [1, 1]
    assert "no clean answer" in found["incomplete_reasons"]
    assert "no trace has a clean answer" in found["unavailable"]["difference"]


def test_of_few_sources_there_is_no_interval(answer_set, tmp_path):
    rows = [verdict(index, True, 4.0, group="cat") for index in range(8)]
    for index in range(8):
        rows += changed(index, "mask", float(index), [1.0], group="cat")
    found = measure([answer_set(rows)], tmp_path / "out")["interventions"]["mask"]
    assert found["low"] is None
    assert found["unavailable"]["low"] == "only 1 source to draw from"


def test_nothing_changed_nothing_said(answer_set, tmp_path):
    assert measure([answer_set(simulated(40))], tmp_path / "out")["interventions"] == {}


def test_the_interval_draws_whole_groups():
    """Values equal within a group: as wide as that of the groups' means, and not of all values."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=40)
    groups = np.repeat(np.arange(40), 25).astype(object)
    low, high = cluster_interval(np.repeat(means, 25), groups, seed=1)
    expected = 2 * 1.96 * means.std(ddof=1) / np.sqrt(40)
    assert high - low == pytest.approx(expected, rel=0.15)
    assert (low, high) == cluster_interval(np.repeat(means, 25), groups, seed=1)
    with pytest.raises(UnavailableError, match="only 4 sources"):
        cluster_interval(means[:4], np.arange(4).astype(object), seed=1)
