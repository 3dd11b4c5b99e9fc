"""Detection through the command line, for a person and for a program."""

import json
import subprocess
import sys

import numpy as np
import pytest

from fakeinstruct.expert.card import load_card, save_card


def detect(*arguments):
    command = [sys.executable, "-m", "fakeinstruct", "detect", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_json_is_one_object_a_picture(expert_folder, chains_folder):
    run = detect(expert_folder, chains_folder / "images/0.png", chains_folder / "images/1.png", "--json")
    assert run.returncode == 0, run.stderr
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    assert [row["image"] for row in rows] == [str(chains_folder / f"images/{n}.png") for n in (0, 1)]
    for row in rows:
        assert row["probability"] == pytest.approx(1 / (1 + np.exp(-row["margin"])), abs=1e-6)
        assert row["verdict"] == ("fake" if row["probability"] > 0.5 else "real")
        assert row["calibrated"] is None
        assert row["explanation"]


def test_a_fitted_expert_says_its_calibrated_probability(own_expert, chains_folder):
    card = load_card(own_expert)
    fitted = card.readouts[0].model_copy(update={"scale": 2.0, "bias": 5.0})
    save_card(own_expert, card.model_copy(update={"readouts": (fitted,)}))
    run = detect(own_expert, chains_folder / "images/0.png", "--json", "--no-explain")
    row = json.loads(run.stdout)
    assert row["calibrated"] == pytest.approx(1 / (1 + np.exp(-(2 * row["margin"] + 5))), abs=1e-6)
    assert "(calibrated)" in detect(own_expert, chains_folder / "images/0.png").stdout


def test_a_bad_picture_is_named_and_the_others_are_answered(expert_folder, chains_folder, tmp_path):
    (tmp_path / "bad.png").write_text("no image")
    run = detect(expert_folder, tmp_path / "bad.png", chains_folder / "images/1.png", "--no-explain")
    assert run.returncode == 3
    assert "no answer" in run.stdout
    assert "probability of fake" in run.stdout
    assert "Traceback" not in run.stderr


def test_no_readable_picture_is_no_result(expert_folder, tmp_path):
    run = detect(expert_folder, tmp_path / "missing.png")
    assert run.returncode == 1
    assert "missing" in run.stderr
    assert "Traceback" not in run.stderr
