"""The scripts for launchers: what they refuse, and the command that they come to, on stand-ins for Slurm's commands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "training" / "launch"


@pytest.fixture
def run_script(tmp_path):
    """Run a script with a `python` that prints its arguments, but looks for modules as the real one does."""
    (tmp_path / "bin").mkdir()
    stand_ins = {
        "python": f'[ "$1" = -c ] && exec {sys.executable} "$@"; echo "$@"',
        "scontrol": "echo first; echo second",
        "srun": 'exec "$@"',
    }
    for name, line in stand_ins.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").touch()

    def run(script, *arguments, **environment):
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", SCRIPTS / script, *map(str, arguments)],
            env={"PATH": path, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


SLURM = {"SLURM_JOB_NODELIST": "m[1-2]", "SLURM_NNODES": "2", "SLURM_JOB_ID": "7"}


@pytest.mark.parametrize(("gpus", "count"), [("4", 4), ("h100:8", 8), ("gpu:h100:2(S:0-1)", 2), (None, 8)])
def test_slurm_starts_the_environments_own_launcher(run_script, tmp_path, gpus, count):
    given = SLURM | ({"SLURM_GPUS_PER_NODE": gpus} if gpus else {})
    done = run_script("slurm.sh", tmp_path / "run", **given)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        *("-m", "torch.distributed.run", "--nnodes", "2", "--nproc_per_node", str(count)),
        *("--rdzv_id", "7", "--rdzv_backend", "c10d", "--rdzv_endpoint", "first:29500"),
        *("-m", "fakeinstruct.expert.process", str(tmp_path / "run")),
    ]


def test_machines_by_hand(run_script, tmp_path):
    done = run_script("multi-node.sh", tmp_path / "run", 2, "first:1", GPUS="3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("-m torch.distributed.run --nnodes 2 --nproc_per_node 3 ")
    assert done.stdout.endswith(f"-m fakeinstruct.expert.process {tmp_path / 'run'}\n")


@pytest.mark.parametrize(("script", "more"), [("slurm.sh", ()), ("multi-node.sh", (2, "first:1"))])
def test_what_is_not_prepared_or_not_installed_is_refused(run_script, tmp_path, script, more):
    (tmp_path / "empty").mkdir()
    done = run_script(script, tmp_path / "empty", *more, **SLURM)
    assert (done.returncode, "has no run.json" in done.stderr) == (2, True)
    done = run_script(script, tmp_path / "run", *more, **SLURM, PYTHON="false")
    assert (done.returncode, "activate the environment" in done.stderr) == (2, True)
