"""From answer sets to figures.json: keys, slices, what is withheld and why."""

import json
import math

import numpy as np
import pytest
from simulated_answers import simulated, verdict
from sklearn.metrics import roc_auc_score

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.expert.card import Readout
from fakeinstruct.measure.calibration import fit_scale_bias, nll
from fakeinstruct.measure.figure import Row
from fakeinstruct.measure.figures import detector_figures, label_mass
from fakeinstruct.measure.fitting import Fit
from fakeinstruct.measure.run import measure
from fakeinstruct.measure.scores import Scores

KEYS = {
    *("n", "auc", "auc_low", "auc_high", "average_precision", "accuracy_half"),
    *("accuracy_validation_threshold", "brier", "nll", "ece", "calibrated"),
}


def readout(**other):
    """The readout that simulated answers were asked with."""
    known = {
        "name": "one_word",
        "prompt": "Is this image real or fake?",
        "fake": ("fake",),
        "real": ("real",),
    }
    return Readout(**(known | other))


def truth_and_margin(rows):
    return [row["label"] == "fake" for row in rows], np.float32([row["margin"] for row in rows])


def test_every_published_key_is_there_and_the_file_says_what_is_returned(answer_set, tmp_path):
    figures = measure([answer_set(simulated())], tmp_path / "out")
    test = figures["overall"]["test"]
    assert test.keys() >= KEYS
    assert test["calibrated"].keys() >= {"brier", "nll", "ece"}
    assert figures.keys() >= {"overall", "per_generator", "baselines", "provenance", "choices", "per_group"}
    assert test["unavailable"].keys() == {"tpr_fpr_0_01", "tpr_fpr_0_001"}  # of 75 reals
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
    assert {value for name, value in test["calibrated"].items() if name != "intervals"} == {None}
    assert test["calibrated"].keys() >= {"brier", "nll", "ece", "ece_band", "smooth_ece", "intervals"}
    assert set(test["calibrated"]["intervals"].values()) == {None}
    assert test["unavailable"]["calibrated.brier"] == "no validation images to fit on"
    assert test["brier"] is not None


def test_an_earlier_calibration_is_used_where_there_are_no_validation_answers(answer_set, tmp_path):
    rows = [row for row in simulated() if row["split"] == "test"]
    stored = readout(scale=0.5, bias=0.1, fitted_on="90 validation images of other chains")
    figures = measure([answer_set(rows, readouts=(stored,))], tmp_path / "out")
    assert figures["provenance"]["fit"]["source"] == "expert.json"
    assert figures["provenance"]["fit"]["fitted_on"] == "90 validation images of other chains"
    assert figures["overall"]["test"]["calibrated"]["nll"] != figures["overall"]["test"]["nll"]
    assert figures["overall"]["test"]["accuracy_validation_threshold"] is None
    y, margin = truth_and_margin(rows)
    expected = nll(y, margin, 0.5, 0.1)
    assert figures["overall"]["test"]["calibrated"]["nll"] == pytest.approx(expected, abs=1e-6)


def test_validation_answers_come_before_an_earlier_calibration(answer_set, tmp_path):
    stored = readout(scale=9.0, bias=9.0, fitted_items=("image-0",))
    figures = measure([answer_set(simulated(), readouts=(stored,))], tmp_path / "out")
    assert figures["provenance"]["fit"]["source"] == "validation split of the answers"
    assert figures["provenance"]["fit"]["scale"] < 2
    assert figures["provenance"]["left_out"] == 0


def test_an_earlier_calibration_of_another_prompt_or_position_is_not_used(answer_set, tmp_path):
    rows = [row for row in simulated(80) if row["split"] == "test"]
    for number, other in enumerate(
        (
            {"prompt": "Is it?"},
            {"name": "other"},
            {"position": "scan"},
            {"bias": None},
        )
    ):
        stored = readout(**{"scale": 0.5, "bias": 0.1} | other)
        figures = measure([answer_set(rows, f"a{number}", readouts=(stored,))], tmp_path / "out")
        assert figures["provenance"]["fit"]["source"] is None
        assert figures["overall"]["test"]["calibrated"]["nll"] is None


def test_an_earlier_calibration_is_not_used_for_margins_aggregated_otherwise(answer_set, tmp_path):
    rows = [row for row in simulated(80) if row["split"] == "test"]
    answers = answer_set(rows, readouts=(readout(scale=0.5, bias=0.1),))
    fit = measure([answers], tmp_path / "out", aggregation="mean")["provenance"]["fit"]
    assert fit["source"] is None
    assert fit["reason"].endswith("are of margins aggregated by logsumexp, these are by mean")


