"""The card before training: what is asked of an expert is what it learned."""

import json

import pytest
from drawn import make_pairs
from running import small_recipe

from fakeinstruct.base.files import write_json
from fakeinstruct.expand.pair import open_pairs
from fakeinstruct.expert.learned import make_card

REASONS = "What speaks for your verdict?"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A set whose manifest has a readout and a prompt that no pair asks."""
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


def test_all_questions_where_all_templates_are_learned(pairs):
    assert asked(pairs) == (["verdict/one_word", "verdict/short"], [REASONS, "Why?"])


def test_the_questions_of_the_templates_that_are_learned(pairs):
    assert asked(pairs, templates=["verdict/one_word"]) == (["verdict/one_word"], [])
    assert asked(pairs, templates=["reasoning/turns"]) == ([], [REASONS])


def test_what_the_stage_before_learned_is_still_known(pairs, tmp_path):
    card = make_card(small_recipe("b", "p", "o", data={"templates": ["verdict/one_word"]}), pairs, "b")
    write_json(tmp_path / "expert.json", card.model_dump(mode="json"))
    assert asked(pairs, base=tmp_path, templates=["reasoning/turns"]) == (["verdict/one_word"], [REASONS])
