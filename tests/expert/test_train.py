"""Training in its own processes: DeepSpeed, several ranks, killed, resumed, ended cleanly."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from drawn import make_pairs
from safetensors.torch import load_file

SMALL = (
    "small={image_size: 16, widths: [8, 16], strides: [2, 2], hidden_size: 16, layers: 1, heads: 2, "
    "intermediate_size: 32, vocab_size: 500, max_positions: 256}"
)


def start(pairs, out, *overrides, fresh_session=False):
    command = [
        sys.executable,
        "-m",
        "fakeinstruct",
        "train",
        "sample-align",
        f"pairs={pairs}",
        f"out={out}",
        SMALL,
    ]
    command += ["data={split: train}", "optimizer.batch=4", "optimizer.epochs=1", *overrides]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=fresh_session,
    )


def finish(process):
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


def test_one_process_trains_an_expert_that_is_complete(pairs_folder, tmp_path):
    status, out, err = finish(start(pairs_folder, tmp_path / "run", "optimizer.epochs=2"))
    assert status == 0, err
    expert = tmp_path / "run/expert"
    assert out.strip() == str(expert)
    files = {path.name for path in expert.iterdir()}
    assert {
        "model.safetensors",
        "config.json",
        "expert.json",
        "tokenizer.json",
        "processor_config.json",
    } <= files
    card = json.loads((expert / "expert.json").read_text())
    assert card["readouts"][0]["fake"] == ["fake"]
    assert card["trained_on"]["steps"] == 24
    before = load_file(tmp_path / "run/base/model.safetensors")
    after = load_file(expert / "model.safetensors")
    assert before.keys() <= after.keys()  # the tied output head may stand there twice
    assert all((before[name] != after[name]).any() for name in before if name.endswith("weight"))


def test_a_finished_run_is_not_trained_again_and_another_recipe_is_refused(pairs_folder, tmp_path):
    assert finish(start(pairs_folder, tmp_path / "run"))[0] == 0
    stamp = (tmp_path / "run/expert/model.safetensors").stat().st_mtime_ns
    assert finish(start(pairs_folder, tmp_path / "run"))[0] == 0
    assert (tmp_path / "run/expert/model.safetensors").stat().st_mtime_ns == stamp
    status, _, err = finish(start(pairs_folder, tmp_path / "run", "seed=7"))
    assert status == 2
    assert "holds a run of another recipe" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("attempt", range(3))
def test_two_zero2_processes_are_killed_and_resume(tmp_path, attempt):
    pairs = make_pairs(tmp_path / "pairs")
    options = (
        "hardware.processes=2",
        "hardware.deepspeed=zero2",
        "optimizer.epochs=4",
        "checkpoints.every=3",
    )
    first = start(pairs, tmp_path / "run", *options, fresh_session=True)
    complete = tmp_path / "run/checkpoints"
    deadline = time.monotonic() + 180
    while not list(complete.glob("checkpoint-*/complete.json")):
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.1 * attempt)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert not (tmp_path / "run/expert").exists()
    second = start(pairs, tmp_path / "run", *options)
    status, _, err = finish(second)
    assert status == 0, err + (tmp_path / "run/train.log").read_text()[-2000:]
    log = (tmp_path / "run/train.log").read_text()
    card = json.loads((tmp_path / "run/expert/expert.json").read_text())
    assert card["trained_on"]["steps"] == 24
    assert card["trained_on"]["resumed_from"].startswith("checkpoint-")
    assert "SIGABRT" not in log


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(pairs_folder, tmp_path):
    """With one process and the order a function of the seed, the weights agree to rounding."""
    options = ("optimizer.epochs=2", "checkpoints.every=7")
    assert finish(start(pairs_folder, tmp_path / "whole", *options))[0] == 0
    assert finish(start(pairs_folder, tmp_path / "resumed", *options))[0] == 0
    run = tmp_path / "resumed"
    shutil.rmtree(run / "expert")
    for number in (14, 21, 24):
        shutil.rmtree(run / f"checkpoints/checkpoint-{number}", ignore_errors=True)
    kept = sorted(path.name for path in (run / "checkpoints").iterdir())
    status, _, err = finish(start(pairs_folder, run, *options))
    assert status == 0, err
    assert kept in (["checkpoint-7"], [])
    whole = load_file(tmp_path / "whole/expert/model.safetensors")
    again = load_file(run / "expert/model.safetensors")
    assert max((whole[name].float() - again[name].float()).abs().max().item() for name in whole) < 1e-5


def test_an_unfinished_checkpoint_is_passed_over(pairs_folder, tmp_path):
    assert finish(start(pairs_folder, tmp_path / "run", "checkpoints.every=5"))[0] == 0
    shutil.rmtree(tmp_path / "run/expert")
    last = max((tmp_path / "run/checkpoints").iterdir(), key=lambda path: int(path.name.split("-")[1]))
    (last / "complete.json").unlink()
    (last / "trainer_state.json").write_text("{")
    status, _, err = finish(start(pairs_folder, tmp_path / "run", "checkpoints.every=5"))
    assert status == 0, err


def test_a_failing_process_is_one_message_that_names_the_log(pairs_folder, tmp_path):
    assert finish(start(pairs_folder, tmp_path / "run"))[0] == 0
    shutil.rmtree(tmp_path / "run/expert")
    shutil.rmtree(tmp_path / "run/checkpoints")
    (tmp_path / "run/base/model.safetensors").write_bytes(b"no weights")
    status, _, err = finish(start(pairs_folder, tmp_path / "run"))
    assert status == 1
    assert "train.log" in err
    assert "Traceback" not in err
