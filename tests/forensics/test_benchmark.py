"""A benchmark's own questions: asked as published, read as the protocol pins, and refused where it does not."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from benchmarks_by_hand import FAULTS, fakebench
from loopback import serve, served_expert
from published import data_folder

from fakeinstruct.base.errors import Rejects, UsageError
from fakeinstruct.chains.importers import import_chains
from fakeinstruct.chains.items import read_items
from fakeinstruct.chains.store import open_chains
from fakeinstruct.forensics.benchmark import benchmark_questions
from fakeinstruct.forensics.dry_run import dry_run
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.protocol import load_protocol
from fakeinstruct.forensics.score import score
from fakeinstruct.forensics.server import open_server


@pytest.fixture(scope="module")
def chains(tmp_path_factory):
    return open_chains(fakebench(tmp_path_factory.mktemp("fakebench")))


def asked(chains, protocol, rejects=None):
    return list(
        benchmark_questions(chains, protocol.readouts, protocol, Rejects() if rejects is None else rejects)
    )


def test_every_question_is_asked_once_in_its_own_words(chains):
    questions = asked(chains, load_protocol("fakebench"))
    assert Counter((one.facts["kind"], one.facts["template"]) for one in questions) == {
        **{("verdict", name): 4 for name in ("which", "is-it-fake", "is-it-real")},
        **{("open", name): 6 for name in ("faultfinding", "inference")},
        ("open", "aspect"): 12,
    }
    assert len({one.key() for one in questions}) == 36
    by_item = {one.facts["item"]: one for one in questions}
    prompt = (
        "Answer this question without itemizing: How is the texture regarding the authenticity of this image?"
    )
    assert by_item["sd-0.png#Q1"].facts["prompt"] == prompt
    assert by_item["sd-0.png#faultfinding"].facts["prompt"] == FAULTS
    assert by_item["sd-0.png#Q1"].words == {}
    real = by_item["n5.JPEG#class"]  # "Is this a real image, yes or no?"
    assert real.words == {"fake": ("no", "No"), "real": ("yes", "Yes")}
    assert (real.facts["label"], real.facts["chain"], real.facts["split"]) == (
        "real",
        "real_images/n5.JPEG",
        "test",
    )


def test_questions_about_one_picture_stand_together(chains):
    paths = [one.view.path for one in asked(chains, load_protocol("fakebench"))]
    assert [path for at, path in enumerate(paths) if at == 0 or paths[at - 1] != path] == list(
        dict.fromkeys(paths)
    )


def test_an_unpinned_question_is_rejected_and_the_others_are_asked(chains):
    protocol = load_protocol("fakebench").model_copy(update={"open": ()})
    rejects = Rejects(1.0)
    assert len(asked(chains, protocol, rejects)) == 12
    assert len(rejects) == 24
    assert "the protocol has no prompt for this question" in str(rejects.errors[0])


def test_a_readout_that_means_the_contrary_of_the_key_is_rejected(chains):
    """The opposite polarity would pass for an expert that is always wrong."""
    protocol = load_protocol("fakebench")
    turned = tuple(
        each.model_copy(update={"fake": each.real, "real": each.fake}) if each.name == "is-it-real" else each
        for each in protocol.readouts
    )
    rejects = Rejects(1.0)
    kept = list(benchmark_questions(chains, turned, protocol, rejects))
    assert len(kept) == 32
    turned_round = {"sd-4.png#class", "n5.JPEG#class", "sd-10.png#class", "n11.JPEG#class"}
    assert {error.record for error in rejects.errors} == turned_round
    assert "'yes' means real here" in str(rejects.errors[0])


def test_conditions_ask_verdicts_again_and_words_once(chains):
    protocol = load_protocol("fakebench", conditions=["jpeg-50"])
    counts = Counter((one.facts["kind"], one.facts["condition"]) for one in asked(chains, protocol))
    assert counts == {("verdict", "clean"): 12, ("verdict", "jpeg-50"): 12, ("open", "clean"): 24}


def test_an_item_of_no_chain_is_listed(chains, tmp_path):
    file = chains.folder / "items.jsonl"
    first = json.loads(file.read_text().splitlines()[0])
    text = file.read_text()
    try:
        file.write_text(text + json.dumps(first | {"id": "x#class", "chain": "gone"}) + "\n")
        rejects = Rejects()
        assert len(asked(chains, load_protocol("fakebench"), rejects)) == 36
        assert "is about a chain 'gone' that is not there" in str(rejects.errors[0])
    finally:
        file.write_text(text)


def test_a_set_without_questions_is_one_message(chains_folder):
    with pytest.raises(UsageError, match=r"has no questions of its own"):
        asked(open_chains(chains_folder), load_protocol("fakebench"))


ANSWERS = {
    "which": "This picture is fake.",
    "is-it-fake": "No, it looks fine.",
    "is-it-real": "I cannot tell.",
}


def question_of(body):
    return next(block["text"] for block in body["messages"][0]["content"] if block["type"] == "text")


def says(number, body):
    """A model that answers by the question alone; what is none of the benchmark's, the expert answers."""
    question = question_of(body)
    readouts = {readout.prompt: readout.name for readout in load_protocol("fakebench").readouts}
    if question in readouts:
        text = ANSWERS[readouts[question]]
    elif question.startswith(("This is a fake", "Answer this", "Analyze")):
        text = "The texture is smooth. The cat smiles."
    else:
        return None
    tokens = re.findall(r" ?\w+|[^\w\s]", text)  # words with the space before them, and stops
    places = [{"token": token, "logprob": -0.1, "top_logprobs": top(token)} for token in tokens]
    return 200, {"choices": [{"message": {"content": text}, "logprobs": {"content": places}}]}


