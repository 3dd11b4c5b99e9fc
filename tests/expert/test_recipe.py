"""Recipes: one schema, misspelt keys named, every shipped recipe resolves offline."""

import pytest

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.families import FAMILIES
from fakeinstruct.expert.published import published_config
from fakeinstruct.expert.recipe import (
    Lora,
    Optimizer,
    Packing,
    Recipe,
    Stage,
    Tune,
    deepspeed_config,
    load_recipe,
)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.learning=1", "no 'learning' here"),
        ("optimzer.lr=1", "Did you mean 'optimizer'"),
        ("optimizer.lr=fast", "field optimizer.lr"),
        ("optimizer.lr=-1", "greater than 0"),
        ("small.heads=5", "not a multiple"),
        ("tune.method=lora", "needs the section 'lora', which is missing"),
        ("tune.lora={rank: 2}", "lora: null"),
        ("base=", "field base"),
        ("data.pairs_per_image.verdit=3", "field data.pairs_per_image.verdit: .*Did you mean 'verdict'"),
        ("tune.parts=[visiontower]", "field tune.parts: .*Did you mean 'vision_tower'"),
        ("tune.parts=[]", "field tune.parts: needs 1 or more entries"),
        ("nonsense", "not key=value"),
        ("optimizer.lr.deep=1", "holds a value"),
        ("optimizer.lr=[", "not YAML"),
    ],
)
def test_a_wrong_recipe_is_refused_by_name(override, message):
    with pytest.raises(UsageError, match=message):
        load_recipe("cifake", [override])


def test_overrides_reach_the_sections():
    recipe = load_recipe(
        "cifake", ["optimizer.lr=1e-3", "hardware.processes=2", "data.pairs_per_image={verdict: 1}"]
    )
    assert (recipe.optimizer.lr, recipe.hardware.processes) == (1e-3, 2)
    assert recipe.data.pairs_per_image == {"verdict": 1}


STAGED = """
base: somebody/model
data: {max_tokens: 100, pairs_per_image: {verdict: 1, reasoning: 2}}
tune: {method: lora, lora: {rank: 4, alpha: 8}, lr: {projector: 0.5}}
loss: {weights: {verdict: 2}, smoothing: 0.1}
optimizer: {batch: 4}
stages:
  first:
    optimizer: {lr: 1.0e-4}
  second:
    data: {pairs_per_image: {verdict: 3}}
    tune: {parts: [language_model], lora: {rank: 2}, lr: {language_model: 0.25}}
    loss: {weights: {}}
    optimizer: {lr: 1.0e-5, clip: 2}
  third:
    tune: {method: full, lora: null}
    packing: null
    optimizer: {lr: 1.0e-6}
"""


@pytest.fixture
def staged(tmp_path):
    file = tmp_path / "staged.yaml"
    file.write_text(STAGED)
    return file


def test_a_stage_is_merged_key_by_key_over_the_recipe(staged):
    first, second, third = load_recipe(staged).single()
    assert [run.optimizer.lr for run in (first, second, third)] == [1e-4, 1e-5, 1e-6]
    assert {run.optimizer.batch for run in (first, second, third)} == {4}
    assert (first.tune.method, first.tune.lora.rank) == ("lora", 4)
    assert (second.tune.method, second.tune.parts) == ("lora", ("language_model",))
    assert (second.tune.lora.rank, second.tune.lora.alpha) == (2, 8)
    assert (second.data.max_tokens, second.loss.smoothing, second.optimizer.clip) == (100, 0.1, 2)
    assert (third.tune.method, third.tune.lora, third.packing) == ("full", None, None)
    assert first.packing == Packing()


def test_a_stage_replaces_what_names_tasks_or_parts(staged):
    first, second, third = load_recipe(staged).single()
    assert first.data.pairs_per_image == third.data.pairs_per_image == {"verdict": 1, "reasoning": 2}
    assert second.data.pairs_per_image == {"verdict": 3}
    assert second.tune.lr == {"language_model": 0.25}
    assert (first.loss.weights, second.loss.weights) == ({"verdict": 2}, {})


