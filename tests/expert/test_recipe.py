"""Recipes: one schema, misspelt keys named, every shipped recipe resolves offline."""

import pytest

from fakeinstruct.base.errors import UsageError
from fakeinstruct.base.surfaces import surface
from fakeinstruct.expert.dry_run import dry_run
from fakeinstruct.expert.families import FAMILIES
from fakeinstruct.expert.published import published_config
from fakeinstruct.expert.recipe import Recipe, deepspeed_config, load_recipe

SHIPPED = sorted(path.stem for path in (surface("training") / "recipes").glob("*.yaml"))


def test_there_are_recipes_for_the_sample_cifake_and_both_large_models():
    assert {
        "sample",
        "cifake",
        "llava-1.5-7b-full",
        "llava-1.5-7b-lora",
        "qwen2.5-vl-7b-full",
        "qwen2.5-vl-7b-lora",
    } <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_recipe_resolves_offline(name, base_folder):
    second_stage = [f"base={base_folder}"] if name == "sample" else []
    recipe = load_recipe(name, second_stage)
    estimate = dry_run(recipe)
    assert estimate.steps > 0
    assert all(gib > 0 for gib in estimate.gib.values())
    for part, (_, trained) in estimate.parts.items():
        assert (trained > 0) == (part in recipe.tune.parts)
    assert deepspeed_config(recipe)["zero_optimization"]


def test_published_shapes_have_the_published_number_of_parameters():
    """The totals that the hub states for both models' safetensors."""
    full = {name: dry_run(load_recipe(name)).parts for name in ("llava-1.5-7b-full", "qwen2.5-vl-7b-full")}
    totals = {name: sum(count for count, _ in parts.values()) for name, parts in full.items()}
    assert totals == {"llava-1.5-7b-full": 7_063_427_072, "qwen2.5-vl-7b-full": 8_292_166_656}


def test_adapters_of_rank_128_on_llama_7b():
    """Seven matrices a layer: 4 of 4096 x 4096, 3 of 4096 x 11008, 32 layers, 128 rows and columns each."""
    trained = sum(count for _, count in dry_run(load_recipe("llava-1.5-7b-lora")).parts.values())
    assert trained == 32 * 128 * (4 * (4096 + 4096) + 3 * (4096 + 11008))


def test_zero_shares_weights_gradients_and_optimizer():
    alone = dry_run(load_recipe("llava-1.5-7b-full", ["hardware.processes=1"])).gib
    shared = dry_run(load_recipe("llava-1.5-7b-full")).gib
    assert all(
        alone[name] == pytest.approx(8 * shared[name]) for name in ("weights", "gradients", "optimizer")
    )
    assert alone["activations"] == shared["activations"]


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
        load_recipe("sample-align", [override])


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
