"""Runs that end early: killed, without memory on disk, beside others; what they leave, and how they go on."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections import Counter

import pytest
from drawn import make_chains

from fakeinstruct.base.errors import FakeInstructError, Rejects, UsageError
from fakeinstruct.chains.store import open_chains
from fakeinstruct.expert.card import Readout, load_card, save_card
from fakeinstruct.forensics import score as scoring
from fakeinstruct.forensics.answer_folder import held
from fakeinstruct.forensics.answers import KEY, open_answers
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.protocol import Protocol, prompts_sha256
from fakeinstruct.forensics.score import parts, score

SPLITS = ("train", "validation", "test")
PROTOCOL = Protocol(splits=SPLITS, prior=False)
PROMPTS = ("Is this image real or fake?", "What do the edges tell?", "So what is it?")

KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from fakeinstruct.chains.store import open_chains
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.protocol import Protocol
from fakeinstruct.forensics.score import score

expert, chains, folder = load_expert(sys.argv[1]), open_chains(sys.argv[2]), Path(sys.argv[3])
protocol = Protocol(splits=("train", "validation", "test"), prompts=3)

def count():
    return len(list((folder / "killed").glob("answers-*.parquet")))

def run(out, parts=None, seconds=0.0):
    child = os.fork()
    if child == 0:
        score(expert, chains, folder / out, protocol)
        os._exit(0)
    if parts is not None:
        while count() < parts and not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            time.sleep(0.001)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

began = time.monotonic()
assert run("whole") == 0
total = len(list((folder / "whole").glob("answers-*.parquet")))
part = (time.monotonic() - began) / total
rng = random.Random(7)
for parts in sorted(rng.randrange(total - 1) for _ in range(int(sys.argv[4]))):  # the last part is never waited for
    print(run("killed", parts, rng.uniform(0, part)), count())
assert run("killed") == 0
"""


@pytest.fixture(scope="module")
def talkative(expert_folder):
    """The expert with three readouts."""
    card = load_card(expert_folder)
    first = Readout(name="first", prompt=PROMPTS[0], fake=("fake",), real=("real",))
    readouts = [first.model_copy(update={"name": f"r{n}", "prompt": text}) for n, text in enumerate(PROMPTS)]
    save_card(expert_folder, card.model_copy(update={"readouts": tuple(readouts)}))
    yield expert_folder
    save_card(expert_folder, card)


@pytest.fixture(scope="module")
def expert(talkative):
    return load_expert(talkative)


def by_key(folder):
    """Rows by key; one key twice is an error."""
    rows = open_answers(folder).table().to_pylist()
    count = Counter(tuple(row[name] for name in KEY) for row in rows)
    assert set(count.values()) == {1}
    return {tuple(row[name] for name in KEY): row for row in rows}


def same_answers(one, other):
    """The same rows, in any order."""
    assert one.keys() == other.keys()
    free = ("seconds", "batch", "note", "margin", "logits", "piece_logits", "piece_normalisers")
    for key, row in one.items():
        theirs = other[key]
        for name in ("margin", "log_normaliser", "label_mass"):
            assert theirs[name] == pytest.approx(row[name], abs=1e-5)
        fixed = [name for name in row if name not in (*free, "log_normaliser", "label_mass")]
        assert [theirs[name] for name in fixed] == [row[name] for name in fixed]


