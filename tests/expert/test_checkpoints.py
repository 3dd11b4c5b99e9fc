"""Checkpoints: the newest complete one wins; what is cut off, damaged or another's does not."""

import json

import pytest

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.checkpoints import (
    COMPLETE,
    complete_checkpoints,
    mark_complete,
    newest_checkpoint,
    prune,
    remove_incomplete,
)


@pytest.fixture
def folder(tmp_path):
    """Checkpoints of steps 5, 10 and 100, all complete."""
    for step in (5, 10, 100):
        write(tmp_path, step)
    return tmp_path


def write(folder, step, *, run="mine", processes=2):
    checkpoint = folder / f"checkpoint-{step}"
    (checkpoint / "global_step").mkdir(parents=True)
    (checkpoint / "global_step/weights.pt").write_bytes(b"weights")
    (checkpoint / "trainer_state.json").write_text("{}")
    mark_complete(checkpoint, step, run, processes)
    return checkpoint


def steps(folder):
    return sorted(int(path.name.split("-")[1]) for path in folder.iterdir())


def test_the_newest_wins_by_step_and_not_by_name(folder):
    assert newest_checkpoint(folder, "mine", 2) == folder / "checkpoint-100"


def test_there_may_be_none(tmp_path):
    assert newest_checkpoint(tmp_path, "mine", 2) is None
    assert newest_checkpoint(tmp_path / "absent", "mine", 2) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: (path / COMPLETE).unlink(),
        lambda path: (path / COMPLETE).write_text("{"),
        lambda path: (path / COMPLETE).write_text("[]"),
        lambda path: (path / COMPLETE).write_text('{"step": 100}'),
        lambda path: (path / "global_step/weights.pt").unlink(),
        lambda path: (path / "global_step/weights.pt").write_bytes(b"weigh"),
        lambda path: (path / "trainer_state.json").write_bytes(b""),
    ],
)
def test_one_that_is_not_whole_is_passed_over_and_removed(folder, damage):
    damage(folder / "checkpoint-100")
    assert newest_checkpoint(folder, "mine", 2) == folder / "checkpoint-10"
    remove_incomplete(folder)
    assert steps(folder) == [5, 10]


def test_another_runs_checkpoint_is_refused(folder):
    write(folder, 200, run="another")
    with pytest.raises(UsageError, match=r"checkpoint-200: is a checkpoint of another run\. Remove it"):
        newest_checkpoint(folder, "mine", 2)


def test_another_number_of_processes_is_refused(folder):
    with pytest.raises(UsageError, match="written by 2 processes and cannot be gone on from by 4"):
        newest_checkpoint(folder, "mine", 4)


@pytest.mark.parametrize(
    ("keep", "best", "left"),
    [(1, None, [100]), (2, None, [10, 100]), (1, 5, [5, 100]), (5, None, [5, 10, 100])],
)
def test_the_newest_and_the_best_are_kept(folder, keep, best, left):
    prune(folder, keep, folder / f"checkpoint-{best}" if best else None)
    assert steps(folder) == left


def test_pruning_leaves_one_that_is_being_written(folder):
    (folder / "checkpoint-200").mkdir()
    prune(folder, 1)
    assert steps(folder) == [100, 200]


def test_the_marker_names_every_file(folder):
    (_, marker), *_ = complete_checkpoints(folder)
    assert marker.files == {"global_step/weights.pt": 7, "trainer_state.json": 2}
    assert json.loads((folder / "checkpoint-5" / COMPLETE).read_text())["step"] == 5
