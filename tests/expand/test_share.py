import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fakeinstruct.expand.share import pour

HELD = st.lists(st.integers(0, 12), min_size=1, max_size=9)


def pour_one_by_one(held, amount):
    """Brute force: each unit to the emptiest vessel that has room."""
    shares = [0] * len(held)
    for _ in range(min(amount, sum(held))):
        open_ = [i for i in range(len(held)) if shares[i] < held[i]]
        shares[min(open_, key=lambda i: (shares[i], i))] += 1
    return shares


@given(HELD, st.integers(0, 60))
def test_pour_equals_filling_unit_by_unit(held, amount):
    assert sorted(pour(held, amount)) == sorted(pour_one_by_one(held, amount))


@given(HELD, st.integers(0, 60), st.integers(0, 9))
def test_pour_spends_all_and_overfills_none(held, amount, seed):
    shares = pour(held, amount, seed=seed)
    assert shares.sum() == min(amount, sum(held))
    assert (shares <= held).all()
    assert (shares >= 0).all()


@given(
    st.lists(st.tuples(st.integers(0, 40), st.floats(0.1, 9)), min_size=1, max_size=9), st.integers(0, 200)
)
def test_weighted_pour_spends_all_and_overfills_none(vessels, amount):
    held, weights = map(list, zip(*vessels, strict=True))
    shares = pour(held, amount, weights)
    assert shares.sum() == min(amount, sum(held))
    assert (shares <= held).all()


def test_weights_share_what_a_small_vessel_cannot_take():
    assert pour([100, 100, 2], 62, [2, 1, 1]).tolist() == [40, 20, 2]


def test_odd_units_go_to_other_vessels_with_another_seed():
    one, other = pour([5] * 100, 50, seed=1), pour([5] * 100, 50, seed=2)
    assert one.sum() == other.sum() == 50
    assert not np.array_equal(one, other)
