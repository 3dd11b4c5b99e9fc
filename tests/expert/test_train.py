"""The verb `train`: a complete expert, stages, what may change between two starts, and one message when it fails."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from running import finish, start
from safetensors.torch import load_file

from fakeinstruct.base.files import read_json, write_json

RECIPE = """
base: small
small: {image_size: 16, widths: [8, 16], strides: [2, 2], hidden_size: 16, layers: 1, heads: 2,
        intermediate_size: 32, vocab_size: 500, max_positions: 256}
optimizer: {lr: 0.003, epochs: 1, batch: 4, warmup: 0.1}
packing: {pairs: 4, tokens: 2048}
hardware: {processes: 1, deepspeed: zero0, precision: fp32}
"""
"""An image has three pairs, so that each row is one tree of three."""

STAGES = """
stages:
  alignment:
    data: {pairs_per_image: {verdict: 1}, mirror: true}
    optimizer: {lr: 0.003, epochs: 1, batch: 4}
  adapters:
    tune: {method: lora, parts: [language_model], lora: {rank: 2, alpha: 4}}
    optimizer: {lr: 0.003, epochs: 0.5, batch: 4}
  more:
    tune: {method: lora, parts: [language_model], lora: {rank: 2, alpha: 4}}
    optimizer: {lr: 0.003, epochs: 0.25, batch: 4}
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    file = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    file.write_text(RECIPE)
    return file


@pytest.fixture(scope="module")
def finished(recipe, pairs_folder, tmp_path_factory):
    """A run of two epochs, and what it printed."""
    out = tmp_path_factory.mktemp("finished") / "run"
    return out, *run_verb(recipe, pairs_folder, out, "optimizer.epochs=2")


def run_verb(recipe, pairs, out, *overrides):
    return finish(start(recipe, f"pairs={pairs}", f"out={out}", *overrides))


def test_an_expert_is_complete(finished):
    run, status, out, err = finished
    assert status == 0, err
    assert out.strip() == str(run / "expert")
    files = {path.name for path in (run / "expert").iterdir()}
    assert {
        "model.safetensors",
        "config.json",
        "expert.json",
        "tokenizer.json",
        "processor_config.json",
        "README.md",
    } <= files
    assert not {"training_args.bin"} & files
    card = json.loads((run / "expert/expert.json").read_text())
    assert card["readouts"][0]["fake"] == ["fake"]
    assert card["trained_on"]["steps"] == card["trained_on"]["chosen_step"] == 32
    before = load_file(run / "base/model.safetensors")
    after = load_file(run / "expert/model.safetensors")
    assert before.keys() <= after.keys()  # the tied output head may stand there twice
    assert all((before[name] != after[name]).any() for name in before if name.endswith("weight"))


def test_the_model_cards_python_runs(finished):
    """As it stands there, by a Python that knows nothing else of the package."""
    run = finished[0]
    text = (run / "expert/README.md").read_text()
    assert "# Image-forensics expert (run)" in text
    assert "| steps | 32, in which 96 pairs of 16 images were seen;" in text
    lines = text.partition("or in Python:")[2].partition("A probability")[0].splitlines()
    code = "\n".join(line.strip() for line in lines).replace("FOLDER", str(run / "expert"))
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr


def test_what_is_trained_of_each_part_is_printed(finished):
    run, _, _, err = finished
    counts = {}
    for name, weight in load_file(run / "base/model.safetensors").items():
        part = next(part for part in ("vision_tower", "projector", "language_model") if part in name)
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked", "kernel")):
            counts[part] = counts.get(part, 0) + weight.numel()
    for part, count in counts.items():
        assert f"{part.replace('_', ' ')}: {count:,} parameters, {count:,} trained" in err


def test_a_finished_run_is_not_trained_again(finished, recipe, pairs_folder):
    run = finished[0]
    stamp = (run / "expert/model.safetensors").stat().st_mtime_ns
    status, out, err = run_verb(recipe, pairs_folder, run, "optimizer.epochs=2", "checkpoints.every=7")
    assert (status, out.strip()) == (0, str(run / "expert"))
    assert "already trained" in err
    assert (run / "expert/model.safetensors").stat().st_mtime_ns == stamp
    assert read_json(run / "recipe.json")["checkpoints"]["every"] == 7


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("seed=7", "there seed = 0, here 7"),
        ("hardware.processes=2", "there hardware.processes = 1, here 2"),
        ("optimizer.batch=2", "there optimizer.batch = 4, here 2"),
    ],
)
def test_another_recipe_is_refused_by_the_field_that_differs(finished, recipe, pairs_folder, override, named):
    status, out, err = run_verb(recipe, pairs_folder, finished[0], "optimizer.epochs=2", override)
    assert (status, out) == (2, "")
    assert "holds a run of another recipe" in err
    assert named in err.replace("\n", " ")
    assert "Traceback" not in err


def test_a_failing_process_is_one_message(finished, recipe, pairs_folder, tmp_path):
    run = Path(shutil.copytree(finished[0], tmp_path / "run"))
    shutil.rmtree(run / "expert")
    shutil.rmtree(run / "checkpoints")
    shutil.copytree(finished[0] / "base", tmp_path / "base")
    (tmp_path / "base/model.safetensors").write_bytes(b"no weights")
    write_json(run / "run.json", read_json(run / "run.json") | {"base": str(tmp_path / "base")})
    status, _, err = run_verb(recipe, pairs_folder, run, "optimizer.epochs=2")
    assert status == 1
    (line,) = [line for line in err.splitlines() if line.startswith("error")]
    assert f"{run}/train.log" in line
    assert "SafetensorError" in line
    assert "Traceback" not in err


@pytest.mark.slow
def test_stages_follow_each_other_and_adapters_are_trained_on(pairs_folder, tmp_path):
    file = tmp_path / "stages.yaml"
    file.write_text("\n".join(line for line in RECIPE.splitlines() if "optimizer" not in line) + STAGES)
    out = tmp_path / "run"
    status, printed, err = run_verb(file, pairs_folder, out)
    assert status == 0, err
    assert printed.strip() == str(out / "expert")
    adapters = (out / "adapters/expert", out / "expert")
    first, second = (load_file(folder / "adapter_model.safetensors") for folder in adapters)
    assert first.keys() == second.keys()
    assert all((first[name] != second[name]).any() for name in first)
    for adapter in adapters:
        assert read_json(adapter / "adapter_config.json")["base_model_name_or_path"] == str(
            out / "alignment/expert"
        )
        assert not (adapter / "config.json").exists()  # with it Transformers would look for a whole model
    from fakeinstruct.forensics.expert import load_expert

    assert load_expert(out / "expert").card.base == str(out / "adapters/expert")
