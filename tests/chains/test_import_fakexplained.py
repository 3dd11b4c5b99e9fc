import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from published import picture, problems, take, write

from fakeinstruct.base.errors import RecordError
from fakeinstruct.chains.importers.placeholders import Message, Objects, filled

SIZE = (200, 100)
ANSWER = (
    "<think>1. <ref-object><bbox>\n2. <ref-object><bbox><bbox></think>"
    "<tag>texture quality: low</tag><tag>realism: poor; object correctness: wrong</tag><verdict>generated</verdict>"
)
OBJECTS = {
    "ref": ["the hand has six fingers", "The text on the signs is garbled"],
    "bbox": [[20, 10, 100, 50], [0, 0, 50, 25], [100, 50, 200, 100]],
}


def record(answer=ANSWER, objects=OBJECTS, image="a.png", **more):
    messages = [{"role": "user", "content": "<image>Is this image real?"}]
    messages += [{"role": "assistant", "content": answer}] if answer is not None else []
    return {"messages": messages, "images": [image], "objects": objects, **more}


def run(tmp_path, *records, **options):
    src = tmp_path / "src"
    for number in range(len(records)):
        picture(src / f"{'abcdefghij'[number]}.png", number, SIZE)
    rows = [
        row | {"images": [f"{'abcdefghij'[n]}.png"]} if row["images"] == ["a.png"] else row
        for n, row in enumerate(records)
    ]
    write(src / "train.json", rows)
    return take("fakexplained", src, tmp_path / "out", **options)


def test_flaws_are_paired_with_the_boxes_that_follow_them(tmp_path):
    chains, rejects, _, _ = run(tmp_path, record(), validation=0.0)
    chain = chains["a.png"]
    assert not rejects
    assert (chain.label, chain.manipulation, chain.split) == ("fake", "generated", "train")
    assert chain.texts[0].text == "1. the hand has six fingers\n2. The text on the signs is garbled"
    hand, sign = chain.traces
    assert hand.observation == "The hand has six fingers."
    assert [region.box for region in hand.regions] == [(0.1, 0.1, 0.5, 0.5)]
    assert [region.box for region in sign.regions] == [(0, 0, 0.25, 0.25), (0.5, 0.5, 1, 1)]
    said = chain.texts[0].text
    assert [said[trace.span.start : trace.span.end] for trace in chain.traces] == OBJECTS["ref"]
    assert chain.tags == {"texture quality": "low", "realism": "poor", "object correctness": "wrong"}


def test_boxes_are_pixels_of_the_original_image_not_of_a_resized_one(tmp_path):
    # Qwen2.5-VL would see this image as 196 x 112: a box there is another box.
    chains, _, _, _ = run(tmp_path, record(objects={"ref": OBJECTS["ref"], "bbox": [[0, 0, 196, 100]] * 3}))
    assert chains["a.png"].traces[0].regions[0].box == (0, 0, 0.98, 1)


def test_norm1_boxes_are_fractions_and_need_no_image(tmp_path):
    boxes = {
        "ref": OBJECTS["ref"],
        "bbox": [[0.1, 0.1, 0.5, 0.5], [0, 0, 1, 1], [0, 0, 1, 0.5]],
        "bbox_type": "norm1",
    }
    chains, _, _, _ = run(tmp_path, record(objects=boxes), without_images=True)
    assert chains["a.png"].traces[0].regions[0].box == (0.1, 0.1, 0.5, 0.5)
    chains, rejects, _, _ = run(
        tmp_path, record(answer=None, objects={"ref": [], "bbox": []}), record(), without_images=True
    )
    assert list(chains) == ["a.png"]
    assert "need the image's size" in problems(rejects)["2"]


def test_pixels_taken_for_fractions_are_rejected(tmp_path):
    _, rejects, _, _ = run(
        tmp_path, record("<verdict>real</verdict>", {}), record(objects=OBJECTS | {"bbox_type": "norm1"})
    )
    assert "leaves the image" in problems(rejects)["2"]


