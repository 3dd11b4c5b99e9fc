"""The verbs export and card, as a user starts them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pair_sets import LOOKS, QUESTION_ONLY, plain, write_set

ROOT = Path(__file__).parents[2]


def fakeinstruct(*arguments):
    command = [sys.executable, "-m", "fakeinstruct", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def folder(tmp_path):
    write_set(tmp_path / "pairs", [plain("a"), LOOKS, QUESTION_ONLY])
    return tmp_path / "pairs"


def test_export_says_what_it_wrote_and_what_it_left_out(folder, tmp_path):
    done = fakeinstruct("export", folder, "--format", "trl", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "3 rows" in done.stdout
    assert f"relative to {(tmp_path / 'out').resolve()}" in done.stdout
    assert "left out 1 evaluation items, which have no answer" in done.stderr


def test_tasks_and_image_root(folder, tmp_path):
    (tmp_path / "pictures").rename(tmp_path / "elsewhere")
    arguments = [
        "export",
        folder,
        "--format",
        "llama-factory",
        "--out",
        tmp_path / "out",
        "--tasks",
        "verdict",
    ]
    done = fakeinstruct(*arguments)
    assert done.returncode == 1
    assert "none of its 1 pairs can be exported; the last: " in done.stderr
    assert "image file is missing" in done.stderr
    assert "Traceback" not in done.stderr
    done = fakeinstruct(*arguments, "--image-root", tmp_path / "elsewhere")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["image_root"] == "../elsewhere"


def test_spaces_between_tasks_are_no_part_of_them(folder, tmp_path):
    out = tmp_path / "out"
    done = fakeinstruct("export", folder, "--format", "jsonl", "--out", out, "--tasks", "verdict, looks,")
    assert done.returncode == 0, done.stderr
    assert json.loads((out / "manifest.json").read_text())["pairs"] == 3


def test_rejected_pairs_are_listed_and_the_status_says_so(tmp_path):
    bad = plain("bad", images=({"path": "gone.png"},))
    write_set(tmp_path / "pairs", [plain("a"), bad])
    done = fakeinstruct("export", tmp_path / "pairs", "--format", "llava", "--out", tmp_path / "out")
    assert done.returncode == 3
    assert "rejected 1: image file is missing" in done.stderr
    (row,) = map(json.loads, (tmp_path / "out" / "rejects.jsonl").read_text().splitlines())
    assert row["record"] == "bad"


def test_wrong_use_is_one_message(folder, tmp_path):
    done = fakeinstruct("export", folder, "--format", "alpaca", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no format 'alpaca'")
    assert "llama-factory" in done.stderr
    done = fakeinstruct("export", tmp_path, "--format", "trl", "--out", tmp_path / "out")
    assert done.returncode == 2


def test_card_names_its_two_files(folder):
    done = fakeinstruct("card", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(folder / "README.md"), str(folder / "index.html")]
    assert all(Path(line).is_file() for line in done.stdout.split())


def test_help_has_examples():
    for verb in ("export", "card"):
        assert f"fakeinstruct {verb} pairs" in fakeinstruct(verb, "--help").stdout


def test_an_export_with_labels_becomes_pairs_again(folder, tmp_path):
    done = fakeinstruct("export", folder, "--format", "jsonl", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    root = tmp_path / "pictures"
    done = fakeinstruct("pairs", tmp_path / "out", "--out", tmp_path / "again", "--image-root", root)
    assert done.returncode == 3, done.stderr  # the evaluation item has no answer
    assert "2 pairs of 1 images in" in done.stdout
    assert "rejected 1: ends without an answer" in done.stderr
    assert "score and detect will have no readout" in done.stderr
    assert (tmp_path / "again" / "rejects.jsonl").is_file()
