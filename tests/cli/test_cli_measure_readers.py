"""`measure --judge` and `measure --encoder` as a user calls them: a real server on loopback, a real encoder on disk."""

import json
import socket

import pytest
from commands import call
from judge_server import FULL, serve
from small_encoder import write_encoder

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.base.files import write_json
from fakeinstruct.chains.schema import Chain, ImageRef, Meta, Origin, Text
from fakeinstruct.chains.store import write_chains
from fakeinstruct.forensics.answers import AnswersMeta, write_part
from fakeinstruct.forensics.server_http import Patience


@pytest.fixture
def hasty(monkeypatch):
    """A server is given up at once, not after half a minute."""
    monkeypatch.setattr(
        "fakeinstruct.measure.judge.run.Patience", lambda: Patience(10, attempts=2, pause=0.01)
    )


@pytest.fixture
def runs(tmp_path):
    """A folder with answers that explain, an open question's among them, and the chains that they are about."""
    rows, chains = [], []
    for index in range(12):
        known = {"chain": f"image-{index}", "look": 1, "condition": "clean", "sample": 0, "split": "test"}
        known |= {"label": ("real", "fake")[index % 2], "group": f"group-{index}", "boxes": []}
        asked = {
            "item": f"image-{index}",
            "kind": "verdict",
            "template": "a",
            "prompt": "Fake?",
            "position": "first",
        }
        text = f"Hand {index} has six fingers{', two of which are fused' * (index % 3)}. It is fake."
        rows.append(known | asked | {"margin": index / 6 - 1, "text": text})
        if index % 2:
            asked |= {
                "kind": "open",
                "item": f"open-{index}",
                "template": "what-is-wrong",
                "position": "scan",
            }
            rows.append(known | asked | {"text": f"Six fingers on hand {index}."})
        chains.append(
            Chain(
                id=f"image-{index}",
                image=ImageRef(path=f"{index}.png"),
                label=known["label"],
                dataset="hands",
                group=known["group"],
                split="test",
                texts=(Text(role="explanation", text=f"The hand {index} has six fingers."),),
                origin=Origin(by="human"),
            )
        )
    write_chains(tmp_path / "chains", chains, Meta(name="hands"))
    (tmp_path / "answers").mkdir()
    write_part(tmp_path / "answers", "00000", rows)
    meta = AnswersMeta(
        expert="e", expert_sha256="0" * 64, items="chains", items_sha256="1" * 64, complete=True
    )
    write_json(tmp_path / "answers" / "meta.json", meta.model_dump(mode="json"))
    return tmp_path


def measured(runs, *options, out="out"):
    chains = () if "--chains" in options else ("--chains", runs / "chains")
    result = call("measure", runs / "answers", *chains, "--out", runs / out, *options)
    return result, json.loads((runs / out / "figures.json").read_text())