@pytest.mark.parametrize(("images", "kills"), [(500, 2), pytest.param(3000, 10, marks=pytest.mark.slow)])
def test_kills_at_random_points_lose_nothing_and_ask_nothing_twice(talkative, tmp_path, images, kills):
    make_chains(tmp_path / "chains", images)
    command = [
        sys.executable,
        "-c",
        KILLED,
        str(talkative),
        str(tmp_path / "chains"),
        str(tmp_path),
        str(kills),
    ]
    run = subprocess.run(
        command,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    killed_at = [tuple(map(int, line.split())) for line in run.stdout.splitlines()]
    assert [status for status, _ in killed_at] == [-9] * kills
    assert len({number for _, number in killed_at}) >= kills / 2, "the kills fell at different points"
    whole, killed = by_key(tmp_path / "whole"), by_key(tmp_path / "killed")
    assert len(whole) == 3 * (images + 3)
    same_answers(whole, killed)
    assert open_answers(tmp_path / "killed").meta.complete
    assert not list((tmp_path / "killed").glob(".*"))


def test_a_finished_run_returns_and_its_errors_are_told_again(expert, tmp_path):
    folder = make_chains(tmp_path / "chains", 10)
    (folder / "images/3.png").write_bytes(b"no image")
    first = score(expert, open_chains(folder), tmp_path / "a", PROTOCOL)
    before = {part: part.stat().st_mtime_ns for part in first.parts()}
    rejects = Rejects()
    again = score(expert, open_chains(folder), tmp_path / "a", PROTOCOL, rejects=rejects)
    assert {part: part.stat().st_mtime_ns for part in again.parts()} == before
    assert [error.record for error in rejects.errors] == ["c3"]


def test_a_resumed_run_keeps_rows_with_errors(expert, tmp_path, monkeypatch):
    folder = make_chains(tmp_path / "chains", 30)
    picture = (folder / "images/3.png").read_bytes()
    (folder / "images/3.png").write_bytes(b"no image")
    monkeypatch.setattr(scoring, "PART", 10)
    score(expert, open_chains(folder), tmp_path / "a", PROTOCOL)
    (tmp_path / "a/answers-000-00002.parquet").unlink()
    forget_completion(tmp_path / "a")
    (folder / "images/3.png").write_bytes(picture)
    rejects = Rejects()
    rows = score(expert, open_chains(folder), tmp_path / "a", PROTOCOL, rejects=rejects).table().to_pylist()
    assert len(rows) == 30
    assert [row["item"] for row in rows if row["error"]] == ["c3"]
    assert len(rejects) == 1


def forget_completion(out):
    """As if the run had been killed before its last step."""
    meta = json.loads((out / "meta.json").read_text())
    (out / "meta.json").write_text(json.dumps(meta | {"complete": False}))


def test_a_damaged_part_is_named(expert, chains_folder, tmp_path):
    score(expert, open_chains(chains_folder), tmp_path / "a", PROTOCOL)
    forget_completion(tmp_path / "a")
    (part,) = (tmp_path / "a").glob("answers-*.parquet")
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(
        FakeInstructError, match=r"answers-000-00000\.parquet: is not a readable part .*Remove it"
    ):
        score(expert, open_chains(chains_folder), tmp_path / "a", PROTOCOL)
    part.unlink()
    assert len(score(expert, open_chains(chains_folder), tmp_path / "a", PROTOCOL).table()) == 20


def test_other_readouts_are_not_mixed_in_and_a_fit_is_no_other_readout(talkative, chains_folder, tmp_path):
    card = load_card(talkative)
    score(load_expert(talkative), open_chains(chains_folder), tmp_path / "a", PROTOCOL)
    fitted = card.readouts[0].model_copy(update={"scale": 2.0, "bias": 1.0, "fitted_on": "these"})
    worded = card.readouts[0].model_copy(update={"fake": ("edges",)})
    try:
        save_card(talkative, card.model_copy(update={"readouts": (fitted,)}))
        score(load_expert(talkative), open_chains(chains_folder), tmp_path / "a", PROTOCOL)
        save_card(talkative, card.model_copy(update={"readouts": (worded,)}))
        with pytest.raises(UsageError, match="holds answers read by other readouts"):
            score(load_expert(talkative), open_chains(chains_folder), tmp_path / "a", PROTOCOL)
    finally:
        save_card(talkative, card)


def test_other_items_and_protocols_are_not_mixed_in(expert, chains_folder, tmp_path):
    score(expert, open_chains(chains_folder), tmp_path / "a", PROTOCOL)
    with pytest.raises(UsageError, match="about other items or splits"):
        score(expert, open_chains(make_chains(tmp_path / "c", 12)), tmp_path / "a", PROTOCOL)
    with pytest.raises(UsageError, match=r"asked by another protocol \(prompts: there 1, here 2\)"):
        score(expert, open_chains(chains_folder), tmp_path / "a", PROTOCOL.model_copy(update={"prompts": 2}))


def test_the_pin_of_prompts_is_no_part_of_a_run(expert, chains_folder, tmp_path):
    readouts = expert.card.readouts
    plain = PROTOCOL.model_copy(update={"readouts": readouts})
    pinned = plain.model_copy(update={"prompts_sha256": prompts_sha256(readouts)})
    before = score(expert, open_chains(chains_folder), tmp_path / "a", plain)
    assert score(expert, open_chains(chains_folder), tmp_path / "a", pinned).table() == before.table()
    fewer = plain.model_copy(update={"readouts": readouts[:2], "seed": 4})
    with pytest.raises(UsageError, match=r"\(readouts; seed: there 0, here 4\)\. Give another --out"):
        score(expert, open_chains(chains_folder), tmp_path / "a", fewer)


def test_no_item_of_the_splits_leaves_no_folder(expert, tmp_path):
    folder = make_chains(tmp_path / "chains", 3)  # all for testing
    with pytest.raises(UsageError, match="no item of the splits train"):
        score(expert, open_chains(folder), tmp_path / "a", Protocol(splits=("train",)))
    assert not (tmp_path / "a").exists()


def test_too_many_failures_end_a_run_and_are_not_kept(expert, tmp_path):
    folder = make_chains(tmp_path / "chains", 40)
    for image in list((folder / "images").iterdir())[:30]:
        image.unlink()
    with pytest.raises(FakeInstructError, match="30 of 40 records rejected, more than 20%"):
        score(expert, open_chains(folder), tmp_path / "a", PROTOCOL)
    assert not open_answers(tmp_path / "a").parts()


def test_a_folder_is_written_to_by_one_run_at_a_time(expert, chains_folder, tmp_path):
    score(expert, open_chains(chains_folder), tmp_path / "a", PROTOCOL)
    forget_completion(tmp_path / "a")
    with held(tmp_path / "a"), pytest.raises(UsageError, match="being written to by another process"):
        score(expert, open_chains(chains_folder), tmp_path / "a", PROTOCOL)
    score(expert, open_chains(chains_folder), tmp_path / "a", PROTOCOL)


def test_what_was_answered_before_an_error_is_kept():
    def rows():
        yield from ({"item": n} for n in range(600))
        raise FakeInstructError("the server died")

    kept = []
    with pytest.raises(FakeInstructError, match="the server died"):
        kept.extend(len(part) for part in iter_parts(rows(), kept))
    assert kept == [512, 88]


def iter_parts(rows, kept):
    for part in parts(rows):
        kept.append(len(part))
        yield from ()


def test_a_file_that_cannot_grow_is_one_message_and_the_run_goes_on_later(expert, chains_folder, tmp_path):
    """The limit on a file's size stands for a full disk: writing a part fails in the middle."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(FakeInstructError, match=r"answers-000-00000\.parquet: cannot be read or written"):
            score(expert, open_chains(chains_folder), tmp_path / "a", PROTOCOL)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not open_answers(tmp_path / "a").parts()
    assert len(score(expert, open_chains(chains_folder), tmp_path / "a", PROTOCOL).table()) == 20
