"""Whatever stands in a record, an import ends with chains, rejects, or one message."""

import json
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from published import conversation, picture, write

from fakeinstruct.base.errors import FakeInstructError, Rejects
from fakeinstruct.chains.importers import import_chains

TALK = conversation("a.png", "This is a fake image. The hand is odd.", label=0, metadata={"generator": "x"})
PATH = "sd/1_fake/a.png"
REASONS = "<REASONING>The hand is odd.</REASONING><CONCLUSION>This image is fake.</CONCLUSION>"
RECORDS = {
    "llava": [TALK, {"image": "a.png", "question": "Real?", "ground_truth": "Fake"}],
    "fakeclue": [TALK],
    "mmfr": [conversation("a.png", REASONS), {PATH: {"Low Image Quality": "Blurred."}}],
    "loki": [
        {
            "image_path": "a.png",
            "problems": {
                "regional": [{"region": [1, 1, 9, 9], "desc": "Odd."}],
                "global": [{"desc": "Odd."}],
            },
            "id": "1",
            "question": "Why?",
        },
        {
            "image_path": "a.png",
            "question": "Fake?",
            "answer": "Yes",
            "question_type": "image_tf_image_fake_ask_fake_x",
            "id": "2",
        },
    ],
    "fakebench": [
        {"image_id": "a.png", "question": "fake or real?", "answer": "fake", "authenticity": 0},
        {"image_id": "a.png", "faultfinding_mode": "Why?", "inference_mode": "Which?"},
        {"image_id": "a.png", "Q1": "How is the edge?"},
    ],
    "synthscars": [
        {
            "1": {
                "img_file_name": "a.png",
                "caption": "Odd.",
                "refs": [{"sentence": "Odd.", "segmentation": [[1, 1, 9, 1, 9, 9]], "explanation": "Odd."}],
            }
        }
    ],
    "fakexplained": [
        {
            "messages": [
                {"role": "user", "content": "<image>Real?"},
                {
                    "role": "assistant",
                    "content": "<think><ref-object><bbox></think><verdict>generated</verdict>",
                },
            ],
            "images": ["a.png"],
            "objects": {"ref": ["odd"], "bbox": [[1, 1, 9, 9]]},
        }
    ],
    "xaigd": [
        {
            "generator": "x",
            "uid": "1",
            "width": 40,
            "height": 30,
            "image": "a.png",
            "labels": [{"label": "low-level-texture", "points": [[1, 1], [9, 1], [9, 9]]}],
        }
    ],
    "sida": [{"a.png": "<lighting>The light is odd."}],
    "sofake": [{"image": "a.png", "answer": "<answer>TAMPERED,(48,0),(219,223)</answer>"}],
}

JUNK = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        2.5,
        1e308,
        10**40,
        "",
        " ",
        "\0",
        "\ud800",
        "../a.png",
        "/etc/passwd",
        "x" * 30_000,
        [],
        {},
    ]
) | st.recursive(
    st.none() | st.text(max_size=9) | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)


def places(value, path=()):
    """Where something stands in a record."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in parts:
        yield from places(inner, (*path, key))


def replaced(value, path, junk):
    if not path:
        return junk
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], junk)
    return copy


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    picture(folder / "images/a.png", 0)
    picture(folder / "images" / PATH, 1)
    picture(folder / "sida/tampered/a.png", 2)
    (folder / "sida/masks").mkdir()
    Image.new("L", (40, 30), 255).save(folder / "sida/masks/a_mask.png")
    return folder


def taken(images, format, value, name):
    """Import a file of records; SID-Set's descriptions lie among its images, under a name of their own."""
    rejects = Rejects(1.0)
    options = {"rejects": rejects, "dry_run": True}
    if format == "sida":
        write(images / "sida/description/tampered_GT.json", json.dumps(value))
        return import_chains(format, images / "sida", images / "out", **options), rejects
    file = write(images / format / name, json.dumps(value))
    return import_chains(format, file, images / "out", image_root=images / "images", **options), rejects


@pytest.mark.parametrize("format", RECORDS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_junk_anywhere_in_a_record_is_a_reject_or_one_message(images, format, data):
    record = data.draw(st.sampled_from(RECORDS[format]))
    bad = replaced(record, data.draw(st.sampled_from(list(places(record)))), data.draw(JUNK))
    name = "open_ended_vqa.json" if format == "loki" else "FakeClass.json"
    keyed = PATH in record or format == "sida"
    with suppress(FakeInstructError):
        taken(images, format, bad if keyed and isinstance(bad, dict) else [bad, record], name)


@pytest.mark.parametrize("format", RECORDS)
def test_the_records_are_sound_before_anything_is_replaced(images, format):
    for number, record in enumerate(RECORDS[format]):
        value = record if PATH in record or format == "sida" else [record]
        summary, rejects = taken(images, format, value, f"train{number}.json")
        assert (summary.chains, len(rejects)) == (1, 0)