def test_a_judge_marks_explanations_and_open_answers_and_is_not_asked_twice(runs, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sesame")
    with serve(lambda number, body: FULL) as server:
        result, figures = measured(runs, "--judge", server.url)
        assert len(server.bodies) == 18
        assert set(server.keys) == {"Bearer sesame"}
        again, same = measured(runs, "--judge", server.url)
        assert len(server.bodies) == 18
    assert (result.exit_code, again.exit_code) == (0, 0)
    assert same == figures
    for row in (figures["words"], figures["open"]["what-is-wrong"]):
        marks = row["beside"]["by_writer"]["human"]
        assert (marks["completeness"], marks["preciseness"], marks["relevance"]) == (2, 1, 2)
    assert figures["words"]["judge"]["model"] == "judge-7b"
    assert len(figures["words"]["judge"]["prompt_sha256"]) == 64
    assert figures["words"]["judge"]["given"]["preciseness"] == [0, 12, 0]
    assert "judge judge-7b marked 12 texts\n" in result.stdout
    assert "judge judge-7b marked 6 answers to what-is-wrong\n" in result.stdout
    assert (
        figures["open"]["what-is-wrong"]["judge"]["prompt_sha256"]
        == figures["words"]["judge"]["prompt_sha256"]
    )
    assert "sesame" not in "".join(file.read_text() for file in (runs / "out").rglob("*") if file.is_file())
    page, text = ((runs / "out" / name).read_text() for name in ("report.html", "figures.md"))
    assert "A judge's marks in 12 replies" in page
    assert "| completeness | 0 | 0 | 12 |" in text


def test_a_server_that_serves_several_models_is_told_which(runs):
    with serve(lambda number, body: FULL) as server:
        server.models = ["judge-7b", "another-7b"]
        with pytest.raises(UsageError, match="serves judge-7b, another-7b") as unnamed:
            measured(runs, "--judge", server.url)
        assert unnamed.value.hint == "Name one with --judge-model."
        measured(runs, "--judge", server.url, "--judge-model", "another-7b")
    assert {body["model"] for body in server.bodies} == {"another-7b"}
    with pytest.raises(UsageError, match="a judge's model and no judge"):
        measured(runs, "--judge-model", "another-7b")


def test_a_server_that_dies_is_one_error_and_the_same_command_goes_on(runs, hasty):
    alive = {"until": 5}
    with serve(lambda number, body: FULL if number < alive["until"] else 503) as server:
        with pytest.raises(FakeInstructError, match="stopped answering") as stopped:
            measured(runs, "--judge", server.url)
        assert stopped.value.hint == "What was marked is kept; the same command goes on from there."
        assert [path.name for path in (runs / "out").iterdir()] == ["judge"]
        kept = sum(len(part.read_text().splitlines()) for part in (runs / "out/judge").glob("replies-*"))
        assert 0 < kept <= 5
        alive["until"], asked = 1000, len(server.bodies)
        result, figures = measured(runs, "--judge", server.url)
        assert len(server.bodies) - asked == 18 - kept
    assert result.exit_code == 0
    assert figures["words"]["judge"]["replies"] == 12


def test_texts_that_a_server_refuses_are_listed_and_the_others_marked(runs):
    with serve(lambda number, body: 400 if "Hand 3 " in str(body) else FULL) as server:
        result, figures = measured(runs, "--judge", server.url)
    assert (result.exit_code, figures["words"]["judge"]["replies"]) == (3, 11)
    assert [json.loads(line)["record"] for line in (runs / "out/rejects.jsonl").open()] == ["image-3"]


def test_a_judge_that_is_not_there_is_found_out_before_anything_is_written(runs, hasty):
    with socket.socket() as taken:  # nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(FakeInstructError, match="judge's server does not answer"):
            call(
                "measure",
                runs / "answers",
                "--chains",
                runs / "chains",
                "--out",
                runs / "out",
                "--judge",
                url,
            )
    assert not (runs / "out").exists()


def test_an_encoder_compares_meanings(runs):
    (runs / "encoder").mkdir()
    _, figures = measured(runs, "--encoder", write_encoder(runs / "encoder"))
    row = figures["words"]["beside"]["by_writer"]["human"]
    assert 0 < row["similarity"] < 1
    assert row["similarity_low"] < row["similarity"] < row["similarity_high"]
    assert figures["words"]["beside"]["encoder"]["name"] == "encoder"
    assert figures["open"]["what-is-wrong"]["beside"]["by_writer"]["human"]["similarity"] > 0
    assert "similarity in meaning" in (runs / "out/figures.md").read_text()


@pytest.mark.parametrize(
    "option",
    [
        *(("--judge", "http://127.0.0.1:9/v1", "--judge-model", "m"), ("--judge", "http://127.0.0.1:9/v1")),
        ("--encoder",),
    ],
)
def test_without_chains_there_is_nothing_to_compare_with(runs, option):
    (runs / "encoder").mkdir()
    options = (*option, write_encoder(runs / "encoder")) if option == ("--encoder",) else option
    with pytest.raises(UsageError, match="no chain set was given") as refused:
        call("measure", runs / "answers", "--out", runs / "out", *options)
    assert "--chains" in refused.value.hint
    assert not (runs / "out").exists()
