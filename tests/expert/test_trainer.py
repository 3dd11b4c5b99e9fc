"""Training in the real stack: a packed run is the run of the same pairs row by row, on any number of processes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from running import losses, run_recipe, small_recipe
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

from fakeinstruct.base.files import read_json
from fakeinstruct.expert import vision  # noqa: F401 - registers the small tower
from fakeinstruct.expert.process import drawn_rows
from fakeinstruct.expert.recipe import Recipe

LORA = {"method": "lora", "parts": ["language_model"], "lora": {"rank": 4, "alpha": 8}}
PAIRS = 48
"""Pairs of the set; where a step takes all of them, it takes the same ones in any order."""


def two(stage, *, checkpointing=False):
    return {"processes": 2, "deepspeed": f"zero{stage}", "gradient_checkpointing": checkpointing}


def optimizer(batch, accumulate=1):
    """A step of all pairs; the learning rate is 0 in the first."""
    return {"batch": batch, "accumulate": accumulate, "epochs": 4}


@pytest.fixture(scope="module")
def train(base_folder, pairs_folder, tmp_path_factory):
    def run(**sections):
        return run_recipe(
            small_recipe(base_folder, pairs_folder, tmp_path_factory.mktemp("run") / "run", **sections)
        )

    return run


@pytest.fixture(scope="module")
def alone(train):
    """Each pair in a row of its own, one process, no packing."""
    return train(packing=None, optimizer=optimizer(PAIRS))


@pytest.fixture(scope="module")
def alone_lora(train):
    return train(packing=None, optimizer=optimizer(PAIRS), tune=LORA)


def check_equal(run, expected, base):
    """Losses to float32 rounding; weights to a thousandth of the way that they went.

    Adam divides by the size of the gradient, so that a weight whose gradient is nearly zero moves by its rounding.
    """
    found, wanted = losses(run), losses(expected)
    print([f"{loss:.7f}" for loss in found.values()], [f"{loss:.7f}" for loss in wanted.values()])
    assert found == pytest.approx(wanted, rel=1e-6)
    assert wanted[max(wanted)] < wanted[1] - 0.01
    start, after, wanted_after = (weights(folder) for folder in (base, run.expert, expected.expert))
    assert after.keys() == wanted_after.keys()
    assert any((wanted_after[key] != start.get(key, 0)).any() for key in wanted_after)
    for key, weight in wanted_after.items():
        assert (after[key] - weight).norm() <= 1e-3 * (weight - start.get(key, 0)).norm(), key


def weights(folder):
    """What another program loads from a folder: an adapter's weights, or all of a model's."""
    if (folder / "adapter_model.safetensors").is_file():
        return load_file(folder / "adapter_model.safetensors")
    model, loaded = AutoModelForImageTextToText.from_pretrained(folder, output_loading_info=True)
    assert not loaded["missing_keys"]
    assert not loaded["unexpected_keys"]
    return {name: weight.detach() for name, weight in model.named_parameters()}


def names(folder):
    """The names in the file of a model's weights, the tied output head left out."""
    return load_file(folder / "model.safetensors").keys() - {"lm_head.weight"}


def test_two_zero2_processes_that_accumulate(train, alone, base_folder):
    check_equal(train(optimizer=optimizer(12, 2), hardware=two(2)), alone, base_folder)


def test_two_zero3_processes_with_gradient_checkpointing(train, alone, base_folder):
    run = train(optimizer=optimizer(24), hardware=two(3, checkpointing=True))
    check_equal(run, alone, base_folder)
    assert names(run.expert) == names(alone.expert) == names(base_folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "sections",
    [
        {"optimizer": optimizer(PAIRS)},
        {"optimizer": optimizer(PAIRS), "packing": {"pairs": 2}},
        {"optimizer": optimizer(24), "hardware": {"gradient_checkpointing": True, "deepspeed": "zero2"}},
        {"optimizer": optimizer(24), "hardware": two(2, checkpointing=True)},
        {"optimizer": optimizer(12, 2), "hardware": two(3)},
        {"optimizer": optimizer(24), "hardware": two(2), "packing": None},
    ],
)
def test_all_weights(train, alone, base_folder, sections):
    if sections["optimizer"]["batch"] * sections.get("hardware", {}).get("processes", 1) < PAIRS:
        sections = sections | {"optimizer": optimizer(sections["optimizer"]["batch"], 2)}
    check_equal(train(**sections), alone, base_folder)


@pytest.mark.slow
@pytest.mark.parametrize("hardware", [two(2), two(3), two(2, checkpointing=True), two(3, checkpointing=True)])
def test_adapters(train, alone_lora, base_folder, hardware):
    check_equal(train(optimizer=optimizer(12, 2), hardware=hardware, tune=LORA), alone_lora, base_folder)


UNEVEN = {
    "data": {"max_tokens": 200},
    "packing": {"pairs": 2, "tokens": 300},
    "optimizer": {"batch": 8, "epochs": 1, "lr": 1e-2},
    "seed": 3,
}
"""Seven rows, of three to six trees and four to eight pairs."""


def test_uneven_processes_end_and_equal_one_that_accumulates(train, base_folder):
    """Two processes' rows are those that one process accumulates; where they do not divide, a filler stands in."""
    expected = train(**UNEVEN | {"optimizer": UNEVEN["optimizer"] | {"accumulate": 2}})
    rows = dealt(expected, 2)
    assert [len(own) for own in rows] == [4, 4]
    assert not rows[1][-1][0].counts
    assert all(len(first) != len(second) for first, second in zip(*rows, strict=True))
    check_equal(train(**UNEVEN, hardware=two(3)), expected, base_folder)


def dealt(run, processes):
    """The rows of each process."""
    recipe = Recipe.model_validate(read_json(run.recipe))
    own = (SimpleNamespace(process_index=rank, world_size=processes) for rank in range(processes))
    return [list(drawn_rows(run.rows, recipe, process, seed=recipe.seed)[1]) for process in own]
