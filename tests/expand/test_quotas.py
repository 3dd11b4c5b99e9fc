from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from fakeinstruct.expand.quotas import Budget, most_by_template, share_out
from fakeinstruct.expand.survey import Supply

TEMPLATES = {"verdict/a": 3.0, "advice/b": 1.0, "choice/c": 0.5}


@st.composite
def supplies(draw):
    """Up to twelve chains of both labels and two splits, with variants in some of five strata."""
    strata = (
        ("verdict/a", ""),
        ("advice/b", "edge"),
        ("advice/b", "text"),
        ("choice/c", "x"),
        ("choice/c", "y"),
    )
    chains = draw(st.lists(st.tuples(st.booleans(), st.sampled_from([-1, 0, 2])), min_size=1, max_size=12))
    entries = [
        (chain, stratum, held)
        for chain in range(len(chains))
        for stratum in range(len(strata))
        if (held := draw(st.integers(0, 9)))
    ]
    columns = np.array(entries, int).reshape(-1, 3).T
    fake, split = zip(*chains, strict=True)
    return Supply(
        strata,
        columns[0].astype(np.int32),
        columns[1].astype(np.int32),
        columns[2].astype(np.uint16),
        np.array(fake, bool),
        np.array(split, np.int8),
    )


def totals(supply, quotas, *by):
    """Pairs by some of chain, stratum, template, split, fake."""
    found = Counter()
    for chain, stratum, quota in zip(supply.chain, supply.stratum, quotas, strict=True):
        what = {
            "chain": int(chain),
            "stratum": int(stratum),
            "template": supply.strata[stratum][0],
            "split": int(supply.split[chain]),
            "fake": bool(supply.fake[chain]),
        }
        found[tuple(what[name] for name in by)] += int(quota)
    return found


BUDGETS = st.builds(
    Budget,
    pairs=st.integers(2, 400),
    max_per_template=st.none() | st.integers(2, 60),
    max_per_image=st.none() | st.integers(1, 20),
)


@settings(max_examples=150, deadline=None)
@given(supplies(), BUDGETS, st.integers(0, 3))
def test_every_bound_holds_and_labels_are_balanced(supply, budget, seed):
    quotas = share_out(supply, TEMPLATES, budget, seed)
    assert (quotas <= supply.held).all()
    assert quotas.sum() <= budget.pairs
    balance = totals(supply, quotas, "split", "stratum", "fake")
    assert all(count == balance[(*place, not fake)] for (*place, fake), count in balance.items())
    if budget.max_per_template:
        assert max(totals(supply, quotas, "template").values(), default=0) <= budget.max_per_template
    if budget.max_per_image:
        assert max(totals(supply, quotas, "chain").values(), default=0) <= budget.max_per_image


@settings(max_examples=100, deadline=None)
@given(supplies(), st.integers(2, 400))
def test_without_caps_all_is_spent_or_all_is_given(supply, pairs):
    quotas = share_out(supply, TEMPLATES, Budget(pairs=pairs), 0)
    most = int(most_by_template(supply, list(TEMPLATES)).sum())
    assert quotas.sum() == min(pairs - pairs % 2, most)


@settings(max_examples=100, deadline=None)
@given(supplies(), st.integers(2, 400), st.integers(2, 60))
def test_a_cap_on_templates_alone_leaves_nothing_that_fits(supply, pairs, cap):
    quotas = share_out(supply, TEMPLATES, Budget(pairs=pairs, max_per_template=cap), 0)
    most = np.minimum(most_by_template(supply, list(TEMPLATES)), cap - cap % 2).sum()
    assert quotas.sum() == min(pairs - pairs % 2, most)


def plenty(chains=40, strata=9):
    """Every chain, half of them fake, holds a thousand variants in every stratum."""
    return Supply(
        tuple(("advice/b" if number % 2 else "verdict/a", str(number)) for number in range(strata)),
        np.repeat(np.arange(chains, dtype=np.int32), strata),
        np.tile(np.arange(strata, dtype=np.int32), chains),
        np.full(chains * strata, 1000, np.uint16),
        np.arange(chains) % 2 == 0,
        np.zeros(chains, np.int8),
    )


def test_a_cap_on_images_is_reached_by_all_of_them_where_there_is_enough():
    supply = plenty()
    quotas = share_out(supply, {"verdict/a": 3.0, "advice/b": 1.0}, Budget(pairs=10_000, max_per_image=8), 0)
    assert set(totals(supply, quotas, "chain").values()) == {8}
    assert totals(supply, quotas, "template") == {("verdict/a",): 240, ("advice/b",): 80}  # the mixture holds


def test_chains_get_the_same_number_within_one_of_each_other():
    """Not only within a stratum: the odd pairs of many strata do not pile up on some chains."""
    supply = plenty(strata=51)
    quotas = share_out(supply, TEMPLATES, Budget(pairs=1000), 0)
    assert set(totals(supply, quotas, "chain").values()) == {25}


def test_weights_set_the_mixture_and_zero_leaves_out():
    supply = plenty()
    quotas = share_out(supply, {"verdict/a": 3.0, "advice/b": 1.0}, Budget(pairs=800), 0)
    assert totals(supply, quotas, "template") == {("verdict/a",): 600, ("advice/b",): 200}
    quotas = share_out(supply, {"verdict/a": 0.0, "advice/b": 1.0}, Budget(pairs=800), 0)
    assert totals(supply, quotas, "template") == {("verdict/a",): 0, ("advice/b",): 800}


def test_a_scarce_stratum_takes_nothing_from_the_total():
    """What one template cannot take goes to the others."""
    supply = plenty()
    quotas = share_out(
        supply, {"verdict/a": 3.0, "advice/b": 1.0}, Budget(pairs=800, max_per_template=500), 0
    )
    assert totals(supply, quotas, "template") == {("verdict/a",): 500, ("advice/b",): 300}


@pytest.mark.parametrize(
    "wrong",
    [
        {"pairs": 1},
        {"max_per_template": 1},
        {"max_per_image": 0},
        {"weights": {"verdict": -1}},
        {"weights": {"poetry": 1}},
        {"weights": {"verdict": float("nan")}},
    ],
)
def test_what_cannot_be_meant_is_refused(wrong):
    with pytest.raises(ValidationError):
        Budget(**wrong)
