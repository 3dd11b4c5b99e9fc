"""`evaluate` as a user calls it."""

from __future__ import annotations

import pytest
from commands import command
from drawn import QUESTION, TINY, conversations, make_chains

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
    assert "questions   48 about 48 pictures of 48 images" in done.stdout
    assert "fitted on   the validation split" in done.stdout
    assert not (tmp_path / "out").exists()


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
