"""Figures by what images show: what training lacked is read off the train split."""

from __future__ import annotations

import numpy as np
import pytest

from fakeinstruct.chains.schema import Chain, ImageRef, Origin
from fakeinstruct.measure.evaluations.contents import HELD_OUT, SEEN, Contents, content_figures
from fakeinstruct.measure.fitting import Fit
from fakeinstruct.measure.scores import Scores


def chain(number, split, *content):
    label = ("real", "fake")[number % 2]
    image = ImageRef(path=f"{number}.png")
    origin = Origin(by="program")
    return Chain(
        id=str(number),
        image=image,
        label=label,
        dataset="d",
        group=str(number),
        split=split,
        content=content,
        origin=origin,
    )


def scores_of(chains, margin, **more):
    return Scores.of(
        {"chain": one.id, "label": one.label, "split": one.split, "margin": margin(one), **more}
        for one in chains
    )


@pytest.fixture
def chains():
    """Cats and dogs to train on; cats, dogs and ships to test, and pictures of nothing."""
    kinds = ("cat", "dog", "ship", None)
    train = [chain(number, "train", ("cat", "dog")[number // 2 % 2]) for number in range(20)]
    test = [chain(100 + number, "test", *filter(None, (kinds[number // 2 % 4],))) for number in range(160)]
    return [*train, *test]


def test_what_was_held_out_is_measured_apart(chains):
    contents = Contents.read(chains)
    test = [one for one in chains if one.split == "test"]
    rng = np.random.default_rng(0)

    def margin(one):  # knows cats and dogs, and guesses at ships
        known = one.content and one.content[0] in contents.trained
        return float((4 if one.label == "fake" else -4) * bool(known) + rng.normal())

    found = content_figures(scores_of(test, margin), contents, Fit(), seed=0)["clean"]
    assert list(found) == [SEEN, HELD_OUT, "cat", "dog", "ship"]
    assert {name: row["n"] for name, row in found.items()} == {
        SEEN: 80,
        HELD_OUT: 40,
        "cat": 40,
        "dog": 40,
        "ship": 40,
    }
    assert found[SEEN]["auc"] > 0.99
    assert found[HELD_OUT]["auc"] < 0.75
    assert found["ship"]["auc"] == found[HELD_OUT]["auc"]


def test_without_a_train_split_nobody_knows_what_was_held_out(chains):
    test = [one for one in chains if one.split == "test"]
    found = content_figures(scores_of(test, lambda one: 0.5), Contents.read(test), Fit(), seed=0)
    assert list(found["clean"]) == ["cat", "dog", "ship"]


def test_validation_images_and_conditions_stay_apart(chains):
    contents = Contents.read(chains)
    test = [one for one in chains if one.split == "test"]
    clean, jpeg = (scores_of(test, lambda one: 0.5, condition=name) for name in ("clean", "jpeg-50"))
    both = Scores(*(np.concatenate([getattr(clean, name), getattr(jpeg, name)]) for name in vars(clean)))
    found = content_figures(both, contents, Fit(), seed=0)
    assert list(found) == ["clean", "jpeg-50"]
    assert found["jpeg-50"][SEEN]["n"] == 80


def test_a_picture_of_something_seen_and_something_new_counts_as_seen():
    chains = [chain(0, "train", "cat"), chain(1, "test", "cat", "ship"), chain(2, "test", "ship")]
    rows = Contents.read(chains).rows(scores_of(chains[1:], lambda one: 0.0))
    assert rows[SEEN].tolist() == [True, False]
    assert rows[HELD_OUT].tolist() == [False, True]
