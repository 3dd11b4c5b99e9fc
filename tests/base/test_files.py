import json
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeinstruct.base import files
from fakeinstruct.base.errors import FakeInstructError, RecordError, UsageError
from fakeinstruct.base.files import (
    atomic_folder,
    atomic_write,
    check_outside,
    fingerprint,
    read_json,
    read_jsonl,
    sha256_bytes,
    sha256_file,
    stable_seed,
    write_json,
    write_jsonl,
)


def test_a_file_takes_its_name_only_when_complete(tmp_path):
    target = tmp_path / "deep" / "x"
    with atomic_write(target) as file:
        file.write(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert [path.name for path in target.parent.iterdir()] == ["x"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    def write_half():
        with atomic_write(target) as file:
            file.write(b"half")
            raise ZeroDivisionError

    target = tmp_path / "x"
    target.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError):
        write_half()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_folder_leaves_the_old_folder_and_nothing_else(tmp_path):
    def write_half():
        with atomic_folder(target) as folder:
            write_json(folder / "meta.json", {"half": True})
            raise ZeroDivisionError

    target = tmp_path / "set"
    write_json(target / "meta.json", {})
    (target / "chains.jsonl").touch()
    with pytest.raises(ZeroDivisionError):
        write_half()
    assert read_json(target / "meta.json") == {}
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_replaces_a_result_of_ours_whole(tmp_path):
    target = tmp_path / "set"
    write_json(target / "meta.json", {})
    (target / "images" / "deep").mkdir(parents=True)
    for stale in ("chains.jsonl", "items.jsonl", "images/deep/a.PNG", "images/labels.json"):
        (target / stale).touch()
    with atomic_folder(target) as folder:
        write_json(folder / "meta.json", {"new": True})
    assert [path.name for path in target.iterdir()] == ["meta.json"]
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("own", ["mynotes.txt", "images/mynotes.txt", "old/chains.jsonl", "pairs-0.parquet"])
def test_a_result_with_a_file_of_somebody_s_own_is_never_replaced(tmp_path, own):
    target = tmp_path / "set"
    write_json(target / "meta.json", {})
    for name in ("chains.jsonl", own):
        (target / name).parent.mkdir(exist_ok=True)
        (target / name).write_text("kept")
    with pytest.raises(FakeInstructError, match=re.escape(own)), atomic_folder(target):
        pass
    assert (target / own).read_text() == "kept"


def test_pictures_beside_a_meta_json_are_no_chain_set(tmp_path):
    write_json(tmp_path / "set" / "meta.json", {})
    (tmp_path / "set" / "a.png").touch()
    with (
        pytest.raises(FakeInstructError, match="not a result of fakeinstruct"),
        atomic_folder(tmp_path / "set"),
    ):
        pass
    assert (tmp_path / "set" / "a.png").exists()


def test_a_folder_of_somebody_else_is_never_replaced(tmp_path, monkeypatch):
    (tmp_path / "thesis.tex").write_text("years of work")
    monkeypatch.chdir(tmp_path)
    for name in (tmp_path, "."):
        with pytest.raises(FakeInstructError, match="not a result of fakeinstruct"), atomic_folder(name):
            pass
    with pytest.raises(FakeInstructError, match="is a file where a folder"), atomic_folder("thesis.tex"):
        pass
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_symbolic_link_to_a_folder_stays_one(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "x").touch()
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "disk" / "x").exists()