def test_images_that_a_bias_was_fitted_on_are_left_out_where_it_is_used(answer_set, tmp_path):
    rows = [row for row in simulated() if row["split"] == "test"]
    spent = tuple(row["chain"] for row in rows[:24])
    stored = readout(scale=1.0, bias=0.3, fitted_items=spent)
    figures = measure([answer_set(rows, readouts=(stored,))], tmp_path / "out")
    alone = measure([answer_set(rows[24:], "rest")], tmp_path / "rest")
    assert figures["provenance"]["left_out"] == 24
    for name in ("n", "auc", "nll"):
        assert figures["overall"]["test"][name] == alone["overall"]["test"][name]
    assert figures["prompts"]["per_prompt"][0]["n"] == len(rows) - 24
    assert "24 test images are left out" in (tmp_path / "out/report.html").read_text()


def test_stored_calibrations_of_several_prompts_are_applied_to_each_and_then_joined(answer_set, tmp_path):
    rows = [row for row in simulated(80) if row["split"] == "test"]
    again = [row | {"prompt": "Fake?", "margin": row["margin"] * 3 + 1} for row in rows]
    stored = (readout(scale=0.5, bias=0.1), readout(prompt="Fake?", scale=0.25, bias=-0.7))
    figures = measure([answer_set(rows + again, readouts=stored)], tmp_path / "out")
    y, first = truth_and_margin(rows)
    second = np.float32(truth_and_margin(again)[1])
    joined = ((0.5 * first.astype(float) + 0.1) + (0.25 * second.astype(float) - 0.7)) / 2
    assert figures["overall"]["test"]["calibrated"]["nll"] == pytest.approx(nll(y, joined), abs=1e-6)
    assert [each["scale"] for each in figures["provenance"]["fit"]["per_prompt"]] == [0.5, 0.25]
    assert "scale and bias of each prompt" in (tmp_path / "out/report.html").read_text()


def test_the_chance_in_the_images_that_were_fitted_on_is_said(answer_set, tmp_path):
    figures = measure([answer_set(simulated())], tmp_path / "out")
    after, fit = figures["overall"]["test"]["calibrated"], figures["provenance"]["fit"]
    assert (
        after["ece_fitted_band"]["percentile_95"] > after["ece_band"]["perfectly_calibrated"]["percentile_95"]
    )
    assert 0 < fit["scale_standard_error"] < fit["scale"]
    assert fit["bias_standard_error"] > 0
    assert "and a fitted one" in (tmp_path / "out/figures.md").read_text()
    stored = (readout(scale=0.5, bias=0.1),)
    rows = [row for row in simulated() if row["split"] == "test"]
    without = measure([answer_set(rows, "stored", readouts=stored)], tmp_path / "stored")["overall"]["test"]
    assert without["calibrated"]["ece_fitted_band"] is None
    assert without["unavailable"]["calibrated.ece_fitted_band"] == "how far scale and bias err is not stored"


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
    assert test["skipped"] == {"n": 3, "images": 3, "reasons": reasons}
    assert test["n"] == sum(row["split"] == "test" for row in rows) - 3
    assert "3 test answers, about 3 images, have no figure" in (tmp_path / "out/report.html").read_text()


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


def test_every_rank_is_that_of_margins_which_probabilities_would_tie():
    """In float32 the probability of all these is exactly 1, in half precision of nearly all."""
    rows = [verdict(i, i % 2 == 0, 20.0 + (i % 2 == 0) * 40 + i / 4) for i in range(80)]
    rows[0] |= {"margin": 20.25, "generator": "other"}  # the lowest of all, level with one real
    figures = detector_figures(Scores.of(rows), Fit(), 0)
    test = figures["overall"]["test"]
    assert test["ties"] == {"distinct_margins": 79, "tied_pair_share": round(1 / 1600, 6)}
    assert test["auc"] == round(1 - 39.5 / 1600, 6)
    assert test["average_precision"] == pytest.approx((39 + 40 / 80) / 40, abs=1e-6)
    assert test["eer"] == pytest.approx(1 / 40)
    assert test["accuracy_oracle_threshold"] == pytest.approx(79 / 80)
    assert test["intervals"]["auc"][1] > test["auc"] > test["intervals"]["auc"][0] > 0.9
    assert figures["per_generator"]["diffusion"]["eer"] == 0
    assert figures["per_generator"]["other"]["auc"] == pytest.approx(0.5 / 40)


