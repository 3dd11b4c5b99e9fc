"""Experts that differ in their training seed alone, as one row."""

import numpy as np
import pytest
from simulated_answers import simulated

from fakeinstruct.expert.card import ExpertCard, save_card
from fakeinstruct.measure.run import measure
from fakeinstruct.measure.seeds import alike, seed_figures, seed_runs


def card(seed, base="small", **recipe):
    said = {"chains_sha256": "a", "shards_sha256": "b", "seed": seed, "steps": 100 + seed, "chosen_step": 90}
    return ExpertCard(
        base=base, trained_on={**said, "recipe": {"seed": seed, "base": base, "lr": 0.1, **recipe}}
    )


@pytest.fixture
def expert(tmp_path):
    """Write a card and give its folder."""

    def write(name, of):
        folder = tmp_path / name
        folder.mkdir()
        save_card(folder, of)
        return str(folder)

    return write


def test_only_the_seed_may_differ():
    assert alike(card(0), card(1))
    assert not alike(card(0), card(1, lr=0.2))
    assert not alike(card(0), card(1, base="other"))
    other = card(1)
    assert not alike(
        card(0), other.model_copy(update={"trained_on": other.trained_on | {"chains_sha256": "z"}})
    )


def test_bases_that_are_experts_may_differ_in_their_seeds_too(expert):
    first, second, third = (
        expert(name, of) for name, of in (("a", card(0)), ("b", card(1)), ("c", card(1, lr=0.2)))
    )
    assert alike(card(0, first), card(1, second))
    assert not alike(card(0, first), card(1, third))
    assert not alike(card(0, first), card(1, "nowhere"))


def test_runs_are_found_among_those_beside(answer_set, expert):
    sets = {}
    for name, of in {"one": card(1), "two": card(2), "else": card(3, lr=1), "again": card(0)}.items():
        sets[name] = answer_set(
            simulated(40), name + "-answers", expert=expert(name, of), expert_sha256=f"{len(sets):064}"
        )
    sets["table"] = answer_set(simulated(40), "table", expert="no folder", expert_sha256="9" * 64)
    own = answer_set(simulated(40), expert=expert("own", card(0)))
    assert seed_runs(own, sets) == {"expert": 0, "one": 1, "two": 2}
    assert seed_runs(own, {"else": sets["else"]}) == {}
    assert seed_runs(sets["table"], sets) == {}


def test_one_row_with_mean_and_spread(answer_set, expert, tmp_path):
    sets = [
        answer_set(
            simulated(200, seed),
            f"answers-{seed}",
            expert=expert(f"e{seed}", card(seed)),
            expert_sha256=f"{seed:064}",
        )
        for seed in range(3)
    ]
    figures = measure(sets[:1], tmp_path / "out", beside={"one": sets[1], "two": sets[2]})
    row = figures["seeds"]
    assert (row["n"], row["seeds"]) == (3, {"expert": 0, "one": 1, "two": 2})
    runs = [figures, figures["baselines"]["one"], figures["baselines"]["two"]]
    areas = [run["overall"]["test"]["auc"] for run in runs]
    found = row["figures"]["auc"]
    assert found["n"] == 3
    assert (found["mean"], found["sd"]) == pytest.approx((np.mean(areas), np.std(areas, ddof=1)), abs=2e-6)
    assert (found["min"], found["max"]) == (min(areas), max(areas))
    assert row["figures"]["nll, calibrated"]["sd"] > 0
    assert row["figures"]["auc, diffusion"]["n"] == 3
    # of 75 reals nobody has it
    assert row["figures"]["tpr_fpr_0_01"] is None
    assert row["unavailable"]["figures.tpr_fpr_0_01"] == "3 of 3 runs have no such figure"


def test_a_figure_that_one_run_lacks_has_no_mean(answer_set, tmp_path):
    runs = [measure([answer_set(simulated(80, n), f"a{n}")], tmp_path / f"{n}") for n in (0, 1)]
    runs[1]["overall"]["test"]["nll"] = None
    row = seed_figures({"x": runs[0], "y": runs[1]}, {"x": 0, "y": 1})
    assert row["figures"]["nll"] is None
    assert row["unavailable"]["figures.nll"] == "1 of 2 runs have no such figure"
    assert row["figures"]["brier"]["n"] == 2


def test_one_expert_alone_has_no_row(answer_set, tmp_path):
    assert measure([answer_set(simulated(80))], tmp_path / "out")["seeds"] == {}
