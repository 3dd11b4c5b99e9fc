"""How well values tell: cross-validated by group, with intervals that hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeinstruct.measure.audit.telling import bins, by_boosting, by_value, make_folds, tell
from fakeinstruct.measure.figure import UnavailableError


def folds_of(fake, groups=None, seed=0):
    fake = np.asarray(fake, dtype=bool)
    return make_folds(fake, groups or [str(n) for n in range(len(fake))], seed)


def test_a_group_lies_in_one_fold_and_both_labels_in_each():
    rng = np.random.default_rng(0)
    groups = [f"g{n}" for n in rng.integers(0, 60, 400)]
    folds = folds_of(rng.random(400) < 0.5, groups)
    for group in set(groups):
        assert len({int(folds.fold[n]) for n in range(400) if groups[n] == group}) == 1
    assert folds.count == 5
    assert all(len(set(folds.fake[folds.fold == number])) == 2 for number in range(5))


def test_what_tells_a_known_share_has_that_auc():
    """A value that is right for nine of ten images has accuracy and AUC .9."""
    rng = np.random.default_rng(0)
    fake = np.arange(4000) % 2 == 0
    says = np.where(rng.random(4000) < 0.9, fake, ~fake)
    folds = folds_of(fake)
    for margins in (
        by_value(folds, says.astype(np.int64)),
        by_boosting(folds, says[:, None].astype(np.float32), [True]),
    ):
        told = tell(folds, margins, 1)
        assert told.auc.value == pytest.approx(np.mean(says == fake), abs=0.01)
        assert told.auc.low < 0.9 < told.auc.high
        assert told.accuracy == pytest.approx(np.mean(says == fake), abs=1e-9)
        assert told.auc.level == "problem"


def test_intervals_hold_where_nothing_tells():
    """Of 200 sets of chance at most about 1 in 40 lies above .5 by its interval; without the correction 1 in 12."""
    above = 0
    rng = np.random.default_rng(0)
    for _ in range(200):
        folds = folds_of(rng.random(300) < 0.5)
        above += tell(folds, by_value(folds, rng.integers(0, 100, 300)), 1).auc.low > 0.5
    assert above <= 8


def test_uneven_folds_do_not_tell_by_themselves():
    """One value for all images says nothing, whatever the folds' mixture of labels."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 25, 500)
    fake = rng.random(500) < np.where(group % 2 == 0, 0.9, 0.2)
    folds = folds_of(fake, [str(each) for each in group])
    told = tell(folds, by_value(folds, np.zeros(500, dtype=np.int64)), 1)
    assert told.auc.value == 0.5
    assert told.auc.level is None


@pytest.mark.parametrize("fakes", [0, 19, 81, 100])
def test_too_few_images_of_a_label_are_said(fakes):
    with pytest.raises(UnavailableError, match="too few to tell"):
        folds_of(np.arange(100) < fakes)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(0, 1e6, width=32)), min_size=1, max_size=300), st.integers(2, 60)
)
def test_every_number_lies_in_its_bin(numbers, most):
    column = np.array([np.nan if each is None else each for each in numbers], dtype=np.float32)
    codes, edges = bins(column, most)
    assert (np.diff(edges) > 0).all()
    none = len(edges) + 1
    assert ((codes == none) == np.isnan(column)).all()
    for value, code in zip(column, codes, strict=True):
        if code == none:
            continue
        assert code == 0 or value >= np.float32(edges[code - 1])
        assert code == len(edges) or value < edges[code]
    assert len(edges) < max(most, 2)


def test_few_values_have_a_bin_each():
    codes, edges = bins(np.array([3, 1, 1, 3], dtype=np.float32))
    assert codes.tolist() == [1, 0, 0, 1]
    assert edges.tolist() == [3]
