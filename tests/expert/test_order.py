"""The order of training: every pair in its turn, within the limits, the same for the same seed."""

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.order import Index, Limits, rows, take, trees

TASKS = ("verdict", "grounding", "evidence")


def make_index(images, tasks=None, tokens=None, prefix=None):
    """An index of as many images as numbers, each with so many pairs."""
    pairs = sum(images)
    return Index(
        image=np.repeat(np.arange(len(images)), images),
        task=np.array(tasks if tasks is not None else [0] * pairs, np.int8),
        tasks=TASKS,
        tokens=np.array(tokens if tokens is not None else [10] * pairs, np.int32),
        prefix=np.array(prefix if prefix is not None else [4] * pairs, np.int32),
    )


@st.composite
def indices(draw):
    images = draw(st.lists(st.integers(1, 12), min_size=1, max_size=8))
    pairs = sum(images)
    numbers = np.random.default_rng(draw(st.integers(0, 2**32)))
    prefix = np.repeat(numbers.integers(1, 40, len(images)), images)
    tokens = prefix + numbers.integers(1, 30, pairs)
    return make_index(images, numbers.integers(0, len(TASKS), pairs), tokens, prefix)


settings = st.builds(
    Limits,
    pairs=st.integers(1, 14),
    batch=st.integers(1, 20),
    tokens=st.integers(70, 200),  # no pair of `indices` is longer
    per_image=st.none() | st.dictionaries(st.sampled_from(TASKS), st.integers(1, 5)),
)
seeds = st.integers(0, 2**40)
epochs = st.integers(0, 30)


def taken_or_none(index, per_image, seed, epoch):
    try:
        return take(index, per_image, seed, epoch).tolist()
    except UsageError:
        return []


@given(indices(), settings, seeds, epochs)
def test_an_epoch_has_each_of_its_pairs_once(index, packing, seed, epoch):
    taken = taken_or_none(index, packing.per_image, seed, epoch)
    if not taken:
        with pytest.raises(UsageError, match=r"data\.pairs_per_image"):
            rows(index, packing, seed, epoch)
        return
    dealt = [pair for row in rows(index, packing, seed, epoch) for tree in row for pair in tree.tolist()]
    assert sorted(dealt) == taken


@given(indices(), settings, seeds, epochs)
def test_trees_and_rows_keep_to_the_limits(index, packing, seed, epoch):
    packing = replace(packing, per_image=None)
    for row in rows(index, packing, seed, epoch):
        tokens = 0
        for tree in row:
            assert len(set(index.image[tree])) == 1
            assert 1 <= len(tree) <= packing.pairs
            tokens += int(index.prefix[tree].max() + (index.tokens[tree] - index.prefix[tree]).sum())
        assert tokens <= packing.tokens
        assert 1 <= sum(map(len, row)) <= packing.batch


@given(indices(), settings, seeds, epochs)
def test_trees_are_cut_only_where_one_more_pair_would_not_fit(index, packing, seed, epoch):
    packing = replace(packing, per_image=None)
    drawn = list(trees(index, packing, seed, epoch))
    for tree, following in pairwise(drawn):
        joined = np.append(tree, following[0])
        if len(set(index.image[joined])) == 1 and len(joined) <= min(packing.pairs, packing.batch):
            tokens = index.prefix[joined].max() + (index.tokens[joined] - index.prefix[joined]).sum()
            assert tokens > packing.tokens


@given(indices(), settings, seeds, epochs)
def test_prefixes_of_one_image_may_differ(index, packing, seed, epoch):
    numbers = np.random.default_rng(seed)
    index = replace(index, prefix=numbers.integers(1, index.tokens).astype(np.int32))
    packing = replace(packing, per_image=None)
    drawn = list(trees(index, packing, seed, epoch))
    assert sorted(np.concatenate(drawn).tolist()) == list(range(len(index)))
    for tree in drawn:
        assert index.prefix[tree].max() + (index.tokens[tree] - index.prefix[tree]).sum() <= packing.tokens


