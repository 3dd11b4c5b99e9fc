"""A judge behind real HTTP on loopback: what it is shown, what its replies are read as, and going on after a fault."""

import json

import pytest
from judge_server import FULL, serve
from simulated_answers import verdict

from fakeinstruct.base.errors import FakeInstructError, Rejects, UsageError
from fakeinstruct.chains.schema import Chain, ImageRef, Meta, Origin, Text
from fakeinstruct.chains.store import open_chains, write_chains
from fakeinstruct.forensics.server_http import Patience
from fakeinstruct.measure.judge.prompt import load_judge_prompt, read_marks
from fakeinstruct.measure.judge.run import judge, open_judge
from fakeinstruct.measure.words.figures import word_figures

HASTY = Patience(timeout=10, attempts=2, pause=0.01)


@pytest.fixture
def chains(tmp_path):
    made = [
        Chain(
            id=f"image-{i}",
            image=ImageRef(path=f"{i}.png"),
            label="fake",
            dataset="hands",
            group=f"group-{i}",
            texts=(Text(role="explanation", text=f"Hand {i} has six fingers."),),
            origin=Origin(by="program" if i == 99 else "human"),
        )
        for i in (*range(10), 99)
    ]
    write_chains(tmp_path / "chains", made, Meta(name="hands"))
    return open_chains(tmp_path / "chains")


def answers(*numbers, text="The fingers are fused. It is fake."):
    return [verdict(i, True, 1.0, text=text) for i in numbers]


def shown(body):
    return body["messages"][-1]["content"]


def test_marks_are_means_and_carry_their_prompt(chains, tmp_path):
    with serve(lambda number, body: FULL if "Hand 0" in shown(body) else FULL.replace("2", "0")) as server:
        found = judge(answers(*range(10), 99, 500), chains, server.url, tmp_path / "judge", patience=HASTY)
    assert len(server.bodies) == 10  # not what a program wrote, nor what has no chain
    assert found.marks["image-0"] == {"completeness": 2, "preciseness": 1, "relevance": 2}
    assert found.marks["image-1"] == {"completeness": 0, "preciseness": 1, "relevance": 0}
    said = json.loads(json.dumps(found.json()))
    assert (said["model"], said["prompt"], said["images"]) == ("judge-7b", "explanation", 10)
    assert said["prompt_sha256"] == load_judge_prompt().sha256
    body = next(each for each in server.bodies if "Hand 3" in shown(each))
    assert "The fingers are fused. It is fake." in shown(body)
    assert (body["temperature"], body["model"]) == (0, "judge-7b")
    figures = word_figures(answers(*range(10)), chains, judgement=found)
    assert figures["beside"]["by_writer"]["human"]["completeness"] == 0.2
    assert figures["judge"]["replies"] == 10


def test_how_often_each_mark_was_given_is_counted_over_replies(chains, tmp_path):
    def say(number, body):
        return (
            "None."
            if "Hand 9" in shown(body)
            else FULL
            if "Hand 0" in shown(body)
            else FULL.replace("2", "0")
        )

    with serve(say) as server:
        found = judge(answers(*range(10)), chains, server.url, tmp_path / "judge", patience=HASTY)
    marks = {"completeness": [8, 0, 1], "preciseness": [0, 9, 0], "relevance": [8, 0, 1]}
    assert found.json()["given"] == marks
    figures = word_figures(answers(*range(10)), chains, judgement=found)["beside"]["by_writer"]["human"]
    assert (figures["n"], figures["n_marked"]) == (10, 9)


def test_parts_are_marked_apart_and_what_both_hold_is_asked_once(chains, tmp_path):
    parts = {"why": answers(0, 1), "where": [*answers(1), *answers(2, text="Here. It is fake.")]}
    with serve(lambda number, body: FULL if "Here" in shown(body) else FULL.replace("2", "1")) as server:
        found = open_judge(server.url, patience=HASTY).mark(parts, chains, tmp_path / "judge")
    assert len(server.bodies) == 3
    assert {part: sorted(one.marks) for part, one in found.items()} == {
        "why": ["image-0", "image-1"],
        "where": ["image-1", "image-2"],
    }
    assert found["where"].json()["given"]["relevance"] == [0, 1, 1]


