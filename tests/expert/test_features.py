"""Kept features: the loss and the gradients are those without, and the tower is not run again."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from running import run_recipe, small_recipe
from test_exactness import Sample, packed_loss
from tiny import EXACT, tiny_llava, tiny_qwen2_5_vl

from fakeinstruct.base.errors import Rejects
from fakeinstruct.expand.pair import open_pairs
from fakeinstruct.expert.attention import use_tree_attention
from fakeinstruct.expert.chosen import choose
from fakeinstruct.expert.collate import Collator, PackCollator
from fakeinstruct.expert.families import family_of
from fakeinstruct.expert.features import ImageKey, image_key, keep_features, tower_of, why_not_kept
from fakeinstruct.expert.packing import plain_positions
from fakeinstruct.expert.recipe import Data, Tune
from fakeinstruct.expert.rows import RowWriter
from fakeinstruct.expert.sft import IGNORE
from fakeinstruct.expert.tune import apply_tune

KEPT = ["llava", "small", "llava_next", "internvl", "qwen2_5_vl", "qwen3_vl"]


def frozen(tiny, *parts):
    """The model as a recipe would train these parts of it, attending to trees."""
    model = apply_tune(tiny.model.train(), Tune(parts=parts or ("language_model",)))
    use_tree_attention(model)
    return model


def keys_of(sample: Sample) -> list[ImageKey]:
    """A key for each image of the sample's row, by its number."""
    shown = [next(n for n, one in enumerate(sample.images) if one is image) for image in sample.shown()]
    return [image_key(f"{number}.png", None, False, sample.images[number]) for number in shown]


def learn(model, sample, features=None, keys=None):
    """Loss and gradients of the sample's row."""
    packed = sample.pack(model)
    model.zero_grad()
    if features is None:
        loss = packed_loss(model, sample, packed, tree=packed.layout)
    else:
        with features.of(keys):
            loss = packed_loss(model, sample, packed, tree=packed.layout)
    loss.backward()
    return loss.item(), {n: w.grad.clone() for n, w in model.named_parameters() if w.grad is not None}


def same(found, expected):
    assert found[0] == pytest.approx(expected[0], rel=1e-6)
    assert found[1].keys() == expected[1].keys()
    for name, gradient in expected[1].items():
        assert (found[1][name] - gradient).norm() <= 1e-5 * gradient.norm(), name


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("projector", [False, True], ids=["language", "projector"])
def test_both_epochs_learn_what_they_learn_without(name, projector):
    tiny = EXACT[name]()
    parts = ("projector", "language_model") if projector else ("language_model",)
    plain = frozen(tiny._replace(model=copy.deepcopy(tiny.model)), *parts)
    model, sample = frozen(tiny, *parts), Sample(tiny)
    features, reason = keep_features(model, 1.0)
    if projector and "qwen" in name:
        assert features is None
        assert reason == "the projector, which is part of the tower, is trained"
        return
    keys, expected = keys_of(sample), learn(plain, sample)
    for shown, known in ((3, 0), (3, 3)):
        same(learn(model, sample, features, keys), expected)
        assert features.counted() == (shown, known)
    assert any("projector" in family_of(model.config).part_of(weight) for weight in expected[1]) == projector


@pytest.mark.parametrize("make", [tiny_llava, tiny_qwen2_5_vl])
def test_the_tower_sees_only_unknown_images_and_each_once(make):
    tiny = make()
    model, sample = frozen(tiny), Sample(tiny)
    seen = []
    tower, run = tower_of(model), tower_of(model).forward
    tower.forward = lambda pixels, **options: seen.append(len(pixels)) or run(pixels, **options)
    features, _ = keep_features(model, 1.0)
    keys = keys_of(sample)
    sizes = [len(image["pixel_values"]) for image in sample.shown()]
    learn(model, sample, features, keys)
    other = ImageKey(keys[0].path, (0.0, 0.0, 0.5, 0.5), False, keys[0].rows)
    learn(model, sample, features, [other, *keys[1:]])
    learn(model, sample, features, keys)
    learn(model, sample, None)
    assert seen == [sum(sizes), sizes[0], sum(sizes)]  # nothing in the third; without keys as ever


def test_a_mirrored_image_and_a_crop_are_others():
    image = {"pixel_values": torch.zeros(1, 3, 4, 4)}
    keys = {
        image_key("a.png", None, False, image),
        image_key("a.png", None, True, image),
        image_key("a.png", (0.0, 0.0, 0.5, 0.5), False, image),
    }
    assert len(keys) == 3
    assert image_key("a.png", None, False, {"pixel_values": torch.zeros(1, 5, 3, 4, 4)}).rows == 5


def test_no_more_is_kept_than_allowed_and_the_longest_unused_goes_first():
    tiny = tiny_llava()
    model, sample = frozen(tiny), Sample(tiny)
    expected = learn(copy.deepcopy(model), sample)
    size = 17 * 32 * 4  # 16 patches and the class token, 32 wide, float32
    features, _ = keep_features(model, 2.5 * size / 2**30)
    keys = keys_of(sample)
    same(learn(model, sample, features, keys), expected)
    assert features.bytes == 2 * size
    assert features.counted() == (3, 0)
    same(learn(model, sample, features, keys), expected)
    assert features.counted() == (3, 2)  # the first of the three had gone
    assert features.bytes == 2 * size
    nothing, _ = keep_features(frozen(tiny_llava()), 1e-9)
    assert nothing.bytes == 0


