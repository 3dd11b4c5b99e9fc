"""From answer sets to figures.json: keys, slices, what is withheld and why."""

import json
import math

import numpy as np
import pytest
from simulated_answers import simulated, verdict
from sklearn.metrics import roc_auc_score

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.expert.card import Readout
from fakeinstruct.measure.calibration import fit_scale_bias, nll
from fakeinstruct.measure.run import measure

KEYS = {
    *("n", "auc", "auc_low", "auc_high", "average_precision", "accuracy_half"),
    *("accuracy_validation_threshold", "brier", "nll", "ece", "calibrated"),
}


def test_every_published_key_is_there_and_the_file_says_what_is_returned(answer_set, tmp_path):
    figures = measure([answer_set(simulated())], tmp_path / "out")
    test = figures["overall"]["test"]
    assert test.keys() >= KEYS
    assert test["calibrated"].keys() >= {"brier", "nll", "ece"}
    assert figures.keys() >= {"overall", "per_generator", "baselines", "provenance", "choices", "per_group"}
    assert test["unavailable"] == {}
    assert test["auc_low"] < test["auc"] < test["auc_high"]
    assert json.loads((tmp_path / "out/figures.json").read_bytes()) == figures


def test_figures_are_those_of_the_rows(answer_set, tmp_path):
    rows = simulated()
    test = [row for row in rows if row["split"] == "test"]
    validation = [row for row in rows if row["split"] == "validation"]
    y, margin = [row["label"] == "fake" for row in test], np.float32([row["margin"] for row in test])
    fitted = fit_scale_bias(
        [r["label"] == "fake" for r in validation], np.float32([r["margin"] for r in validation])
    )
    found = measure([answer_set(rows)], tmp_path / "out")["overall"]["test"]
    assert (found["n"], found["n_fake"], found["n_real"]) == (len(test), sum(y), len(y) - sum(y))
    assert found["auc"] == pytest.approx(roc_auc_score(y, margin), abs=1e-6)
    assert found["nll"] == pytest.approx(nll(y, margin), abs=1e-6)
    assert found["calibrated"]["nll"] == pytest.approx(nll(y, margin, *fitted), abs=1e-6)
    assert found["accuracy_half"] == pytest.approx(np.mean((margin > 0) == y), abs=1e-6)
    assert found["label_mass"] == {"mean": pytest.approx(0.9), "floor": 0.5, "share_under_floor": 0}