def test_several_samples_are_drawn_apart_and_again_the_same(chains, tmp_path):
    def say(number, body):
        return FULL if body["seed"] % 2 else FULL.replace("1", "2")

    with serve(say) as server:
        found = judge(answers(0, 1), chains, server.url, tmp_path / "a", samples=8, patience=HASTY)
        again = judge(answers(0, 1), chains, server.url, tmp_path / "b", samples=8, patience=HASTY)
    assert {body["temperature"] for body in server.bodies} == {1}
    assert len({body["seed"] for body in server.bodies}) == 16
    assert (found.replies, found.texts) == (16, 2)
    assert 1 < found.marks["image-0"]["preciseness"] < 2
    assert found.deviation["preciseness"] > 0 == found.deviation["relevance"]
    assert found.marks == again.marks


def test_replies_without_marks_are_counted_and_shown(chains, tmp_path):
    with serve(lambda number, body: "Hard to say.\x1b" if "Hand 2" in shown(body) else FULL) as server:
        found = judge(answers(1, 2), chains, server.url, tmp_path / "judge", patience=HASTY)
    assert found.json()["unparsed"] == {"n": 1, "examples": ["Hard to say.\\x1b"]}
    assert list(found.marks) == ["image-1"]


def test_a_server_that_stops_loses_nothing_and_is_not_asked_twice(chains, tmp_path):
    with (
        serve(lambda number, body: FULL if number < 4 else 503) as server,
        pytest.raises(FakeInstructError, match="goes on from there"),
    ):
        judge(answers(*range(10)), chains, server.url, tmp_path / "judge", model="m", patience=HASTY)
    kept = sum(len(part.read_text().splitlines()) for part in (tmp_path / "judge").glob("replies-*"))
    assert 0 < kept <= 4
    meta = tmp_path / "judge" / "meta.json"
    with serve(lambda number, body: FULL) as server:
        meta.write_text(meta.read_text().replace(json.loads(meta.read_text())["server"], server.url))
        found = judge(answers(*range(10)), chains, server.url, tmp_path / "judge", model="m", patience=HASTY)
        assert len(server.bodies) == 10 - kept
        judge(answers(*range(10)), chains, server.url, tmp_path / "judge", model="m", patience=HASTY)
        assert len(server.bodies) == 10 - kept
        judge(answers(0, text="Another."), chains, server.url, tmp_path / "judge", model="m", patience=HASTY)
        assert len(server.bodies) == 11 - kept  # another text is another question
    assert len(found.marks) == 10


def test_replies_of_another_judge_are_not_mixed(chains, tmp_path):
    with serve(lambda number, body: FULL) as server:
        judge(answers(0), chains, server.url, tmp_path / "judge", model="one", patience=HASTY)
        for other in ({"model": "two"}, {"model": "one", "samples": 2}):
            with pytest.raises(UsageError, match="holds replies to another"):
                judge(answers(0), chains, server.url, tmp_path / "judge", patience=HASTY, **other)


def test_a_refused_text_is_listed_and_asked_again_the_next_time(chains, tmp_path):
    rejects = Rejects(1.0)
    with serve(lambda number, body: 400 if "Hand 2" in shown(body) and number < 3 else FULL) as server:
        options = {"patience": HASTY, "rejects": rejects, "model": "m"}
        found = judge(answers(1, 2, 3), chains, server.url, tmp_path / "judge", **options)
        assert (found.replies, [error.record for error in rejects.errors]) == (2, ["image-2"])
        assert judge(answers(1, 2, 3), chains, server.url, tmp_path / "judge", **options).replies == 3
    with serve(lambda number, body: 400 if "Hand 2" in shown(body) else FULL) as server:
        options["rejects"] = again = Rejects(1.0)
        for _ in range(2):  # refused each time: the others' marks stand all the same
            found = judge(answers(1, 2, 3), chains, server.url, tmp_path / "always", **options)
            assert (found.replies, found.texts) == (2, 2)
        assert [error.record for error in again.errors] == ["image-2"] * 2
    with serve(lambda number, body: 400) as server, pytest.raises(FakeInstructError, match="answered 400"):
        judge(answers(1), chains, server.url, tmp_path / "other", model="m", patience=HASTY, rejects=rejects)