FULL_DISK = """
import resource, sys
from pathlib import Path
from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.base.files import atomic_folder, write_jsonl
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
rows = ({"number": number} for number in range(100_000))
try:
    if sys.argv[2] == "folder":
        with atomic_folder(sys.argv[1]) as folder:
            write_jsonl(folder / "chains.jsonl", rows)
    else:
        write_jsonl(sys.argv[1], rows)
except FakeInstructError as error:
    print(error)
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_write_that_the_system_cuts_short_leaves_nothing(tmp_path, kind):
    pytest.importorskip("resource", reason="limits on file sizes are POSIX")
    target = tmp_path / "out" / "x"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(target), kind], capture_output=True, text=True, check=True
    )
    assert "File too large" in done.stdout
    assert list(target.parent.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_message(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(FakeInstructError, match="cannot be read or written"),
        atomic_write(tmp_path / "file/x"),
    ):
        pass


def test_json_lines_come_back_with_their_numbers(tmp_path):
    path = tmp_path / "x.jsonl"
    assert write_jsonl(path, [{"a": "ü"}, [1], None]) == 3
    assert path.read_text(encoding="utf-8") == '{"a":"ü"}\n[1]\nnull\n'
    assert list(read_jsonl(path)) == [(1, {"a": "ü"}), (2, [1]), (3, None)]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"\x00\x00",
        b'{"a": "\xff"}',
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b"1" * 5_000,
        '{"a": 1}'.encode("utf-16"),
    ],
    ids=["cut", "nul", "not utf-8", "deep list", "deep object", "long number", "utf-16"],
)
def test_a_bad_line_is_an_error_in_its_place_and_reading_goes_on(tmp_path, line):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"1\n\n" + line.replace(b"\n", b" ") + b"\n2\n")
    (_, first), (number, error), (_, last) = read_jsonl(path)
    assert (first, last) == (1, 2)
    assert isinstance(error, RecordError)
    assert number == 3
    assert "x.jsonl, record 3: is not JSON" in str(error)


@pytest.mark.parametrize("end", [b"\n", b""])
def test_an_endless_line_is_not_held_in_memory(tmp_path, monkeypatch, end):
    monkeypatch.setattr(files, "MAX_LINE_BYTES", 1 << 20)
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"1\n" + b" " * (5 << 20) + end)
    (_, first), (number, error) = read_jsonl(path)
    assert (first, number) == (1, 2)
    assert "longer than 1 MiB" in str(error)


def test_a_name_that_is_not_utf8_can_be_listed(tmp_path):
    write_jsonl(tmp_path / "x", ["\udc80"])
    assert read_json(tmp_path / "x") == "\udc80"


def test_missing_and_broken_json_are_named(tmp_path):
    with pytest.raises(FakeInstructError, match=r"none\.json: no such file"):
        read_json(tmp_path / "none.json")
    with pytest.raises(FakeInstructError, match="no such file"):
        next(read_jsonl(tmp_path / "none.jsonl"))
    (tmp_path / "x.json").write_text("[" * 100_000)
    with pytest.raises(FakeInstructError, match=r"x\.json: is not JSON"):
        read_json(tmp_path / "x.json")
    with pytest.raises(FakeInstructError, match="cannot be read"):
        read_json(tmp_path)


def test_hashes_are_the_published_ones(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    golden = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert sha256_bytes(b"abc") == sha256_file(tmp_path / "x") == golden


@given(st.dictionaries(st.text(), st.integers() | st.text(), max_size=5))
def test_a_fingerprint_does_not_depend_on_the_order_of_keys(value):
    assert fingerprint(value) == fingerprint(dict(reversed(value.items())))
    assert fingerprint(value) != fingerprint({**value, "another key": 0})


def test_a_seed_is_the_same_on_every_machine_and_knows_its_parts_apart():
    assert stable_seed("split", 0, "a") == 2772171600501034067
    assert len({stable_seed(*parts) for parts in [("ab",), ("a", "b"), ("a", 1), ("a", "1"), (1, "a")]}) == 5


@given(st.lists(st.integers() | st.text(max_size=5), max_size=3))
def test_a_seed_has_64_bits(parts):
    assert 0 <= stable_seed(*parts) < 2**64


def test_written_json_is_for_people(tmp_path):
    write_json(tmp_path / "x", {"b": 1, "a": "ü"})
    assert (tmp_path / "x").read_text(encoding="utf-8") == json.dumps(
        {"b": 1, "a": "ü"}, indent=2, ensure_ascii=False
    ) + "\n"


def test_what_is_read_may_not_lie_in_the_folder_to_be_written(tmp_path):
    out = tmp_path / "out"
    check_outside(out, tmp_path, tmp_path / "other", tmp_path / "out-of-it", None)
    (tmp_path / "link").symlink_to(out)
    for source in (out, out / "deep/below", tmp_path / "other/../out/x", tmp_path / "link/x"):
        with pytest.raises(UsageError, match="lies in the folder to be written") as caught:
            check_outside(out, tmp_path / "other", source)
        assert caught.value.file == str(source)
