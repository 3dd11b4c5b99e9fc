"""Equal error rate, finds at few false alarms, oracle accuracy: by hand, by brute force and beside scikit-learn."""

import numpy as np
import pytest
from golden_scores import golden
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from fakeinstruct.measure import detection, roc
from fakeinstruct.measure.figure import UnavailableError
from fakeinstruct.measure.roc import Steps, equal_error_rate, oracle_accuracy, tpr_at_fpr

labelled = st.lists(st.tuples(st.booleans(), st.integers(-4, 4)), min_size=2, max_size=40).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


def split(rows):
    return np.array([label for label, _ in rows]), np.array([score for _, score in rows], dtype=np.float32)


def test_figures_of_other_libraries():
    """scikit-learn 1.9.1: `roc_auc_score(y, margin)`, `average_precision_score(y, margin)`, `roc_curve(y, margin,
    drop_intermediate=False)` and of it `brentq(lambda x: 1 - x - interp1d(fpr, tpr)(x), 0, 1)`, `max(tpr[fpr <= x])`.
    torchmetrics 1.9.0: `BinaryAUROC()`, `BinaryAveragePrecision()` and `BinarySensitivityAtSpecificity(
    min_specificity=1 - x)` say the same; its `BinaryEER()` is .11000, the nearest step, where we go between steps.
    """
    y, margin = golden()
    assert detection.auc(y, margin) == pytest.approx(0.9536883743152702, abs=1e-12)
    assert detection.average_precision(y, margin) == pytest.approx(0.943232894289483, abs=1e-12)
    assert equal_error_rate(y, margin) == pytest.approx(0.11036789297658864, abs=1e-12)
    assert tpr_at_fpr(y, margin, 0.05) == pytest.approx(0.7759197324414716, abs=1e-12)
    assert tpr_at_fpr(y, margin, 0.1) == pytest.approx(0.882943143812709, abs=1e-12)


def test_equal_error_rate_by_hand():
    assert equal_error_rate([1, 0], [1.0, 0.0]) == 0
    assert equal_error_rate([1, 0], [0.0, 1.0]) == 1  # below chance is reported as it is
    assert equal_error_rate([1, 0], [2.0, 2.0]) == 0.5  # a tie is a straight line through both
    # from (alarms 0, misses 2/3) straight down to (0, 1/3) and across to (1/2, 1/3): equal at 1/3
    assert equal_error_rate([1, 1, 0, 1, 0], [5.0, 4, 3, 2, 1]) == pytest.approx(1 / 3)
    # between no verdict (0, 1) and one step of two fakes and one of two reals (1/2, 0): equal at 1/3
    assert equal_error_rate([1, 1, 0, 0], [3.0, 3, 3, 1]) == pytest.approx(1 / 3)


@given(labelled)
def test_equal_error_rate_is_where_scikit_learns_curve_crosses(rows):
    y, s = split(rows)
    fpr, tpr, _ = roc_curve(y, s, drop_intermediate=False)
    # the curve has vertical steps: cut it by the rising diagonal parameter of (fpr - fnr), which is monotone
    gap = fpr - (1 - tpr)
    steps = np.concatenate([[True], np.diff(gap) > 0])
    at = (
        brentq(interp1d(np.arange(steps.sum()), gap[steps]), 0, steps.sum() - 1)
        if gap[0] < 0 < gap[-1]
        else 0
    )
    expected = interp1d(np.arange(steps.sum()), fpr[steps])(at)
    assert equal_error_rate(y, s) == pytest.approx(float(expected), abs=1e-9)


@given(labelled)
def test_ends_of_the_figures_and_their_mirror(rows):
    y, s = split(rows)
    assert 0 <= equal_error_rate(y, s) <= 1
    assert equal_error_rate(~y, -s) == pytest.approx(equal_error_rate(y, s), abs=1e-9)
    assert max(y.mean(), 1 - y.mean()) - 1e-12 <= oracle_accuracy(y, s) <= 1


