import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fakeinstruct.base.errors import ExitStatus, FakeInstructError, RecordError, Rejects, UsageError
from fakeinstruct.chains.schema import Chain, Meta
from fakeinstruct.chains.store import open_chains, write_chains


def row(name, **changes):
    return {
        "id": name,
        "image": {"path": f"{name}.png"},
        "label": "fake",
        "dataset": "d",
        "group": name,
        "origin": {"by": "dataset"},
        **changes,
    }


def write(folder, lines, image_root="."):
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / "chains.jsonl").write_text(text)
    (folder / "meta.json").write_text(json.dumps({"name": "x", "image_root": image_root}))
    return open_chains(folder)


def test_a_set_comes_back_in_order(tmp_path):
    trace = {"id": "t", "attribute": "edge", "points_to": "fake", "observation": "A seam."}
    chains = [Chain.model_validate(row("b", traces=[trace])), Chain.model_validate(row("a"))]
    assert write_chains(tmp_path, chains, Meta(name="x")) == 2
    assert list(open_chains(tmp_path).read()) == chains


def test_the_same_chains_are_the_same_bytes(tmp_path):
    chains = [Chain.model_validate(row(name)) for name in "abc"]
    for name in ("1", "2"):
        write_chains(tmp_path / name, chains, Meta(name="x"))
    for file in ("chains.jsonl", "meta.json"):
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes()


def test_a_set_whose_writing_failed_is_no_set(tmp_path):
    def chains():
        yield Chain.model_validate(row("a"))
        raise ZeroDivisionError

    write_chains(tmp_path, [Chain.model_validate(row("old"))], Meta(name="x"))
    with pytest.raises(ZeroDivisionError):
        write_chains(tmp_path, chains(), Meta(name="x"))
    with pytest.raises(UsageError, match="is not a chain set"):
        open_chains(tmp_path)


def test_a_parquet_set_is_the_same_set(tmp_path):
    trace = {"id": "t", "attribute": "edge", "points_to": "fake", "observation": "A seam."}
    rows = [
        row("a", traces=[{**trace, "regions": [{"box": [0, 0, 0.5, 0.5]}]}], split="train"),
        row("b", assessed={"edge": "absent"}, tags={"k": "v"}),
        row("c", twin="a"),
    ]
    reference = list(write(tmp_path / "jsonl", rows).read())
    folder = tmp_path / "parquet"
    folder.mkdir()
    (folder / "meta.json").write_text('{"name": "x"}')
    table = pa.Table.from_struct_array(pa.array(rows))
    pq.write_table(table, folder / "chains.parquet")
    assert list(open_chains(folder).read()) == reference
    at = table.schema.get_field_index("assessed")
    with_map = table.schema.set(at, pa.field("assessed", pa.map_(pa.string(), pa.string())))
    pq.write_table(pa.Table.from_pylist(rows, schema=with_map), folder / "chains.parquet")
    assert list(open_chains(folder).read()) == reference


def test_bad_records_are_listed_and_the_rest_is_read(tmp_path):
    chains = write(
        tmp_path,
        [
            row("a"),
            "{not json",
            row("b", label=1),
            row("a"),
            row("c", assessed={"colr": "absent"}),
            "",
            row("d"),
        ],
    )
    rejects = Rejects()
    assert [chain.id for chain in chains.read(rejects)] == ["a", "d"]
    assert [(error.record, error.field) for error in rejects.errors] == [
        ("2", None),
        ("3", "label"),
        ("4", "id"),
        ("5", "assessed.colr"),
    ]
    assert all(error.file == str(tmp_path / "chains.jsonl") for error in rejects.errors)
    assert "the id 'a' was used before" in str(rejects.errors[2])
    assert rejects.status is ExitStatus.REJECTS


def test_without_a_list_of_rejects_the_first_bad_record_is_raised(tmp_path):
    chains = write(tmp_path, [row("a"), row("b", label=0)])
    with pytest.raises(RecordError, match=r"chains\.jsonl, record 2, field label"):
        list(chains.read())


def test_a_bad_start_does_not_end_a_large_run_but_a_bad_share_does(tmp_path):
    bad = [row(f"bad{number}", label=1) for number in range(30)]
    good = [row(f"good{number}") for number in range(150)]
    rejects = Rejects()
    assert len(list(write(tmp_path / "a", bad + good).read(rejects))) == 150
    assert len(rejects) == 30
    with pytest.raises(FakeInstructError, match="30 of 90 records rejected"):
        list(write(tmp_path / "b", good[:60] + bad).read(Rejects()))