def test_answers_under_the_floor_of_the_label_mass_are_counted():
    rows = [verdict(i, i % 2 == 0, float(i), label_mass=mass) for i, mass in enumerate([0.9, 0.5, 0.4, 0.1])]
    found = label_mass(Scores.of([*rows, verdict(4, True, 1.0, label_mass=None)]))
    assert found == {"mean": pytest.approx(0.475), "floor": 0.5, "share_under_floor": 0.5}


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [1.0, np.float64("nan")]}])
def test_what_is_no_number_is_never_a_figure(value):
    with pytest.raises(ValueError, match="is not a figure"):
        Row().give(("auc",), lambda: value)


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


def test_each_generator_stands_against_its_own_reals_where_these_name_it(answer_set, tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for name, height in (("easy", 3), ("hard", 0.5)):
        rows += [
            verdict(f"{name}-f{i}", True, float(rng.normal() + height), generator=name) for i in range(40)
        ]
        rows += [
            verdict(f"{name}-r{i}", False, float(rng.normal() + height / 2), camera_set=name)
            for i in range(30)
        ]
    figures = measure([answer_set(rows)], tmp_path / "out")
    own = [row for row in rows if "easy" in (row["generator"], row.get("camera_set"))]
    found = figures["per_generator"]["easy"]
    assert found["reals"].startswith("all real images")
    assert (found["n_real"], found["own_reals"]["n_real"]) == (60, 30)
    assert found["own_reals"]["auc"] == pytest.approx(roc_auc_score(*truth_and_margin(own)), abs=1e-6)
    assert found["own_reals"]["intervals"]["auc"][0] < found["own_reals"]["auc"]
    areas = [row["own_reals"]["auc"] for row in figures["per_generator"].values()]
    summary = figures["generators"]
    assert summary["own_reals"]["macro_auc"] == pytest.approx(np.mean(areas), abs=1e-6)
    assert (summary["worst"], summary["own_reals"]["worst"]) == ("hard", "hard")
    low, high = summary["intervals"]["macro_auc"]
    assert low < summary["macro_auc"] < high
    assert set(figures["transfer"]["fitted_on"]) == {"nothing", "easy", "hard"}


def test_without_reals_of_its_own_a_generator_says_so(answer_set, tmp_path):
    figures = measure([answer_set(simulated(80))], tmp_path / "out")
    row = figures["per_generator"]["diffusion"]
    assert row["own_reals"] is None
    assert row["unavailable"]["own_reals"] == "no real image has the generator's name as its camera_set"
    assert (
        figures["generators"]["unavailable"]["own_reals"] == "0 of 1 generators have real images of their own"
    )


def test_a_generator_of_few_images_has_figures_and_no_interval(answer_set, tmp_path):
    rows = simulated(200) + [verdict(f"rare-{i}", True, 1.0 + i, generator="rare") for i in range(5)]
    figures = measure([answer_set(rows)], tmp_path / "out")
    row = figures["per_generator"]["rare"]
    assert row["auc"] is not None
    assert row["intervals"]["auc"] is None
    reason = "only 5 sources of fakes to draw from, an interval needs 20"
    assert row["unavailable"]["intervals.auc"] == reason
    assert figures["generators"]["unavailable"]["intervals.macro_auc"] == f"rare: {reason}"
    assert figures["per_generator"]["diffusion"]["intervals"]["auc"] is not None


def test_the_oracle_threshold_is_called_so_and_is_never_worse(answer_set, tmp_path):
    test = measure([answer_set(simulated())], tmp_path / "out")["overall"]["test"]
    assert test["accuracy_oracle_threshold"] >= max(
        test["accuracy_half"], test["accuracy_validation_threshold"]
    )


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
    text = (tmp_path / "out/report.html").read_text()
    part = text[text.index("After processing") :]
    assert part.index('row">clean<') < part.index('row">jpeg-50<')


def test_choices_about_processed_images_are_not_counted_twice(answer_set, tmp_path):
    question = {"kind": "choice", "template": "where", "words": list("AB"), "target": "A", "split": "test"}
    rows = [
        question | {"item": "q", "choice": "A"},
        question | {"item": "q", "choice": "B", "condition": "blur-1"},
    ]
    assert measure([answer_set(simulated(40) + rows)], tmp_path / "out")["choices"]["n"] == 1


def test_changed_images_are_in_no_figure_of_detection(answer_set, tmp_path):
    rows = simulated(80)
    changed = [
        row | {"condition": name, "trace": "t", "margin": 9.0, "look": 1}
        for row in rows
        for name in ("repair", "random-mask")
    ]
    with_them = measure([answer_set(rows + changed)], tmp_path / "out")
    without = measure([answer_set(rows, "clean")], tmp_path / "clean")
    for name in ("overall", "per_condition", "prompts", "per_generator"):
        assert with_them[name] == without[name]


def test_a_text_without_a_verdict_is_counted_as_wrong(answer_set, tmp_path):
    rows = simulated(80, position="scan", text="It is fake.", verdict="fake")
    rows[0] |= {"text": "A cat.", "verdict": None, "margin": None, "error": "wrote no verdict: 'A cat.'"}
    rows[1] |= {"text": "A dog.", "verdict": None, "margin": None, "error": "wrote no verdict: 'A dog.'"}
    again = rows[1] | {"prompt": "Fake?", "text": "fake", "verdict": "fake", "margin": 1.0, "error": None}
    test = measure([answer_set([*rows, again])], tmp_path / "out")["overall"]["test"]
    assert test["skipped"]["reasons"] == {"wrote no verdict": 2}
    assert test["no_verdict"]["n"] == 1  # the other image has a score by its other prompt
    right = test["accuracy_half"] * test["n"]
    assert test["no_verdict"]["accuracy_half"] == pytest.approx(right / (test["n"] + 1), abs=1e-5)


def test_a_text_without_a_verdict_is_wrong_under_its_condition(answer_set, tmp_path):
    rows = simulated(80, position="scan", text="It is fake.", verdict="fake")
    rows = [row for row in rows if row["split"] == "test"]
    blurred = [row | {"condition": "blur-1"} for row in rows]
    for row in blurred[:20]:
        row |= {"text": "A cat.", "verdict": None, "margin": None, "error": "wrote no verdict: 'A cat.'"}
    figures = measure([answer_set(rows + blurred)], tmp_path / "out")
    row = figures["per_condition"]["blur-1"]
    assert row["n"] == len(rows) - 20
    assert row["no_verdict"]["n"] == 20
    right = row["accuracy_half"] * row["n"]
    assert row["no_verdict"]["accuracy_half"] == pytest.approx(right / len(rows), abs=1e-5)
    assert figures["overall"]["test"]["no_verdict"]["n"] == 0
    assert (
        "blur-1: of 20 images the expert wrote a text without" in (tmp_path / "out/report.html").read_text()
    )


def test_margins_are_aggregated_anew_from_stored_logits(answer_set, tmp_path):
    rows = simulated(80, words=["fake", "Fake", "real", "Real"], classes=["fake", "fake", "real", "real"])
    rng = np.random.default_rng(0)
    for row in rows:
        logits = [float(np.float32(row["margin"] + x)) for x in rng.normal(size=2)] + rng.normal(
            size=2
        ).tolist()
        row |= {"logits": logits, "piece_logits": [[each] for each in logits]}
    rows[0]["logits"] = None
    found = measure([answer_set(rows)], tmp_path / "out", aggregation="mean")
    test = [row for row in rows[1:] if row["split"] == "test"]
    y, logits = [row["label"] == "fake" for row in test], np.float32([row["logits"] for row in test])
    margin = logits[:, :2].mean(axis=1) - logits[:, 2:].mean(axis=1)
    assert found["overall"]["test"]["auc"] == pytest.approx(roc_auc_score(y, margin), abs=1e-6)
    assert found["overall"]["test"]["nll"] == pytest.approx(nll(y, margin), abs=1e-5)
    assert found["overall"]["test"]["skipped"]["reasons"] == {"no logits stored to aggregate anew": 1}
    assert (found["provenance"]["aggregation"], found["provenance"]["aggregated_anew"]) == ("mean", True)


def test_what_was_aggregated_differently_is_measured_together_only_anew(answer_set, tmp_path):
    rows = simulated(80)
    sets = [answer_set(rows[:40], "a"), answer_set(rows[40:], "b", aggregation="sum")]
    with pytest.raises(FakeInstructError, match="another aggregation"):
        measure(sets, tmp_path / "out")
    assert measure(sets, tmp_path / "out", aggregation="logsumexp")["overall"]["test"]["auc"]


def test_an_aggregation_that_the_words_do_not_allow_names_the_prompt(answer_set, tmp_path):
    rows = simulated(8, words=["fake", "Fake", "real"], classes=["fake", "fake", "real"])
    for row in rows:
        row |= {"logits": [1.0, 1.0, 0.0], "piece_logits": [[1.0], [1.0], [0.0]]}
    with pytest.raises(UsageError, match=r"“Is this image real or fake\?”: aggregation 'sum' with unequal"):
        measure([answer_set(rows)], tmp_path / "out", aggregation="sum")


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
    assert choices["skipped"] == {"n": 1, "images": 1, "reasons": {"x": 1}}


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
