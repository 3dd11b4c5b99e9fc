"""Pair sets that somebody has changed on disk."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drawn import make_pairs

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.base.files import sha256_file
from fakeinstruct.expand.pair import open_pairs


@pytest.fixture
def folder(tmp_path):
    return make_pairs(tmp_path / "pairs")


def change(folder, **fields):
    file = folder / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pairs", -1),
        ("chains", "many"),
        ("rejected", -2),
        ("per_task", {"verdict": -5}),
        ("per_template", {"verdict/open": {"fake": -1}}),
        ("image_root", "a\0b"),
        ("shards", {}),
        ("shards", {"../pairs/pairs-0.parquet": "0" * 64}),
        ("shards", {"/etc/pairs-0.parquet": "0" * 64}),
        ("shards", {"..": "0" * 64}),
        ("shards", ["pairs-0.parquet"]),
        ("more", 1),
    ],
)
def test_a_manifest_changed_by_hand_names_the_field(folder, field, value):
    change(folder, **{field: value})
    with pytest.raises(FakeInstructError, match=rf"manifest\.json, field {field}") as caught:
        open_pairs(folder)
    assert len(str(caught.value)) < 600


def test_a_shard_that_is_not_the_manifests_is_refused(folder):
    file = folder / "pairs-0.parquet"
    pq.write_table(pq.read_table(file).slice(1), file)  # sound, but of another set
    with pytest.raises(
        FakeInstructError, match=r"pairs-0\.parquet: is not the shard that manifest\.json names"
    ):
        open_pairs(folder).verified()
    file.unlink()
    with pytest.raises(FakeInstructError, match=r"shards are missing: pairs-0\.parquet"):
        open_pairs(folder)


def test_a_foreign_table_is_named_with_its_file(folder):
    file = folder / "pairs-0.parquet"
    pq.write_table(pa.table({"a": [1, 2]}), file)
    change(folder, shards={file.name: sha256_file(file)})
    with pytest.raises(FakeInstructError, match=r"pairs-0\.parquet, field id: field required"):
        list(open_pairs(folder).read())