@given(indices(), settings, seeds, epochs)
def test_the_order_is_a_function_of_its_arguments(index, packing, seed, epoch):
    packing = replace(packing, per_image=None)

    def once():
        return [[tree.tolist() for tree in row] for row in rows(index, packing, seed, epoch)]

    assert once() == once()


def test_another_seed_or_epoch_gives_other_trees_in_another_order():
    index, packing = make_index([10] * 20), Limits(pairs=4, batch=8, tokens=100)
    drawn = [(seed, epoch) for seed in range(4) for epoch in range(4)]
    assert len({tuple(np.concatenate(list(trees(index, packing, *one)))) for one in drawn}) == 16
    assert len({tuple(rows(index, packing, *one).order) for one in drawn}) == 16


def test_the_order_of_a_seed_never_changes():
    index = make_index([5, 2, 3])
    packing = Limits(pairs=2, batch=4, tokens=100)
    assert [[tree.tolist() for tree in row] for row in rows(index, packing, 7, 0)] == [
        [[7, 8], [1, 3]],
        [[9], [2, 4], [0]],
        [[5, 6]],
    ]


@given(indices(), st.dictionaries(st.sampled_from(TASKS), st.integers(1, 5)), seeds, epochs)
def test_an_image_gives_what_it_is_asked_for(index, per_image, seed, epoch):
    given_ = Counter(
        (index.image[pair], index.task[pair]) for pair in taken_or_none(index, per_image, seed, epoch)
    )
    for key, has in Counter(zip(index.image, index.task, strict=True)).items():
        assert given_[key] == min(has, per_image.get(TASKS[key[1]], 0))


@given(indices(), st.integers(1, 5), seeds, epochs)
def test_an_image_gives_all_its_pairs_before_one_comes_back(index, count, seed, start):
    per_image = dict.fromkeys(TASKS, count)
    sizes = Counter(zip(index.image, index.task, strict=True))
    seen = defaultdict(list)
    for epoch in range(start, start + 24):  # any epochs in sequence, since it goes round
        for pair in take(index, per_image, seed, epoch):
            seen[index.image[pair], index.task[pair]].append(int(pair))
    for key, size in sizes.items():
        first = seen[key][: count * ceil(size / count)] if size > count else seen[key][:size]
        assert len(set(first)) == size
        if size > count:  # going round: any `size` in sequence, taken epoch by epoch, are as even as can be
            assert max(Counter(seen[key]).values()) - min(Counter(seen[key]).values()) <= 1


def test_images_do_not_begin_with_the_same_place():
    index = make_index([10] * 200)
    first = take(index, {"verdict": 1}, 0, 0) % 10
    assert len(set(first.tolist())) == 10


def test_tasks_nobody_named_give_nothing():
    index = make_index([4, 4], [0, 1, 2, 0, 1, 1, 2, 2])
    assert take(index, {"grounding": 9}, 0, 3).tolist() == [1, 4, 5]


def test_a_pair_longer_than_a_row_is_refused_before_training():
    index = make_index([3], tokens=[10, 101, 10])
    with pytest.raises(UsageError, match=r"packing\.tokens.*101.*data\.max_tokens"):
        rows(index, Limits(pairs=2, batch=2, tokens=100), 0, 0)
    rows(index, Limits(pairs=2, batch=2, tokens=101), 0, 0)


def test_an_empty_set_is_refused():
    with pytest.raises(UsageError, match="no pair to learn"):
        rows(make_index([]), Limits(pairs=2, batch=2, tokens=100), 0, 0)


def test_small_trees_share_rows():
    """50 pairs an image, 16 a tree: each image leaves a tree of two, eight of which make a row."""
    dealt = rows(make_index([50] * 400), Limits(pairs=16, batch=16, tokens=1000), 0, 0)
    assert len(dealt) <= 1.02 * 400 * 50 / 16


def test_several_images_fill_a_row():
    dealt = rows(make_index([1] * 100), Limits(pairs=16, batch=16, tokens=40), 0, 0)
    assert [len(row) for row in dealt] == [4] * 25
