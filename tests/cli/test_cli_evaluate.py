"""`evaluate` as a user calls it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from commands import command
from drawn import QUESTION, TINY, conversations, make_chains

from fakeinstruct.chains.store import open_chains, write_chains
from fakeinstruct.expert.card import ExpertCard, Readout, save_card
from fakeinstruct.expert.small import build_small
from fakeinstruct.forensics.protocol import prompts_sha256

READOUT = Readout(name="one", prompt=QUESTION, fake=("fake",), real=("real",))
PROTOCOL = (
    "name: short\nsplits: [validation, test]\nprior: false\nmeasure: {about: A short one, calibrate: true}\n"
)


@pytest.fixture(scope="module")
def expert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("expert")
    build_small(conversations(), TINY, seed=3, out=folder)
    save_card(folder, ExpertCard(base="small", readouts=(READOUT,)))
    return folder


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    return make_chains(tmp_path_factory.mktemp("items") / "chains", 60)


@pytest.fixture
def protocol(tmp_path):
    file = tmp_path / "short.yaml"
    file.write_text(PROTOCOL)
    return file


def test_one_command_asks_measures_and_says_where_the_report_is(expert, items, protocol, tmp_path):
    done = command("evaluate", expert, protocol, items, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert f"protocol short, prompts sha256 {prompts_sha256([READOUT])}" in done.stdout
    assert "file extension, letter case aside" in done.stdout
    assert "calibrated by validation split of the answers: 24 images" in done.stdout
    assert f"report: {tmp_path / 'out' / 'report.html'}" in done.stdout
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_dry_run_says_what_would_be_done_and_does_nothing(expert, items, protocol, tmp_path):
    done = command("evaluate", expert, protocol, items, "--out", tmp_path / "out", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "protocol    short: A short one" in done.stdout
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "images 48 are asked about" in lines
    assert "24 validation: 12 fake, 12 real" in lines
    assert "12 train: 6 fake, 6 real; not asked about" in lines
    assert "questions 48 in all" in lines
    assert "fitted on the validation split: 12 fake and 12 real images" in lines
    assert "measured 12 fake and 12 real images of the test split" in lines
    needs = "1 % of 12 reals is under 10 false alarms: needs 1,000 reals"
    assert f"not given share of fakes found at 1 % false alarms: {needs}" in lines
    few = "fitted on 12 fake and 12 real images, which is few: it would differ on others"
    assert f"beware calibrated figures will be {few}" in lines
    assert not (tmp_path / "out").exists()


def test_a_dry_run_counts_the_pictures_of_the_prior_apart(expert, items, protocol, tmp_path):
    protocol.write_text(PROTOCOL.replace("prior: false", "prior: true"))
    done = command("evaluate", expert, protocol, items, "--out", tmp_path / "out", "--dry-run")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "images 48 are asked about" in lines
    assert "questions 51 in all" in lines
    assert "3 prior, about 3 pictures that show nothing" in lines


def test_a_dry_run_names_generators_where_there_are_several(expert, items, protocol, tmp_path):
    found = open_chains(items)
    names = ("flux", "glide")
    chains = [
        chain.model_copy(update={"generator": names[number % 4 // 2] if chain.label == "fake" else None})
        for number, chain in enumerate(found.read())
    ]
    shutil.copytree(items / "images", tmp_path / "set/images")
    write_chains(tmp_path / "set", chains, found.meta)
    done = command("evaluate", expert, protocol, tmp_path / "set", "--out", tmp_path / "out", "--dry-run")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    at = lines.index("24 test: 12 fake, 12 real")
    assert lines[at + 1] == "by generator flux 6; glide 6"


def test_a_dry_run_refuses_what_a_run_refuses_and_counts_what_is_answered(expert, items, protocol, tmp_path):
    out = tmp_path / "out"
    assert command("evaluate", expert, protocol, items, "--out", out).returncode == 0
    done = command("evaluate", expert, protocol, items, "--out", out, "--dry-run")
    assert f"written to  {out}, where 48 questions are answered already" in done.stdout
    done = command("evaluate", expert, "zero-shot", items, "--out", out, "--dry-run")
    assert (done.returncode, done.stdout) == (2, "")
    assert "holds answers asked by another protocol" in done.stderr


def test_sets_in_a_folder_with_answers_about_one_set_are_refused(expert, items, protocol, tmp_path):
    out = tmp_path / "out"
    (out / "answers").mkdir(parents=True)
    other = make_chains(tmp_path / "other", 20)
    chains = open_chains(other)
    write_chains(
        other, [each.model_copy(update={"id": f"o{each.id}"}) for each in chains.read()], chains.meta
    )
    done = command("evaluate", expert, protocol, items, other, "--out", out)
    assert done.returncode == 2
    assert "answers: holds answers about another number of sets than 2" in done.stderr
    assert not (out / "answers-1").exists()


def test_a_protocol_that_contradicts_itself_is_refused_before_a_model_is_loaded(items, protocol, tmp_path):
    protocol.write_text(PROTOCOL.replace("[validation, test]", "[test]"))
    done = command(
        "evaluate", tmp_path / "no-expert", protocol, items, "--out", tmp_path / "out", "--dry-run"
    )
    assert done.returncode == 2
    assert "field measure.calibrate: protocol 'short' says calibrate" in done.stderr
    assert "asks about test only" in done.stderr


def test_a_misspelt_baseline_is_named_before_anything_is_asked(expert, items, protocol, tmp_path):
    protocol.write_text(PROTOCOL.replace("calibrate: true", "calibrate: true, baselines: [metdata]"))
    done = command("evaluate", expert, protocol, items, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "field measure.baselines: there is no baseline 'metdata'. Did you mean 'metadata'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_fit_on_few_images_is_said_before_anything_is_asked(expert, items, protocol, tmp_path):
    """An image root without images ends the run while it asks: what is said comes before."""
    said = command("evaluate", expert, protocol, items, "--image-root", tmp_path, "--out", tmp_path / "out")
    assert said.returncode == 1
    few = "beware: calibrated figures will be fitted on 12 fake and 12 real images, which is few"
    assert said.stderr.index(few) < said.stderr.index("error:")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["detectoin"], "no protocol named 'detectoin'. Did you mean 'detection'?"),
        (["fakebench"], "has no questions of its own (items.jsonl), which protocol 'fakebench' asks"),
        (["cifake"], "no image says what it shows, which protocol 'cifake' is about"),
    ],
)
def test_wrong_usage_is_one_message(expert, items, tmp_path, words, message):
    done = command("evaluate", expert, *words, items, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_misspelt_name_is_refused_before_pytorch_is_imported(items, tmp_path):
    """By what was imported, not by the clock."""
    for words in (
        ("no-expert", "detection", items),
        ("x", "detectoin", items),
        ("x", "detection", "no-items"),
    ):
        run = f"from fakeinstruct.cli.main import run; sys.argv = {['fakeinstruct', 'evaluate', *map(str, words)]!r}"
        code = f"import sys, atexit; atexit.register(lambda: print('torch' in sys.modules)); {run}"
        code += f" + ['--out', {str(tmp_path / 'out')!r}]; run()"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "False\n"), done.stderr


def test_a_detectors_table_is_measured_beside_by_the_options_of_tables(expert, items, protocol, tmp_path):
    rows = [
        f"{each.id},{0.9 if each.label == 'fake' else 0.2},{each.label}" for each in open_chains(items).read()
    ]
    (tmp_path / "theirs.csv").write_text("\n".join(["image,p,label", *rows]))
    words = ("evaluate", expert, protocol, items, "--out", tmp_path / "out")
    done = command(
        *words,
        "--beside",
        f"theirs={tmp_path / 'theirs.csv'}",
        "--column",
        "score=p",
        "--scores",
        "probability",
    )
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "theirs.csv: score = p, id = image, label = label; scores: probability, high for fake" in said
    figures = json.loads((tmp_path / "out/figures.json").read_text())
    assert figures["baselines"]["theirs"]["overall"]["test"]["auc"] == 1.0
    done = command(*words, "--beside", f"theirs={tmp_path / 'none.csv'}")
    assert done.returncode == 2
    assert "none.csv: no such file or folder" in done.stderr


def test_a_pin_of_other_prompts_ends_the_run(expert, items, protocol, tmp_path):
    protocol.write_text(PROTOCOL + f"prompts_sha256: {'a' * 64}\n")
    done = command("evaluate", expert, protocol, items, "--out", tmp_path / "out", "--dry-run")
    assert done.returncode == 2
    assert "the prompts are not those that protocol 'short' pins" in done.stderr
    assert prompts_sha256([READOUT]) in done.stderr


def test_one_image_root_for_several_sets_is_refused(expert, items, protocol, tmp_path):
    done = command(
        "evaluate", expert, protocol, items, items, "--image-root", items, "--out", tmp_path / "out"
    )
    assert done.returncode == 2
    assert "one image root for several sets" in done.stderr


def test_an_image_that_is_gone_is_listed_and_the_others_are_measured(expert, protocol, tmp_path):
    items = make_chains(tmp_path / "chains", 60)
    (items / "images/1.png").unlink()
    done = command("evaluate", expert, protocol, items, "--out", tmp_path / "out")
    assert done.returncode == 3, done.stderr
    assert "c1" in (tmp_path / "out/rejects.jsonl").read_text()
    assert (tmp_path / "out/figures.json").is_file()
