"""A server as an expert: the margins of the model behind it, and one clear message where it cannot be asked."""

from __future__ import annotations

import asyncio
import json

import pytest
from drawn import QUESTION
from loopback import serve, served_expert

from fakeinstruct.base.errors import UsageError
from fakeinstruct.chains.store import open_chains
from fakeinstruct.expert.card import Readout
from fakeinstruct.forensics import scan, server_ask
from fakeinstruct.forensics.expert import Expert, load_expert
from fakeinstruct.forensics.protocol import Protocol
from fakeinstruct.forensics.questions import verdict_question
from fakeinstruct.forensics.score import score
from fakeinstruct.forensics.server import open_expert, open_server, plain_address
from fakeinstruct.forensics.server_http import Patience
from fakeinstruct.forensics.views import View

HASTY = Patience(timeout=20, attempts=2, pause=0.01)
READOUT = Readout(name="served", prompt=QUESTION, fake=("fake",), real=("real",))
EVERY = ("train", "validation", "test")


@pytest.fixture(scope="module")
def expert(expert_folder):
    return served_expert(expert_folder)


def rows_of(expert, chains_folder, out, **readout):
    protocol = Protocol(readouts=(READOUT.model_copy(update=readout),), splits=EVERY, prior=False)
    rows = score(expert, open_chains(chains_folder), out, protocol).table().to_pylist()
    return {row["item"]: row for row in rows}


@pytest.mark.parametrize(
    "readout",
    [
        {},
        {"position": "prefix", "prefix": "The texture tells: it is "},
        {"position": "scan"},
    ],
    ids=["first", "prefix", "scan"],
)
def test_margins_are_those_of_the_model_in_memory(expert, chains_folder, tmp_path, readout, monkeypatch):
    for module in (scan, server_ask):
        monkeypatch.setattr(module, "RATIONALE_TOKENS", 12)  # the untrained expert does not end by itself
    own = rows_of(expert, chains_folder, tmp_path / "own", **readout)
    with serve(expert) as server:
        served = rows_of(
            open_server(server.url, patience=HASTY), chains_folder, tmp_path / "served", **readout
        )
    assert len(own) == len(served) == 20
    assert len({round(row["margin"], 4) for row in own.values()}) > 10
    for item, row in own.items():
        other = served[item]
        assert other["error"] is None
        assert other["margin"] == pytest.approx(row["margin"], abs=1e-4)
        assert other["logits"] == pytest.approx([x - row["log_normaliser"] for x in row["logits"]], abs=1e-4)
        assert other["label_mass"] == pytest.approx(row["label_mass"], abs=1e-4)
        assert other["log_normaliser"] == 0
        assert other["words"] == row["words"]
        assert other["classes"] == row["classes"]
        assert (other["text"], other["verdict"]) == (row["text"], row["verdict"])
        assert other["note"] is None


def test_a_word_outside_the_likeliest_tokens_is_a_bound_and_the_row_says_so(expert, chains_folder, tmp_path):
    own = rows_of(expert, chains_folder, tmp_path / "own", real=("image",))
    with serve(expert) as server:
        served = rows_of(
            open_server(server.url, patience=HASTY), chains_folder, tmp_path / "served", real=("image",)
        )
    for item, row in own.items():
        fake, real = served[item]["logits"]
        assert fake == pytest.approx(row["logits"][0] - row["log_normaliser"], abs=1e-4)
        assert real > row["logits"][1] - row["log_normaliser"]
        assert 0 < served[item]["margin"] < row["margin"]
        assert served[item]["note"] == "an upper bound, not among the 20 likeliest tokens: 'image'"


def test_no_label_word_among_the_likeliest_tokens_is_an_error(expert_folder, chains_folder, tmp_path):
    with serve(load_expert(expert_folder)) as server:
        rows = rows_of(open_server(server.url, patience=HASTY), chains_folder, tmp_path / "served")
    assert {row["error"] for row in rows.values()} == {
        "none of 'fake', 'real' is among the 20 likeliest tokens"
    }
    assert all(row["margin"] is None and row["logits"] is None for row in rows.values())


def test_a_server_that_gives_five_likeliest_tokens_is_asked_for_five(expert, chains_folder, tmp_path):
    own = rows_of(expert, chains_folder, tmp_path / "own")
    with serve(expert, cap=5) as server:
        five = open_server(server.url, patience=HASTY)
        served = rows_of(five, chains_folder, tmp_path / "served")
    assert five.top == 5
    assert all(served[item]["margin"] == pytest.approx(row["margin"], abs=1e-4) for item, row in own.items())


def without_logprobs(_number, _body):
    return 200, {"choices": [{"message": {"content": "fake"}}]}, ()


def without_top(_number, _body):
    place = {"token": "fake", "logprob": -0.5, "top_logprobs": []}
    return 200, {"choices": [{"message": {"content": "fake"}, "logprobs": {"content": [place]}}]}, ()


def refuses_logprobs(_number, body):
    return (
        (422, {"detail": "Unexpected fields in the request: {'logprobs'}"}, ())
        if "logprobs" in body
        else None
    )


def refuses_images(_number, body):
    return (
        (400, {"error": {"message": "is not a multimodal model"}}, ())
        if "data:" in json.dumps(body)
        else None
    )


