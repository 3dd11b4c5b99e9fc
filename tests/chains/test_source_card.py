"""Two traps: counts that differ from the card, and draws whose seed nobody wrote down."""

import json

import pytest
from published import conversation, pictures, take, write

from fakeinstruct.chains.merge import merge_chains
from fakeinstruct.chains.sample import make_sample
from fakeinstruct.chains.store import open_chains

FAKE = "This is a fake image. The hand is odd."


def source(folder, card=None, records=3):
    """A set of three pictures, all in the published train split, with a card beside it."""
    pictures(folder, "0.png", "1.png", "2.png")
    rows = [conversation(f"{number}.png", FAKE, metadata={"generator": "x"}) for number in range(records)]
    write(folder / "train.json", rows)
    if card is not None:
        write(folder / "README.md", card)
    return folder


def head(*splits):
    listed = "".join(f"  - name: {name}\n    num_examples: {count}\n" for name, count in splits)
    return f"---\nlicense: mit\ndataset_info:\n  features: []\n  splits:\n{listed}---\n# A set\n"


def of_the_card(summary):
    return [remark for remark in summary.remarks if "README.md" in remark]


def test_counts_that_differ_from_the_card_are_said(tmp_path):
    src = source(tmp_path / "set", head(("train", 1200), ("test", 300)))
    *_, summary = take("llava", src, tmp_path / "out")
    assert of_the_card(summary) == ["README.md says 1,200 for the split 'train', and 3 chains were found"]
    *_, summary = take("llava", src / "train.json", tmp_path / "out")
    assert len(of_the_card(summary)) == 1


def test_rejected_records_are_named_as_a_reason(tmp_path):
    src = source(tmp_path / "set", head(("train", 4)), records=4)
    _, rejects, _, summary = take("llava", src, tmp_path / "out")
    assert len(rejects) == 1
    assert of_the_card(summary) == [
        "README.md says 4 for the split 'train', and 3 chains were found (1 records were rejected)"
    ]


def test_without_published_splits_the_whole_is_compared(tmp_path):
    src = source(tmp_path / "set", head(("train", 3), ("validation", 1)))
    (src / "train.json").rename(src / "captions.json")
    *_, summary = take("llava", src, tmp_path / "out")
    assert of_the_card(summary) == ["README.md says 4 in all, and 3 chains were found"]


@pytest.mark.parametrize(
    "card",
    [
        None,
        head(("train", 3)),
        "# A set of 5,000 pictures\n",
        "---\nlicense: mit\n---\n",
        "---\n---\n",
        "words\n---\ndataset_info: 1\n---\n",
        "---\ndataset_info:\n- config_name: a\n  splits: [{name: train, num_examples: 9}]\n- config_name: b\n---\n",
    ],
)
def test_a_card_that_agrees_or_states_no_counts_is_passed_over(tmp_path, card):
    *_, summary = take("llava", source(tmp_path / "set", card), tmp_path / "out")
    assert of_the_card(summary) == []


@pytest.mark.parametrize(
    "card",
    [
        "---\n[\n---\n",
        "---\ndataset_info: 5\n---\n",
        "---\na: &a [1]\nb: *a\n---\n",
        head(("train", "many")),
        "---\n" + "[" * 5000 + "\n---\n",
    ],
)
def test_a_card_that_cannot_be_read_is_said_and_stops_nothing(tmp_path, card):
    chains, *_, summary = take("llava", source(tmp_path / "set", card), tmp_path / "out")
    assert len(chains) == 3
    assert "cannot be read" in of_the_card(summary)[0]


def test_the_seed_of_every_draw_is_written_down(tmp_path):
    take("llava", source(tmp_path / "set"), tmp_path / "one", seed=7, validation=0.25)
    assert "with seed 7, validation share 0.25" in open_chains(tmp_path / "one").meta.notes
    make_sample(tmp_path / "two", images=4, seed=8)
    assert "with seed 8" in open_chains(tmp_path / "two").meta.notes
    sets = [open_chains(tmp_path / name) for name in ("one", "two")]
    merge_chains(sets, tmp_path / "three", seed=9)
    notes = open_chains(tmp_path / "three").meta.notes
    assert all(f"with seed {seed}" in notes for seed in (7, 8, 9))


def test_nothing_is_sampled_every_record_is_a_chain_or_a_reject(tmp_path):
    pictures(tmp_path / "set", *(f"{number}.png" for number in range(30)))
    rows = [conversation(f"{number}.png", FAKE, metadata={"generator": "x"}) for number in range(40)]
    write(tmp_path / "set/captions.json", json.dumps(rows))
    chains, rejects, *_ = take("llava", tmp_path / "set", tmp_path / "out")
    assert (len(chains), len(rejects)) == (30, 10)
