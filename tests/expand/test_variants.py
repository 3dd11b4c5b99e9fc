import math
from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeinstruct.expand.variants import Permutation, decode, encode, order

RADICES = st.lists(st.integers(1, 6), min_size=1, max_size=6)


@given(st.integers(1, 700), st.integers(0, 2**63))
def test_permutation_visits_every_value_once(size, key):
    assert sorted(Permutation(size, key)) == list(range(size))


def test_permutation_of_a_large_space_stays_inside_without_repeats():
    permutation = Permutation(10**9 + 7, 3)
    values = [permutation(place) for place in range(2000)]
    assert len(set(values)) == 2000
    assert max(values) < 10**9 + 7


def test_permutation_depends_on_its_key_alone():
    assert list(Permutation(50, 1)) == list(Permutation(50, 1))
    assert len({tuple(Permutation(50, key)) for key in range(200)}) > 150


def chi_squared(counts, cells):
    expected = counts.total() / cells
    return sum((counts[cell] - expected) ** 2 / expected for cell in range(cells))


@pytest.mark.parametrize("place", [0, 1, 5])
def test_draws_are_spread_evenly_over_keys(place):
    counts = Counter(Permutation(8, key)(place) for key in range(4000))
    assert chi_squared(counts, 8) < 24.3  # 7 degrees of freedom: exceeded once in a thousand


def test_a_few_draws_vary_in_the_last_digit():
    """The step shares no factor with the radices, so the last list's phrases come in turn."""
    for key in range(50):
        last = [decode(Permutation(5 * 4 * 3, key)(place), [5, 4, 3])[-1] for place in range(3)]
        assert sorted(last) == [0, 1, 2]


@given(RADICES, st.data())
def test_decode_and_encode_are_inverse(radices, data):
    index = data.draw(st.integers(0, math.prod(radices) - 1))
    digits = decode(index, radices)
    assert all(0 <= digit < radix for digit, radix in zip(digits, radices, strict=True))
    assert encode(digits, radices) == index


def test_decode_refuses_an_index_outside_the_space():
    with pytest.raises(ValueError, match="outside a space of 6"):
        decode(6, [2, 3])


def test_orders_are_all_permutations():
    assert [tuple(order(index, 4)) for index in range(24)] == list(permutations(range(4)))
