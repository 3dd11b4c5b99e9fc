"""Several processes that score together: each image asked once, by one of them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from drawn import make_chains

from fakeinstruct.forensics.answers import KEY, open_answers
from fakeinstruct.forensics.processes import Processes

ALL = ("--split", "train", "--split", "validation", "--split", "test")
TORCHRUN = ("-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone")


def start(expert, chains, out, *options, by=()):
    """`fakeinstruct score` as a process."""
    command = [
        sys.executable,
        *by,
        "-m",
        "fakeinstruct",
        "score",
        str(expert),
        str(chains),
        "--out",
        str(out),
    ]
    return subprocess.Popen(
        [*command, *ALL, *options],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process, status=0):
    out, told = process.communicate(timeout=150)
    assert process.returncode == status, told
    return out, told


def rows(folder):
    """Rows by key; one key twice is an error."""
    answers = open_answers(folder)
    assert answers.meta.complete
    found = answers.table().to_pylist()
    keyed = {tuple(row[name] for name in KEY): row for row in found}
    assert len(keyed) == len(found)
    return keyed


def same(one, other):
    assert one.keys() == other.keys()
    for key, row in one.items():
        assert (row["margin"] is None) == (other[key]["margin"] is None)
        assert other[key]["error"] == row["error"]
        if row["margin"] is not None:
            assert other[key]["margin"] == pytest.approx(row["margin"], abs=1e-5)


def test_shares_are_every_nth_and_together_all():
    shares = [list(Processes(rank, 3).share(range(11))) for rank in range(3)]
    assert shares == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8]]


def test_two_processes_give_the_rows_of_one(expert_folder, tmp_path):
    chains = make_chains(tmp_path / "chains", 41)
    (chains / "images/7.png").write_bytes(b"no image")
    finish(start(expert_folder, chains, tmp_path / "one"), 3)
    out, told = finish(start(expert_folder, chains, tmp_path / "two", "--processes", "2"), 3)
    one = rows(tmp_path / "one")
    assert len(one) == 41 + 3
    same(one, rows(tmp_path / "two"))
    assert sorted({part.name[:11] for part in (tmp_path / "two").glob("answers-*")}) == [
        "answers-000",
        "answers-001",
    ]
    assert out.splitlines() == [str(tmp_path / "two")]
    assert told.count("label mass:") == told.count("rejected 1:") == 1
    assert "Traceback" not in told


def test_a_usage_error_is_told_once(expert_folder, tmp_path):
    out, told = finish(start(expert_folder, tmp_path / "none", tmp_path / "a", "--processes", "2"), 2)
    assert (out, told.count("error:")) == ("", 1)


def rank_of(pid):
    """The rank of a child, None of one that is none."""
    try:
        found = re.search(rb"\0RANK=(\d+)\0", Path(f"/proc/{pid}/environ").read_bytes())
    except OSError:
        return None
    return found and int(found[1])


@pytest.mark.slow
def test_a_killed_process_ends_the_run_and_another_number_goes_on(expert_folder, tmp_path):
    chains = make_chains(tmp_path / "chains", 2600)
    run = start(expert_folder, chains, tmp_path / "a", "--processes", "2")
    deadline = time.monotonic() + 90
    while not list((tmp_path / "a").glob("answers-001-*.parquet")):
        assert run.poll() is None, run.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    (second,) = [pid for pid in map(int, children) if rank_of(pid) == 1]
    os.kill(second, signal.SIGKILL)
    _, told = finish(run, 1)
    assert "error: process 1 was killed by signal 9" in told
    assert "Run the same command again" in told
    assert "Traceback" not in told
    assert not open_answers(tmp_path / "a").meta.complete
    finish(start(expert_folder, chains, tmp_path / "a", "--processes", "3"))
    finish(start(expert_folder, chains, tmp_path / "one"))
    same(rows(tmp_path / "one"), rows(tmp_path / "a"))


@pytest.mark.slow
def test_torchrun_starts_the_processes_as_well(expert_folder, tmp_path):
    chains = make_chains(tmp_path / "chains", 20)
    (chains / "images/7.png").write_bytes(b"no image")
    out, _ = finish(start(expert_folder, chains, tmp_path / "a", by=TORCHRUN))
    assert out.splitlines() == [str(tmp_path / "a")]
    found = rows(tmp_path / "a")
    assert len(found) == 23
    assert sum(row["error"] is not None for row in found.values()) == 1
