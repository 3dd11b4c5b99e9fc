"""Runs that are stopped: killed, interrupted, out of disk, out of images, diverged; and how they go on."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from drawn import make_pairs
from running import finish, losses, run_recipe, small_recipe, start, training_processes, write_recipe
from safetensors.torch import load_file

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.base.files import read_json, write_json
from fakeinstruct.expert.checkpoints import COMPLETE, complete_checkpoints, read_marker
from fakeinstruct.expert.launch import train
from fakeinstruct.expert.process import drawn_rows
from fakeinstruct.expert.run import RunFolder

EVERY = 3
HALF = 6
"""The step that a halfway run has its last checkpoint at."""


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return make_pairs(tmp_path_factory.mktemp("pairs") / "pairs")


@pytest.fixture(scope="module")
def recipe(base_folder, pairs, tmp_path_factory):
    return small_recipe(
        base_folder,
        pairs,
        tmp_path_factory.mktemp("run") / "run",
        optimizer={"epochs": 1.5, "batch": 6},
        checkpoints={"every": EVERY, "keep": 9},
    )


@pytest.fixture(scope="module")
def undisturbed(recipe):
    return run_recipe(recipe)


@pytest.fixture
def halfway(undisturbed, recipe, tmp_path):
    """The recipe of a run that was stopped after its sixth step."""
    run = tmp_path / "run"
    shutil.copytree(undisturbed.folder, run)
    shutil.rmtree(run / "expert")
    for checkpoint, marker in complete_checkpoints(run / "checkpoints"):
        if marker.step > HALF:
            shutil.rmtree(checkpoint)
    return recipe.model_copy(update={"out": run})


def steps(recipe):
    return [marker.step for _, marker in complete_checkpoints(RunFolder(recipe.out).checkpoints)]


def check_same(run, undisturbed):
    """The loss curve, step by step, and the weights."""
    assert losses(run) == pytest.approx(losses(undisturbed), rel=1e-6)
    after, expected = (load_file(one.expert / "model.safetensors") for one in (run, undisturbed))
    assert max(float((after[name] - expected[name]).abs().max()) for name in expected) < 1e-6


def images_by_step(run, recipe, rank=0, processes=1):
    """The images that each row of a process opens, from the first on."""
    process = SimpleNamespace(process_index=rank, world_size=processes)
    rows, sampler = drawn_rows(run.rows, recipe, process, seed=recipe.seed)
    return [{rows[one.pair]["image"] for one in row} for row in sampler]


def test_a_resumed_run_goes_on_at_the_exact_pair_and_opens_no_image_that_it_skips(
    undisturbed, halfway, pairs, capsys
):
    seen = images_by_step(undisturbed, halfway)
    assert len(seen) == 12
    skipped = set.union(*seen[:HALF]) - set.union(*seen[HALF:])
    assert skipped
    for image in skipped:
        (pairs / image).rename(pairs / f"{image}.away")
    try:
        check_same(run_recipe(halfway), undisturbed)
        assert "going on from checkpoint-6, step 6 of 12" in capsys.readouterr().err
    finally:
        for image in skipped:
            (pairs / f"{image}.away").rename(pairs / image)


@pytest.mark.slow
def test_an_image_that_is_missing_later_is_named_and_the_run_goes_on_when_it_is_back(
    undisturbed, halfway, pairs
):
    seen = images_by_step(undisturbed, halfway)
    image = sorted(seen[9] - set.union(*seen[HALF:9]))[0]
    (pairs / image).rename(pairs / f"{image}.away")
    try:
        with pytest.raises(
            FakeInstructError, match=rf"{image}.*record \d+/\d.*is missing\. Put it right"
        ) as caught:
            train(halfway)
    finally:
        (pairs / f"{image}.away").rename(pairs / image)
    assert len(str(caught.value).splitlines()) == 1
    assert steps(halfway) == [3, 6, 9]
    assert not (halfway.out / "expert").exists()
    check_same(run_recipe(halfway), undisturbed)


@pytest.mark.slow
def test_a_full_disk_names_the_folder_and_leaves_the_last_checkpoint(undisturbed, halfway, tmp_path):
    """A limit on the size of files stands for the disk; the weights fit under it, the optimizer's state does not."""
    sizes = read_marker(halfway.out / "checkpoints/checkpoint-6").files
    limit = max(sizes.values()) - 1000
    assert limit > max(size for name, size in sizes.items() if "safetensors" in name)

    def confine():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    status, _, err = finish(start(write_recipe(halfway, tmp_path / "recipe.yaml"), preexec_fn=confine))
    assert status == 1
    assert f"error: {halfway.out}/checkpoints/checkpoint-9: the checkpoint could not be written" in err
    assert "goes on from the last complete checkpoint" in err
    assert "Traceback" not in err
    assert steps(halfway) == [3, 6]
    assert not (halfway.out / "expert").exists()
    check_same(run_recipe(halfway), undisturbed)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_passed_over_and_replaced(undisturbed, halfway):
    newest = halfway.out / "checkpoints/checkpoint-6"
    next(newest.glob("global_step*/*.pt")).unlink()
    check_same(run_recipe(halfway), undisturbed)
    assert read_marker(newest) is not None


