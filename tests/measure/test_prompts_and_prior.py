"""The spread over wordings, and what an expert answers to pictures that show nothing."""

import numpy as np
import pytest
from simulated_answers import simulated, verdict
from sklearn.metrics import roc_auc_score

from fakeinstruct.base.errors import UsageError
from fakeinstruct.measure.calibration import brier
from fakeinstruct.measure.prompts import MOST_PROMPTS
from fakeinstruct.measure.run import measure

NOTHING = {"prior/blank": 1.0, "prior/grey": 2.0, "prior/noise": -0.6}


def prior_rows(shift=0.0, **other):
    return [
        verdict(
            0, True, margin + shift, **{"kind": "prior", "item": name, "chain": None, "label": None} | other
        )
        for name, margin in NOTHING.items()
    ]


@pytest.fixture
def asked_thrice():
    """Three wordings: one trained on; one with noise of its own, trained on; one never trained on."""
    rows = simulated(160)
    rng = np.random.default_rng(1)
    noisy = [
        row | {"prompt": "Fake?", "margin": row["margin"] + float(rng.normal(0, 3)), "label_mass": 0.3}
        for row in rows
    ]
    never = [row | {"prompt": "Really?", "margin": float(rng.normal()), "trained": False} for row in rows]
    return [*rows, *noisy, *never]


def test_each_prompt_is_measured_alone(asked_thrice, answer_set, tmp_path):
    rows = [*asked_thrice, *prior_rows(), *prior_rows(shift=5, prompt="Fake?")]
    found = measure([answer_set(rows)], tmp_path / "out")
    table = found["prompts"]["per_prompt"]
    assert [row["prompt"] for row in table] == ["Is this image real or fake?", "Fake?", "Really?"]
    assert [row["trained"] for row in table] == [True, True, False]
    for row in table:
        own = [each for each in asked_thrice if each["prompt"] == row["prompt"] and each["split"] == "test"]
        area = roc_auc_score(
            [each["label"] == "fake" for each in own], np.float32([r["margin"] for r in own])
        )
        assert row["auc"] == pytest.approx(area, abs=1e-6)
        assert row["n"] == len(own)
        assert row["auc_low"] < row["auc"] < row["auc_high"]
        assert row["words"] == {"fake": ["fake"], "real": ["real"]}
    assert [row["label_mass"] for row in table] == pytest.approx([0.9, 0.3, 0.9])
    assert table[0]["prior"] == pytest.approx({"blank": 1.0, "grey": 2.0, "noise": -0.6})
    assert table[1]["prior"]["grey"] == pytest.approx(7.0)
    assert table[2]["prior"] == {}


def test_the_spread_sets_trained_prompts_against_the_others(asked_thrice, answer_set, tmp_path):
    found = measure([answer_set(asked_thrice)], tmp_path / "out")["prompts"]
    areas = [row["auc"] for row in found["per_prompt"]]
    spread = found["spread"]
    assert (spread["all"]["min"], spread["all"]["max"]) == (min(areas), max(areas))
    assert spread["all"]["sd"] == pytest.approx(np.std(areas, ddof=1), abs=1e-6)
    assert spread["trained"]["sd"] == pytest.approx(np.std(areas[:2], ddof=1), abs=1e-6)
    assert (spread["never_trained_on"]["prompts"], spread["never_trained_on"]["max"]) == (1, areas[2])
    assert spread["never_trained_on"]["unavailable"] == {"sd": "a spread needs two prompts"}
    page = (tmp_path / "out/report.html").read_text()
    assert "By prompt" in page
    assert page.count('aria-label="AUC by prompt"') == 1


def test_hundreds_of_wordings_have_no_table(answer_set, tmp_path):
    rows = [row | {"prompt": f"Is it {n % (MOST_PROMPTS + 1)}?"} for n, row in enumerate(simulated(120))]
    found = measure([answer_set(rows)], tmp_path / "out")
    assert found["prompts"] == {"prompts": MOST_PROMPTS + 1, "per_prompt": [], "spread": {}}
    assert found["overall"]["test"]["auc"]


def test_the_prior_is_in_no_figure_but_its_own(answer_set, tmp_path):
    rows = simulated(80)
    without = measure([answer_set(rows, "plain")], tmp_path / "plain")
    found = measure([answer_set(rows + prior_rows())], tmp_path / "out")
    assert found["overall"] == without["overall"]
    assert found["prior"]["mean_margin"] == pytest.approx(0.8)
    (row,) = found["prior"]["per_prompt"]
    assert row["probabilities"]["blank"] == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-6)
    assert without["prior"]["mean_margin"] is None
    assert without["prior"]["unavailable"]["mean_margin"] == "no picture that shows nothing was asked about"


def test_subtracting_the_prior_gives_figures_beside_the_plain_ones(answer_set, tmp_path):
    rows = simulated(160)
    again = [row | {"prompt": "Fake?", "margin": row["margin"] + 6} for row in rows]
    prior = [*prior_rows(), *prior_rows(shift=6, prompt="Fake?")]
    answers = answer_set(rows + again + prior)
    plain = measure([answers], tmp_path / "plain")
    found = measure([answers], tmp_path / "out", subtract_prior=True)
    assert plain["prior_subtracted"] == {}
    assert found["overall"] == plain["overall"]
    test = [row for row in rows if row["split"] == "test"]
    y, margin = [row["label"] == "fake" for row in test], np.float32([row["margin"] for row in test])
    beside = found["prior_subtracted"]["overall"]["test"]
    assert beside["brier"] == pytest.approx(brier(y, margin - 0.8), abs=1e-6)  # the offset of 6 is gone
    assert found["overall"]["test"]["brier"] == pytest.approx(brier(y, margin + 3), abs=1e-6)
    assert "expert, prior subtracted" in (tmp_path / "out/report.html").read_text()


def test_a_prompt_without_a_prior_has_none_to_subtract(answer_set, tmp_path):
    rows = simulated(40)
    again = [row | {"prompt": "Fake?"} for row in rows]
    with pytest.raises(UsageError, match="asked “Fake\\?”, so there is no prior to subtract"):
        measure([answer_set(rows + again + prior_rows())], tmp_path / "out", subtract_prior=True)
    assert not (tmp_path / "out").exists()
