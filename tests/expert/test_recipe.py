"""Recipes: one schema, misspelt keys named, every shipped recipe resolves offline."""

import pytest

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.families import FAMILIES
from fakeinstruct.expert.published import published_config
from fakeinstruct.expert.recipe import Recipe, deepspeed_config, load_recipe


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.learning=1", "no 'learning' here"),
        ("optimzer.lr=1", "Did you mean 'optimizer'"),
        ("optimizer.lr=fast", "field optimizer.lr"),
        ("optimizer.lr=-1", "greater than 0"),
        ("small.heads=5", "not a multiple"),
        ("tune.method=lora", "section 'lora'"),
        ("base=", "field base"),
        ("data.pairs_per_image.verdit=3", "verdit"),
        ("nonsense", "not key=value"),
        ("optimizer.lr.deep=1", "holds a value"),
        ("optimizer.lr=[", "not YAML"),
    ],
)
def test_a_wrong_recipe_is_refused_by_name(override, message):
    with pytest.raises(UsageError, match=message.replace("(", r"\(")):
        load_recipe("cifake", [override])


def test_overrides_reach_the_sections():
    recipe = load_recipe(
        "sample", ["optimizer.lr=1e-3", "hardware.processes=2", "data.pairs_per_image={verdict: 1}"]
    )
    assert (recipe.optimizer.lr, recipe.hardware.processes) == (1e-3, 2)
    assert recipe.data.pairs_per_image == {"verdict": 1}


def test_an_unknown_recipe_names_the_known_ones():
    with pytest.raises(UsageError, match="sample"):
        load_recipe("sampel")


def test_an_unknown_deepspeed_file_names_the_known_ones():
    with pytest.raises(UsageError, match="zero2"):
        deepspeed_config(load_recipe("sample", ["hardware.deepspeed=zero9"]))


def test_an_unpublished_model_is_refused_in_a_dry_run():
    with pytest.raises(UsageError, match="not in the table of published shapes"):
        published_config("somebody/model")


def test_a_resolved_recipe_reads_back():
    recipe = load_recipe("qwen2.5-vl-7b-lora")
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_every_parameter_belongs_to_a_part():
    with pytest.raises(UsageError, match="belongs to no known part"):
        FAMILIES["llava"].part_of("model.audio_tower.weight")
