"""The whole way, small: every arrow on real images, from one command."""

import json
import os
import subprocess
import sys

import pytest


def demo(out, *options):
    command = [sys.executable, "-m", "fakeinstruct", "demo", "--out", str(out), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, env=os.environ)


@pytest.mark.slow
def test_the_demo_ends_with_figures_and_a_page_and_can_be_repeated(tmp_path):
    first = demo(tmp_path / "demo", "--images", "80")
    assert first.returncode == 0, first.stderr
    report = tmp_path / "demo/report"
    assert str(report / "report.html") in first.stdout
    figures = json.loads((report / "figures.json").read_text())
    test = figures["overall"]["test"]
    assert test["n"] == test["n_fake"] + test["n_real"] > 0
    assert test["auc_low"] is None
    assert "photographs" in test["unavailable"]["auc_low"]
    assert set(figures["per_group"]) == {"chelsea", "china"}
    assert "cnn" in figures["baselines"]
    assert set(figures["interventions"]) == {"repair", "mask"}
    assert figures["words"]["verdict"]["n"] > 0
    again = demo(tmp_path / "demo", "--images", "80")
    assert again.returncode == 0, again.stderr
    assert json.loads((report / "figures.json").read_text()) == figures


def test_a_demo_of_other_settings_is_refused(tmp_path):
    (tmp_path / "demo.json").write_text('{"images": 80, "seed": 1}')
    run = demo(tmp_path, "--images", "80")
    assert run.returncode == 2
    assert "demo of other settings" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_folder_that_is_no_demo_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    run = demo(tmp_path)
    assert run.returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
