"""What each process trains on: the same number of rows on all, resumed without reading what was seen."""

import numpy as np
import pytest
from accelerate import skip_first_batches
from datasets import Dataset
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from test_order import indices, make_index, settings
from torch.utils.data import DataLoader

from fakeinstruct.expert.order import Limits, rows, take
from fakeinstruct.expert.sampler import Drawn, PackSampler, PairRows

PACKING = Limits(pairs=3, batch=4, tokens=100)


def sampler(index, packing=PACKING, epochs=1.0, rank=0, world=1, accumulate=1):
    return PackSampler(index, packing, seed=5, epochs=epochs, rank=rank, world=world, accumulate=accumulate)


def keep(items):
    """A collator that hands on what it was given, which loader processes can import."""
    return items


class Watched:
    """A sequence of rows that notes which are read."""

    def __init__(self, count):
        self.count = count
        self.read = []

    def __len__(self):
        return self.count

    def __getitem__(self, number):
        self.read.append(number)
        return {"id": f"pair {number}"}


@given(indices(), settings, st.integers(1, 9), st.sampled_from([0.4, 1.0, 2.0, 2.5]))
def test_processes_have_as_many_rows_and_each_pair_once(index, packing, world, epochs):
    packing = Limits(packing.pairs, packing.batch, packing.tokens)
    dealt = [list(sampler(index, packing, epochs, rank, world)) for rank in range(world)]
    first = sampler(index, packing, epochs, 0, world)
    assert {len(own) for own in dealt} == {len(first)}
    learned = [one.pair for own in dealt for row in own for one in row if one.counts]
    times = np.bincount(learned, minlength=len(index))
    assert set(times) <= {int(epochs), int(np.ceil(epochs))}
    fillers = [row for own in dealt for row in own if not row[0].counts]
    assert len(fillers) == world * len(first) - sum(first.per_epoch)
    assert len(fillers) < world * len(first.per_epoch)
    assert all(one.counts == row[0].counts for own in dealt for row in own for one in row)


def test_rows_are_dealt_in_turn_and_a_filler_repeats_the_first():
    index = make_index([3, 2, 4, 1, 5])
    order = [[tree.tolist() for tree in row] for row in rows(index, PACKING, 5, 0)]
    assert len(order) == 5

    def trees_of(row):
        return [[one.pair for one in row if one.tree == tree] for tree in range(row[-1].tree + 1)]

    dealt = [list(sampler(index, rank=rank, world=4)) for rank in range(4)]
    assert [[trees_of(row) for row in own] for own in dealt] == [
        [order[0], order[4]],
        [order[1], order[0]],
        [order[2], order[0]],
        [order[3], order[0]],
    ]
    assert [[row[0].counts for row in own] for own in dealt] == [[True, True]] + [[True, False]] * 3


def test_two_trees_of_one_image_side_by_side_stay_two():
    (row,) = sampler(make_index([4]), Limits(pairs=2, batch=4, tokens=100))
    assert [one.tree for one in row] == [0, 0, 1, 1]


def test_more_processes_than_rows():
    dealt = [list(sampler(make_index([2]), rank=rank, world=4)) for rank in range(4)]
    assert [[one.counts for one in own[0]] for own in dealt] == [[True] * 2] + [[False] * 2] * 3


def test_a_fraction_of_an_epoch():
    index = make_index([4] * 10)
    packing = Limits(pairs=4, batch=4, tokens=100)
    assert sampler(index, packing, 2.3).per_epoch == (10, 10, 3)
    assert sampler(index, packing, 0.001).per_epoch == (1,)
    assert len(sampler(index, packing, 2.3, world=4)) == 3 + 3 + 1
    assert sampler(index, packing, 2.3, accumulate=4).steps == 6
    whole = list(sampler(index, packing, 3))
    assert list(sampler(index, packing, 2.3)) == whole[:23]


def test_epochs_take_turns_over_an_images_pairs():
    index = make_index([6, 6])
    packing = Limits(pairs=3, batch=3, tokens=100, per_image={"verdict": 2})
    drawn = [one.pair for row in sampler(index, packing, 3) for one in row]
    assert sorted(drawn) == list(range(12))
    assert sorted(drawn[:4]) == take(index, packing.per_image, 5, 0).tolist()


@limits(max_examples=20, deadline=None)
@given(indices(), st.integers(0, 12), st.integers(1, 3))
def test_skipping_gives_the_rest_unchanged_and_reads_none_of_the_skipped(index, skipped, world):
    packing = Limits(pairs=3, batch=4, tokens=100)
    watched = Watched(len(index))
    own = sampler(index, packing, 2, world - 1, world)
    loader = DataLoader(PairRows(watched), batch_sampler=own, collate_fn=keep)
    whole = list(loader)
    skipped = min(skipped, len(whole))
    watched.read.clear()
    resumed = skip_first_batches(loader, skipped)
    assert len(resumed) == len(whole) - skipped
    assert list(resumed) == whole[skipped:]
    assert watched.read == [one.pair for row in list(own)[skipped:] for one in row]


@pytest.mark.parametrize("skipped", [0, 3])
def test_loader_processes_read_the_same(skipped):
    index = make_index([3, 2, 4, 1, 5])
    data = PairRows(Dataset.from_list([{"id": f"pair {number}"} for number in range(15)]))
    own = sampler(index, epochs=2, world=3, rank=2)
    alone = DataLoader(data, batch_sampler=own, collate_fn=keep)
    helped = DataLoader(data, batch_sampler=own, collate_fn=keep, num_workers=2, persistent_workers=True)
    assert list(skip_first_batches(helped, skipped)) == list(alone)[skipped:]
    assert [[row["id"] for row in rows] for rows in alone] == [
        [f"pair {one.pair}" for one in row] for row in own
    ]


def test_rows_say_their_tree_and_whether_they_count():
    data = PairRows(Dataset.from_list([{"id": "a", "labels": [1]}, {"id": "b", "labels": []}]))
    assert len(data) == 2
    assert data[Drawn(1, 0, True)] == {"id": "b", "labels": [], "tree": 0, "counts": True, "epoch": 0}
    assert data.__getitems__([Drawn(1, 0, False), Drawn(0, 2, False, 3)]) == [
        {"id": "b", "labels": [], "tree": 0, "counts": False, "epoch": 0},
        {"id": "a", "labels": [1], "tree": 2, "counts": False, "epoch": 3},
    ]
