"""The modules under eval/metrics load by their path without a network, and say what the library says."""

import numpy as np
import pytest

from fakeinstruct.base.surfaces import surface
from fakeinstruct.measure.calibration import probability, reliability
from fakeinstruct.measure.detection import auc_interval


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
    assert metric.compute(references=[1], prediction_scores=[1.0])["ece"] is None
