"""The verbs expand, lint and preview, as a user starts them."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from fakeinstruct.base.errors import UsageError
from fakeinstruct.chains.schema import Assessment, Chain, ImageRef, Label, Meta, Origin, Trace
from fakeinstruct.chains.store import write_chains
from fakeinstruct.cli.main import app
from fakeinstruct.expand.pair import Task

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
    assert f"{manifest['pairs']:,} pairs of 8 chains in 1 shard: " in done.stdout
    assert manifest["pairs"] > 200


def test_dry_run_prints_the_plan_and_writes_nothing(folder, tmp_path):
    done = fakeinstruct("expand", folder, "--out", tmp_path / "pairs", "--seed", 0, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "verdict/one_word" in done.stdout
    assert "4 / 4" in done.stdout
    assert not (tmp_path / "pairs").exists()


def test_a_dry_run_names_what_is_scarce_and_the_run_says_what_there_was(folder, tmp_path):
    arguments = (
        "expand",
        folder,
        "--out",
        tmp_path / "pairs",
        "--seed",
        0,
        "--pairs",
        900_000,
        "--workers",
        1,
    )
    mixture = ("--weights", "verdict=3,choice=0,reasoning=0,evidence=0,advice=0,knowledge=0,looks=0")
    planned = fakeinstruct(*arguments, *mixture, "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "scarce: verdict/one_word gives all " in planned.stdout
    assert "pairs that it has for 4 fake and 4 real images" in planned.stdout
    assert "no pairs: choice/spot: its weight is 0" in planned.stdout
    done = fakeinstruct(*arguments, *mixture)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "pairs" / "manifest.json").read_text())
    assert set(manifest["per_task"]) <= {"verdict", "grounding"}
    assert manifest["asked"] == 900_000
    said = f"the chains give {manifest['pairs']:,} pairs that are balanced; 900,000 were asked for"
    assert said in done.stdout
    left_out = sum(not any(counts.values()) for counts in manifest["per_template"].values())
    assert f"{left_out} templates got no pairs; --dry-run lists them, and why" in done.stdout


def test_shards_are_written_one_by_one(folder, tmp_path):
    arguments = ("expand", folder, "--out", tmp_path / "pairs", "--seed", 0, "--workers", 1)
    one = fakeinstruct(*arguments, "--shard", "2/2")
    assert one.returncode == 0, one.stderr
    assert "shard 2/2 is complete, others are not" in one.stdout
    assert not (tmp_path / "pairs" / "manifest.json").exists()
    other = fakeinstruct(*arguments, "--shard", "1/2")
    assert other.returncode == 0, other.stderr
    assert (tmp_path / "pairs" / "manifest.json").is_file()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("--shard", "2"), "is not I/N"),
        (("--shard", "3/2"), "there is no shard 3 of 2"),
        (("--shard", "0/0"), "there is no shard 0 of 0"),
        (("--shard", "1/" + "9" * 5_000), "is not I/N"),
        (("--shard", "١/٢"), "is not I/N"),
        (("--weights", "verdict=2,verdict=3"), "the task 'verdict' is there twice"),
        (
            ("--weights", "verdict=nan"),
            "weights.verdict: input should be less than or equal to 1000, not nan",
        ),
        (("--max-per-image", "9" * 30), "field max_per_image"),
        (("--weights", "verdict"), "is not task=number"),
        (("--weights", "poetry=2"), "there is no task 'poetry'. Known: advice"),
        (("--weights", "evidense=2"), "there is no task 'evidense'. Did you mean 'evidence'"),
        (
            ("--weights", ",".join(f"{task}=0" for task in get_args(Task)), "--dry-run"),
            "the weight of every task is 0",
        ),
        (("--engine", "dask"), "there is no engine 'dask'"),
    ],
)
def test_options_that_mean_nothing_are_refused(folder, tmp_path, capsys, wrong, message):
    with pytest.raises(UsageError, match=message):
        app(["expand", str(folder), "--out", str(tmp_path), "--seed", "0", *wrong], standalone_mode=False)


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


OWN = "---\ntask: evidence\n{}---\n{{% block user %}}{}{{% endblock %}}{{% block assistant %}}{}{{% endblock %}}"


def test_a_weight_for_a_task_without_templates_is_refused(folder, tmp_path):
    (tmp_path / "mine.jinja").write_text(OWN.format("", "What?", "{{ label }}"))
    wrong = ["--out", str(tmp_path / "pairs"), "--seed", "0", "--weights", "looks=2", "--dry-run"]
    with pytest.raises(UsageError, match=r"is of task 'looks'. Tasks of this template set: evidence"):
        app(["expand", str(folder), "--templates", str(tmp_path), *wrong], standalone_mode=False)


def test_what_one_label_alone_can_fill_is_said_to_get_no_pairs(folder, tmp_path):
    """Each fake has a flaw, and none has a second; a real image needs nothing."""
    front = "needs: {flaws: 2}\n"
    (tmp_path / "one.jinja").write_text(OWN.format(front, "What?", "{{ label }}"))
    (tmp_path / "two.jinja").write_text(OWN.format("", "Which?", "{{ label }}"))
    own = ("--templates", tmp_path)
    shown = fakeinstruct("preview", "one", "--chains", folder, *own)
    assert shown.stdout.endswith(
        "one: no fake image can fill it, so 'expand' gives it no pairs of this set\n"
    )
    assert "no pairs" not in fakeinstruct("preview", "two", "--chains", folder, *own).stdout
    command = ("expand", folder, "--out", tmp_path / "pairs", "--seed", 0, *own)
    planned = fakeinstruct(*command, "--dry-run")
    assert "no pairs: one: 0 fake and 4 real images can fill it, both labels are needed" in planned.stdout
    done = fakeinstruct(*command, "--workers", 1)
    assert "1 template got no pairs; --dry-run lists them, and why" in done.stdout


def test_preview_shows_both_labels(folder):
    done = fakeinstruct("preview", "reasoning/premise", "--chains", folder, "--examples", 2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("user: ") == 2
    assert "The edges look fake." in done.stdout
    assert "The edges look real." in done.stdout
    done = fakeinstruct("preview", "reasoning/premis", "--chains", folder)
    assert done.returncode == 2
    assert "Did you mean 'reasoning/premise'?" in done.stderr


def test_a_name_with_marks_of_the_terminals_library_is_printed_as_it_is(folder, tmp_path):
    (tmp_path / "[red]a[bold].jinja").write_text(OWN.format("", "What?", "{{ label }}"))
    done = fakeinstruct(
        "expand", folder, "--templates", tmp_path, "--out", tmp_path / "p", "--seed", 0, "--dry-run"
    )
    assert done.returncode == 0, done.stderr
    assert "[red]a[bold]" in done.stdout
