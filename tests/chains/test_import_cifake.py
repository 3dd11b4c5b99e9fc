"""CIFAKE: the class that a name states, and classes held out of training."""

from __future__ import annotations

from collections import Counter

import pytest
from published import data_folder, picture, problems, take

from fakeinstruct.base.errors import RecordError, Rejects, UsageError
from fakeinstruct.chains.hold_out import hold_out
from fakeinstruct.chains.importers import import_chains
from fakeinstruct.chains.importers.cifake import CLASSES, class_of
from fakeinstruct.chains.store import open_chains

NAMES = {
    "0000.jpg": "airplane",
    "0001 (2).jpg": "automobile",
    "0002 (4).jpg": "cat",
    "0003 (10).jpg": "truck",
}


def cifake(folder):
    """Four classes, both labels, train and test; every picture another."""
    number = 0
    for split in ("train", "test"):
        for label in ("REAL", "FAKE"):
            for name in NAMES:
                number += 1
                picture(folder / "cifake" / split / label / name, seed=number)
    return folder


def test_the_number_in_brackets_is_the_class(tmp_path):
    chains, rejects, _, _ = take("cifake", cifake(tmp_path / "src"), tmp_path / "out", validation=0)
    assert not rejects
    assert {id.rpartition("/")[2]: chain.content for id, chain in chains.items()} == {
        name: (content,) for name, content in NAMES.items()
    }
    assert {(chain.generator, chain.camera_set) for chain in chains.values()} == {
        ("stable-diffusion-1.4", None),
        (None, "cifar-10"),
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [("a/FAKE/1135 (5).JPG", "deer"), ("7.jpeg", "airplane"), ("12 (1).jpg", "airplane")],
)
def test_how_names_are_written(name, content):
    assert class_of(name) == content


@pytest.mark.parametrize(
    "name", ["cat.jpg", "0001 (11).jpg", "0001 (0).jpg", "0001(2).jpg", "1 (2).jpg.png", "a1.jpg"]
)
def test_a_name_that_states_no_class_is_rejected(name):
    with pytest.raises(RecordError, match="states no class"):
        class_of(name)


def test_a_stray_name_is_listed_and_the_others_stay(tmp_path):
    src = cifake(tmp_path / "src")
    picture(src / "cifake/train/REAL/holiday.jpg", seed=99)
    chains, rejects, _, _ = take("cifake", src, tmp_path / "out")
    assert len(chains) == 16
    assert "states no class" in problems(rejects)["cifake/train/REAL/holiday.jpg"]


def test_what_is_held_out_stays_in_the_test_split_alone(tmp_path):
    src = cifake(tmp_path / "src")
    summary = import_chains("cifake", src, tmp_path / "out", hold_out=["cat", "truck"])
    chains = list(open_chains(tmp_path / "out").read())
    seen = {chain.content[0] for chain in chains if chain.split != "test"}
    assert seen == {"airplane", "automobile"}
    assert Counter(chain.content[0] for chain in chains if chain.split == "test") == dict.fromkeys(
        NAMES.values(), 2
    )
    assert "held out of training and validation (cat, truck): 4" in summary.remarks
    assert "cat, truck" in open_chains(tmp_path / "out").meta.notes


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (["cats"], r"no image shows 'cats'. Did you mean 'cat'\?"),
        (list(NAMES.values()), "nothing is left to train on"),
    ],
)
def test_holding_out_what_cannot_be_is_refused(tmp_path, contents, message):
    with pytest.raises(UsageError, match=message):
        import_chains("cifake", cifake(tmp_path / "src"), tmp_path / "out", hold_out=contents)
    assert not (tmp_path / "out").exists()


def test_a_format_without_content_says_so():
    with pytest.raises(UsageError, match="does not say what images show"):
        hold_out([], ["cat"], Counter())


@pytest.mark.data
@pytest.mark.slow
def test_the_published_set_has_every_class_as_often(tmp_path):
    src = data_folder() / "cifake-16k.zip"
    if not src.is_file():
        pytest.skip(f"no {src.name} in the development data")
    rejects = Rejects()
    import_chains("cifake", src, tmp_path / "out", rejects=rejects)
    chains = list(open_chains(tmp_path / "out").read())
    assert Counter(chain.content[0] for chain in chains) == dict.fromkeys(CLASSES, 1600)
    assert not rejects
