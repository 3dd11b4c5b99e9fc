"""The verdicts that choose a checkpoint: which they are, and that the best one becomes the expert."""

import json

import pytest
from drawn import make_pairs
from running import run_recipe, small_recipe
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

from fakeinstruct.base.errors import FakeInstructError, Rejects
from fakeinstruct.expand.pair import open_pairs
from fakeinstruct.expert import vision  # noqa: F401 - registers the small tower
from fakeinstruct.expert.launch import train
from fakeinstruct.expert.process import collator
from fakeinstruct.expert.recipe import Data
from fakeinstruct.expert.rows import RowWriter
from fakeinstruct.expert.validation import validation_pairs


@pytest.fixture(scope="module")
def validated_pairs(tmp_path_factory):
    """A pair set whose images that are not trained on are validation images."""
    return make_pairs(tmp_path_factory.mktemp("pairs") / "pairs", held_out="validation")


def chosen(folder, images=512, **data):
    recipe = small_recipe("b", folder, "o", data=data, checkpoints={"validation_images": images})
    return validation_pairs(open_pairs(folder), recipe)


def test_each_image_gives_one_verdict(validated_pairs):
    pairs = chosen(validated_pairs)
    assert [pair.chain for pair in pairs] == sorted({str(number) for number in range(16, 24)})
    assert {(pair.task, pair.split) for pair in pairs} == {("verdict", "validation")}


def test_a_limit_takes_the_same_images_from_any_set(validated_pairs, tmp_path):
    few, more = ({pair.chain for pair in chosen(validated_pairs, images)} for images in (3, 5))
    assert few < more
    assert len(few) == 3


def test_templates_that_are_not_learned_do_not_choose(validated_pairs):
    assert chosen(validated_pairs, templates=["reasoning/turns"]) == []
    assert len(chosen(validated_pairs, templates=["reasoning/turns", "verdict/one_word"])) == 8


def test_no_validation_images_no_verdicts(pairs_folder):
    assert chosen(pairs_folder) == []


def test_a_run_on_the_validation_split_is_not_chosen_by_it(validated_pairs):
    recipe = small_recipe("b", validated_pairs, "o", data=Data(split="validation").model_dump(mode="json"))
    assert validation_pairs(open_pairs(validated_pairs), recipe) == []


def test_verdicts_can_choose_where_none_is_learned(validated_pairs, base_folder, processor):
    """A batch of verdicts is made by the collator of a run whose own tasks have none."""
    recipe = small_recipe(base_folder, validated_pairs, "o")
    model = AutoModelForImageTextToText.from_pretrained(base_folder)
    pairs = open_pairs(validated_pairs)
    make = collator(recipe, model, processor, pairs.image_root, ("reasoning",))
    assert make.tasks == ("reasoning", "verdict")
    row = RowWriter(processor, pairs, recipe.data, Rejects())._row(chosen(validated_pairs)[0])
    batch = make([row | {"tree": 0, "counts": True, "epoch": 0}])
    assert set(batch["targets"].tasks.tolist()) == {1}


def test_a_validation_image_that_is_gone_is_named(base_folder, tmp_path):
    pairs = make_pairs(tmp_path / "pairs", held_out="validation")
    recipe = small_recipe(
        base_folder, pairs, tmp_path / "run", optimizer={"epochs": 0.25}, checkpoints={"choose": "validation"}
    )
    train(recipe, start=False)
    (pairs / "images/017.png").unlink()
    with pytest.raises(FakeInstructError, match=r"images/017.png, record 17/0.*is missing\. Put it right"):
        train(recipe)


LORA = {"method": "lora", "parts": ["language_model"], "lora": {"rank": 4, "alpha": 8}}


@pytest.mark.parametrize(
    ("tune", "hardware", "weights"),
    [
        pytest.param({}, {"processes": 1, "deepspeed": "zero2"}, "model.safetensors", marks=pytest.mark.slow),
        pytest.param(LORA, {"processes": 2, "deepspeed": "zero3"}, "adapter_model.safetensors"),
        pytest.param({}, {"processes": 2, "deepspeed": "zero3"}, "model.safetensors", marks=pytest.mark.slow),
        pytest.param(
            LORA, {"processes": 1, "deepspeed": "zero2"}, "adapter_model.safetensors", marks=pytest.mark.slow
        ),
    ],
)
def test_the_checkpoint_with_the_likeliest_verdicts_becomes_the_expert(
    validated_pairs, base_folder, tmp_path, tune, hardware, weights
):
    """At a rate that grows until it throws the model about, some step before the last is the best."""
    run = run_recipe(
        small_recipe(
            base_folder,
            validated_pairs,
            tmp_path / "run",
            tune=tune,
            optimizer={
                "lr": 0.3,
                "warmup": 1.0,
                "batch": 24 // hardware["processes"],
                "epochs": 3,
                "schedule": "constant_with_warmup",
            },
            checkpoints={"choose": "validation", "keep": 9},
            hardware=hardware,
        )
    )
    history = json.loads(run.history.read_text())
    found = {entry["step"]: entry["eval_verdict_nll"] for entry in history if "eval_verdict_nll" in entry}
    best = min(found, key=found.get)
    print(found)
    assert list(found) == list(range(1, len(found) + 1))
    assert best < max(found)
    card = json.loads((run.expert / "expert.json").read_text())
    assert (card["trained_on"]["chosen_step"], card["trained_on"]["steps"]) == (best, max(found))
    expert = load_file(run.expert / weights)
    kept = load_file(run.checkpoints / f"checkpoint-{best}" / weights)
    last = load_file(run.checkpoints / f"checkpoint-{max(found)}" / weights)
    assert all((expert[name] == kept[name]).all() for name in kept)
    assert any((expert[name] != last[name]).any() for name in last)
    assert f"step {best}" in (run.expert / "README.md").read_text()