def test_same_answers_give_the_same_bytes_in_any_order(answer_set, tmp_path):
    rows = simulated(120)
    measure([answer_set(rows)], tmp_path / "a")
    measure([answer_set(rows, "again")], tmp_path / "b")
    measure([answer_set(rows[:70], "first"), answer_set(rows[70:], "second")], tmp_path / "c")
    for name in ("figures.json", "report.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    a, c = (json.loads((tmp_path / name / "figures.json").read_bytes()) for name in "ac")
    assert a["overall"] == c["overall"]


def test_without_validation_answers_nothing_is_fitted_and_the_reason_stands(answer_set, tmp_path):
    rows = [row for row in simulated() if row["split"] == "test"]
    test = measure([answer_set(rows)], tmp_path / "out")["overall"]["test"]
    assert test["accuracy_validation_threshold"] is None
    assert test["calibrated"] == dict.fromkeys(("brier", "nll", "ece", "ece_band"))
    assert test["unavailable"]["calibrated.brier"] == "no validation images to fit on"
    assert test["brier"] is not None


def test_an_earlier_calibration_is_used_where_there_are_no_validation_answers(answer_set, tmp_path):
    rows = [row for row in simulated() if row["split"] == "test"]
    stored = Readout(name="v", prompt="Is it?", fake=("fake",), real=("real",), scale=0.5, bias=0.1)
    figures = measure([answer_set(rows, readouts=(stored,))], tmp_path / "out")
    assert figures["provenance"]["fit"]["source"] == "expert.json"
    assert figures["overall"]["test"]["calibrated"]["nll"] != figures["overall"]["test"]["nll"]
    assert figures["overall"]["test"]["accuracy_validation_threshold"] is None


def test_the_validation_split_is_not_judged_by_what_was_fitted_on_it(answer_set, tmp_path):
    row = measure([answer_set(simulated())], tmp_path / "out")["overall"]["validation"]
    assert row["auc"] is not None
    assert row["calibrated"]["nll"] is None
    assert row["unavailable"]["calibrated.nll"] == "fitted on this very split"


def test_one_class_only_has_accuracy_and_no_area(answer_set, tmp_path):
    rows = [verdict(index, True, 1.0 + index) for index in range(20)]
    figures = measure([answer_set(rows)], tmp_path / "out")
    test = figures["overall"]["test"]
    assert test["auc"] is test["auc_low"] is test["average_precision"] is None
    assert test["unavailable"]["auc"] == "one class only: 20 fakes and 0 reals"
    assert test["accuracy_half"] == 1
    assert figures["per_generator"]["diffusion"]["auc"] is None
    assert figures["generators"]["unavailable"]["macro_auc"] == "no generator has an AUC"


def test_three_images_have_no_calibration_error(answer_set, tmp_path):
    rows = [verdict(0, True, 1.0), verdict(1, False, -1.0), verdict(2, False, 2.0)]
    test = measure([answer_set(rows)], tmp_path / "out")["overall"]["test"]
    assert test["auc"] == 0.5
    assert test["ece"] is None
    assert test["unavailable"]["ece"] == "3 images are fewer than 15 bins"
    assert test["brier"] is not None


def test_answers_without_a_figure_are_counted_with_their_reasons(answer_set, tmp_path):
    rows = simulated(40)
    rows[0] |= {"error": "image file is missing", "margin": None}
    rows[1] |= {"margin": math.nan}
    rows[4] |= {"label": None}
    figures = measure([answer_set(rows)], tmp_path / "out")
    test = figures["overall"]["test"]
    reasons = {"image file is missing": 1, "no finite margin": 1, "no label": 1}
    assert test["skipped"] == {"n": 3, "reasons": reasons}
    assert test["n"] == sum(row["split"] == "test" for row in rows) - 3
    assert "3 test answers have no figure" in (tmp_path / "out/report.html").read_text()


def test_a_set_of_errors_alone_gives_a_report_without_figures(answer_set, tmp_path):
    rows = [verdict(index, True, None, error="out of memory") for index in range(4)]
    test = measure([answer_set(rows)], tmp_path / "out")["overall"]["test"]
    assert test["n"] == 0
    assert test["skipped"]["n"] == 4
    assert all(test[name] is None for name in KEYS - {"n", "calibrated"})
    assert set(test["unavailable"]) >= KEYS - {"n", "calibrated"}
    assert "The surest mistakes" not in (tmp_path / "out/report.html").read_text()


def test_extreme_margins_stay_finite_and_are_in_a_bin(answer_set, tmp_path):
    rows = [
        verdict(index, index % 2 == 0, (-1) ** index * 3e4 * (-1 if index < 2 else 1)) for index in range(40)
    ]
    test = measure([answer_set(rows)], tmp_path / "out")["overall"]["test"]
    assert test["ece"] == pytest.approx(2 / 40)  # two sure mistakes
    assert test["nll"] == pytest.approx(2 / 40 * 3e4)
    assert test["ties"]["distinct_margins"] == 2


def test_each_generator_stands_against_the_same_reals(answer_set, tmp_path):
    rng = np.random.default_rng(0)
    rows = [verdict(i, False, float(rng.normal())) for i in range(30)]
    rows += [verdict(100 + i, True, float(rng.normal() + 3), generator="easy") for i in range(20)]
    rows += [
        verdict(200 + i, True, float(rng.normal()), generator="hard", manipulation="edited")
        for i in range(10)
    ]
    rows += [verdict(300, True, 1.0, generator=None)]
    figures = measure([answer_set(rows)], tmp_path / "out")
    reals = [row["margin"] for row in rows[:30]]
    for name, part in (("easy", rows[30:50]), ("hard", rows[50:60])):
        row = figures["per_generator"][name]
        fakes = [each["margin"] for each in part]
        assert (row["n_fake"], row["n_real"]) == (len(part), 30)
        truth = [True] * len(fakes) + [False] * 30
        assert row["auc"] == pytest.approx(roc_auc_score(truth, np.float32(fakes + reals)), abs=1e-6)
    areas = [row["auc"] for row in figures["per_generator"].values()]
    assert figures["generators"]["macro_auc"] == pytest.approx(np.mean(areas), abs=1e-6)
    assert figures["generators"]["worst"] == "hard"
    assert figures["per_generator"]["unnamed"]["n_fake"] == 1
    assert figures["per_manipulation"]["edited"]["auc"] == figures["per_generator"]["hard"]["auc"]


def photographs(names, per=12):
    rng = np.random.default_rng(1)
    rows = []
    for name in names:
        for index in range(per):
            kind = ("none", "generated", "processed", "edited")[index % 4]
            fake = kind in ("generated", "edited")
            margin = float(rng.normal() + {"generated": 2, "edited": 0.3}.get(kind, 0))
            rows.append(verdict(f"{name}-{index}", fake, margin, group=name, manipulation=kind))
    return rows


def test_a_handful_of_photographs_has_rows_and_no_interval(answer_set, tmp_path):
    rows = photographs(["cat", "cup"])
    figures = measure([answer_set(rows)], tmp_path / "out")
    test = figures["overall"]["test"]
    assert test["auc"] is not None
    assert test["auc_low"] is None
    assert test["unavailable"]["auc_low"].startswith("only 2 photographs: 24 images come from 2")
    own = [row for row in rows if row["group"] == "cat"]
    part = [row for row in own if row["manipulation"] == "edited" or row["label"] == "real"]
    area = roc_auc_score([r["label"] == "fake" for r in part], [r["margin"] for r in part])
    assert figures["per_group"]["cat"]["edited"]["auc"] == pytest.approx(area, abs=1e-6)
    assert figures["per_group"]["cat"]["all"]["n_fake"] == 6
    for kind in ("all", "generated", "edited"):
        mean = np.mean([figures["per_group"][name][kind]["auc"] for name in ("cat", "cup")])
        assert figures["mean_per_group"][kind] == pytest.approx(mean, abs=1e-6)


def test_many_photographs_have_an_interval_and_no_rows(answer_set, tmp_path):
    figures = measure([answer_set(photographs([f"photo {n}" for n in range(25)]))], tmp_path / "out")
    assert figures["overall"]["test"]["auc_low"] is not None
    assert figures["per_group"] == {}
    assert figures["mean_per_group"]["generated"] is None
    assert "generated" in figures["mean_per_group"]["unavailable"]


def test_several_prompts_of_an_image_are_one_score(answer_set, tmp_path):
    rows = simulated(60)
    again = [row | {"prompt": "Fake?", "margin": row["margin"] + 1} for row in rows]
    one = measure([answer_set(rows)], tmp_path / "one")
    two = measure([answer_set(rows + again, "both")], tmp_path / "two")
    assert two["overall"]["test"]["n"] == one["overall"]["test"]["n"]
    assert two["overall"]["test"]["auc"] == one["overall"]["test"]["auc"]
    assert (
        two["overall"]["test"]["nll"] != one["overall"]["test"]["nll"]
    )  # the mean margin is half a nat higher
    assert two["provenance"]["prompts"] == {"Fake?": 60, "Is this image real or fake?": 60}


def test_processed_copies_have_rows_of_their_own(answer_set, tmp_path):
    rows = simulated(100)
    worse = [row | {"condition": "jpeg-50", "margin": row["margin"] / 10 + 1} for row in rows]
    figures = measure([answer_set(rows + worse)], tmp_path / "out")
    assert figures["overall"] == measure([answer_set(rows, "clean")], tmp_path / "clean")["overall"]
    assert figures["per_condition"]["jpeg-50"]["accuracy_half"] < figures["overall"]["test"]["accuracy_half"]
    assert "After processing" in (tmp_path / "out/report.html").read_text()


def test_answers_without_a_split_count_as_test_and_that_is_said(answer_set, tmp_path):
    figures = measure([answer_set([row | {"split": None} for row in simulated(40)])], tmp_path / "out")
    assert figures["overall"]["test"]["n"] == 40
    assert figures["provenance"]["without_split"] == 40


def test_choices_are_of_the_test_split(answer_set, tmp_path):
    question = {"kind": "choice", "template": "where", "words": list("ABCD"), "target": "A", "split": "test"}
    rows = [question | {"item": f"q{n}", "choice": "AB"[n % 2]} for n in range(10)]
    rows += [
        question | {"item": "v", "choice": "A", "split": "validation"},
        question | {"item": "e", "error": "x"},
    ]
    choices = measure([answer_set(simulated(40) + rows)], tmp_path / "out")["choices"]
    assert (choices["n"], choices["accuracy"], choices["chance"]) == (10, 0.5, 0.25)
    assert choices["skipped"] == {"n": 1, "reasons": {"x": 1}}


def test_what_is_not_one_experts_complete_answers_is_refused(answer_set, tmp_path):
    rows = simulated(20)
    whole = answer_set(rows)
    with pytest.raises(FakeInstructError, match="answered twice in the same way"):
        measure([whole, whole], tmp_path / "out")
    with pytest.raises(FakeInstructError, match="another expert"):
        measure([whole, answer_set(rows, "other", expert_sha256="ef" * 32)], tmp_path / "out")
    with pytest.raises(FakeInstructError, match="is not complete"):
        measure([answer_set(rows, "part", complete=False)], tmp_path / "out")
    with pytest.raises(FakeInstructError, match="trained on a chain set"):
        measure([whole], tmp_path / "out", baselines=["cnn"])
    assert not (tmp_path / "out").exists()
