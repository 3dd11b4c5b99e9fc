"""A dry run: parameters, tokens, rows, steps and memory; every recipe that is shipped passes one."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drawn import make_pairs
from published_layout import write_published

from fakeinstruct.base.errors import UsageError
from fakeinstruct.base.surfaces import surface
from fakeinstruct.cli.train import lines
from fakeinstruct.expert.dry_run import dry_run, meta_model, unpacked
from fakeinstruct.expert.estimate import texts_of
from fakeinstruct.expert.recipe import deepspeed_config, load_recipe
from fakeinstruct.expert.resolution import constant
from fakeinstruct.expert.rows import limits_of
from fakeinstruct.expert.sampler import PackSampler

SHIPPED = sorted(path.stem for path in (surface("training") / "recipes").glob("*.yaml"))


def only(recipe):
    """The estimate of a recipe without stages."""
    return dry_run(recipe)[""]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_recipe_passes(name):
    recipe = load_recipe(name)
    found = dry_run(recipe)
    assert list(found) == (list(recipe.stages) or [""])
    for single, estimate in zip(recipe.single(), found.values(), strict=True):
        for part, (count, trained) in estimate.parts.items():
            assert count > 0
            assert (trained > 0) == (part in single.tune.parts)
        assert all(gib > 0 for gib in estimate.gib.values())
        assert estimate.load.steps > 0
        assert estimate.unpacked is None
        assert deepspeed_config(single)["zero_optimization"]
        assert dict(lines(estimate))["pairs an epoch"].endswith("(assumed: no pairs were given)")


def test_adapters_of_rank_128_on_llama_7b():
    """Seven matrices a layer: 4 of 4096 x 4096, 3 of 4096 x 11008, 32 layers, 128 rows and columns each."""
    trained = sum(count for _, count in only(load_recipe("llava-1.5-7b-lora")).parts.values())
    assert trained == 32 * 128 * (4 * (4096 + 4096) + 3 * (4096 + 11008))


def test_adapters_are_not_counted_as_the_models_own():
    lora, full = (only(load_recipe(f"llava-1.5-7b-{method}")) for method in ("lora", "full"))
    assert [own for own, _ in lora.parts.values()] == [own for own, _ in full.parts.values()]
    assert (lora.method, full.method) == ("lora, rank 128", "full")
    assert dict(lines(lora))["method"] == "lora, rank 128"


def test_adapters_take_memory_beside_the_model():
    wide = only(load_recipe("llava-1.5-7b-lora"))
    assert wide.gib["weights"] == sum(own + trained for own, trained in wide.parts.values()) * 2 / 2**30


@pytest.mark.parametrize(
    ("epochs", "warmup", "said"),
    [
        (1 / 16, 0.03, "the only step has a learning rate of 0"),
        (2 / 16, 0.6, "warm-up takes all 2 steps"),
        (2 / 16, 0.5, None),
        (1 / 16, 0.0, None),
    ],
)
def test_a_run_that_ends_within_its_warm_up_is_warned_of(pairs_folder, epochs, warmup, said):
    options = ["optimizer.batch=4", f"optimizer.epochs={epochs}", f"optimizer.warmup={warmup}"]
    found = dict(lines(only(load_recipe("cifake", [f"pairs={pairs_folder}", *WHOLE, *options]))))
    assert ("warning" in found) == (said is not None)
    if said:
        assert found["warning"].startswith(said)


def test_what_chooses_the_checkpoint_is_said_where_pairs_are_given(pairs_folder, tmp_path):
    def chooses(*options):
        return dict(lines(only(load_recipe("cifake", [*WHOLE, *options]))))["validation"]

    validated = make_pairs(tmp_path / "pairs", held_out="validation")
    assert chooses(f"pairs={validated}") == "8 verdicts choose the checkpoint"
    few = "checkpoints.validation_images=3"
    assert chooses(f"pairs={validated}", few) == "3 verdicts choose the checkpoint"
    none = "no verdicts in the validation split: the last checkpoint becomes the expert"
    assert chooses(f"pairs={pairs_folder}") == none
    assert chooses(f"pairs={validated}", "data.templates=[reasoning/turns]") == none
    assert "checkpoints.choose: last" in chooses(f"pairs={validated}", "checkpoints.choose=last")
    assert only(load_recipe("cifake")).validation is None


def test_zero_shares_weights_gradients_and_optimizer():
    options = ["optimizer.batch=4", "optimizer.accumulate=1"]
    alone = only(load_recipe("llava-1.5-7b-full", [*options, "hardware.processes=1"])).gib
    shared = only(load_recipe("llava-1.5-7b-full", [*options, "hardware.processes=8"])).gib
    assert all(
        alone[name] == pytest.approx(8 * shared[name]) for name in ("weights", "gradients", "optimizer")
    )
    assert alone["activations"] == shared["activations"]


def test_without_pairs_the_gain_is_the_ideal_of_the_token_counts():
    """K (P + n) / (P + K n) with P = 576 + 5 of the image and n = 75 others, ten trees of 5 an image."""
    options = ["packing={pairs: 5, tokens: 8192}", "optimizer.batch=5", "optimizer.accumulate=2"]
    load = only(load_recipe("llava-1.5-7b-lora", options)).load
    assert (load.pairs, load.trees, load.rows) == (2_000_000, 400_000, 400_000)
    assert load.alone / load.shared == pytest.approx(5 * (581 + 75) / (581 + 5 * 75))
    assert load.longest == 581 + 5 * 75
    assert load.steps == 400_000 / 8 / 2


def test_pairs_are_counted_as_the_sampler_draws_them(pairs_folder):
    recipe = load_recipe(
        "cifake", [f"pairs={pairs_folder}", *WHOLE, "optimizer.batch=4", "optimizer.epochs=2.5"]
    )
    load = only(recipe).load
    assert (load.source, load.pairs, load.trees, load.rows) == ("counted", 48, 16, 16)
    assert load.steps == 16 + 16 + 8
    two = only(recipe.model_copy(update={"hardware": recipe.hardware.model_copy(update={"processes": 3})}))
    assert two.load.steps == 6 + 6 + 3


WHOLE = ["data={split: train}", "packing={pairs: 16, tokens: 8192}"]
"""Every pair, packed as by default."""


def test_estimated_tokens_are_near_the_real_ones(pairs_folder, processor):
    from fakeinstruct.base.errors import Rejects
    from fakeinstruct.expand.pair import open_pairs
    from fakeinstruct.expert.chosen import choose
    from fakeinstruct.expert.rows import RowWriter

    recipe = load_recipe("cifake", [f"pairs={pairs_folder}", *WHOLE])
    pairs = open_pairs(pairs_folder)
    writer = RowWriter(processor, pairs, recipe.data, Rejects())
    rows = [writer._row(pair) for pair in choose(pairs, recipe.data)]
    texts = texts_of(recipe, constant(16))
    assert len(texts.index) == len(rows)
    assert texts.index.tokens.sum() == pytest.approx(sum(row["tokens"] for row in rows), rel=0.25)
    real = sum(sum(label >= 0 for label in row["labels"]) for row in rows)
    assert texts.answers.sum() == pytest.approx(real, rel=0.5)


def test_longer_pairs_are_left_out_and_counted(pairs_folder):
    found = only(load_recipe("cifake", [f"pairs={pairs_folder}", *WHOLE, "data.max_tokens=40"]))
    assert (found.load.pairs, found.load.too_long) == (32, 16)
    assert dict(lines(found))["left out"] == "about 16 pairs, longer than data.max_tokens"


def warnings(recipe):
    return [value for name, value in lines(only(recipe)) if name == "warning"]


def test_pairs_without_an_answer_are_left_out_and_counted(tmp_path):
    folder = make_pairs(tmp_path / "pairs")
    rows = pq.read_table(folder / "pairs-0.parquet").to_pylist()
    for row in rows[:5]:
        row["messages"] = row["messages"][:1]
    pq.write_table(pa.Table.from_pylist(rows), folder / "pairs-0.parquet")
    found = only(load_recipe("cifake", [f"pairs={folder}", *WHOLE, "data.max_tokens=40"]))
    assert (found.load.unanswered, found.load.too_long) == (5, 14)
    assert found.load.pairs == 48 - 5 - 14
    assert ("left out", "about 5 pairs without an answer to learn") in lines(found)


def test_a_set_of_reasons_is_warned_of(pairs_folder):
    options = [f"pairs={pairs_folder}", *WHOLE]
    said = "no verdict is learned: score and detect will have no readout"
    assert said not in warnings(load_recipe("cifake", options))
    assert said in warnings(load_recipe("cifake", [*options, "data.templates=[reasoning/turns]"]))


def test_images_that_are_not_there_are_an_error_some_a_warning(pairs_folder, tmp_path):
    options = [f"pairs={pairs_folder}", *WHOLE]
    with pytest.raises(UsageError, match=r"Give image_root=DIR"):
        dry_run(load_recipe("cifake", [*options, f"image_root={tmp_path / 'gone'}"]))
    shutil.copytree(pairs_folder / "images", tmp_path / "images")
    (tmp_path / "images" / "003.png").unlink()
    (said,) = warnings(load_recipe("cifake", [*options, f"image_root={tmp_path}"]))
    assert said.startswith("1 of 16 images looked at cannot be read; the first: ")


def test_images_cost_what_the_folders_processor_makes_of_their_size(pairs_folder, tmp_path):
    """16 x 16 pixels in the tiny Qwen: 2 x 2 tokens of 8 x 8 pixels; limited to 128 pixels, 1."""
    write_published("qwen2_5_vl", tmp_path)
    options = [f"base={tmp_path}", f"pairs={pairs_folder}", "data={split: train}", "tune.lora=null"]
    options += ["tune.method=full", "hardware.processes=1", "optimizer.batch=4"]
    whole = load_recipe("qwen2.5-vl-7b-full", options)
    assert (only(whole).load.image_tokens, warnings(whole)) == (4, [])
    limited = only(load_recipe("qwen2.5-vl-7b-full", [*options, "data.max_pixels=128"])).load
    assert limited.image_tokens == 1
    assert only(whole).load.alone - limited.alone == 48 * 3


def test_a_limit_of_an_images_pixels_is_handed_on_by_a_stage(pairs_folder, tmp_path):
    write_published("qwen2_5_vl", tmp_path / "base")
    common = {"tune": {"method": "full"}, "optimizer": {"lr": 1e-3, "batch": 4}}
    stages = {"one": {"data": {"max_pixels": 128}}, "two": {}, "three": {"data": {"max_pixels": 256}}}
    file = tmp_path / "recipe.yaml"
    recipe = common | {"base": str(tmp_path / "base"), "pairs": str(pairs_folder), "stages": stages}
    file.write_text(json.dumps(recipe))
    found = dry_run(load_recipe(file))
    assert {name: one.load.image_tokens for name, one in found.items()} == {"one": 1, "two": 1, "three": 4}


def test_what_is_assumed_of_images_is_said():
    (said,) = warnings(load_recipe("qwen2.5-vl-7b-lora"))
    assert said == "assumed: images of 448 x 448 pixels; pairs=PAIRS looks at theirs"
    assert warnings(load_recipe("llava-1.5-7b-lora")) == []
    assert "one tile" in warnings(load_recipe("internvl3-8b-lora"))[0]


@pytest.mark.parametrize(
    "override", ["data={templates: [no/such]}", "data={split: validation}", "data={max_tokens: 10}"]
)
def test_no_pair_left_is_one_message(pairs_folder, override):
    with pytest.raises(UsageError, match="is left to learn"):
        dry_run(load_recipe("cifake", [f"pairs={pairs_folder}", override]))


def test_a_limit_of_pairs_an_image_holds_for_an_epoch(pairs_folder):
    options = [f"pairs={pairs_folder}", "data={split: train, pairs_per_image: {verdict: 1}}"]
    assert only(load_recipe("cifake", options)).load.pairs == 16


def test_of_a_large_set_the_first_shards_stand_for_the_rest(pairs_folder, tmp_path, monkeypatch):
    from fakeinstruct.expert import estimate

    folder = tmp_path / "pairs"
    shutil.copytree(pairs_folder, folder)
    shards = [
        shutil.copy(folder / "pairs-0.parquet", folder / f"pairs-{number}.parquet") for number in range(1, 4)
    ]
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["shards"] |= {Path(shard).name: "0" * 64 for shard in shards}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    recipe = load_recipe("cifake", [f"pairs={folder}", *WHOLE])
    whole = only(recipe).load
    monkeypatch.setattr(estimate, "MOST", 60)  # two of the four shards
    part = only(recipe).load
    assert (whole.source, part.source) == ("counted", "counted in part")
    assert texts_of(recipe, constant(16)).share == 0.5
    assert (part.pairs, part.alone, part.rows) == (whole.pairs, whole.alone, whole.rows)


def test_unpacked_pairs_cost_their_image_each_and_logits_everywhere():
    packed = only(load_recipe("llava-1.5-7b-lora"))
    alone = only(load_recipe("llava-1.5-7b-lora", ["packing=null"]))
    assert alone.unpacked == "the recipe says packing: null"
    assert alone.load.longest == 16 * 656
    assert alone.load.shared == alone.load.alone == packed.load.alone
    assert alone.gib["activations"] > packed.gib["activations"]
    said = dict(lines(alone))
    assert said["packing"] == "no: the recipe says packing: null"
    assert "rows an epoch" not in said
    assert said["batches an epoch"].endswith(
        "of at most 16 pairs, padded to the longest; the largest of about 10,496 tokens"
    )


def test_a_family_that_cannot_be_packed_says_why(tmp_path):
    from tiny import tiny_qwen3_5

    tiny_qwen3_5().model.config.save_pretrained(tmp_path)
    recipe = load_recipe("qwen2.5-vl-7b-full", [f"base={tmp_path}"])
    model = meta_model(recipe)
    assert "2 linear attention" in unpacked(recipe, model.config)
    assert only(recipe).load.trees == only(recipe).load.pairs
    assert limits_of(recipe, packed=False).pairs == 1


def test_steps_are_those_of_the_sampler():
    recipe = load_recipe("sample").single()[0]
    texts = texts_of(recipe, constant(64))
    sampler = PackSampler(
        texts.index,
        limits_of(recipe, packed=True),
        seed=recipe.seed,
        epochs=recipe.own_optimizer().epochs,
        rank=0,
        world=1,
        accumulate=1,
    )
    first = dry_run(load_recipe("sample"))["alignment"].load
    assert first.steps == round(sampler.steps / texts.share)
