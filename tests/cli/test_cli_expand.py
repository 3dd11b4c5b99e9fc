"""The verbs expand, lint and preview, as a user starts them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fakeinstruct.chains.schema import Assessment, Chain, ImageRef, Label, Meta, Origin, Trace
from fakeinstruct.chains.store import write_chains

ROOT = Path(__file__).parents[2]


def fakeinstruct(*arguments):
    command = [sys.executable, "-m", "fakeinstruct", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = []
    for number in range(8):
        label = list(Label)[number % 2]
        made.append(
            Chain(
                id=f"c{number}",
                image=ImageRef(path=f"c{number}.png"),
                label=label,
                dataset="hand",
                group=f"c{number}",
                traces=(
                    Trace(id="t", attribute="edge", points_to=label, observation=f"the edges look {label}"),
                ),
                assessed=dict.fromkeys(("shape", "theme", "text"), Assessment.ABSENT),
                origin=Origin(by="program", synthetic=True),
            )
        )
    folder = tmp_path_factory.mktemp("chains")
    write_chains(folder, made, Meta(name="hand"))
    return folder


def test_expand_writes_a_pair_set_and_says_so(folder, tmp_path):
    done = fakeinstruct("expand", folder, "--out", tmp_path / "pairs", "--seed", 0, "--workers", 1)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "pairs" / "manifest.json").read_text())
    assert f"{manifest['pairs']:,} pairs of 8 chains in 1 shards" in done.stdout
    assert manifest["pairs"] > 200


def test_dry_run_prints_the_plan_and_writes_nothing(folder, tmp_path):
    done = fakeinstruct("expand", folder, "--out", tmp_path / "pairs", "--seed", 0, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "verdict/one_word" in done.stdout
    assert "4 / 4" in done.stdout
    assert not (tmp_path / "pairs").exists()


def test_rejects_are_listed_and_the_status_says_so(folder, tmp_path):
    broken = tmp_path / "chains"
    broken.mkdir()
    (broken / "meta.json").write_bytes((folder / "meta.json").read_bytes())
    (broken / "chains.jsonl").write_text((folder / "chains.jsonl").read_text() + "{\n")
    done = fakeinstruct(
        "expand", broken, "--out", tmp_path / "pairs", "--seed", 0, "--pairs", 40, "--workers", 1
    )
    assert done.returncode == 3
    assert "rejected 1: is not JSON" in done.stderr
    (row,) = map(json.loads, (tmp_path / "pairs" / "rejects.jsonl").read_text().splitlines())
    assert row["record"] == "9"


def test_wrong_use_is_one_message_without_a_traceback(folder, tmp_path):
    done = fakeinstruct("expand", tmp_path, "--out", tmp_path / "pairs", "--seed", 0)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    (tmp_path / "bad.jinja").write_text("---\ntask: verdict\n---\n{% block user %}{{ labl }}{% endblock %}")
    done = fakeinstruct("expand", folder, "--out", tmp_path / "pairs", "--seed", 0, "--templates", tmp_path)
    assert done.returncode == 2
    assert "bad.jinja" in done.stderr
    assert not (tmp_path / "pairs").exists()


def test_lint_of_the_projects_templates_and_of_a_bad_one(tmp_path):
    done = fakeinstruct("lint")
    assert done.returncode == 0, done.stdout + done.stderr
    sound = re.fullmatch(r"(\d+) templates sound, 0 findings\n", done.stdout)
    assert int(sound.group(1)) >= 60
    (tmp_path / "bad.jinja").write_text(
        "---\ntask: verdict\n---\n{% block user %}Q{% endblock %}\n{% block assistant %}"
    )
    done = fakeinstruct("lint", tmp_path)
    assert done.returncode == 1
    assert "bad.jinja:5: " in done.stdout


def test_preview_shows_both_labels(folder):
    done = fakeinstruct("preview", "reasoning/premise", "--chains", folder, "--examples", 2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("user: ") == 2
    assert "The edges look fake." in done.stdout
    assert "The edges look real." in done.stdout
    done = fakeinstruct("preview", "reasoning/premis", "--chains", folder)
    assert done.returncode == 2
    assert "Did you mean 'reasoning/premise'?" in done.stderr
