"""Exports: each trainer's own format, images that are there, nothing dropped unsaid."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pair_sets import BOXED, LOOKS, QUESTION_ONLY, draw, make_pair, plain, turn, write_set
from PIL import Image

from fakeinstruct.base.errors import FakeInstructError, Rejects, UsageError
from fakeinstruct.base.files import read_json
from fakeinstruct.base.grammar import box_text
from fakeinstruct.base.images import crop_image, load_image
from fakeinstruct.expand.export.formats import FORMATS, _take_boxes
from fakeinstruct.expand.export.write import ExportManifest, export, has_crops
from fakeinstruct.expand.pair import Pair, PairImage

ALL = [plain("plain"), BOXED, LOOKS, QUESTION_ONLY, plain("v", split="validation")]
TRAINERS = sorted(FORMATS)
WHOLE = "images/whole/a.png"
CROPS = ["images/crops/a.png/2-4-10-12.png", "images/crops/a.png/0-0-5-20.png"]


@pytest.fixture
def pairs(tmp_path):
    return write_set(tmp_path / "pairs", ALL)


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def by_id(rows):
    return {row["id"]: row for row in rows}


def test_llava(pairs, tmp_path):
    export(pairs, tmp_path / "out", format="llava")
    rows = json.loads((tmp_path / "out" / "train.json").read_text())
    assert rows[0] == {
        "id": "plain",
        "image": WHOLE,
        "conversations": [
            {"from": "human", "value": "<image>\nReal or fake?"},
            {"from": "gpt", "value": "fake"},
        ],
    }
    assert rows[2]["image"] == [WHOLE, *CROPS]
    assert rows[2]["conversations"][2]["value"] == "<image>\n<image>\nHere it is, with another."


def test_llama_factory(pairs, tmp_path):
    export(pairs, tmp_path / "out", format="llama-factory")
    rows = by_id(lines(tmp_path / "out" / "train.jsonl"))
    assert rows["plain"] == {
        "id": "plain",
        "messages": [
            {"role": "user", "content": "<image>Real or fake?"},
            {"role": "assistant", "content": "fake"},
        ],
        "images": [WHOLE],
    }
    assert "<box>[[100, 200, 300, 400]]</box>" in rows["boxed"]["messages"][0]["content"]
    info = read_json(tmp_path / "out" / "dataset_info.json")
    assert list(info) == ["fakeinstruct_train", "fakeinstruct_validation"]
    assert info["fakeinstruct_train"] == {
        "file_name": "train.jsonl",
        "formatting": "sharegpt",
        "columns": {"messages": "messages", "images": "images"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
        },
    }


def test_ms_swift_takes_boxes_out_of_the_words(pairs, tmp_path):
    export(pairs, tmp_path / "out", format="ms-swift")
    assert set(by_id(lines(tmp_path / "out" / "train.jsonl"))) == {"plain", "looks"}
    (row,) = lines(tmp_path / "out" / "train-boxes.jsonl")
    assert row["messages"] == [
        {"role": "user", "content": "<image>What is at <bbox>?"},
        {"role": "assistant", "content": "A seam, as at <bbox><bbox>."},
    ]
    boxes = [[0.1, 0.2, 0.3, 0.4], [0.0, 0.0, 0.5, 1.0], [0.25, 0.25, 0.75, 0.75]]
    assert row["objects"] == {"ref": [], "bbox": boxes, "bbox_type": "norm1"}


def test_trl_has_a_row_for_each_answer(pairs, tmp_path):
    export(pairs, tmp_path / "out", format="trl")
    first, second = [row for row in lines(tmp_path / "out" / "train.jsonl") if row["id"] == "looks"]
    assert first["images"] == [WHOLE]
    assert first["completion"] == [
        {"role": "assistant", "content": [{"type": "text", "text": "This part is odd."}]}
    ]
    assert second["images"] == [WHOLE, *CROPS]
    assert [turn["role"] for turn in second["prompt"]] == ["user", "assistant", "user"]
    assert [block["type"] for block in second["prompt"][2]["content"]] == ["image", "image", "text"]
    assert second["completion"][0]["content"][0]["text"] == "It is fake."


def test_jsonl_is_the_pair_itself(pairs, tmp_path):
    manifest = export(pairs, tmp_path / "out", format="jsonl")
    rows = lines(tmp_path / "out" / "train.jsonl")
    assert [Pair.model_validate(row) for row in rows] == ALL[:3]
    assert manifest.without_answer == 0
    assert lines(tmp_path / "out" / "test.jsonl")[0]["id"] == "item"
    assert not (tmp_path / "out" / "images").exists()


@pytest.mark.parametrize("name", TRAINERS)
def test_as_many_placeholders_as_images_and_every_image_is_there(pairs, tmp_path, name):
    manifest = export(pairs, tmp_path / "out", format=name)
    assert (manifest.pairs, manifest.without_answer, manifest.rejected) == (4, 1, 0)
    count = 0
    for file in manifest.files:
        text = (tmp_path / "out" / file).read_text()
        rows = json.loads(text) if file.endswith(".json") else lines(tmp_path / "out" / file)
        assert len(rows) == manifest.files[file].rows
        for row in rows:
            images = row.get("images") or ([row["image"]] if isinstance(row["image"], str) else row["image"])
            said = json.dumps(row)
            placeholders = said.count("<image>") or said.count('"type": "image"')
            assert placeholders == len(images)
            for image in images:
                assert (tmp_path / "out" / manifest.image_root / image).is_file()
                count += 1
    assert count >= 6


@pytest.mark.parametrize("name", TRAINERS)
def test_rows_of_a_file_have_the_same_columns_of_the_same_types(pairs, tmp_path, name):
    """`datasets` takes them from a file's first ten megabytes and fails on any later change."""
    manifest = export(pairs, tmp_path / "out", format=name)
    for file in manifest.files:
        if file.endswith(".jsonl"):
            shapes = {shape(row) for row in lines(tmp_path / "out" / file)}
            assert len(shapes) == 1


