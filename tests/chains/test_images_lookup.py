import pytest
from published import picture, pictures

from fakeinstruct.base.errors import RecordError
from fakeinstruct.chains.importers.images import Images


@pytest.mark.parametrize(
    "written",
    [
        "a/b/c.png",
        "./a/b/c.png",
        "a//b/./c.png",
        "/a/b/c.png",
        "/home/somebody/set/a/b/c.png",
        "C:\\Users\\me\\a\\b\\c.png",
        "a\\b\\c.png",
        "file:///mnt/a/b/c.png",
        "root/a/b/c.png",
    ],
)
def test_a_path_is_found_wherever_its_author_kept_it(tmp_path, written):
    images = Images(pictures(tmp_path / "root", "a/b/c.png"))
    ref = images.find(written)
    assert (ref.path, ref.width, ref.height, len(ref.sha256)) == ("a/b/c.png", 40, 30, 64)
    assert set(images.prints) == {"a/b/c.png"}


def test_of_a_foreign_path_the_longest_end_is_taken(tmp_path):
    images = Images(pictures(tmp_path, "c.png", "b/c.png"))
    assert images.find("/x/b/c.png").path == "b/c.png"
    assert images.find("/y/c.png").path == "c.png"


def test_a_relative_path_is_not_found_under_another_folder(tmp_path):
    images = Images(pictures(tmp_path / "root", "001.png"))
    for written in ("fake/001.png", "real/001.png"):
        with pytest.raises(RecordError, match="image file is missing"):
            images.find(written)


def test_two_foreign_paths_that_lead_to_one_image_are_ambiguous(tmp_path):
    images = Images(pictures(tmp_path, "001.png"))
    images.find("/data/fake/001.png")
    images.find("/data/fake/001.png")
    with pytest.raises(RecordError, match=r"ambiguous .*fake/001.png' both lead to '001\.png'"):
        images.find("/data/real/001.png")


def test_the_folders_down_to_the_annotation_file_are_searched_too(tmp_path):
    images = Images(pictures(tmp_path, "set/part/images/a.png", "set/b.png"))
    near = tmp_path / "set/part/labels.json"
    assert images.find("images/a.png", near=near).path == "set/part/images/a.png"
    assert images.find("/home/x/part/images/a.png", near=near).path == "set/part/images/a.png"
    assert images.find("b.png", near=near).path == "set/b.png"
    with pytest.raises(RecordError, match="missing"):
        images.find("images/a.png", near=tmp_path.parent / "elsewhere.json")


@pytest.mark.parametrize("written", ["../a.png", "x/../../a.png", "/x/../a.png", "..\\a.png", "a\0.png"])
def test_paths_that_climb_out_are_refused(tmp_path, written):
    (tmp_path / "root").mkdir()
    picture(tmp_path / "a.png", 0)
    for without in (False, True):
        with pytest.raises(RecordError, match="leaves the image root"):
            Images(tmp_path / "root", without=without).find(written)


@pytest.mark.parametrize("written", ["", " ", "/", "."])
def test_an_empty_path_is_refused(tmp_path, written):
    with pytest.raises(RecordError, match="empty"):
        Images(tmp_path).find(written)


def test_a_link_out_of_the_root_is_refused(tmp_path):
    picture(tmp_path / "secret.png", 0)
    (tmp_path / "root").mkdir()
    (tmp_path / "root/a.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(RecordError, match="symbolic link that leaves"):
        Images(tmp_path / "root").find("a.png")


def test_a_damaged_image_is_refused(tmp_path):
    path = picture(tmp_path / "a.png", 0)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(RecordError, match="truncated or damaged"):
        Images(tmp_path).find("a.png")


def test_each_image_is_decoded_once(tmp_path):
    path = picture(tmp_path / "a.png", 0)
    images = Images(tmp_path)
    ref = images.find("a.png")
    path.write_bytes(b"changed")
    assert images.find("./a.png") is ref


def test_without_images_paths_are_taken_on_trust_and_sizes_are_unknown(tmp_path):
    images = Images(tmp_path, without=True)
    ref = images.find("/home/x/a.png")
    assert (ref.path, ref.width, ref.sha256) == ("home/x/a.png", None, None)
    with pytest.raises(RecordError, match=r"its boxes need the image's size.*--image-root"):
        images.size(ref)
    assert not images.prints