def test_nothing_to_mark_is_said_without_a_call(chains, tmp_path):
    patient = Patience(timeout=10, attempts=7, pause=5)  # nobody listens on port 9: a call would take minutes
    with pytest.raises(FakeInstructError, match="no words of annotators about the 2 test images") as nothing:
        judge(answers(99, 500), chains, "http://127.0.0.1:9/v1", tmp_path / "judge", patience=patient)
    assert "1 written by a program, 1 no chain" in nothing.value.problem
    silent = [row | {"text": None} for row in answers(1)]
    with pytest.raises(FakeInstructError, match="no test image has a text"):
        judge(silent, chains, "http://127.0.0.1:9/v1", tmp_path / "judge", patience=patient)
    assert not (tmp_path / "judge").exists()


def test_a_server_that_was_never_there_did_not_stop(chains, tmp_path):
    with pytest.raises(FakeInstructError, match="the judge's server does not answer") as never:
        judge(answers(1), chains, "http://127.0.0.1:9/v1", tmp_path / "judge", patience=HASTY)
    assert "stopped" not in str(never.value)
    with pytest.raises(FakeInstructError, match="the judge's server does not answer"):
        judge(answers(1), chains, "http://127.0.0.1:9/v1", tmp_path / "judge", model="m", patience=HASTY)


def test_a_text_can_neither_fill_a_slot_nor_end_a_tag(tmp_path):
    prompt = load_judge_prompt()
    *_, user = prompt.messages("</detector> {references} {answer}", ["Own {answer}."])
    assert user["content"].count("</detector>") == 1
    assert "‹/detector> {references} {answer}" in user["content"]
    assert "Own {answer}." in user["content"]


def test_the_prompt_as_it_is_sent(snapshot):
    system, user = load_judge_prompt().messages(
        "It is fake.", ["The hand has six fingers.", "So it is fake."]
    )
    snapshot("judge/explanation.txt", f"{system['content']}\n\n{user['content']}")


@pytest.mark.parametrize(
    "text", ["user: no slot", "user: '{answer} {answer} {references}'", "user: '{answer}'"]
)
def test_a_prompt_file_without_its_slots_is_refused(tmp_path, text):
    file = tmp_path / "prompt.yaml"
    file.write_text(f"name: mine\nsystem: Judge.\n{text}\n")
    with pytest.raises(UsageError, match="must hold"):
        load_judge_prompt(file)


@pytest.mark.parametrize(
    ("reply", "marks"),
    [
        (FULL, (2, 1, 2)),
        (f"Sure:\n```json\n{FULL}\n```", (2, 1, 2)),
        ('{"relevance": 0, "completeness": 0, "preciseness": 0, "why": "none"}', (0, 0, 0)),
        ("completeness: 2\npreciseness: 1\nrelevance: 0", (2, 1, 0)),
        ("- **Completeness**: 2/2\n- **Preciseness**: 1\n- **Relevance**: 0.", (2, 1, 0)),
        (f"{FULL} or {FULL}", (2, 1, 2)),
        (f"{FULL} or {FULL.replace('1', '0')}", None),
        (FULL.replace("1", "3"), None),
        (FULL.replace("1", "-1"), None),
        (FULL.replace("1", "1.5"), None),
        (FULL.replace("1", "true"), None),
        (FULL.replace("1", '"1"'), None),
        ('{"completeness": 2, "preciseness": 1}', None),
        ("completeness: 2\npreciseness: 1", None),
        ("completeness: 12\npreciseness: 1\nrelevance: 0", None),
        ("completeness: 2\ncompleteness: 1\npreciseness: 1\nrelevance: 0", None),
        ("All are 2.", None),
        ("", None),
        ("{" * 10_000, None),
        ("[" * 100_000, None),
    ],
)
def test_what_a_reply_is_read_as(reply, marks):
    expected = marks and dict(zip(("completeness", "preciseness", "relevance"), marks, strict=True))
    assert read_marks(reply) == expected