def test_features_are_forgotten_when_the_weights_are_written_to():
    tiny = tiny_llava()
    model, sample = frozen(tiny), Sample(tiny)
    features, _ = keep_features(model, 1.0)
    keys = keys_of(sample)
    before = learn(model, sample, features, keys)[0]
    features.counted()
    with torch.no_grad():
        next(tower_of(model).parameters()).mul_(2)
    after = learn(model, sample, features, keys)[0]
    assert features.counted() == (3, 0)
    assert after != pytest.approx(before, rel=1e-4)


def test_why_features_are_not_kept():
    assert why_not_kept(frozen(EXACT["llava"]())) is None
    assert why_not_kept(frozen(EXACT["llava"](), "vision_tower")) == "it is trained"
    assert "smolvlm" in why_not_kept(frozen(EXACT["smolvlm"]()))
    dropping = frozen(EXACT["llava"]())
    tower_of(dropping).config.attention_dropout = 0.1
    assert why_not_kept(dropping) == "it drops activations out"
    normalising = frozen(EXACT["llava"]())
    tower_of(normalising).add_module("extra", torch.nn.BatchNorm2d(3).requires_grad_(False))
    assert "batch normalisation" in why_not_kept(normalising)
    assert keep_features(frozen(EXACT["llava"]()), 0.0) == (None, None)


@pytest.mark.parametrize("make", [tiny_llava, tiny_qwen2_5_vl])
@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "checkpointing"])
def test_adapters_on_the_language_model_leave_the_tower_frozen(make, checkpointing):
    tiny = make()
    recipe = Tune(method="lora", parts=("language_model",), lora={"rank": 2, "alpha": 4})
    model = apply_tune(tiny.model.train(), recipe)
    use_tree_attention(model)
    if checkpointing:
        model.enable_input_require_grads()
        model.activation_checkpointing_enable({"use_reentrant": False})
    sample = Sample(tiny)
    expected = learn(copy.deepcopy(model), sample)
    features, _ = keep_features(model, 1.0)
    for _ in range(2):
        same(learn(model, sample, features, keys_of(sample)), expected)
    assert features.counted() == (6, 3)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["llava", "qwen2_5_vl"])
def test_under_zero3_processes_go_through_the_tower_together(family):
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--rdzv-backend=c10d",
        "--rdzv-endpoint=127.0.0.1:0",
    ]
    command += ["--nproc-per-node=2", str(Path(__file__).parent / "features_zero3.py"), family]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    lines = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    assert len(lines) == 2
    for line in lines:
        without, kept = line["losses"]
        assert kept == pytest.approx(without, rel=1e-5)
        assert line["counts"] == [12, 9 - 3 * line["rank"]]


def test_the_collator_names_each_image_of_a_row_in_order(processor, pairs_folder, tmp_path):
    pairs = open_pairs(pairs_folder)
    RowWriter(processor, pairs, Data(), Rejects()).write(tmp_path / "rows", choose(pairs, Data()))
    rows = Dataset.from_file(str(tmp_path / "rows")).to_list()
    chosen = [
        rows[3] | {"tree": 0},
        rows[4] | {"tree": 0},
        rows[0] | {"tree": 1, "crops": [(0.0, 0.0, 0.5, 0.5)]},
    ]
    chosen[-1] |= {"input_ids": chosen[-1]["input_ids"] + [processor.image_token_id]}
    chosen[-1] |= {"labels": chosen[-1]["labels"] + [IGNORE]}
    chosen = [row | {"counts": True, "epoch": 0} for row in chosen]
    batch = PackCollator(processor, pairs_folder, positions=plain_positions)(chosen)
    found = [(key.path, key.crop, key.mirrored, key.rows) for key in batch["image_keys"]]
    crop = (0.0, 0.0, 0.5, 0.5)
    assert found == [
        ("images/001.png", None, False, 1),
        ("images/000.png", None, False, 1),
        ("images/000.png", crop, False, 1),
    ]
    alone = Collator(processor, pairs_folder)(chosen[:2])
    assert [key.path for key in alone["image_keys"]] == ["images/001.png"] * 2


@pytest.mark.slow
def test_a_run_learns_the_same_and_says_how_much_was_known(base_folder, pairs_folder, tmp_path):
    found = {}
    for gib in (0.0, 1.0):
        hardware = {"feature_cache_gib": gib}
        optimizer = {"epochs": 2, "batch": 12}
        recipe = small_recipe(
            base_folder, pairs_folder, tmp_path / f"run{gib}", hardware=hardware, optimizer=optimizer
        )
        history = json.loads(run_recipe(recipe).history.read_text())
        found[gib] = [entry for entry in history if "loss" in entry]
    steps = len(found[0.0])
    assert steps == 8  # 16 images of three pairs, four images a step, twice
    assert [entry["loss"] for entry in found[1.0]] == pytest.approx([entry["loss"] for entry in found[0.0]])
    assert all("features_known" not in entry for entry in found[0.0])
    assert [entry["features_known"] for entry in found[1.0]] == [0.0] * (steps // 2) + [1.0] * (steps // 2)
