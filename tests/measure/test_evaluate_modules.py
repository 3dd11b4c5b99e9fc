"""The modules under eval/metrics load by their path without a network, and say what the library says."""

import doctest

import numpy as np
import pytest
from simulated_answers import verdict

from fakeinstruct.base.surfaces import surface
from fakeinstruct.chains.schema import Chain, ImageRef, Meta, Origin
from fakeinstruct.chains.store import open_chains, write_chains
from fakeinstruct.measure.boxes import box_figures
from fakeinstruct.measure.calibration import DRAWS, probability, reliability
from fakeinstruct.measure.detection import auc_interval
from fakeinstruct.measure.roc import equal_error_rate, tpr_at_fpr
from fakeinstruct.measure.smooth import perfect_smooth_ece, smooth_ece
from fakeinstruct.measure.words.attributes import attribute_figures
from fakeinstruct.measure.words.said import Images, chains_of, texts_of

MODULES = ("attribute_f1", "auc_delong", "box_iou", "calibration_error", "eer", "tpr_at_fpr")


@pytest.fixture
def load(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import evaluate

    return lambda name: evaluate.load(
        str(surface("eval") / "metrics" / name), module_type="metric", cache_dir=str(tmp_path)
    )


@pytest.fixture
def scored():
    rng = np.random.default_rng(0)
    y = rng.random(200) < 0.5
    return y, (rng.normal(size=200) + 1.5 * y).astype(np.float32)


def test_auc_delong(load, scored):
    y, margin = scored
    metric = load("auc_delong")
    found = metric.compute(references=y, prediction_scores=margin)
    assert (found["auc"], found["low"], found["high"]) == pytest.approx(auc_interval(y, margin))
    assert found["unavailable"] is None
    few = metric.compute(references=y, prediction_scores=margin, groups=[index % 2 for index in range(200)])
    assert few["auc"] == found["auc"]
    assert few["low"] is None
    assert few["unavailable"].startswith("only 2 photographs")


def test_calibration_error(load, scored):
    y, margin = scored
    metric = load("calibration_error")
    p = probability(margin)
    found, expected = metric.compute(references=y, prediction_scores=p), reliability(y, p)
    assert found["ece"] == pytest.approx(expected.ece)
    assert found["perfect_percentile_95"] == pytest.approx(expected.ece_band)
    assert found["smooth_ece"] == pytest.approx(smooth_ece(y, p))
    band = found["smooth_perfect_mean"], found["smooth_perfect_percentile_95"]
    assert band == pytest.approx(perfect_smooth_ece(p, DRAWS, 0))
    few = metric.compute(references=[1], prediction_scores=[1.0])
    assert (few["ece"], few["smooth_ece"]) == (None, 0.0)
    assert few["unavailable"] == "1 images are fewer than 15 bins"


def test_calibration_error_of_one_probability_is_its_distance_from_the_share_of_fakes(load):
    """Twenty of thirty are fake and each was given one half: 1/6 in bins, and however it is smoothed."""
    found = load("calibration_error").compute(references=[1] * 20 + [0] * 10, prediction_scores=[0.5] * 30)
    assert (found["ece"], found["smooth_ece"]) == (pytest.approx(1 / 6), pytest.approx(1 / 6, abs=1e-5))
    assert found["bins"] == 1
    wrong = load("calibration_error").compute(references=[1, 0], prediction_scores=[1.5, 0.0])
    assert wrong["unavailable"] == "a probability is not between 0 and 1"


def test_eer(load, scored):
    y, margin = scored
    metric = load("eer")
    assert metric.compute(references=y, prediction_scores=margin)["eer"] == equal_error_rate(y, margin)
    # at 3.5 to 6 one real of four is called fake (6); at over 4 and up to 5 one fake of four is missed (4)
    golden = metric.compute(references=[0] * 4 + [1] * 4, prediction_scores=[1, 2, 3, 6, 4, 5, 7, 8])
    assert golden == {"eer": 0.25, "unavailable": None}
    none = metric.compute(references=[1, 1], prediction_scores=[1, 2])
    assert none == {"eer": None, "unavailable": "one class only: 2 fakes and 0 reals"}


def test_tpr_at_fpr(load, scored):
    y, margin = scored
    metric = load("tpr_at_fpr")
    found = metric.compute(references=y, prediction_scores=margin, fpr=0.2)
    assert found == {"tpr": tpr_at_fpr(y, margin, 0.2), "fpr": 0.2, "unavailable": None}
    # ten of a thousand reals may pass: those from 990 up, and with them one of the two fakes
    reals, fakes = [*range(1000)], [990.5, 500.5]
    given = {"references": [0] * 1000 + [1, 1], "prediction_scores": [*reals, *fakes]}
    assert metric.compute(**given)["tpr"] == 0.5
    withheld = metric.compute(references=[0] * 999 + [1], prediction_scores=[*range(1000)])
    assert withheld["tpr"] is None
    assert withheld["unavailable"].endswith("needs 1,000 reals")


SAID = ([(0.0, 0.0, 0.5, 0.5)], [(0.1, 0.1, 0.3, 0.3), (0.6, 0.6, 0.9, 0.9)], [])
TRUE = ([(0.25, 0.0, 0.75, 0.5)], [(0.1, 0.1, 0.3, 0.3)], [(0.0, 0.0, 1.0, 1.0)])


def test_box_iou(load, tmp_path):
    found = load("box_iou").compute(predictions=SAID, references=TRUE)
    # 1/3; 1 of 2 boxes exactly right; nothing said of one
    assert found["matched_iou"] == pytest.approx((1 / 3 + 1 / 2 + 0) / 3)
    assert found["union_iou"] == pytest.approx((1 / 3 + 0.04 / 0.13 + 0) / 3)
    assert (found["precision"], found["recall"]) == (pytest.approx((0 + 1 / 2) / 2), pytest.approx(1 / 3))
    traces = [[{"attribute": "shape", "points_to": "fake", "boxes": boxes}] for boxes in TRUE]
    rows = [verdict(n, True, 1.0, boxes=[list(box) for box in boxes]) for n, boxes in enumerate(SAID)]
    known = box_figures(rows, annotated(tmp_path, traces))
    for name in ("matched_iou", "union_iou", "precision", "recall"):
        assert known[name] == pytest.approx(found[name], abs=1e-6)
    with pytest.raises(ValueError, match="fractions of the image"):
        load("box_iou").compute(predictions=[[[10, 10, 50, 50]]], references=[[]])
    empty = load("box_iou").compute(predictions=[[]], references=[[]])
    assert empty == {"matched_iou": 1.0, "union_iou": 1.0, "precision": None, "recall": None, "n": 1}


def annotated(folder, traces, assessed=None):
    """Fakes with these traces, as chains."""
    chains = [
        Chain(
            id=f"image-{n}",
            image=ImageRef(path=f"{n}.png"),
            label="fake",
            manipulation="generated",
            dataset="drawn",
            group=f"group-{n}",
            split="test",
            traces=[
                {
                    "id": f"t{place}",
                    "attribute": one["attribute"],
                    "points_to": "fake",
                    "observation": "It is odd.",
                }
                | {"regions": [{"box": box} for box in one["boxes"]]}
                for place, one in enumerate(own)
            ],
            assessed=(assessed or [{}] * len(traces))[n],
            origin=Origin(by="human"),
        )
        for n, own in enumerate(traces)
    ]
    write_chains(folder / "chains", chains, Meta(name="drawn"))
    return open_chains(folder / "chains")


TEXTS = (
    "The texture is waxy. I see no unnatural shadows.",
    "The fingers are fused and the texture is odd.",
    "The perspective is wrong.",
)


def test_attribute_f1(load, tmp_path):
    present = [["texture", "light_shadow"], ["anatomy"], ["shape"]]
    absent = [[], ["texture"], []]
    metric = load("attribute_f1")
    found = metric.compute(predictions=TEXTS, references=present, judged_absent=absent)
    # found: texture and anatomy of four; of the second one right, one wrong; perspective nobody mentioned
    assert found["recall"] == 2 / 4
    assert (found["precision"], found["f1"]) == (1 / 2, pytest.approx(2 / 3))
    assert (found["unjudged"], found["n"], found["n_judged"]) == (pytest.approx(1 / 3), 3, 1)
    traces = [[{"attribute": key, "boxes": []} for key in keys] for keys in present]
    chains = annotated(tmp_path, traces, [dict.fromkeys(keys, "absent") for keys in absent])
    rows = [verdict(n, True, 1.0, text=text, verdict=None) for n, text in enumerate(TEXTS)]
    said = texts_of(rows)
    images = Images.of(said)
    known = attribute_figures(said, images, chains_of(chains, images.names, None), chains.taxonomy, 0)
    for name in ("recall", "precision", "f1", "unjudged", "n", "n_judged"):
        assert known[name] == pytest.approx(found[name], abs=1e-6)
    nothing = metric.compute(predictions=["Hm."], references=[[]], judged_absent=[[]])
    assert nothing == dict.fromkeys(("recall", "precision", "f1", "unjudged")) | {"n": 0, "n_judged": 0}
    with pytest.raises(ValueError, match="no attribute 'hands'"):
        metric.compute(predictions=["x"], references=[["hands"]], judged_absent=[[]])


@pytest.mark.parametrize("name", MODULES)
def test_a_card_shows_what_really_comes_out(name, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = surface("eval")
    monkeypatch.chdir(folder.parent)
    card = folder / "metrics" / name / "README.md"
    options = doctest.NORMALIZE_WHITESPACE
    ran = doctest.testfile(str(card), module_relative=False, optionflags=options, encoding="utf-8")
    assert (ran.failed, ran.attempted) == (0, 4)
    text = card.read_text()
    for part in ("## Inputs", "## Example", "## Limitations", "## Citation"):
        assert part in text


def test_every_module_has_a_test_here():
    assert sorted(each.name for each in (surface("eval") / "metrics").iterdir() if each.is_dir()) == list(
        MODULES
    )