def looks_away(_number, _body):
    place = {"token": "fake", "logprob": -0.5, "top_logprobs": [{"token": "fake", "logprob": -0.5}]}
    return 200, {"choices": [{"message": {"content": "fake"}, "logprobs": {"content": [place]}}]}, ()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            without_logprobs,
            r"returns no log-probabilities \(its answers have none\)\. Serve the model with vLLM",
        ),
        (without_top, "that of the written token alone"),
        (refuses_logprobs, r"returns no log-probabilities \(Unexpected fields"),
        (
            refuses_images,
            r"refuses images: small answers the question alone.*400 \(is not a multimodal model\)",
        ),
        (looks_away, "does not look at the image"),
        (lambda *_: (401, {"error": {"message": "bad key"}}, ()), "refuses the key.*OPENAI_API_KEY"),
        (lambda *_: (404, {"error": "no such model"}, ()), r"answered 404 \(no such model\).*--model"),
        (lambda *_: (200, b"<html>hello</html>", ()), "the server's answer cannot be read"),
        (lambda *_: "hang up", "does not answer"),
        (lambda *_: (503, b"", ()), r"does not answer \(it answered 503\)"),
        (lambda *_: (302, b"", [("Location", "http://127.0.0.1:1/")]), "answered 302"),
    ],
)
def test_a_server_that_cannot_be_asked_is_refused_at_once(expert, fault, message):
    with serve(expert, fault=fault) as server, pytest.raises(UsageError, match=message):
        open_server(server.url, patience=HASTY)


def test_nobody_there_is_one_message():
    with pytest.raises(UsageError, match=r"127\.0\.0\.1:9/v1: the server does not answer"):
        open_server("http://127.0.0.1:9/v1", "small", patience=HASTY)


def test_a_server_that_ignores_a_begun_answer_is_refused(expert, chains_folder, tmp_path):
    def closes_the_turn(_number, body):
        body.pop("continue_final_message", None)
        body.pop("add_generation_prompt", None)

    with serve(expert, fault=closes_the_turn) as server:
        asked = open_server(server.url, patience=HASTY)
        with pytest.raises(UsageError, match="does not go on with a begun answer"):
            rows_of(asked, chains_folder, tmp_path / "out", position="prefix", prefix="It is ")


def test_the_key_is_sent_and_stored_nowhere(expert, chains_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sesame-7")

    def repeats_the_key(number, _body):
        return (400, {"error": "no sesame-7"}, ()) if number == 5 else None

    with serve(expert, fault=repeats_the_key) as server:
        asked = open_server(server.url, patience=HASTY)
        rows = rows_of(asked, chains_folder, tmp_path / "out")
    assert {headers["Authorization"] for headers in server.sent} == {"Bearer sesame-7"}
    assert [row["error"] for row in rows.values() if row["error"]] == ["the server answered 400 (no ...)"]
    assert "sesame-7" not in repr(asked)
    assert all(b"sesame-7" not in file.read_bytes() for file in (tmp_path / "out").iterdir())
    meta = json.loads((tmp_path / "out/meta.json").read_text())
    assert meta["expert"] == f"{server.url}#small"
    assert meta["processor_sha256"] is None


@pytest.mark.parametrize(
    "url", ["http://me:secret@localhost:8000/v1", "http://localhost:8000/v1?key=secret", "http://h/v1#x"]
)
def test_an_address_with_credentials_is_refused_unseen(url):
    with pytest.raises(UsageError, match="OPENAI_API_KEY") as refusal:
        open_expert(url)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("url", ["http://", "http://[::1", "http://a b/"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(UsageError, match="not the address of a server"):
        open_expert(url)


def test_addresses_are_kept_up_to_their_version():
    for url in ("http://host:8000/v1", "http://host:8000/v1/", "http://host:8000/v1/chat/completions"):
        assert plain_address(url) == "http://host:8000/v1"


def test_a_folder_is_an_expert_and_takes_no_model_name(expert_folder):
    assert isinstance(open_expert(str(expert_folder)), Expert)
    with pytest.raises(UsageError, match="--model names a server's model"):
        open_expert(expert_folder, "small")


def test_a_notebook_whose_loop_runs_can_ask(expert, chains_folder, tmp_path):
    async def cell():
        return rows_of(open_server(server.url, patience=HASTY), chains_folder, tmp_path / "out")

    with serve(expert) as server:
        assert len(asyncio.run(cell())) == 20


def test_a_picture_that_cannot_be_shown_is_a_row(expert):
    def viewer(view):
        raise ValueError("tile cannot extend\noutside image")

    question = verdict_question(View("x.png"), READOUT, {"item": "x"})
    with serve(expert) as server:
        row = open_server(server.url, patience=HASTY).asker(viewer).ask([question])[0]
    assert row["error"] == "cannot be asked about (ValueError: tile cannot extend)"


def test_words_that_differ_by_a_space_alone_are_refused(expert):
    question = verdict_question(View("x.png"), READOUT.model_copy(update={"real": (" fake",)}), {"item": "x"})
    with serve(expert) as server, pytest.raises(UsageError, match="compared without spaces"):
        open_server(server.url, patience=HASTY).asker(None).resolve(question)


def test_explanations_are_not_asked_of_a_server(expert):
    with serve(expert) as server, pytest.raises(UsageError, match="not asked for explanations"):
        open_server(server.url, patience=HASTY).asker(None, explain=True)
