"""Fits to beware of: that turn scores round, for good reason or by chance, and that rest on few images."""

import numpy as np

from fakeinstruct.measure.fit_warnings import beware, beware_stored
from fakeinstruct.measure.fitting import fit
from fakeinstruct.measure.scores import Scores


def scores(n, shift, seed=0, flip=1):
    rng = np.random.default_rng(seed)
    rows = []
    for index in range(n):
        fake = index % 2 == 0
        margin = flip * rng.normal(shift if fake else -shift)
        rows.append({"chain": str(index), "label": "fake" if fake else "real", "margin": margin})
    return Scores.of(rows)


def test_a_scale_is_negative_because_scores_rank_the_wrong_way_round():
    found = fit(scores(200, 1.0, flip=-1))
    assert found.scale < 0
    assert "scores rank the wrong way round" in found.warning
    assert "words for fake and real are swapped" in found.warning
    assert "few" not in found.warning
    assert fit(scores(200, 1.0)).warning is None


def test_options_are_named_for_a_table_alone():
    """The command that asks an expert has none that would help."""
    expert, theirs = (fit(scores(200, 1.0, flip=-1), table=told).warning for told in (False, True))
    assert "--" not in expert
    assert "--positive real" in theirs
    assert "--fake-is" in theirs
    assert "readout" not in theirs


def test_a_scale_that_is_negative_by_chance_is_no_wrong_way_round():
    found = beware(scores(30, 0.0), -0.05)
    assert "do not show that the scores rank the wrong way round" in found
    assert "calibrating turns them" not in found
    assert "15 fake and 15 real images, which is few" in found


def test_few_images_and_a_clear_reversal_are_both_said():
    found = fit(scores(24, 3.0, flip=-1)).warning
    assert "calibrating turns them" in found
    assert "which is few" in found


def test_stored_scales_are_warned_of_too():
    assert "words for fake and real are swapped" in beware_stored([1.0, -0.5], None)
    assert "--positive" not in beware_stored([1.0, -0.5], None)
    assert "fitted scale is negative (-0.5)" in beware_stored([1.0, -0.5], {"fake": 50, "real": 50})
    assert beware_stored([1.0], {"fake": 50, "real": 50}) is None
    assert beware_stored([1.0], {"fake": 5, "real": 50}).startswith("fitted on 5 fake and 50 real images")
