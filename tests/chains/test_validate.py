import json

import numpy as np
import pytest
from PIL import Image

from fakeinstruct.base.errors import ExitStatus, FakeInstructError, UsageError
from fakeinstruct.base.files import sha256_file
from fakeinstruct.chains.counts import Kind
from fakeinstruct.chains.store import open_chains
from fakeinstruct.chains.validate import validate_chains


def row(folder, name, seed, **changes):
    """A sound record with its image: another seed, another image."""
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / f"{name}.png")
    return {
        "id": name,
        "image": {
            "path": f"{name}.png",
            "width": 5,
            "height": 4,
            "sha256": sha256_file(folder / f"{name}.png"),
        },
        "label": "fake",
        "dataset": "d",
        "group": f"g{seed}",
        "split": "train",
        "origin": {"by": "dataset"},
        **changes,
    }


def report(folder, rows, **options):
    (folder / "chains.jsonl").write_text("\n".join(json.dumps(each) for each in rows))
    (folder / "meta.json").write_text('{"name": "x"}')
    return validate_chains(open_chains(folder), **options)


def found(validation):
    return {(error.record, error.field): error.problem for error in validation.findings.errors}


def test_a_sound_set_has_no_findings(tmp_path):
    rows = [
        row(tmp_path, "a", 1, twin="b", generator="g", manipulation="edited"),
        row(tmp_path, "b", 1, label="real", twin="a", manipulation="none"),
        row(tmp_path, "c", 2, split="test", generator="g"),
    ]
    Image.new("RGB", (5, 4)).save(tmp_path / "b.png")
    rows[1]["image"]["sha256"] = sha256_file(tmp_path / "b.png")
    validation = report(tmp_path, rows)
    assert found(validation) == {}
    assert validation.findings.status is ExitStatus.CLEAN
    assert validation.counts == {
        Kind("train", "fake", "edited", "g"): 1,
        Kind("train", "real", "none", ""): 1,
        Kind("test", "fake", "", "g"): 1,
    }
    assert validation.remarks == ()


def test_every_fault_of_an_image_is_a_finding_of_its_own(tmp_path):
    rows = [
        row(tmp_path, name, seed) for seed, name in enumerate(["sound", "gone", "cut", "size", "hash", "out"])
    ]
    (tmp_path / "gone.png").unlink()
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:70])
    rows[3]["image"]["width"] = 6
    rows[4]["image"]["sha256"] = "0" * 64
    (tmp_path / "out.png").unlink()
    (tmp_path / "out.png").symlink_to("/etc/hostname")
    problems = found(report(tmp_path, rows))
    assert problems.pop(("gone", "image.path")) == "image file is missing"
    assert problems.pop(("cut", "image.path")).startswith("image is truncated or damaged")
    assert problems.pop(("size", "image.width")) == "the image is 5 x 4 pixels (the chain says 6 x 4)"
    assert problems.pop(("hash", "image.sha256")).startswith("the image file has changed")
    assert "symbolic link" in problems.pop(("out", "image.path"))
    assert problems == {}
    assert found(report(tmp_path, rows, with_images=False)) == {}


def test_sizes_and_hashes_may_be_absent(tmp_path):
    sparse = row(tmp_path, "a", 1)
    sparse["image"] = {"path": "a.png"}
    assert found(report(tmp_path, [sparse])) == {}


def test_what_records_say_of_each_other_is_compared(tmp_path):
    rows = [
        row(tmp_path, "a", 1, twin="nobody"),
        row(tmp_path, "b", 2, twin="c"),
        row(tmp_path, "c", 3, split="test"),
        row(tmp_path, "d", 4),
        row(tmp_path, "e", 4, label="real"),
        row(tmp_path, "f", 5, group="g1", split="validation"),
        row(tmp_path, "h", 6),
        row(tmp_path, "i", 6, split="test", group="other"),
        row(tmp_path, "z", 7, id="h"),
    ]
    assert found(report(tmp_path, rows)) == {
        ("a", "twin"): "its twin does not exist ('nobody')",
        ("b", "twin"): "its twin is in another split ('c')",
        ("e", "label"): "the same image bytes have another label (fake, 'd')",
        ("f", "group"): "its group is in two splits (train by 'a')",
        ("i", "split"): "the same image bytes are in another split (train, 'h')",
        ("9", "id"): "the id 'h' was used before",
    }


def test_stated_hashes_are_compared_without_images_too(tmp_path):
    rows = [row(tmp_path, "d", 4), row(tmp_path, "e", 4, label="real")]
    assert list(found(report(tmp_path, rows, with_images=False))) == [("e", "label")]


def test_bad_records_are_findings_even_when_all_are(tmp_path):
    rows = [{"id": "a", "label": 1}] * 30
    validation = report(tmp_path, rows)
    assert len(validation.findings) == 30
    assert validation.counts.total() == 0
    assert validation.findings.status is ExitStatus.REJECTS


def test_a_set_without_records_is_an_error(tmp_path):
    with pytest.raises(FakeInstructError, match="no sound chain"):
        report(tmp_path, [])


def test_an_image_root_that_is_not_there_is_one_message(tmp_path):
    rows = [row(tmp_path, "a", 1)]
    (tmp_path / "chains.jsonl").write_text(json.dumps(rows[0]))
    (tmp_path / "meta.json").write_text('{"name": "x"}')
    chains = open_chains(tmp_path, image_root=tmp_path / "none")
    with pytest.raises(UsageError, match=r"none: the image root is not a folder.*--image-root"):
        validate_chains(chains)
    assert found(validate_chains(chains, with_images=False)) == {}


def test_remarks_name_what_may_be_a_mistake(tmp_path):
    rows = [
        row(tmp_path, "a", 1, generator="big gan"),
        row(tmp_path, "b", 2, generator="big_gan", split=None),
        row(tmp_path, "c", 3, generator="glide"),
    ]
    assert report(tmp_path, rows).remarks == (
        "may be one generator under several spellings: big gan, big_gan",
        "every image is fake",
        "some chains have a split and some have none",
    )


def test_evaluation_items_are_checked_too(tmp_path):
    (tmp_path / "items.jsonl").write_text(
        '{"id": "1", "chain": "a", "kind": "open", "question": "?"}\n'
        '{"id": "2", "chain": "nobody", "kind": "open", "question": "?"}\n'
        "nonsense\n"
    )
    problems = found(report(tmp_path, [row(tmp_path, "a", 1)]))
    assert problems["2", "chain"] == "its chain does not exist ('nobody')"
    assert "is not JSON" in problems["3", None]
    assert len(problems) == 2


@pytest.mark.parametrize("path", ["x" * 300 + ".png", "a/" * 3000 + "x.png"])
def test_a_name_that_no_file_can_have_is_one_finding(tmp_path, path):
    rows = [row(tmp_path, "a", 1), row(tmp_path, "b", 2, image={"path": path})]
    [error] = report(tmp_path, rows).findings.errors
    assert (error.record, error.field) == ("b", "image.path")
