"""One encoding, size and kind of name for both labels: nothing of the files tells any more, and chains stay true."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects, UsageError
from fakeinstruct.base.files import sha256_file
from fakeinstruct.chains.items import Item, read_items, write_items
from fakeinstruct.chains.masks import decode_mask, encode_mask
from fakeinstruct.chains.reencode import Encoding, reencode
from fakeinstruct.chains.schema import Chain, ImageRef, Label, Meta, Origin, Region, Trace
from fakeinstruct.chains.store import open_chains, write_chains
from fakeinstruct.chains.validate import validate_chains
from fakeinstruct.measure.audit.look import look_at
from fakeinstruct.measure.audit.metadata import metadata_section


def patches(seed, size=(40, 40)):
    cells = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC)


def chain(number, path, **more):
    label = "fake" if number % 2 == 0 else "real"
    return Chain(
        **{
            "id": f"c{number}",
            "image": ImageRef(path=path),
            "label": label,
            "dataset": "leaky",
            "group": f"g{number}",
            "origin": Origin(by="program", synthetic=True),
        }
        | more
    )


def leaky(folder, n=120):
    """A set whose pictures tell nothing and whose files tell everything: name, encoding and size."""
    (folder / "images").mkdir(parents=True)
    chains = []
    for number in range(n):
        fake = number % 2 == 0
        image = patches(number, (64, 64) if fake else (64, 48))
        path = f"images/gan_{number:05d}.png" if fake else f"images/IMG-{number}.JPG"
        image.save(folder / path, "PNG" if fake else "JPEG", **({} if fake else {"quality": 98}))
        chains.append(chain(number, path))
    write_chains(folder, chains, Meta(name="leaky", licences={"leaky": "CC0"}))
    return open_chains(folder)


def told(chains):
    """AUCs of each fact, and the levels of findings."""
    section = metadata_section(look_at(chains, list(chains.read())), 0)
    rows = {row[0]: row[1:] for row in section.tables[0].rows}
    return rows, [finding.level for finding in section.findings]


@pytest.mark.parametrize("format", ["png", "jpeg"])
def test_nothing_of_the_files_tells_the_label_any_more(tmp_path, format):
    before, levels = told(leaky(tmp_path / "leaky"))
    assert before["all: headers alone"][0] > 0.99
    assert before["all: names alone"][0] > 0.99
    assert levels.count("problem") >= 4

    reencode(open_chains(tmp_path / "leaky"), tmp_path / "new", format=format, quality=90, size=32)
    after, levels = told(open_chains(tmp_path / "new"))
    assert levels == []
    for part in ("all: names alone", "all: headers alone", "all: names and headers"):
        area, low, high = after[part][:3]
        assert low < 0.5 < high
        assert 0.3 < area < 0.7
    assert not any(part.startswith(("encoding", "size", "extension")) for part in after)  # they vary no more


def test_without_a_size_sizes_stay_and_are_counted(tmp_path):
    done = reencode(leaky(tmp_path / "leaky", 8), tmp_path / "new")
    assert done.count == 8
    assert done.sizes == {(Label.FAKE, (64, 64)): 4, (Label.REAL, (64, 48)): 4}
    assert not done.one_size
    assert reencode(open_chains(tmp_path / "leaky"), tmp_path / "other", size=16).one_size


def test_the_new_set_is_sound_and_its_chains_are_the_old_ones(tmp_path):
    old = leaky(tmp_path / "leaky", 20)
    reencode(old, tmp_path / "new", size=24)
    new = open_chains(tmp_path / "new")
    assert len(validate_chains(new).findings) == 0
    assert new.meta.licences == {"leaky": "CC0"}
    assert new.meta.notes == "Images saved anew as PNG, 24 x 24 pixels."
    for before, after in zip(old.read(), new.read(), strict=True):
        assert after.image.sha256 == sha256_file(new.image_path(after))
        assert (after.image.width, after.image.height) == (24, 24)
        assert after.image.path == f"images/{after.image.sha256[:32]}.png"
        assert before.model_copy(update={"image": after.image}) == after


def test_png_without_a_size_keeps_every_pixel(tmp_path):
    patches(1).save(tmp_path / "a.png")
    write_chains(tmp_path, [chain(0, "a.png")], Meta(name="one"))
    reencode(open_chains(tmp_path), tmp_path / "new")
    new = open_chains(tmp_path / "new")
    with Image.open(new.image_path(next(new.read()))) as image:
        assert np.array_equal(np.asarray(image), np.asarray(patches(1)))


def test_what_files_say_beside_their_pixels_is_dropped_and_orientation_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera"
    patches(0, (40, 20)).save(
        tmp_path / "0.jpg", exif=exif, comment=b"generated", dpi=(300, 300), icc_profile=b"x"
    )
    info = PngInfo()
    info.add_text("parameters", "a cat, 8k")
    patches(1, (20, 40)).convert("RGBA").save(tmp_path / "1.png", pnginfo=info, icc_profile=b"y")
    patches(2, (20, 40)).convert("P").save(tmp_path / "2.gif", transparency=0, comment=b"by a gan")
    write_chains(
        tmp_path, [chain(n, p) for n, p in enumerate(("0.jpg", "1.png", "2.gif"))], Meta(name="said")
    )
    for format, allowed in (("png", set()), ("jpeg", {"jfif", "jfif_version", "jfif_unit", "jfif_density"})):
        reencode(open_chains(tmp_path), tmp_path / format, format=format)
        new = open_chains(tmp_path / format)
        for each in new.read():
            with Image.open(new.image_path(each)) as image:
                assert (image.size, image.mode, set(image.info)) == ((20, 40), "RGB", allowed)
                assert not image.getexif()
                assert each.image.path.endswith(f".{format}")


def marked(mask):
    region = Region(box=(0.25, 0.25, 0.75, 0.5), polygon=((0.25, 0.25), (0.75, 0.25), (0.5, 0.5)), mask=mask)
    return Trace(id="t1", points_to="fake", observation="seen", regions=(region,))


def test_boxes_and_polygons_stay_and_masks_are_scaled(tmp_path):
    patches(0, (40, 20)).save(tmp_path / "0.png")
    pixels = np.zeros((20, 40), dtype=bool)
    pixels[5:10, 10:30] = True
    write_chains(tmp_path, [chain(0, "0.png", traces=(marked(encode_mask(pixels)),))], Meta(name="m"))
    for size in (8, 16, 100):
        reencode(open_chains(tmp_path), tmp_path / "new", size=size)
        (after,) = next(open_chains(tmp_path / "new").read()).traces[0].regions
        assert after.box == (0.25, 0.25, 0.75, 0.5)
        assert after.polygon == ((0.25, 0.25), (0.75, 0.25), (0.5, 0.5))
        scaled = decode_mask(after.mask)
        assert scaled.shape == (size, size)
        assert scaled[size * 3 // 8, size // 2]
        assert scaled.mean() == pytest.approx(1 / 8, abs=0.02)


def test_a_mask_of_which_nothing_is_left_is_dropped(tmp_path):
    patches(0, (400, 400)).save(tmp_path / "0.png")
    pixels = np.zeros((400, 400), dtype=bool)
    pixels[0, 0] = True
    write_chains(tmp_path, [chain(0, "0.png", traces=(marked(encode_mask(pixels)),))], Meta(name="m"))
    reencode(open_chains(tmp_path), tmp_path / "new", size=8)
    (after,) = next(open_chains(tmp_path / "new").read()).traces[0].regions
    assert after.mask is None
    assert after.box == (0.25, 0.25, 0.75, 0.5)


def test_two_chains_of_one_picture_share_its_file(tmp_path):
    patches(0).save(tmp_path / "0.png")
    patches(0).save(tmp_path / "1.bmp")
    write_chains(tmp_path, [chain(0, "0.png"), chain(2, "1.bmp")], Meta(name="m"))
    reencode(open_chains(tmp_path), tmp_path / "new")
    first, second = open_chains(tmp_path / "new").read()
    assert first.image == second.image
    assert len(list((tmp_path / "new/images").iterdir())) == 1


def test_a_bad_image_is_rejected_and_its_questions_with_it(tmp_path):
    chains = leaky(tmp_path / "leaky", 10)
    (chains.image_root / "images/gan_00004.png").write_bytes(b"not a picture")
    asked = [Item(id=f"i{n}", chain=f"c{n}", kind="verdict", question="Real?", answer="fake") for n in (2, 4)]
    write_items(chains.folder, asked)
    with pytest.raises(RecordError, match="not an image") as raised:
        reencode(chains, tmp_path / "new")
    assert raised.value.record == "c4"
    assert not (tmp_path / "new").exists()
    rejects = Rejects()
    assert reencode(chains, tmp_path / "new", rejects=rejects).count == 9
    assert [error.record for error in rejects.errors] == ["c4"]
    assert [item.id for item in read_items(tmp_path / "new")] == ["i2"]


def test_too_many_bad_images_leave_nothing(tmp_path):
    chains = leaky(tmp_path / "leaky", 60)
    for file in list((chains.image_root / "images").iterdir())[:30]:
        file.unlink()
    with pytest.raises(Exception, match="more than 20%"):
        reencode(chains, tmp_path / "new", rejects=Rejects(0.2))
    assert not list(tmp_path.glob("*new*"))


def test_what_is_read_is_never_replaced(tmp_path):
    chains = leaky(tmp_path / "leaky", 4)
    moved = replace(chains, image_root=tmp_path / "leaky/images")
    for source, out in ((chains, "leaky"), (chains, "."), (moved, "leaky/images")):
        with pytest.raises(UsageError, match="would replace it"):
            reencode(source, tmp_path / out)
    assert len(list(chains.read())) == 4


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"format": "webp"}, "no format 'webp'"),
        ({"quality": 96}, "quality is 96"),
        ({"size": 7}, "size is 7"),
    ],
)
def test_values_out_of_range_are_usage_errors(tmp_path, options, problem):
    with pytest.raises(UsageError, match=problem):
        reencode(leaky(tmp_path / "leaky", 2), tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99), st.sampled_from(["png", "jpeg"]))
def test_the_same_pixels_are_the_same_bytes(width, height, seed, format):
    image = patches(seed, (width, height))
    described = image.copy()
    described.info = {"comment": b"a", "icc_profile": b"b", "transparency": (1, 2, 3), "dpi": (1, 1)}
    encoding = Encoding(format)
    assert encoding.encode(image) == encoding.encode(described)


def test_the_verb(tmp_path, capsys):
    from typer.testing import CliRunner

    from fakeinstruct.cli.main import app

    leaky(tmp_path / "leaky", 8)
    out = str(tmp_path / "new")
    result = CliRunner().invoke(app, ["reencode", str(tmp_path / "leaky"), "--out", out, "--format", "jpeg"])
    assert result.exit_code == 0
    assert "8 chains in" in result.output
    assert all(path.suffix == ".jpeg" for path in (tmp_path / "new/images").iterdir())
    (tmp_path / "leaky/images/gan_00000.png").unlink()
    result = CliRunner().invoke(app, ["reencode", str(tmp_path / "leaky"), "--out", out, "--size", "16"])
    assert result.exit_code == 3
    assert json.loads((tmp_path / "new/rejects.jsonl").read_text())["record"] == "c0"


def test_a_set_of_which_no_image_can_be_read_is_no_result(tmp_path):
    write_chains(tmp_path / "in", [chain(0, "gone.png"), chain(1, "lost.png")], Meta(name="x"))
    with pytest.raises(FakeInstructError, match=r"no image could be read; the first: .*missing"):
        reencode(open_chains(tmp_path / "in"), tmp_path / "out", rejects=Rejects())
    assert not (tmp_path / "out").exists()


def test_a_bad_item_is_rejected_and_the_rest_comes_along(tmp_path):
    patches(0).save(tmp_path / "0.png")
    write_chains(tmp_path / "in", [chain(0, "0.png")], Meta(name="x", image_root=".."))
    (tmp_path / "in/items.jsonl").write_text(
        'x\n{"id": "1", "chain": "c0", "kind": "open", "question": "?"}\n'
    )
    rejects = Rejects()
    reencode(open_chains(tmp_path / "in"), tmp_path / "out", rejects=rejects)
    assert [item.id for item in read_items(tmp_path / "out")] == ["1"]
    assert [error.record for error in rejects.errors] == ["1"]