@given(labelled)
def test_oracle_accuracy_is_that_of_the_best_threshold(rows):
    y, s = split(rows)
    assert oracle_accuracy(y, s) == pytest.approx(detection.accuracy(y, s, detection.best_threshold(y, s)))


def test_finds_at_few_false_alarms_are_withheld_below_ten_of_them():
    y = np.arange(2000) < 1000
    s = np.where(y, 1.0, 0.0)
    assert tpr_at_fpr(y, s, 0.01) == 1
    with pytest.raises(
        UnavailableError, match="1 % of 999 reals is under 10 false alarms: needs 1,000 reals"
    ):
        tpr_at_fpr(y[:-1], s[:-1], 0.01)
    with pytest.raises(UnavailableError, match=r"0\.1 % of 1,000 reals .* needs 10,000 reals"):
        tpr_at_fpr(y, s, 0.001)


def test_a_rate_that_floating_point_misses_still_counts_the_step():
    y = np.append(np.zeros(100, bool), True)
    s = np.append(np.arange(100), 70.5)  # 29 reals are above the fake
    assert 0.29 * 100 < 29
    assert tpr_at_fpr(y, s, 0.29) == 1.0


def test_tied_reals_cannot_be_split_by_a_threshold():
    y = np.array([True] * 10 + [False] * 100)
    s = np.array([5.0] * 5 + [3.0] * 5 + [3.0] * 20 + [0.0] * 80)
    assert tpr_at_fpr(y, s, 0.1) == 0.5  # the next threshold lets 20 of 100 reals through


@pytest.mark.parametrize("figure", [equal_error_rate, oracle_accuracy, lambda y, s: tpr_at_fpr(y, s, 0.1)])
@pytest.mark.parametrize("y", [[1, 1, 1], [0, 0], []])
def test_one_class_has_none(figure, y):
    with pytest.raises(UnavailableError, match="one class only"):
        figure(y, np.arange(len(y)))


def test_infinite_margins_rank_and_have_a_threshold():
    y, s = [1, 1, 0, 0], np.array([np.inf, 1, -1, -np.inf])
    assert equal_error_rate(y, s) == 0
    assert oracle_accuracy(y, s) == 1
    assert detection.accuracy(y, s, detection.best_threshold(y, s)) == 1
    assert np.isfinite(detection.best_threshold([1, 0], np.array([np.inf, -np.inf])))


@given(labelled, st.lists(st.integers(0, 3), min_size=40, max_size=40))
def test_weights_are_copies(rows, counts):
    y, s = split(rows)
    counts = np.array(counts[: len(y)])
    steps = Steps.of(y, s)
    curves = steps.curves(np.stack([counts, np.ones_like(counts)])[:, steps.order].astype(float))
    again, score = np.repeat(y, counts), np.repeat(s, counts)
    found = [
        curves.auc()[0],
        curves.average_precision()[0],
        curves.eer()[0],
        curves.best_accuracy()[0],
        curves.tpr(0.3)[0],
    ]
    if len(set(again)) < 2:
        assert np.isnan(found).all()
        return
    fpr, tpr, _ = roc_curve(again, score, drop_intermediate=False)
    expected = [
        *(roc_auc_score(again, score), average_precision_score(again, score)),
        *(equal_error_rate(again, score), oracle_accuracy(again, score), max(tpr[fpr <= 0.3 + 1e-9])),
    ]
    assert found == pytest.approx(expected, abs=1e-9)
    assert curves.auc()[1] == pytest.approx(roc_auc_score(y, s), abs=1e-12)


def test_the_curve_counts_images():
    curve = roc.curve([1, 0, 1, 0], [3.0, 2.0, 2.0, 1.0])
    assert curve.found.tolist() == [[1, 2, 2]]
    assert curve.alarms.tolist() == [[0, 1, 2]]
