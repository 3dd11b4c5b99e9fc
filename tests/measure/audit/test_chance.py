"""How surely a figure lies above chance."""

import numpy as np
import pytest
from scipy.stats import binomtest

from fakeinstruct.measure.audit.chance import Above, auc_above, clusters_of, mean_above, share_above
from fakeinstruct.measure.detection import auc_interval
from fakeinstruct.measure.figure import UnavailableError


def test_levels_follow_the_lower_end():
    assert Above(0.7, 0.56, 0.8, 0.5).level == "problem"
    assert Above(0.7, 0.54, 0.8, 0.5).level == "warning"
    assert Above(0.7, 0.50, 0.8, 0.5).level is None


def test_one_interval_is_delongs():
    rng = np.random.default_rng(0)
    fake = np.arange(200) % 2 == 0
    scores = rng.normal(fake, 1.5)
    found = auc_above(fake, scores, np.arange(200), tests=1)
    assert (found.value, found.low, found.high) == pytest.approx(auc_interval(fake, scores))


def test_more_tests_make_wider_intervals():
    fake = np.arange(200) % 2 == 0
    scores = np.random.default_rng(0).normal(fake, 1.5)
    assert auc_above(fake, scores, np.arange(200), 50).low < auc_above(fake, scores, np.arange(200), 1).low


def test_labels_parted_without_an_exception_are_no_certainty():
    fake = np.arange(40) % 2 == 0
    found = auc_above(fake, fake, np.arange(40), tests=1)
    assert found.value == found.high == 1
    assert found.low == pytest.approx(binomtest(20, 20).proportion_ci().low)  # Clopper and Pearson's
    assert found.level == "problem"


def test_scores_that_are_all_alike_tell_nothing():
    assert auc_above(np.arange(40) % 2 == 0, np.zeros(40), np.arange(40), tests=1).level is None


def test_a_share_counts_images_not_questions():
    credit = np.repeat(np.random.default_rng(0).random(30) < 0.5, 100)
    images = np.repeat(np.arange(30), 100)
    found = mean_above(credit, np.full(3000, 0.4), images, tests=1)
    assert found.high - found.low > 0.3  # 3,000 questions would give 0.04
    assert found.chance == pytest.approx(0.4)


def test_a_share_lies_off_in_either_direction():
    assert share_above(1.0, 0.5, 100, 1).level == share_above(0.0, 0.5, 100, 1).level == "problem"
    assert share_above(0.52, 0.5, 100, 1).level is None


def test_too_few_images_are_said_to_be_too_few():
    with pytest.raises(UnavailableError, match="19 images"):
        mean_above(np.ones(19), np.zeros(19), np.arange(19), tests=1)
    fake = np.arange(38) % 2 == 0
    names = [str(i) for i in range(38)]
    with pytest.raises(UnavailableError, match="too few"):
        clusters_of(fake, names, names)


def test_images_stand_in_for_groups_where_groups_are_few():
    fake = np.arange(100) % 2 == 0
    images = [str(i) for i in range(100)]
    assert len(set(clusters_of(fake, ["photo"] * 100, images))) == 100
    assert len(set(clusters_of(fake, [str(i // 2) for i in range(100)], images))) == 50
