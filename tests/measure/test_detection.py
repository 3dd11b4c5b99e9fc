"""AUC, DeLong and Obuchowski against their definitions, by brute force and by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeinstruct.measure import detection
from fakeinstruct.measure.detection import FEW_GROUPS
from fakeinstruct.measure.figure import UnavailableError

labelled = st.lists(st.tuples(st.booleans(), st.integers(-4, 4)), min_size=4, max_size=40).filter(
    lambda rows: 2 <= sum(label for label, _ in rows) <= len(rows) - 2
)


def split(rows):
    return np.array([label for label, _ in rows]), np.array([score for _, score in rows], dtype=np.float32)


def delong_by_hand(y, s):
    """AUC and variance from all (fake, real) pairs, as DeLong et al. define them."""
    fakes, reals = s[y], s[~y]
    wins = (fakes[:, None] > reals) + 0.5 * (fakes[:, None] == reals)
    variance = wins.mean(1).var(ddof=1) / len(fakes) + wins.mean(0).var(ddof=1) / len(reals)
    return wins.mean(), variance


@given(labelled)
def test_midranks_equal_all_pairs(rows):
    y, s = split(rows)
    area, variance = delong_by_hand(y, s)
    assert detection.auc(y, s) == pytest.approx(area, abs=1e-12)
    assert detection.auc_variance(y, s) == pytest.approx(variance, abs=1e-12)


@given(labelled, st.randoms(use_true_random=False))
def test_order_and_monotone_transform_change_nothing_and_swapped_labels_give_the_complement(rows, random):
    y, s = split(rows)
    area, variance = detection.auc(y, s), detection.auc_variance(y, s)
    order = random.sample(range(len(y)), len(y))
    for scores in (s, s**3 + 7):
        assert detection.auc(y[order], scores[order]) == pytest.approx(area, abs=1e-12)
        assert detection.auc_variance(y[order], scores[order]) == pytest.approx(variance, abs=1e-12)
    assert detection.auc(~y, s) == pytest.approx(1 - area, abs=1e-12)
    assert detection.auc_variance(~y, s) == pytest.approx(variance, abs=1e-12)


def obuchowski_by_hand(y, s, groups):
    """The clustered variance, term by term as in Obuchowski (1997)."""
    wins = lambda a, b: (a > b) + 0.5 * (a == b)  # noqa: E731
    fakes, reals = s[y], s[~y]
    area = np.mean([[wins(f, r) for r in reals] for f in fakes])
    x = {
        g: sum(np.mean([wins(f, r) for r in reals]) - area for f in s[y & (groups == g)]) for g in set(groups)
    }
    z = {
        g: sum(np.mean([wins(f, r) for f in fakes]) - area for r in s[~y & (groups == g)])
        for g in set(groups)
    }
    i10, i01, i = len(set(groups[y])), len(set(groups[~y])), len(set(groups))
    m, n = len(fakes), len(reals)
    s10 = i10 / ((i10 - 1) * m) * sum(value**2 for value in x.values())
    s01 = i01 / ((i01 - 1) * n) * sum(value**2 for value in z.values())
    s11 = i / (i - 1) * sum(x[g] * z[g] for g in x)
    return s10 / m + s01 / n + 2 * s11 / (m * n)


def test_clustered_variance_equals_its_formula_and_delong_for_groups_of_one():
    rng = np.random.default_rng(3)
    y, s = rng.random(60) < 0.4, rng.normal(size=60).astype(np.float32).round(1)
    groups = rng.integers(0, 25, 60)
    expected = obuchowski_by_hand(y, s, groups)
    assert detection.auc_variance(y, s, groups) == pytest.approx(expected, rel=1e-10)
    alone = np.array([f"image-{index}" for index in range(60)])
    assert detection.auc_variance(y, s, alone) == pytest.approx(detection.auc_variance(y, s), rel=1e-12)


def test_clustered_interval_covers_where_the_naive_one_does_not():
    rng = np.random.default_rng(0)
    areas, naive, clustered = [], [], []
    for _ in range(300):
        y = np.repeat(np.arange(60) < 30, 8)
        groups = np.repeat(np.arange(60), 8)
        s = np.repeat(rng.normal(size=60), 8) + 0.5 * rng.normal(size=480) + y
        areas.append(detection.auc(y, s))
        naive.append(detection.auc_variance(y, s))
        clustered.append(detection.auc_variance(y, s, groups))
    true = np.std(areas)
    assert np.sqrt(np.mean(clustered)) == pytest.approx(true, rel=0.1)
    assert np.sqrt(np.mean(naive)) < true / 2  # eight images of one photograph are not eight photographs


def test_delong_interval_covers_the_true_area():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(400):
        y = np.arange(160) < 80
        _, low, high = detection.auc_interval(y, rng.normal(size=160) + np.sqrt(2) * y)
        hits += low <= 0.8413 <= high  # Phi(sqrt(2) / sqrt(2))
    assert 0.92 <= hits / 400 <= 0.98


def test_twenty_photographs_with_several_images_are_enough_and_fewer_are_not():
    rng = np.random.default_rng(2)
    for count in (FEW_GROUPS - 1, FEW_GROUPS):
        groups = np.repeat(np.arange(count), 6)
        y = np.tile([True, False], 3 * count)
        s = rng.normal(size=6 * count) + y
        if count == FEW_GROUPS:
            assert len(detection.auc_interval(y, s, groups)) == 3
            continue
        with pytest.raises(UnavailableError, match="only 19 photographs: 114 images come from 19"):
            detection.auc_interval(y, s, groups)
    with pytest.raises(
        UnavailableError, match="only 1 photograph: "
    ):  # many reals, all fakes of one photograph
        detection.auc_interval(
            np.arange(100) < 50, rng.normal(size=100), np.r_[np.zeros(50), np.arange(1, 51)]
        )


@pytest.mark.parametrize("y", [[1, 1, 1], [0, 0], []])
def test_one_class_has_no_figure(y):
    for figure in (
        detection.auc,
        detection.auc_interval,
        detection.average_precision,
        detection.best_threshold,
        detection.tied_share,
    ):
        with pytest.raises(UnavailableError, match="one class only"):
            figure(y, np.arange(len(y)))


def test_three_images_have_an_area_and_no_interval():
    assert detection.auc([1, 0, 0], [0.5, 0.1, 0.9]) == 0.5
    with pytest.raises(UnavailableError, match="two photographs each"):
        detection.auc_interval([1, 0, 0], [0.5, 0.1, 0.9])


def test_separated_classes_have_no_interval_rather_than_one_of_width_zero():
    y = np.arange(100) < 50
    assert detection.auc(y, y * 1.0) == 1
    with pytest.raises(UnavailableError, match="do not overlap"):
        detection.auc_interval(y, y * 1.0)


def test_nan_is_no_score():
    with pytest.raises(UnavailableError, match="not a number"):
        detection.auc([1, 0], [np.nan, 0.0])


def test_an_area_under_a_half_is_reported_as_it_is():
    assert detection.auc([1, 1, 0, 0], [-2, -1, 1, 2]) == 0


@given(labelled)
def test_threshold_is_the_best_there_is(rows):
    y, s = split(rows)
    tried = [detection.accuracy(y, s, cut) for cut in np.arange(-5.25, 5.5, 0.25)]
    assert detection.accuracy(y, s, detection.best_threshold(y, s)) == max(tried)


def test_of_equally_good_thresholds_the_one_nearest_to_zero():
    assert detection.best_threshold([0, 0, 1, 1], [-3.0, -1.0, 2.0, 5.0]) == 0.5
    assert detection.best_threshold([1, 0], [0.0, 10.0]) == -1  # every cut is as bad: call all fake


def test_accuracy_of_a_margin_of_exactly_zero_is_that_of_saying_real():
    assert detection.accuracy([1, 0, 1, 0], [0.0, 0.0, 1.0, -1.0]) == 0.75


def test_average_precision_by_hand():
    # ranks 1 and 3 are fakes: precision 1/1 and 2/3
    assert detection.average_precision([1, 0, 1], [3.0, 2.0, 1.0]) == pytest.approx((1 + 2 / 3) / 2)


@given(labelled)
def test_tied_share_counts_pairs(rows):
    y, s = split(rows)
    assert detection.tied_share(y, s) == pytest.approx((s[y][:, None] == s[~y]).mean())


def test_margins_beyond_the_reach_of_a_stored_probability_still_rank():
    y, margin = [1, 0, 1, 0], np.array([40.5, 40.25, 60, -60], dtype=np.float32)
    assert detection.auc(y, margin) == 1
    assert detection.auc(y, np.float32(1) / (1 + np.exp(-margin))) < 1  # both saturate at 1
