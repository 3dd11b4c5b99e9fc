"""Several processes on one folder, and processes that are killed: real ones, compared byte by byte."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import make_set, mixed

from fakeinstruct.base.errors import Rejects, UsageError
from fakeinstruct.expand.quotas import Budget
from fakeinstruct.expand.read import default_folder
from fakeinstruct.expand.write import Part, expand, expand_part

ROOT = Path(__file__).parents[2]

SMALL = 150
"""Pairs a shard in these tests."""

PAIRS = 3000

HEAD = f"""
import os, random, signal, sys, time
import fakeinstruct.expand.plan
fakeinstruct.expand.plan.SHARD_PAIRS = {SMALL}
from fakeinstruct.base.errors import Rejects
from fakeinstruct.chains.store import open_chains
from fakeinstruct.expand.quotas import Budget
from fakeinstruct.expand.write import Part, expand_part
chains, out, templates = open_chains(sys.argv[1]), sys.argv[2], sys.argv[3]
def run(part=Part(), workers=1):
    settings = dict(seed=0, budget=Budget(pairs={PAIRS}), workers=workers, templates=templates)
    return expand_part(chains, out, part, rejects=Rejects(), **settings)
"""


def contents(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def start(script, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, script, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A chain set, a few templates, and what one undisturbed run makes of them."""
    folder = tmp_path_factory.mktemp("place")
    few = folder / "templates"
    shutil.copytree(default_folder() / "verdict", few / "verdict")
    shutil.copy(default_folder() / "phrases.yaml", few)
    chain_set = make_set(folder / "chains", mixed(60))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fakeinstruct.expand.plan.SHARD_PAIRS", SMALL)
        expand(chain_set, folder / "once", seed=0, pairs=PAIRS, templates=few, rejects=Rejects())
    assert len(list((folder / "once").glob("*.parquet"))) >= 18
    return folder


def test_concurrent_parts_make_what_one_run_makes(place):
    """Four processes at once, the same bytes, whoever comes last."""
    script = place / "part.py"
    script.write_text(HEAD + "print(run(Part(int(sys.argv[4]), 4)) is not None)\n")
    parts = [start(script, place / "chains", place / "four", place / "templates", n) for n in (1, 2, 3, 4)]
    said = [part.communicate(timeout=120)[0].strip() for part in parts]
    assert [part.returncode for part in parts] == [0, 0, 0, 0]
    assert "True" in said  # whoever found all shards there wrote the manifest
    assert contents(place / "four") == contents(place / "once")


def test_a_part_writes_its_shards_and_no_manifest_before_the_others(place, monkeypatch):
    monkeypatch.setattr("fakeinstruct.expand.plan.SHARD_PAIRS", SMALL)
    from fakeinstruct.chains.store import open_chains

    chain_set = open_chains(place / "chains")

    def run(part):
        return expand_part(
            chain_set,
            place / "parts",
            part,
            seed=0,
            budget=Budget(pairs=PAIRS),
            templates=place / "templates",
            rejects=Rejects(),
        )

    assert run(Part(2, 3)) is None
    written = sorted(file.name for file in (place / "parts").glob("*.parquet"))
    everything = sorted(file.name for file in (place / "once").glob("*.parquet"))
    assert written == everything[1::3]
    assert run(Part(3, 3)) is None
    times = {file: file.stat().st_mtime_ns for file in (place / "parts").glob("pairs-*")}
    assert run(Part()) is not None  # the whole takes over what is missing and leaves the rest alone
    assert {file: file.stat().st_mtime_ns for file in times} == times
    assert contents(place / "parts") == contents(place / "once")


@pytest.mark.parametrize(("number", "of"), [(0, 3), (4, 3), (-1, 3), (1, 0)])
def test_there_is_no_such_part(number, of):
    with pytest.raises(UsageError, match="count from 1"):
        Part(number, of)


KILLS = """
def attempt(longest):
    child = os.fork()  # so that what is timed is the run and not the start of Python
    if not child:
        try:
            run()
        finally:
            os._exit(0)
    time.sleep(random.uniform(0.0, longest))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

random.seed(0)
import fakeinstruct.expand.lint
ready = fakeinstruct.expand.lint.load_templates(templates, taxonomy=chains.taxonomy)
fakeinstruct.expand.write.load_templates = lambda *_, **__: ready
began = time.monotonic()
target, out = out, out + "-timed"
run()
longest, out = time.monotonic() - began, target
halfway = 0
for kill in range(20):
    attempt(longest / 2)
    there = os.listdir(out) if os.path.isdir(out) else []
    if "manifest.json" in there:  # complete before it was killed: once more from the beginning
        os.rename(out, f"{out}-{kill}")
    else:
        halfway += any(name.endswith(".parquet") for name in there)
run()
print(halfway)
"""


def test_killed_at_random_points_again_and_again(place):
    """Runs that are killed with signal 9 and started again end in the same bytes, with nothing left behind."""
    script = place / "kills.py"
    script.write_text("import fakeinstruct.expand.write\n" + HEAD + KILLS)
    killed = start(script, place / "chains", place / "killed", place / "templates")
    halfway, _ = killed.communicate(timeout=170)
    assert killed.returncode == 0
    assert int(halfway) >= 5
    ended = list(place.glob("killed*"))
    assert ended
    for folder in ended:
        assert contents(folder) == contents(place / "once")


@pytest.mark.parametrize(
    "others", [{}, {"PARTS": "2", "SLURM_ARRAY_TASK_MIN": "2", "SLURM_ARRAY_TASK_COUNT": "1"}]
)
def test_the_tasks_of_a_slurm_array_make_one_set(place, tmp_path, others):
    """The script as Slurm starts it, once as a whole array and once as an array of which one task is run again."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment |= {"SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "2", "SLURM_ARRAY_TASK_COUNT": "2"}
    script = ROOT / "training" / "launch" / "expand-array.sh"
    settings = ("--seed", "0", "--pairs", "500", "--templates", str(place / "templates"))
    for task in ("1", "2"):
        command = ["bash", str(script), str(place / "chains"), str(tmp_path / "pairs"), *settings]
        own = {"SLURM_ARRAY_TASK_ID": task} | (others if task == "2" else {})
        subprocess.run(command, env=environment | own, check=True, timeout=60)
    assert (tmp_path / "pairs" / "manifest.json").is_file()


def test_an_array_that_does_not_count_from_one_is_refused(place, tmp_path):
    own = {"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_MIN": "0"}
    own |= {"SLURM_ARRAY_TASK_MAX": "1", "SLURM_ARRAY_TASK_COUNT": "2"}
    script = ROOT / "training" / "launch" / "expand-array.sh"
    command = ["bash", str(script), str(place / "chains"), str(tmp_path / "pairs"), "--seed", "0"]
    done = subprocess.run(command, env=os.environ | own, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "the array must be 1-N" in done.stderr
