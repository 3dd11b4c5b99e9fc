"""The Ray engine: a real cluster of one core on this machine."""

import os
import sys

import pytest
from conftest import make_set, mixed

from fakeinstruct.base.errors import FakeInstructError, Rejects, UsageError
from fakeinstruct.expand.cluster import in_order
from fakeinstruct.expand.read import default_folder
from fakeinstruct.expand.write import expand


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, object_store_memory=100 << 20)
    yield ray
    ray.shutdown()


def test_ray_writes_the_same_bytes(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr("fakeinstruct.expand.plan.SHARD_PAIRS", 300)
    chain_set = make_set(tmp_path / "chains", mixed(40))
    settings = {"seed": 0, "pairs": 1500, "templates": default_folder(), "rejects": Rejects()}
    one = expand(chain_set, tmp_path / "one", **settings)
    ray = expand(chain_set, tmp_path / "ray", engine="ray", **settings)
    assert len(one.shards) >= 5
    assert ray == one
    files = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert sorted(file.name for file in (tmp_path / "ray").iterdir()) == files
    assert all((tmp_path / "one" / f).read_bytes() == (tmp_path / "ray" / f).read_bytes() for f in files)
    assert cluster.is_initialized()  # who started it ends it


def test_what_goes_wrong_in_a_task_is_said_as_here(cluster):
    def refuse(shared, piece):
        raise FakeInstructError("no such piece", record=piece, hint="Choose another.")

    def end(shared, piece):
        os._exit(1)

    with pytest.raises(FakeInstructError, match=r"record 7: no such piece\. Choose another"):
        list(in_order([7], refuse, None, 1))
    with pytest.raises(FakeInstructError, match="a Ray task was ended from outside"):
        list(in_order([7], end, None, 1))


def test_without_ray_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"Ray, which is not installed\. pip install 'fakeinstruct\[ray\]'"):
        list(in_order([7], print, None, 1))
