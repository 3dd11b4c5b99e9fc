import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from fakeinstruct.base.errors import RecordError
from fakeinstruct.base.images import MAX_PIXELS, image_size, load_image, resolve_under


def noise(width=8, height=6):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def png_header(width, height):
    """The first bytes of a PNG of a size, with sound checksums and no pixels worth the name."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def test_pixels_come_back(tmp_path):
    Image.fromarray(noise()).save(tmp_path / "x.png")
    image = load_image(tmp_path / "x.png")
    assert image.mode == "RGB"
    assert np.array_equal(np.asarray(image), noise())
    assert image_size(tmp_path / "x.png") == (8, 6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_tag_is_applied_to_pixels_and_size(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(noise()).save(tmp_path / "x.png", exif=exif)
    turned = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: np.rot90,
    }[orientation](noise())
    assert np.array_equal(np.asarray(load_image(tmp_path / "x.png")), turned)
    assert image_size(tmp_path / "x.png") == (turned.shape[1], turned.shape[0])


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    values = np.linspace(0, 65535, 48).astype(np.uint16).reshape(6, 8)
    Image.fromarray(values).save(tmp_path / "x.png")
    loaded = np.asarray(load_image(tmp_path / "x.png")).astype(int)
    assert np.abs(loaded - (values[..., None] >> 8)).max() <= 1
    assert loaded.max() == 255


def test_pixels_without_a_defined_white_are_refused(tmp_path):
    Image.fromarray(np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)).save(tmp_path / "x.tif")
    with pytest.raises(RecordError, match="of kind 'F'"):
        load_image(tmp_path / "x.tif")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_every_usual_mode_becomes_rgb(tmp_path, mode):
    suffix = "jpg" if mode == "CMYK" else "png"
    Image.fromarray(noise()).convert("RGBA" if mode == "LA" else "RGB").convert(mode).save(
        tmp_path / f"x.{suffix}"
    )
    assert load_image(tmp_path / f"x.{suffix}").mode == "RGB"


HOSTILE = {
    "missing": (None, "image file is missing"),
    "empty": (b"", "is not an image"),
    "text": (b"hello, I am a picture", "is not an image"),
    "script": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not an image"),
    "vector": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not an image"),
    "bomb": (png_header(20_000, 20_000), "image is too large"),
    "above the limit": (png_header(MAX_PIXELS // 1000 + 1, 1000), "more than 100,000,000 pixels"),
    "no pixels": (png_header(8, 6), "image is truncated or damaged"),
}


@pytest.mark.parametrize(("data", "problem"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_one_clear_record_error(tmp_path, data, problem):
    path = tmp_path / "x.png"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(RecordError, match=problem) as caught:
        load_image(path)
    assert caught.value.file == str(path)
    assert caught.value.field == "image.path"


def test_a_real_bomb_is_refused_before_it_is_decoded(tmp_path):
    Image.new("1", (20_000, 20_000)).save(tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size < 100_000
    for read in (load_image, image_size):
        with pytest.raises(RecordError, match="too large"):
            read(tmp_path / "x.png")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "gif", "tif"])
def test_every_truncation_is_an_error_never_a_grey_picture(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(noise(64, 64)).save(path)
    data = path.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(RecordError):
            load_image(path)


def test_a_folder_and_a_pipe_are_not_images(tmp_path):
    with pytest.raises(RecordError, match="is not a file"):
        load_image(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "x.png")
        with pytest.raises(RecordError, match="is not a file"):
            load_image(tmp_path / "x.png")


@pytest.mark.parametrize("path", ["../x.png", "a/../../x.png", "/etc/passwd", "..", "a\\..\\x.png", "a\0b"])
def test_a_path_that_leaves_the_root_is_refused(tmp_path, path):
    with pytest.raises(RecordError, match="leaves the image root") as caught:
        resolve_under(tmp_path, path)
    assert "--image-root" in str(caught.value)


def test_symbolic_links_may_stay_inside_but_not_leave(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "x.png").touch()
    (outside / "y.png").touch()
    (root / "inside.png").symlink_to(root / "x.png")
    (root / "leaves.png").symlink_to(outside / "y.png")
    (root / "folder").symlink_to(outside)
    (root / "loop.png").symlink_to(root / "loop.png")
    assert resolve_under(root, "inside.png") == (root / "x.png").resolve()
    for path in ("leaves.png", "folder/y.png"):
        with pytest.raises(RecordError, match="symbolic link that leaves"):
            resolve_under(root, path)
    with pytest.raises(RecordError):
        load_image(resolve_under(root, "loop.png"))


def test_a_root_that_is_a_symbolic_link_is_fine(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "x.png").touch()
    (tmp_path / "root").symlink_to(tmp_path / "disk")
    assert resolve_under(tmp_path / "root", "x.png").is_file()


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_without_a_white_are_said_and_not_called_damage(tmp_path, mode):
    Image.new(mode, (4, 4)).save(tmp_path / "a.tif")
    with pytest.raises(RecordError, match=f"a.tif, .*pixels of kind '{mode}'.*Save it with 8 bits"):
        load_image(tmp_path / "a.tif")


def test_a_name_that_no_file_can_have_is_a_record_s_error(tmp_path):
    with pytest.raises(RecordError, match="cannot be opened"):
        load_image(tmp_path / ("x" * 300))