@pytest.mark.parametrize("objects", [{"ref": [], "bbox": []}, {}])
@pytest.mark.parametrize("answer", [None, "<think>Nothing is wrong.</think><verdict>real</verdict>"])
def test_an_empty_object_list_is_a_real_image(tmp_path, objects, answer):
    chains, rejects, _, _ = run(tmp_path, record(answer, objects))
    assert not rejects
    assert (chains["a.png"].label, chains["a.png"].manipulation, chains["a.png"].traces) == ("real", None, ())


def test_objects_without_an_answer_are_a_fake_paired_by_their_order(tmp_path):
    chains, _, _, _ = run(
        tmp_path, record(None, {"ref": ["a", "b"], "bbox": [[0, 0, 20, 10], [20, 10, 40, 20]]})
    )
    assert chains["a.png"].label == "fake"
    assert [trace.regions[0].box[0] for trace in chains["a.png"].traces] == [0, 0.1]


def test_a_generated_image_without_flaws_is_a_fake_and_counted(tmp_path):
    chains, _, _, summary = run(tmp_path, record("<think></think><verdict>generated</verdict>", {}))
    assert chains["a.png"].label == "fake"
    assert "fakes without an annotated flaw: 1" in summary.remarks


@pytest.mark.parametrize(
    "verdict",
    [
        "<verdict>not real</verdict>",
        "<verdict>unrealistic</verdict>",
        "<verdict>real or generated</verdict>",
        "<verdict></verdict>",
        "<verdict>real</verdict><verdict>generated</verdict>",
        "<verdict>real<verdict>",
        "It is not real, as unrealistic hands show.",
        "undetermined",
    ],
)
def test_an_answer_without_one_clear_verdict_is_rejected_and_counted(tmp_path, verdict):
    chains, rejects, _, _ = run(tmp_path, record("<verdict>real</verdict>", {}), record(verdict, {}))
    assert set(chains) == {"a.png"}
    assert problems(rejects)["2"].startswith("has no single verdict")


def test_a_refusal_is_no_answer(tmp_path):
    _, rejects, _, _ = run(
        tmp_path, record("<verdict>real</verdict>", {}), record("I'm sorry, but I can't help.", {})
    )
    assert problems(rejects)["2"] == "the answer is a refusal"


@pytest.mark.parametrize(
    "written", ["(20,10),(100,50)", "<|box_start|>(20,10),(100,50)<|box_end|>", "( 2 , 1 ), (3,4)"]
)
def test_boxes_written_into_the_answer_are_not_passed_over(tmp_path, written):
    # The public code's own parsers never match these and score them as no box.
    answer = f"<think>The hand {written}</think><verdict>generated</verdict>"
    _, rejects, _, _ = run(tmp_path, record("<verdict>real</verdict>", {}), record(answer, {}))
    assert problems(rejects)["2"] == "has boxes written into the answer"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"objects": OBJECTS | {"ref": ["a"]}}, "has more placeholders than objects"),
        ({"objects": OBJECTS | {"bbox": OBJECTS["bbox"][:2]}}, "has more placeholders than objects"),
        ({"objects": OBJECTS | {"ref": [*OBJECTS["ref"], "c"]}}, "has more objects than placeholders"),
        ({"objects": OBJECTS | {"bbox": [[1, 2, 3], [0, 0, 1, 1], [0, 0, 1, 1]]}}, "a box has 3 numbers"),
        ({"objects": OBJECTS | {"bbox": [[100, 50, 20, 10]] * 3}}, "a box is empty or turned round"),
        ({"objects": OBJECTS | {"bbox": [[0, 0, 400, 100]] * 3}}, "leaves the image"),
        ({"objects": OBJECTS | {"bbox_type": "norm1000"}}, "norm1"),
        ({"objects": OBJECTS | {"image_id": [0, 1, 0]}}, "of another image than the first"),
        ({"objects": OBJECTS | {"ref": ["a", " "]}}, "a flaw has no words"),
        ({"objects": OBJECTS | {"ref": ["a", "<verdict>real</verdict>"]}}, "has no single verdict"),
        (
            {"objects": [{"caption": "a", "bbox": [1, 2, 3, 4], "bbox_type": "real", "image": 0}]},
            "object|dict",
        ),
        ({"objects": '[{"caption": "a"}]'}, "object|dict"),
        ({"images": ["a.png", "b.png"]}, "names 2 images, not one"),
        ({"images": []}, "names 0 images, not one"),
        ({"messages": "generated"}, "list"),
        (record(ANSWER.replace("generated", "real"))["messages"], "verdict is real, and flaws are annotated"),
        (
            record("<think><bbox></think><verdict>generated</verdict>")["messages"],
            "comes before any <ref-object>",
        ),
    ],
)
def test_what_does_not_fit_is_rejected_with_its_reason(tmp_path, change, problem):
    bad = record() | (change if isinstance(change, dict) else {"messages": change})
    chains, rejects, _, _ = run(tmp_path, record(), bad)
    assert set(chains) == {"a.png"}
    assert rejects.errors[0].record == "2"
    assert any(part in str(rejects.errors[0]) for part in problem.split("|"))


