import stat
import zipfile

import pytest

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.chains.importers import archive as archive_module
from fakeinstruct.chains.importers import import_chains
from fakeinstruct.chains.importers.archive import unpack


def pack(path, *entries, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for entry, data in entries:
            file.writestr(entry, data)
    return path


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("../evil.png", "leaves the folder"),
        ("real/../../evil.png", "leaves the folder"),
        ("/tmp/evil.png", "leaves the folder"),
        ("..\\evil.png", "leaves the folder"),
        ("C:/evil.png", "leaves the folder"),
        ("../evil.txt", "leaves the folder"),
        (link("real/evil.png"), "is a symbolic link"),
    ],
)
def test_one_evil_entry_refuses_the_archive_and_nothing_is_left(tmp_path, entry, problem):
    path = pack(tmp_path / "x.zip", ("real/a.png", b"a"), (entry, b"/etc/passwd"))
    with pytest.raises(FakeInstructError, match=f"x.zip, record .*evil.*: the entry {problem}"):
        import_chains("imagefolder", path, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [path]


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_module, "FREE_BYTES", 1 << 20)
    path = pack(tmp_path / "x.zip", ("real/a.bmp", bytes(4 << 20)), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(FakeInstructError, match=r"would unpack from .* to 4,194,304 bytes"):
        unpack(path, tmp_path / "out")
    monkeypatch.setattr(archive_module, "MAX_BYTES", 10)
    with pytest.raises(FakeInstructError, match="would unpack"):
        unpack(pack(tmp_path / "y.zip", ("real/a.png", b"x" * 11)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_entry_that_is_larger_than_it_states_is_refused(tmp_path):
    path = pack(tmp_path / "x.zip", ("real/a.png", b"x" * 1000), compression=zipfile.ZIP_DEFLATED)
    data = path.read_bytes()
    lying = data.replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert lying != data
    path.write_bytes(lying)
    with pytest.raises(FakeInstructError, match="not a sound zip file"):
        unpack(path, tmp_path / "out")


def test_a_name_that_comes_twice_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = pack(tmp_path / "x.zip", ("real/a.png", b"a"), ("real/a.png", b"b"))
    with pytest.raises(FakeInstructError, match="comes twice"):
        unpack(path, tmp_path / "out")


def test_an_encrypted_entry_is_named(tmp_path):
    path = pack(tmp_path / "x.zip", ("real/a.png", b"a"))
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(FakeInstructError, match=r"record real/a\.png: the entry is encrypted"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize("cut", [0, 10, -10, -30])
def test_a_damaged_archive_is_one_message(tmp_path, cut):
    path = pack(tmp_path / "x.zip", ("real/a.png", b"a" * 100))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(FakeInstructError, match=r"x\.zip: is not a sound zip file"):
        import_chains("imagefolder", path, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [path]


def test_damaged_contents_are_found_by_their_checksum(tmp_path):
    path = pack(tmp_path / "x.zip", ("real/a.png", b"a" * 100))
    path.write_bytes(path.read_bytes().replace(b"a" * 100, b"a" * 99 + b"b"))
    with pytest.raises(FakeInstructError, match="not a sound zip file"):
        unpack(path, tmp_path / "out")


def test_a_file_where_a_folder_is_needed_is_one_message(tmp_path):
    path = pack(tmp_path / "x.zip", ("a.png", b"a"), ("a.png/b.png", b"b"))
    with pytest.raises(FakeInstructError, match=r"record a\.png/b\.png: the entry cannot be unpacked"):
        unpack(path, tmp_path / "out")


def test_only_images_are_unpacked(tmp_path):
    path = pack(
        tmp_path / "x.zip",
        ("real/a.PNG", b"a"),
        ("real/.a.png", b""),
        ("setup.py", b""),
        ("__MACOSX/real/a.png", b""),
    )
    assert unpack(path, tmp_path / "out") == 3
    assert [file.relative_to(tmp_path / "out").as_posix() for file in (tmp_path / "out").rglob("*.*")] == [
        "real/a.PNG"
    ]


def test_a_file_that_is_no_archive_is_one_message(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"x")
    with pytest.raises(FakeInstructError, match="not a sound zip file"):
        import_chains("imagefolder", tmp_path / "photo.png", tmp_path / "out")


@pytest.mark.parametrize(("name", "says"), [("", "has no name"), (".", "has no name")])
def test_an_entry_without_a_name_is_refused(tmp_path, name, says):
    path = pack(tmp_path / "x.zip", ("Q", b"a"))
    entry = name.encode()
    head = path.read_bytes()
    for offset in (26, head.index(b"PK\1\2") + 28):  # lengths of the name, local and in the directory
        head = head[:offset] + len(entry).to_bytes(2, "little") + head[offset + 2 :]
    cut = head.index(b"PK\5\6")
    directory = head[head.index(b"PK\1\2") : cut].replace(b"Q", entry)
    local = head[: head.index(b"PK\1\2")].replace(b"Q", entry)
    end = bytearray(head[cut:])
    end[12:16], end[16:20] = len(directory).to_bytes(4, "little"), len(local).to_bytes(4, "little")
    path.write_bytes(local + directory + bytes(end))
    with pytest.raises(FakeInstructError, match=says):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize("name", ["real/" + "x" * 300 + ".png", "a/" * 3000 + "x.png"])
def test_a_name_that_no_file_can_have_names_the_archive_and_the_entry(tmp_path, name):
    path = pack(tmp_path / "x.zip", (name, b"a"))
    with pytest.raises(FakeInstructError, match=r"x\.zip, record .*: the entry cannot be unpacked") as raised:
        unpack(path, tmp_path / "out")
    assert len(str(raised.value)) < 600


def test_one_file_under_two_spellings_comes_twice(tmp_path):
    path = pack(tmp_path / "x.zip", ("real/a.png", b"a"), ("real//a.png", b"b"))
    with pytest.raises(FakeInstructError, match="comes twice"):
        unpack(path, tmp_path / "out")


def test_what_is_no_zip_file_by_name_says_what_a_source_is(tmp_path):
    (tmp_path / "set.rar").write_bytes(b"x")
    with pytest.raises(FakeInstructError, match="A source is a folder, a zip file, or an annotation file"):
        unpack(tmp_path / "set.rar", tmp_path / "out")