def top(token):
    space = " " if token.startswith(" ") else ""
    word = token.strip()
    pairs = {"fake": "real", "real": "fake", "No": "Yes", "Yes": "No"}
    other = pairs.get(word, "x")
    return [{"token": token, "logprob": -0.1}, {"token": space + other, "logprob": -2.5}]


def test_answers_are_read_where_the_model_says_them(chains, expert_folder, tmp_path):
    with serve(served_expert(expert_folder), fault=says) as server:
        rejects = Rejects()
        answers = score(
            open_server(server.url), chains, tmp_path / "out", load_protocol("fakebench"), rejects=rejects
        )
    rows = {row["item"]: row for row in answers.table().to_pylist()}
    assert len(rows) == 36
    assert rows["sd-0.png#class"]["verdict"] == "fake"
    assert rows["sd-0.png#class"]["margin"] > 1
    assert rows["sd-2.png#class"]["verdict"] == "real"  # "No" to "Is this a fake image?"
    assert rows["sd-2.png#class"]["margin"] < -1
    silent = rows["sd-4.png#class"]
    assert (silent["margin"], silent["text"]) == (None, "I cannot tell.")
    assert "wrote no verdict" in silent["error"]
    assert len(rejects) == 4
    opened = rows["sd-0.png#Q1"]
    assert (opened["kind"], opened["text"], opened["margin"], opened["error"]) == (
        "open",
        "The texture is smooth. The cat smiles.",
        None,
        None,
    )


def test_a_model_in_memory_writes_to_open_questions(chains, expert_folder, tmp_path, monkeypatch):
    from fakeinstruct.forensics import scan

    monkeypatch.setattr(scan, "RATIONALE_TOKENS", 8)
    protocol = load_protocol("fakebench")
    shown = list(dry_run(load_expert(expert_folder), chains, protocol, Rejects()))
    assert any("faultfinding" in line for line in shown)
    rejects = Rejects(1.0)
    answers = score(load_expert(expert_folder), chains, tmp_path / "out", protocol, rejects=rejects)
    rows = answers.table().to_pylist()
    opened = [row for row in rows if row["kind"] == "open"]
    assert len(opened) == 24
    assert all(row["text"] is not None and row["error"] is None and row["margin"] is None for row in opened)


def test_many_without_a_verdict_do_not_end_the_run(tmp_path, expert_folder):
    """They are wrong and counted; only pictures that cannot be asked about end it."""
    chains = open_chains(fakebench(tmp_path / "many", images=120))
    with serve(served_expert(expert_folder), fault=says_nothing) as server:
        rejects = Rejects(0.01)
        answers = score(
            open_server(server.url), chains, tmp_path / "out", load_protocol("fakebench"), rejects=rejects
        )
    assert answers.meta.complete
    assert len(rejects) == 120


def says_nothing(number, body):
    """The same, and of no picture what it is."""
    answer = says(number, body)
    if answer and question_of(body) in {readout.prompt for readout in load_protocol("fakebench").readouts}:
        answer[1]["choices"][0]["message"]["content"] = ANSWERS["is-it-real"]
    return answer


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "items"), [pytest.param("fakebench", 53_971, marks=pytest.mark.slow), ("loki", 4_434)]
)
def test_every_published_question_is_one_of_the_protocol(tmp_path, name, items):
    archive = data_folder() / "annotation-formats.zip"
    if not archive.is_file():
        pytest.skip(f"no {archive.name} in the development data")
    import_chains(name, archive, tmp_path, without_images=True, rejects=Rejects(1.0))
    chains, rejects = open_chains(tmp_path), Rejects()
    assert sum(1 for _ in read_items(tmp_path)) == items
    assert len(asked(chains, load_protocol(name), rejects)) == items
    assert not rejects
