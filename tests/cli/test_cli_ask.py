"""`ask` through the command line: text for a person, JSON for a program, one message for what is wrong."""

import json
import shutil

import pytest
from commands import command
from drawn import TINY, conversations, make_chains

from fakeinstruct.cli.ask import split_question
from fakeinstruct.expert.card import ExpertCard, save_card
from fakeinstruct.expert.small import build_small


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An untrained expert that knows one question, and images."""
    folder = tmp_path_factory.mktemp("ask")
    build_small(conversations(), TINY, seed=3, out=folder / "expert")
    save_card(
        folder / "expert", ExpertCard(base="small", explanation_prompts=("What speaks for your verdict?",))
    )
    shutil.move(make_chains(folder / "chains", 3) / "images", folder / "images")
    return folder


def ask(folder, *arguments):
    return command("ask", folder / "expert", *arguments)


def test_one_picture_is_answered_by_the_text_alone(folder):
    run = ask(folder, folder / "images/0.png", "What do the edges tell?", "--max-new-tokens", 20)
    assert (run.returncode, run.stderr) == (0, "")
    run_json = ask(
        folder, folder / "images/0.png", "What do the edges tell?", "--max-new-tokens", 20, "--json"
    )
    reply = json.loads(run_json.stdout)
    assert run.stdout == f"{reply['text']}\n"
    assert reply["question"] == "What do the edges tell?"
    assert reply["error"] is None


def test_a_folder_with_a_bad_picture(folder, tmp_path):
    shutil.copytree(folder / "images", tmp_path / "images")
    (tmp_path / "images/1.png").write_text("no image")
    run = ask(folder, tmp_path / "images", "What do the edges tell?", "--json")
    assert run.returncode == 3
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    assert [row["image"] for row in rows] == [str(tmp_path / f"images/{number}.png") for number in range(3)]
    assert [row["error"] is None for row in rows] == [True, False, True]
    run = ask(folder, tmp_path / "images", "What do the edges tell?")
    assert run.returncode == 3
    assert "1.png" in run.stderr
    assert "no answer" in run.stderr
    assert "0.png" in run.stdout
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("missing.png",), 1, "image file is missing"),
        (("missing.png", "How are the edges?"), 1, "image file is missing"),
        (("How are the edges?",), 2, "is no picture"),
        (("missing.png", " "), 2, "the question is empty"),
        (("missing.png", "is <image> fake?"), 2, "stands for the picture"),
    ],
)
def test_one_clear_message(folder, arguments, status, message):
    run = ask(folder, *arguments)
    assert run.returncode == status
    assert run.stdout == ""
    assert message in run.stderr
    assert "Traceback" not in run.stderr


def test_the_question_is_the_last_word_unless_it_names_a_picture(folder):
    here = str(folder / "images")
    assert split_question([here])[1] is None
    assert split_question([here, "b.jpg"])[1] is None
    assert split_question([here, "b.jpg", "Is it?"]) == ([folder / "images", type(folder)("b.jpg")], "Is it?")
    assert split_question([here, ""])[1] == ""
