"""A server that dies, stalls, is too busy or answers garbage: nothing lost, nothing asked twice, one message."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from drawn import QUESTION, make_chains
from loopback import key_of, serve, served_expert

from fakeinstruct.base.errors import FakeInstructError, Rejects
from fakeinstruct.chains.store import open_chains
from fakeinstruct.expert.card import Readout
from fakeinstruct.forensics import server_http
from fakeinstruct.forensics.answers import open_answers
from fakeinstruct.forensics.protocol import Protocol
from fakeinstruct.forensics.score import score
from fakeinstruct.forensics.server import Server
from fakeinstruct.forensics.server_http import Patience, retry_after

HASTY = Patience(timeout=10, attempts=3, pause=0.01)
READOUT = Readout(name="served", prompt=QUESTION, fake=("fake",), real=("real",))
PROTOCOL = Protocol(readouts=(READOUT,), splits=("train", "validation", "test"), prior=False)
PROBES = 2


@pytest.fixture(scope="module")
def expert(expert_folder):
    return served_expert(expert_folder)


@pytest.fixture(scope="module")
def sixty(tmp_path_factory):
    return make_chains(tmp_path_factory.mktemp("sixty"), 60)


def ask(server, chains, out, *, patience=HASTY, batch=None):
    asked = Server(server.url, "small", patience=patience)
    rows = (
        score(asked, open_chains(chains), out, PROTOCOL, batch=batch, rejects=Rejects(1.0))
        .table()
        .to_pylist()
    )
    return {row["item"]: row for row in rows}


def on_disk(out):
    return [key[1] for key in open_answers(out).answered()]


def test_a_server_that_dies_and_comes_back_loses_nothing_and_is_not_asked_twice(expert, sixty, tmp_path):
    out = tmp_path / "out"
    with serve(expert) as server:
        whole = ask(server, sixty, tmp_path / "whole")
    with serve(expert, fault=lambda number, _: "hang up" if number >= 30 else None) as dying:
        port = dying.server_address[1]
        with pytest.raises(
            FakeInstructError, match=r"stopped answering \(.*\), at item c\d+\. .*the same command"
        ):
            ask(dying, sixty, out, patience=Patience(timeout=10, attempts=4, pause=0.3))
    before = on_disk(out)
    assert len(before) == len(set(before)) == len(dying.answered) == 30
    assert not open_answers(out).meta.complete
    with serve(expert, port=port) as back:
        rows = ask(back, sixty, out)
    assert open_answers(out).meta.complete
    assert len(back.answered) == 30
    assert max(Counter(dying.answered + back.answered).values()) == 1
    assert sorted(on_disk(out)) == sorted(f"c{n}" for n in range(60))
    assert {item: row["margin"] for item, row in rows.items()} == {
        item: pytest.approx(row["margin"], abs=1e-5) for item, row in whole.items()
    }


def place(**changes):
    token = {"token": " fake", "logprob": -0.5}
    whole = {**token, "top_logprobs": [token, {"token": " real", "logprob": -1.0}], **changes}
    return {"choices": [{"message": {"content": "fake"}, "logprobs": {"content": [whole]}}]}


GARBAGE = [
    b"",
    b"not json",
    b"\xff\xfe\x00",
    b"[" * 100_000,
    {},
    {"choices": []},
    {"choices": [{"logprobs": None}]},
    {"choices": [{"logprobs": {"content": []}}]},
    place(logprob=math.nan),
    place(logprob=-math.inf),
    place(logprob="-0.5"),
    place(logprob=5.0),
    place(token=7),
    place(top_logprobs=[{"token": " fake"}]),
    place(top_logprobs={"fake": -0.5}),
]


def test_garbage_is_an_error_of_its_item_alone(expert, sixty, tmp_path):
    def garbage(number, _body):
        return (200, GARBAGE[number // 3], ()) if number % 3 == 0 and number // 3 < len(GARBAGE) else None

    with serve(expert, fault=garbage) as server:
        rows = ask(server, sixty, tmp_path / "out", batch=4)
    errors = [row["error"] for row in rows.values() if row["error"]]
    assert len(rows) == 60
    assert len(errors) == len(GARBAGE)
    assert all("the server's answer" in error for error in errors)
    assert all(row["margin"] is None and row["logits"] is None for row in rows.values() if row["error"])


def test_garbage_alone_ends_the_run_and_is_asked_again(expert, sixty, tmp_path):
    out = tmp_path / "out"
    with (
        serve(expert, fault=lambda number, _: (200, b"{}", ()) if number >= 30 else None) as server,
        pytest.raises(
            FakeInstructError, match="20 requests in a row failed, the last because the server's answer"
        ),
    ):
        ask(server, sixty, out, batch=1)
    assert len(on_disk(out)) == 30
    with serve(expert, port=server.server_address[1]) as server:
        rows = ask(server, sixty, out)
    assert len(rows) == 60
    assert not any(row["error"] for row in rows.values())


def test_one_item_that_the_server_fails_at_is_its_error(expert, sixty, tmp_path):
    unlucky = []

    def fails(number, body):
        if number == 10:
            unlucky.append(key_of(body))
        return (500, {"error": {"message": "CUDA error"}}, ()) if key_of(body) in unlucky else None

    with serve(expert, fault=fails) as server:
        rows = ask(server, sixty, tmp_path / "out")
    errors = [row["error"] for row in rows.values() if row["error"]]
    assert errors == ["the server answered 500 (CUDA error)"]
    assert len(server.bodies) == 60 - 1 + HASTY.attempts


def test_what_fails_now_and_then_is_tried_again(expert, sixty, tmp_path):
    seen = Counter()

    def stumbles(number, body):
        seen[key_of(body)] += 1
        if seen[key_of(body)] > 1:
            return None
        return (None, (503, b"", ()), "hang up", (429, b"", ()), (500, b"oops", ()))[number % 5]

    with serve(expert, fault=stumbles) as server:
        rows = ask(server, sixty, tmp_path / "out")
    assert not any(row["error"] for row in rows.values())
    assert set(seen.values()) == {1, 2}
    assert max(Counter(server.answered).values()) == 1


def test_a_busy_server_is_asked_again_when_it_says(expert, chains_folder, tmp_path):
    times = []

    def busy(number, _body):
        times.append(time.monotonic())
        return (429, {"error": "slow down"}, [("Retry-After", "0.6")]) if number == 0 else None

    with serve(expert, fault=busy) as server:
        rows = ask(server, chains_folder, tmp_path / "out", batch=1)
    assert 0.59 < times[1] - times[0] < 3
    assert not any(row["error"] for row in rows.values())


def test_retry_after_is_seconds_or_a_date():
    assert retry_after("3") == 3
    assert retry_after(None) == retry_after("") == retry_after("soon") == retry_after("-5") == 0
    assert 8 < retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=10), usegmt=True)) <= 10
    assert retry_after(format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)) == 0


def test_a_stalled_request_is_made_again_and_a_stalled_server_ends_the_run(expert, chains_folder, tmp_path):
    impatient = Patience(timeout=0.5, attempts=2, pause=0.01)

    def stalls(number, _body):
        if number == 3 or number > 15:
            time.sleep(1)

    out = tmp_path / "out"
    with (
        serve(expert, fault=stalls) as server,
        pytest.raises(FakeInstructError, match=r"stopped answering \(no answer in 0\.5 s\), at item c1[45]"),
    ):
        ask(server, chains_folder, out, patience=impatient, batch=1)
    assert len(on_disk(out)) == 15
    assert Counter(key_of(body) for body in server.bodies).most_common(2)[0][1] == 2


def test_an_answer_without_end_is_not_read_to_it(expert, chains_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(server_http, "LARGEST", 20_000)
    with serve(expert, fault=lambda number, _: (200, b" " * 30_000, ()) if number == 2 else None) as server:
        rows = ask(server, chains_folder, tmp_path / "out")
    assert [row["error"] for row in rows.values() if row["error"]] == [
        "the server's answer has more than 20,000 bytes"
    ]


def test_a_bad_image_is_a_row_and_no_request(expert, tmp_path):
    folder = make_chains(tmp_path / "chains", 30)
    for number in range(25):
        (folder / f"images/{number}.png").write_bytes(b"no image")
    with serve(expert) as server:
        rows = ask(server, folder, tmp_path / "out")
    assert sum(row["error"] is not None for row in rows.values()) == 25
    assert len(server.bodies) == 5


def test_requests_at_once_are_bounded(expert, sixty, tmp_path):
    now, most = [0], [0]

    def count(_number, _body):
        now[0] += 1
        most[0] = max(most[0], now[0])
        time.sleep(0.005)
        now[0] -= 1

    with serve(expert, fault=count) as server:
        ask(server, sixty, tmp_path / "out", batch=3)
    assert 2 <= most[0] <= 3


@pytest.mark.slow
def test_an_interrupted_run_keeps_what_was_answered(expert, sixty, tmp_path):
    protocol = tmp_path / "protocol.yaml"
    protocol.write_text(json.dumps(PROTOCOL.model_dump(mode="json", exclude_defaults=True)))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "fakeinstruct", "score"]
    with serve(expert, fault=lambda number, _: time.sleep(30) if number > 40 else None) as server:
        command += [server.url, str(sixty), "--protocol", str(protocol), "--out", str(out)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while len(server.answered) < 41 and time.monotonic() < deadline:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        time.sleep(1)  # the last answers arrive
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode not in (0, None)
    assert "Traceback" not in said
    assert len(on_disk(out)) == 41 - PROBES
