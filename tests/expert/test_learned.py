"""The card before training: what is asked of an expert is what it learned."""

import json

import pytest
from drawn import make_pairs
from running import small_recipe

from fakeinstruct.base.files import write_json
from fakeinstruct.expand.pair import open_pairs
from fakeinstruct.expert.card import ExpertCard, Readout, save_card
from fakeinstruct.expert.learned import NO_VERDICT, make_card, without_verdict

REASONS = "What speaks for your verdict?"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A set whose manifest has a readout and a prompt that no pair asks, so that nothing of them is learned."""
    folder = make_pairs(tmp_path_factory.mktemp("pairs") / "pairs")
    manifest = json.loads((folder / "manifest.json").read_text())
    (first,) = manifest["readouts"]
    manifest["readouts"].append(first | {"template": "verdict/short", "prompts": ["Fake?"]})
    manifest["explanation_prompts"].append("Why?")
    write_json(folder / "manifest.json", manifest)
    return open_pairs(folder)


def asked(pairs, base="b", **data):
    card = make_card(small_recipe(base, pairs.folder, "o", data=data), pairs, str(base))
    return [readout.name for readout in card.readouts], list(card.explanation_prompts)


def test_the_questions_of_the_pairs_that_there_are(pairs):
    assert asked(pairs) == (["verdict/one_word"], [REASONS])


def test_an_expert_of_reasons_alone_has_no_verdict(pairs):
    assert asked(pairs, pairs_per_image={"reasoning": 1}) == ([], [REASONS])
    recipe = small_recipe("b", pairs.folder, "o", data={"pairs_per_image": {"reasoning": 1}})
    assert without_verdict(recipe, pairs) == NO_VERDICT
    assert without_verdict(small_recipe("b", pairs.folder, "o"), pairs) is None


def test_pairs_of_another_split_teach_nothing(pairs):
    """The held-out images are for testing; none is for validation."""
    assert asked(pairs, split="validation") == ([], [])


def test_a_verdict_of_an_earlier_stage_is_a_verdict(pairs):
    stages = {
        "one": {"data": {"templates": ["verdict/one_word"]}},
        "two": {"data": {"templates": ["reasoning/turns"]}},
    }
    assert without_verdict(small_recipe("b", pairs.folder, "o", stages=stages), pairs) is None


def test_readouts_that_other_pairs_taught_stay_unfitted(pairs, tmp_path):
    own = Readout(
        name="own", prompt="Is it?", fake=("yes",), real=("no",), scale=2.0, bias=1.0, fitted_on="these"
    )
    save_card(tmp_path, ExpertCard(base="b", readouts=(own,)))
    card = make_card(small_recipe(tmp_path, pairs.folder, "o"), pairs, "b")
    assert [readout.name for readout in card.readouts] == ["verdict/one_word", "own"]
    assert (card.readouts[1].scale, card.readouts[1].fitted_on) == (None, None)


def test_the_questions_of_the_templates_that_are_learned(pairs):
    assert asked(pairs, templates=["verdict/one_word"]) == (["verdict/one_word"], [])
    assert asked(pairs, templates=["reasoning/turns"]) == ([], [REASONS])


def test_what_the_stage_before_learned_is_still_known(pairs, tmp_path):
    card = make_card(small_recipe("b", "p", "o", data={"templates": ["verdict/one_word"]}), pairs, "b")
    write_json(tmp_path / "expert.json", card.model_dump(mode="json"))
    assert asked(pairs, base=tmp_path, templates=["reasoning/turns"]) == (["verdict/one_word"], [REASONS])