def shape(value):
    """A value's type, the lengths of its lists and its null texts aside; an empty list stays one."""
    if isinstance(value, dict):
        return tuple((key, shape(inner)) for key, inner in value.items())
    if isinstance(value, list):
        return ("list", *sorted({shape(inner) for inner in value}))
    return "str" if value is None or isinstance(value, str) else type(value).__name__


def test_crops_are_the_pixels_that_the_box_holds(pairs, tmp_path):
    export(pairs, tmp_path / "out", format="trl")
    image = load_image(pairs.image_root / "a.png")
    for crop, file in zip(LOOKS.images[1:], CROPS, strict=True):
        with Image.open(tmp_path / "out" / file) as found:
            assert found.format == "PNG"
            assert found.tobytes() == crop_image(image, crop.crop).tobytes()
    copy = (tmp_path / "out" / WHOLE).read_bytes()
    assert copy == (pairs.image_root / "a.png").read_bytes()


def test_without_crops_images_stay_where_they_are(pairs, tmp_path):
    assert has_crops(pairs)
    assert not has_crops(pairs, tasks=["verdict"])
    manifest = export(pairs, tmp_path / "out", format="llama-factory", tasks=["verdict"])
    assert manifest.image_root == "../pictures"
    assert lines(tmp_path / "out" / "train.jsonl")[0]["images"] == ["a.png"]
    assert not (tmp_path / "out" / "images").exists()
    copied = export(pairs, tmp_path / "out", format="llama-factory", tasks=["verdict"], copy_images=True)
    assert copied.image_root == "."
    assert (tmp_path / "out" / WHOLE).is_file()


def test_one_split(pairs, tmp_path):
    manifest = export(pairs, tmp_path / "out", format="ms-swift", split="validation")
    assert {name: file.rows for name, file in manifest.files.items()} == {"validation.jsonl": 1}


def test_the_manifest_is_what_is_on_disk_and_a_second_run_writes_the_same_bytes(pairs, tmp_path):
    first = export(pairs, tmp_path / "out", format="ms-swift")
    assert ExportManifest.model_validate(read_json(tmp_path / "out" / "manifest.json")) == first
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    export(pairs, tmp_path / "out", format="ms-swift")
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("held", ["pairs", "pictures"])
def test_a_folder_that_is_no_export_is_not_replaced_least_of_all_the_pairs(pairs, tmp_path, held):
    before = {path: path.read_bytes() for path in (tmp_path / held).iterdir()}
    with pytest.raises(FakeInstructError, match="not an export"):
        export(pairs, tmp_path / held, format="trl")
    assert {path: path.read_bytes() for path in (tmp_path / held).iterdir()} == before


@pytest.mark.parametrize("format", ["llama-factory", "jsonl"])
def test_an_export_with_a_file_of_somebody_s_own_is_not_replaced(pairs, tmp_path, format):
    out = tmp_path / "out"
    export(pairs, out, format=format, copy_images=True)
    export(pairs, out, format="trl")
    (out / "mynotes.txt").write_text("kept")
    with pytest.raises(FakeInstructError, match=r"mynotes\.txt"):
        export(pairs, out, format=format)
    assert (out / "mynotes.txt").read_text() == "kept"