@pytest.mark.slow
def test_another_runs_checkpoint_and_another_number_of_processes_are_refused(halfway):
    marker = halfway.out / "checkpoints/checkpoint-6" / COMPLETE
    written = read_json(marker)
    write_json(marker, written | {"run": "another"})
    with pytest.raises(UsageError, match="checkpoint-6: is a checkpoint of another run"):
        train(halfway)
    write_json(marker, written | {"processes": 8})
    with pytest.raises(UsageError, match="written by 8 processes and cannot be gone on from by 1"):
        train(halfway)


@pytest.mark.slow
def test_history_and_tensorboard_keep_what_was_before(undisturbed, halfway):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = run_recipe(halfway)
    assert [entry["step"] for entry in read_json(run.history)] == [
        entry["step"] for entry in read_json(undisturbed.history)
    ]
    events = EventAccumulator(str(run.board)).Reload()
    assert [event.step for event in events.Scalars("train/loss")] == sorted(losses(undisturbed))


@pytest.mark.slow
def test_interrupted_it_says_how_to_go_on_and_leaves_no_process(base_folder, pairs, tmp_path):
    run = tmp_path / "run"
    recipe = small_recipe(
        base_folder,
        pairs,
        run,
        optimizer={"epochs": 500},
        checkpoints={"every": 5},
        hardware={"processes": 2, "deepspeed": "zero2"},
    )
    process = start(write_recipe(recipe, tmp_path / "recipe.yaml"))
    wait_for_checkpoint(process, run)
    assert len(training_processes(run)) >= 2
    process.send_signal(signal.SIGINT)
    status, _, err = finish(process)
    assert status == 130
    assert f"goes on from step {steps(recipe)[-1]:,}" in err.replace("\n", " ")
    assert "Traceback" not in err
    assert training_processes(run) == []


def wait_for_checkpoint(process, run):
    deadline = time.monotonic() + 120
    while not complete_checkpoints(run / "checkpoints"):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_a_problem_of_the_second_process_alone_ends_both_and_is_told(base_folder, tmp_path, workers):
    pairs = make_pairs(tmp_path / "pairs")
    hardware = {"processes": 2, "deepspeed": "zero2", "loader_workers": workers}
    recipe = small_recipe(base_folder, pairs, tmp_path / "run", hardware=hardware)
    train(recipe, start=False)
    first, second = (images_by_step(RunFolder(recipe.out), recipe, rank, 2) for rank in (0, 1))
    image = sorted(set.union(*second) - set.union(*first))[0]
    (pairs / image).unlink()
    with pytest.raises(FakeInstructError, match=rf"{image}, record \d+/\d.*is missing\. Put it right"):
        train(recipe)
    assert training_processes(recipe.out) == []


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(3))
def test_two_processes_that_are_killed_go_on_to_the_same_losses(base_folder, pairs, tmp_path, moment):
    """At the first checkpoint, a little later, and later still, perhaps while the next one is being written."""
    recipe = small_recipe(
        base_folder,
        pairs,
        tmp_path / "run",
        optimizer={"epochs": 12},
        checkpoints={"every": EVERY, "keep": 2},
        hardware={"processes": 2, "deepspeed": "zero2" if moment else "zero3"},
    )
    process = start(write_recipe(recipe, tmp_path / "recipe.yaml"), start_new_session=True)
    wait_for_checkpoint(process, recipe.out)
    time.sleep(0.3 * moment)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(1)
    assert training_processes(recipe.out) == []
    assert not (recipe.out / "expert").exists()
    resumed = run_recipe(recipe)
    card = json.loads((resumed.expert / "expert.json").read_text())
    assert card["trained_on"]["resumed_from"].startswith("checkpoint-")
    undisturbed = run_recipe(recipe.model_copy(update={"out": tmp_path / "undisturbed"}))
    assert losses(resumed) == pytest.approx(losses(undisturbed), rel=1e-6)


def test_divergence_stops_with_one_message_and_no_expert(base_folder, pairs, tmp_path):
    recipe = small_recipe(
        base_folder,
        pairs,
        tmp_path / "run",
        optimizer={"lr": 1e30, "warmup": 0.5, "epochs": 1},  # the first step of a warm-up has the rate 0
        checkpoints={"keep": 2},
    )
    status, out, err = finish(start(write_recipe(recipe, tmp_path / "recipe.yaml")))
    assert status == 1
    assert out == ""
    (line,) = [line for line in err.splitlines() if line.startswith("error")]
    assert "not finite" in line or "the loss is" in line
    assert "Lower optimizer.lr" in line
    assert "Traceback" not in err
    assert steps(recipe)[0] == 1
    for checkpoint, _ in complete_checkpoints(recipe.out / "checkpoints"):
        assert all(weight.isfinite().all() for weight in load_file(checkpoint / "model.safetensors").values())
    assert not (recipe.out / "expert").exists()


@pytest.mark.slow
def test_weights_that_are_not_numbers_are_found_at_the_first_step(base_folder, pairs, tmp_path):
    base = Path(shutil.copytree(base_folder, tmp_path / "base"))
    weights = load_file(base / "model.safetensors")
    next(weight for name, weight in weights.items() if "down_proj" in name).fill_(float("nan"))
    save_weights(weights, base)
    with pytest.raises(FakeInstructError, match="the loss is nan at step 1"):
        train(small_recipe(base, pairs, tmp_path / "run"))


def save_weights(weights, folder):
    from safetensors.torch import save_file

    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