def test_models_are_merged_like_files():
    shared = Tune(method="lora", lora=Lora(rank=4))
    stage = Stage(tune=Tune(lr={"projector": 0.5}), optimizer=Optimizer(lr=1))
    (run,) = Recipe(base="b", tune=shared, stages={"a": stage}).single()
    assert run.tune == Tune(method="lora", lora=Lora(rank=4), lr={"projector": 0.5})


def test_a_stage_without_a_learning_rate_is_named(staged):
    staged.write_text(STAGED.replace("lr: 1.0e-5, ", ""))
    with pytest.raises(UsageError, match=r"field stages\.second\.optimizer\.lr: field required"):
        load_recipe(staged)


def test_a_full_stage_on_adapters_must_switch_them_off(staged):
    staged.write_text(STAGED.replace("method: full, lora: null", "method: full"))
    with pytest.raises(UsageError, match=r"field stages\.third\.tune: .*give lora: null"):
        load_recipe(staged)


@pytest.mark.parametrize(
    "override",
    [
        "optimizer.lr=1e-3",
        "optimizer={lr: 1e-3, clip: 1}",
        "packing.pairs=2",
        "stages.alin.optimizer.lr=1",
        "stages.Third.seed=1",
    ],
)
def test_an_override_that_no_stage_heeds_is_refused(staged, override):
    staged.write_text(STAGED.replace("  first:", "  first:\n    packing: {pairs: 8}"))
    staged.write_text(staged.read_text().replace("  second:", "  second:\n    packing: {pairs: 4}"))
    with pytest.raises(UsageError) as caught:
        load_recipe(staged, [override])
    key = override.partition("=")[0].removesuffix("optimizer") or "optimizer.lr"
    says = (
        "the recipe has no stage" if "stages" in override else f"Give stages.first.{key}=..., stages.second."
    )
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("override", "values"),
    [
        ("optimizer.clip=3", (3, 2, 3)),
        ("optimizer={clip: 3}", (3, 2, 3)),
        ("stages.third.optimizer.clip=3", (1, 2, 3)),
        ("seed=3", (1, 2, 1)),
    ],
)
def test_an_override_reaches_the_stages_that_do_not_set_it(staged, override, values):
    assert tuple(run.optimizer.clip for run in load_recipe(staged, [override]).single()) == values


def test_an_unknown_stage_names_the_nearest():
    with pytest.raises(UsageError, match=r"no stage 'alin'\. Did you mean 'alignment'"):
        load_recipe("sample", ["stages.alin.optimizer.lr=1"])
    with pytest.raises(UsageError, match=r"no stage 'alignment'\. It has none"):
        load_recipe("cifake", ["stages.alignment.optimizer.lr=1"])


def test_other_stages_can_be_given_whole(staged):
    one = load_recipe(staged, ["stages={only: {optimizer: {lr: 1}}}", "stages.only.optimizer.clip=3"])
    assert [run.optimizer.clip for run in one.single()] == [3]


def test_an_unknown_recipe_names_the_known_ones():
    with pytest.raises(UsageError, match="sample"):
        load_recipe("sampel")


def test_an_unknown_deepspeed_file_names_the_known_ones():
    with pytest.raises(UsageError, match="zero2"):
        deepspeed_config(load_recipe("sample", ["hardware.deepspeed=zero9"]))


def test_an_unpublished_model_is_refused_in_a_dry_run():
    with pytest.raises(UsageError, match="not in the table of published shapes"):
        published_config("somebody/model")


@pytest.mark.parametrize("name", ["qwen2.5-vl-7b-lora", "sample"])
def test_a_resolved_recipe_reads_back(name):
    recipe = load_recipe(name)
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_resolved_stages_read_back(staged):
    recipe = load_recipe(staged)
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_every_parameter_belongs_to_a_part():
    with pytest.raises(UsageError, match="belongs to no known part"):
        FAMILIES["llava"].part_of("model.audio_tower.weight")