def test_a_set_without_a_sound_chain_says_why(tmp_path):
    with pytest.raises(
        FakeInstructError, match=r"no sound chain \(1 records read; the first: .*record 1, field label"
    ):
        list(write(tmp_path, [row("a", label=1)]).read(Rejects()))
    with pytest.raises(FakeInstructError, match=r"no sound chain \(0 records read\)"):
        list(write(tmp_path, [""]).read(Rejects()))


def test_where_images_lie(tmp_path):
    chains = write(tmp_path / "set", [row("a")], image_root="../images")
    (chain,) = chains.read()
    assert chains.image_path(chain) == (tmp_path / "images" / "a.png").resolve()
    moved = open_chains(tmp_path / "set", image_root=tmp_path / "elsewhere")
    assert moved.image_path(chain) == (tmp_path / "elsewhere" / "a.png").resolve()


def test_an_image_behind_a_link_that_leaves_is_refused_by_record(tmp_path):
    chains = write(tmp_path / "set", [row("a")])
    (tmp_path / "set" / "a.png").symlink_to("/etc/hostname")
    (chain,) = chains.read()
    with pytest.raises(RecordError, match=r"record a, field image\.path: .*symbolic link"):
        chains.image_path(chain)


def test_what_is_not_a_chain_set_is_named(tmp_path):
    with pytest.raises(UsageError, match="no such chain set folder"):
        open_chains(tmp_path / "none")
    with pytest.raises(UsageError, match="is not a chain set"):
        open_chains(tmp_path)
    write(tmp_path, [row("a")])
    (tmp_path / "meta.json").write_text('{"name": "x", "imageroot": "."}')
    with pytest.raises(FakeInstructError, match="Did you mean 'image_root'"):
        open_chains(tmp_path)
    (tmp_path / "meta.json").write_text("{")
    with pytest.raises(FakeInstructError, match=r"meta\.json: is not JSON"):
        open_chains(tmp_path)
    (tmp_path / "chains.parquet").touch()
    with pytest.raises(UsageError, match="holds both"):
        open_chains(tmp_path)


def test_a_damaged_parquet_file_is_named(tmp_path):
    (tmp_path / "chains.parquet").write_bytes(b"PAR1 and nothing more")
    (tmp_path / "meta.json").write_text('{"name": "x"}')
    with pytest.raises(FakeInstructError, match=r"chains\.parquet: is not a readable Parquet file"):
        list(open_chains(tmp_path).read(Rejects()))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (json.dumps(row("b"))[:-1] + ', "label": "real"}', "'label' comes twice"),
        (json.dumps(row("b", tags={"a": "\ud800"})), "half a character"),
        (json.dumps(row("b", image={"path": "\udcff.png"})), "half a character"),
    ],
)
def test_what_json_allows_and_no_chain_holds_is_a_bad_record(tmp_path, line, problem):
    rejects = Rejects()
    assert [chain.id for chain in write(tmp_path, [line, row("a")]).read(rejects)] == ["a"]
    assert problem in str(rejects.errors[0])


def test_a_set_in_utf_16_is_no_set(tmp_path):
    chains = write(tmp_path, [row("a")])
    chains.file.write_text(json.dumps(row("a")), encoding="utf-16")
    with pytest.raises(FakeInstructError, match="is not JSON"):
        list(chains.read(Rejects()))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"image_root": "a\0b"}, "image_root"),
        ({"image_root": "\ud800"}, "image_root"),
        ({"name": "\ud800"}, "name"),
        ({"licences": {"x": "\udcff"}}, "licences.x"),
    ],
)
def test_a_meta_json_edited_by_hand_names_its_field(tmp_path, changes, field):
    write(tmp_path, [row("a")])
    (tmp_path / "meta.json").write_text(json.dumps({"name": "x", **changes}))
    with pytest.raises(FakeInstructError, match=f"meta.json, field {field}"):
        open_chains(tmp_path)


def test_an_image_root_whose_name_is_not_utf_8_is_a_path_still(tmp_path):
    assert write(tmp_path, [row("a")], image_root="caf\udce9").meta.image_root == "caf\udce9"


def test_a_parquet_map_with_a_key_twice_is_one_message(tmp_path):
    write(tmp_path, [])
    (tmp_path / "chains.jsonl").unlink()
    tags = pa.array([[("a", "b"), ("a", "c")]], pa.map_(pa.string(), pa.string()))
    pq.write_table(pa.table({"id": ["a"], "tags": tags}), tmp_path / "chains.parquet")
    with pytest.raises(FakeInstructError, match="not a readable Parquet file"):
        list(open_chains(tmp_path).read(Rejects()))


def test_a_meta_json_with_a_key_twice_is_refused(tmp_path):
    write(tmp_path, [row("a")])
    (tmp_path / "meta.json").write_text('{"name": "x", "name": "y"}')
    with pytest.raises(FakeInstructError, match="the key 'name' comes twice"):
        open_chains(tmp_path)
