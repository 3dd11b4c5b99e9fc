"""Batches of drawn images: a packed row holds what the same rows hold apart."""

import pytest
import torch
from datasets import Dataset
from drawn import make_pairs

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.expand.pair import open_pairs
from fakeinstruct.expert.chosen import choose
from fakeinstruct.expert.collate import Collator, PackCollator, pad
from fakeinstruct.expert.packing import plain_positions
from fakeinstruct.expert.recipe import Data
from fakeinstruct.expert.rows import RowWriter

TASKS = ("verdict", "reasoning")


@pytest.fixture(scope="module")
def rows(processor, pairs_folder, tmp_path_factory):
    """The three pairs of each of 16 images."""
    pairs, file = open_pairs(pairs_folder), tmp_path_factory.mktemp("rows") / "rows.arrow"
    RowWriter(processor, pairs, Data(), Rejects()).write(file, choose(pairs, Data()))
    return Dataset.from_file(str(file)).to_list()


def drawn(rows, *trees):
    """Rows as `PairRows` gives them."""
    facts = {"counts": True, "epoch": 0}
    return [rows[n] | {"tree": tree} | facts for tree, numbers in enumerate(trees) for n in numbers]


def test_a_packed_row_shows_each_image_once(processor, pairs_folder, rows):
    collate = PackCollator(processor, pairs_folder, positions=plain_positions, tasks=TASKS)
    batch = collate(drawn(rows, [0, 1, 2], [4, 3]))
    assert batch["pixel_values"].shape == (2, 3, 16, 16)
    assert (batch["input_ids"] == processor.image_token_id).sum() == 32
    assert [len(tree.branches) for tree in batch["tree"].trees] == [3, 2]
    assert batch["input_ids"].shape == (1, len(batch["tree"]))
    assert batch["logits_to_keep"] is batch["targets"].places


def test_a_packed_row_has_the_targets_of_its_pairs(processor, pairs_folder, rows):
    chosen = drawn(rows, [0, 1, 2], [5])
    options = {"tasks": TASKS, "weights": {"verdict": 3.0}}
    packed = PackCollator(processor, pairs_folder, positions=plain_positions, **options)(chosen)["targets"]
    alone = Collator(processor, pairs_folder, **options)(chosen)["targets"]
    for name in ("ids", "weights", "tasks", "first"):
        assert torch.equal(getattr(packed, name), getattr(alone, name)), name
    assert set(packed.weights.tolist()) == {1.0, 3.0}


def test_two_trees_of_one_image_stay_apart(processor, pairs_folder, rows):
    collate = PackCollator(processor, pairs_folder, positions=plain_positions, tasks=TASKS)
    batch = collate(drawn(rows, [0], [1, 2]))
    assert [len(tree.branches) for tree in batch["tree"].trees] == [1, 2]
    assert torch.equal(batch["pixel_values"][0], batch["pixel_values"][1])


def test_a_filler_weighs_nothing(processor, pairs_folder, rows):
    filler = [row | {"counts": False} for row in drawn(rows, [0, 1])]
    batch = PackCollator(processor, pairs_folder, positions=plain_positions, tasks=TASKS)(filler)
    assert len(batch["targets"].ids)
    assert batch["targets"].weights.eq(0).all()


def test_a_tree_is_mirrored_as_a_whole(processor, pairs_folder, rows):
    collate = PackCollator(processor, pairs_folder, positions=plain_positions, tasks=TASKS, mirror=True)
    plain = PackCollator(processor, pairs_folder, positions=plain_positions, tasks=TASKS)(drawn(rows, [0, 1]))
    epochs = [[row | {"epoch": epoch} for row in drawn(rows, [0, 1])] for epoch in range(20)]
    seen = {collate(epoch)["pixel_values"].numpy().tobytes() for epoch in epochs}
    assert [collate(epoch)["pixel_values"].sum() for epoch in epochs] == [
        collate(epoch)["pixel_values"].sum() for epoch in epochs
    ]
    turned = plain["pixel_values"].flip(-1).contiguous()
    assert seen == {plain["pixel_values"].numpy().tobytes(), turned.numpy().tobytes()}


def test_rows_are_padded_on_the_right(processor, pairs_folder, rows):
    batch = Collator(processor, pairs_folder, tasks=TASKS)(rows[:2])
    lengths = batch["attention_mask"].sum(1).tolist()
    assert sorted(lengths) == sorted(row["tokens"] for row in rows[:2])
    assert batch["input_ids"].shape == (2, max(lengths))
    short = lengths.index(min(lengths))
    assert (batch["input_ids"][short, min(lengths) :] == processor.tokenizer.pad_token_id).all()


def test_an_image_that_is_gone_is_named(processor, rows, tmp_path):
    folder = make_pairs(tmp_path / "pairs")
    (folder / "images/000.png").unlink()
    with pytest.raises(RecordError, match=r"000\.png"):
        PackCollator(processor, folder, positions=plain_positions, tasks=TASKS)(drawn(rows, [0]))


def test_padding_by_hand():
    assert pad([[1, 2], [3]], 0).tolist() == [[1, 2], [3, 0]]
