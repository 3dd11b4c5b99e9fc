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
    permutation = Permutation(10**9 + 7, "seed", 3)
    values = [permutation(place) for place in range(2000)]
    assert len(set(values)) == 2000
    assert max(values) < 10**9 + 7


def test_permutation_depends_on_its_key_alone():
    assert list(Permutation(50, 1, "c", "t")) == list(Permutation(50, 1, "c", "t"))
    assert list(Permutation(50, 1, "c", "t")) != list(Permutation(50, 2, "c", "t"))
    assert list(Permutation(50, 1, "c", "t")) != list(Permutation(50, 1, "ct", ""))


def test_first_draws_are_spread_evenly():
    counts = Counter(Permutation(8, key)(0) for key in range(4000))
    # chi-squared with 7 degrees of freedom: 24.3 is exceeded once in a thousand
    assert sum((counts[value] - 500) ** 2 / 500 for value in range(8)) < 24.3


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