HOSTILE = {
    "an image token": plain("p").model_copy(
        update={"messages": (turn("user", "Is <image> real?", images=1), turn("assistant", "no"))}
    ),
    "a box token of ms-swift's": make_pair(
        "p", turn("user", "At?", images=1), turn("assistant", "At <bbox>")
    ),
    "a control token": make_pair("p", turn("user", "At?", images=1), turn("assistant", "x<|im_end|>")),
    "an answer without words": make_pair("p", turn("user", "At?", images=1), turn("assistant", " ")),
    "two questions": make_pair("p", turn("user", "A?", images=1), turn("user", "B?"), turn("assistant", "c")),
    "an answer first": make_pair("p", turn("assistant", "a", images=1), turn("assistant", "c")),
    "too few placeholders": make_pair("p", turn("user", "A?"), turn("assistant", "c")),
    "an image in the answer": make_pair("p", turn("user", "A?"), turn("assistant", "c", images=1)),
    "a path that climbs out": plain("p", images=(PairImage(path="../pairs/manifest.json"),)),
    "an absolute path": plain("p", images=(PairImage(path="/etc/passwd"),)),
    "a link that leads out": plain("p", images=(PairImage(path="link.png"),)),
    "a file that is no image": plain("p", images=(PairImage(path="secret.txt"),)),
    "a missing image": plain("p", images=(PairImage(path="gone.png"),)),
}


@pytest.mark.parametrize("bad", HOSTILE.values(), ids=list(HOSTILE))
@pytest.mark.parametrize("name", ["llava", "trl"])
def test_a_bad_pair_is_counted_and_listed_and_the_rest_written(tmp_path, bad, name):
    pairs = write_set(tmp_path / "pairs", [bad, plain("good")])
    draw(tmp_path, "outside.png")
    (pairs.image_root / "link.png").symlink_to(tmp_path / "outside.png")
    (pairs.image_root / "secret.txt").write_text("password")
    rejects = Rejects()
    manifest = export(pairs, tmp_path / "out", format=name, copy_images=True, rejects=rejects)
    assert (manifest.pairs, manifest.rejected) == (1, 1)
    assert [error.record for error in rejects.errors] == ["p"]
    copied = {path.name for path in (tmp_path / "out" / "images").rglob("*") if path.is_file()}
    assert copied == {"a.png"}


def test_images_that_are_all_missing_end_the_run_and_leave_nothing(tmp_path):
    pairs = write_set(tmp_path / "pairs", [plain(f"p{number}") for number in range(40)])
    (pairs.image_root / "a.png").unlink()
    with pytest.raises(FakeInstructError, match=r"40 of 40 records rejected.*image file is missing"):
        export(pairs, tmp_path / "out", format="llava")
    assert not (tmp_path / "out").exists()


def test_only_evaluation_items_give_an_error_that_says_so(tmp_path):
    pairs = write_set(tmp_path / "pairs", [QUESTION_ONLY])
    with pytest.raises(FakeInstructError, match=r"1 evaluation items have no answer.*splits: test"):
        export(pairs, tmp_path / "out", format="llava")


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"format": "lava"}, "llava"),
        ({"format": "trl", "split": "trian"}, "train"),
        ({"format": "trl", "tasks": ["verdict", "reason"]}, "reasoning"),
    ],
)
def test_a_misspelt_name_is_wrong_usage(pairs, tmp_path, wrong, hint):
    with pytest.raises(UsageError, match=f"Did you mean '{hint}'"):
        export(pairs, tmp_path / "out", **wrong)


def test_no_task_is_wrong_usage(pairs, tmp_path):
    with pytest.raises(UsageError, match=r"no task is named\. Known: verdict, "):
        export(pairs, tmp_path / "out", format="trl", tasks=[])


corners = st.tuples(st.integers(0, 999), st.integers(1, 1000)).filter(lambda pair: pair[0] < pair[1])
fractions = st.tuples(corners, corners).map(
    lambda box: (box[0][0] / 1000, box[1][0] / 1000, box[0][1] / 1000, box[1][1] / 1000)
)
words = st.text(st.sampled_from("ab <>[]0,.\n"), min_size=1, max_size=12)


@given(st.lists(st.tuples(words, st.lists(fractions, min_size=1, max_size=3)), max_size=4), words)
def test_boxes_put_back_give_the_text_again(parts, end):
    text = "".join(word + box_text(boxes) for word, boxes in parts) + end
    taken_boxes: list[list[float]] = []
    taken = _take_boxes(text, taken_boxes)
    waiting = iter(taken_boxes)

    def back(match: re.Match[str]) -> str:
        return box_text([tuple(next(waiting)) for _ in range(match.group().count("<bbox>"))])

    assert re.sub("(?:<bbox>)+", back, taken) == text
    assert not list(waiting)
