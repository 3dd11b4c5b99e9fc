import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects
from fakeinstruct.chains.importers import records as records_module
from fakeinstruct.chains.importers.records import Record, read_records


class Point(Record):
    x: int
    name: str = ""


def read(file, data, rejects=None):
    file.write_bytes(data)
    return list(read_records(file, Rejects() if rejects is None else rejects))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("text", ['[{"a": "é"}, 3]', ' [\n{"a": "é"},\n3]\n'])
def test_a_list_in_every_encoding(tmp_path, encoding, text):
    assert read(tmp_path / "a.json", text.encode(encoding)) == [("1", {"a": "é"}), ("2", 3)]


def test_utf_16_of_both_byte_orders(tmp_path):
    for mark, order in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert read(tmp_path / "a.json", mark + '["ä"]'.encode(order)) == [("1", "ä")]


def test_an_object_gives_its_keys_as_names(tmp_path):
    assert read(tmp_path / "a.json", b'{"sd/1.png": {"a": 1}, "x": null}') == [
        ("sd/1.png", {"a": 1}),
        ("x", None),
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_json_lines_under_either_name_reject_bad_lines_alone(tmp_path, name):
    rejects = Rejects()
    lines = '{"a": 1}\n\n{"a": \n{"a": NaN}\n{"a": "\u2028 stays"}\n' + "[" * 100_000 + "\n"
    found = read(tmp_path / name, lines.encode(), rejects)
    assert found == [("1", {"a": 1}), ("5", {"a": "\u2028 stays"})]
    assert [error.record for error in rejects.errors] == ["3", "4", "6"]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'[{"x": NaN}]', "NaN is no number"),
        (b'[{"x": -Infinity}]', "-Infinity is no number"),
        (b'[{"x": 1e999}]', "1e999 is no finite number"),
        (b'[{"x": ' + b"9" * 5000 + b"}]", "is not JSON that can be taken"),
        (b'{"a": 1, "b": 2, "a": 3}', "the key 'a' comes twice"),
        (b"[" * 100_000, "is not JSON that can be taken"),
        (b"", "is not JSON"),
        (b"<html>", "is not JSON"),
        (b'"text"', "holds text, not a list of records"),
        (b"12", "holds a number"),
        ('["ä"]'.encode("latin-1"), "is not text in utf-8"),
        (b"\xff\xfe\x00", "is not text in utf-16"),
    ],
)
def test_what_is_no_list_of_records_is_one_message(tmp_path, data, problem):
    with pytest.raises(FakeInstructError, match=problem) as caught:
        read(tmp_path / "a.json", data)
    assert str(tmp_path / "a.json") in str(caught.value)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(records_module, "MAX_BYTES", 3)
    with pytest.raises(FakeInstructError, match="is larger than"):
        read(tmp_path / "a.json", b"[1, 2]")


def test_a_missing_file_is_one_message(tmp_path):
    with pytest.raises(FakeInstructError, match="cannot be read or written"):
        list(read_records(tmp_path / "none.json", Rejects()))


@given(
    st.lists(st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(), st.lists, max_leaves=5))
)
def test_what_was_written_is_read(tmp_path_factory, values):
    file = tmp_path_factory.getbasetemp() / "any.json"
    found = read(file, json.dumps(values).encode())
    assert [value for _, value in found] == values


@pytest.mark.parametrize(
    ("value", "field", "problem"),
    [
        (["x"], None, "is a list, not an object with fields"),
        ("x", None, "is text, not an object"),
        (None, None, "is null, not an object"),
        ({}, "x", "field required"),
        ({"x": "1"}, "x", "should be a valid integer, not '1'"),
        ({"x": True}, "x", "should be a valid integer, not True"),
        ({"x": 1, "name": 2}, "name", "should be a valid string"),
    ],
)
def test_a_record_is_checked_by_field(value, field, problem):
    with pytest.raises(RecordError, match=problem) as caught:
        Point.read(value)
    assert caught.value.field == field


def test_unknown_fields_of_a_record_are_passed_over():
    assert Point.read({"x": 1, "more": [1]}) == Point(x=1)


def test_half_a_character_rejects_its_record_alone(tmp_path):
    data = b'[{"a": "\\ud800"}, {"a": "\\ud83d\\ude00"}, {"\\udcff": 1}]'
    rejects = Rejects()
    assert read(tmp_path / "a.json", data, rejects) == [("2", {"a": "\N{GRINNING FACE}"})]
    assert [error.record for error in rejects.errors] == ["1", "3"]
    rejects = Rejects()
    assert read(tmp_path / "a.jsonl", b'"\\ud800"\n1\n', rejects) == [("2", 1)]
    assert "half a character" in str(rejects.errors[0])
    assert read(tmp_path / "b.json", b'{"\\ud800": 1, "b": 2}', Rejects()) == [("b", 2)]