def test_a_box_for_each_image_id_of_the_only_image_is_fine(tmp_path):
    chains, _, _, _ = run(tmp_path, record(objects=OBJECTS | {"image_id": [0, 0, 0]}))
    assert len(chains) == 1


def test_tags_that_are_not_name_and_value_are_counted(tmp_path):
    answer = "<tag>strange</tag><tag>a: b</tag><tag>a: c</tag><verdict>real</verdict>"
    chains, _, _, summary = run(tmp_path, record(answer, {}))
    assert chains["a.png"].tags == {"a": "b"}
    assert "tags that are not 'name: value': 2" in summary.remarks


def test_json_lines_and_paths_of_another_machine_are_read(tmp_path):
    picture(tmp_path / "src/img/a.png", 0, SIZE)
    write(tmp_path / "src/val.jsonl", json.dumps(record() | {"images": ["/mnt/data/x/img/a.png"]}) + "\n\n")
    chains, _, _, _ = take("fakexplained", tmp_path / "src", tmp_path / "out")
    assert (chains["img/a.png"].split, len(chains["img/a.png"].traces)) == ("validation", 2)


@given(
    st.lists(st.tuples(st.text(max_size=9), st.integers(0, 3)), max_size=6),
    st.text(alphabet="ab <>\n", max_size=5),
)
def test_filling_pairs_every_text_with_its_own_boxes(flaws, between):
    text = between.join("<ref-object>" + "<bbox>" * count for _, count in flaws)
    boxes = [[float(n), 0.0, 0.0, 0.0] for n in range(sum(count for _, count in flaws))]
    objects = Objects(ref=[words for words, _ in flaws], bbox=boxes)
    messages = [Message(role="user", content="?"), Message(role="assistant", content=text)]
    answer, found = filled(messages, objects)
    assert [(flaw.words, len(flaw.boxes)) for flaw in found] == flaws
    assert [box for flaw in found for box in flaw.boxes] == boxes
    assert all(answer[flaw.start :].startswith(flaw.words.rstrip(" ")) for flaw in found)


@given(st.text(alphabet="<ref-object>bbox/ ", max_size=60), st.integers(0, 3), st.integers(0, 3))
def test_filling_hostile_text_ends_in_a_text_or_a_reject(text, refs, boxes):
    objects = Objects(ref=["<ref-object><bbox>"] * refs, bbox=[[0.0, 0.0, 1.0, 1.0]] * boxes)
    try:
        filled([Message(role="assistant", content=text)], objects)
    except RecordError as error:
        assert "placeholder" in error.problem or "before any" in error.problem  # noqa: PT017
