from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from published import picture, problems, take, write

from fakeinstruct.base.errors import RecordError
from fakeinstruct.chains.importers.sofake import parse_answer
from fakeinstruct.chains.store import open_chains

TAMPERED = "<answer>TAMPERED,(48,0),(219,223)</answer>"


def run(tmp_path, *records, name="val.json", **options):
    src = tmp_path / options.pop("folder", "src")
    for number, letter in enumerate("abcdef"):
        picture(src / f"{letter}.png", number, (640, 480))
    write(src / name, list(records))
    return take("sofake", src, tmp_path / "out", **options)


def test_boxes_are_in_a_frame_of_224_pixels_whatever_the_image_s_size(tmp_path):
    chains, rejects, _, _ = run(tmp_path, {"image": "a.png", "answer": TAMPERED})
    assert not rejects
    chain = chains["a.png"]
    assert (chain.label, chain.manipulation, chain.split) == ("fake", "edited", "validation")
    assert (chain.image.width, chain.image.height) == (640, 480)
    (trace,) = chain.traces
    assert trace.regions[0].box == (48 / 224, 0, 219 / 224, 223 / 224)
    assert trace.observation == "This part of the picture was edited."


@pytest.mark.parametrize(
    ("answer", "label", "manipulation"),
    [
        ("<answer>REAL</answer>", "real", None),
        ("<answer> real </answer>", "real", None),
        ("<answer>FULL_SYNTHETIC</answer>", "fake", "generated"),
        ("<answer>Full Synthetic</answer>", "fake", "generated"),
        ("<think>It is not real.</think>\n<answer>TAMPERED</answer>", "fake", "edited"),
    ],
)
def test_class_words(answer, label, manipulation):
    assert parse_answer(answer, Counter()) == (label, manipulation, ())


def test_several_boxes():
    answer = "<answer>TAMPERED, (0, 0), (112, 56), (112,112),(224,224)</answer>"
    regions = parse_answer(answer, Counter())[2]
    assert [region.box for region in regions] == [(0, 0, 0.5, 0.25), (0.5, 0.5, 1, 1)]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "REAL",
        "<answer></answer>",
        "<answer>1</answer>",
        "<answer>FAKE</answer>",
        "<answer>not real</answer>",
        "<answer>REAL</answer><answer>TAMPERED</answer>",
        "<answer>REAL,(0,0),(10,10)</answer>",
        "<answer>FULL_SYNTHETIC,(0,0),(10,10)</answer>",
        "<answer>TAMPERED,(48,0)</answer>",
        "<answer>TAMPERED,(48,0),(219,223),(1,1)</answer>",
        "<answer>TAMPERED,[48,0,219,223]</answer>",
        "<answer>TAMPERED,(219,223),(48,0)</answer>",
        "<answer>TAMPERED,(48,0),(640,480)</answer>",
        "<answer>TAMPERED,(48,0),(nan,223)</answer>",
        "<answer>TAMPERED,(48,0),(219,223)",
    ],
)
def test_what_is_no_answer_is_refused(answer):
    with pytest.raises(RecordError):
        parse_answer(answer, Counter())


@given(st.text(alphabet="<answer>/TMPERDL,(0123) ", max_size=80))
def test_hostile_answers_end_in_a_label_or_a_reject(text):
    try:
        label, _, regions = parse_answer(text, Counter())
    except RecordError:
        return
    assert label in ("real", "fake")
    assert not (regions and label == "real")


def test_a_number_is_no_label_since_two_sets_of_the_same_authors_disagree(tmp_path):
    _, rejects, _, _ = run(tmp_path, {"image": "a.png", "answer": TAMPERED}, {"image": "b.png", "label": 1})
    assert problems(rejects)["2"] == "has no answer"
    assert "So-Fake-OOD has 1 for real, SID-Set 0" in rejects.errors[0].hint


def test_the_answer_is_found_in_every_form_of_record(tmp_path):
    think = f"<think>The shadow is odd.</think>{TAMPERED}"
    turns = [{"from": "human", "value": "<image>Real?"}, {"from": "gpt", "value": think}]
    messages = [{"role": "user", "content": "<image>Real?"}, {"role": "assistant", "content": think}]
    chains, rejects, _, _ = run(
        tmp_path,
        {"image": "a.png", "answer": think},
        {"image": "b.png", "solution": think},
        {"image": "c.png", "conversations": turns},
        {"images": ["d.png"], "messages": messages},
    )
    assert not rejects
    assert len(chains) == 4
    for chain in chains.values():
        assert [trace.observation for trace in chain.traces] == [
            "The shadow is odd.",
            "This part of the picture was edited.",
        ]
        assert chain.texts[0].text == "The shadow is odd."


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({"image": "b.png", "answer": TAMPERED, "solution": TAMPERED}, "has 2 answers"),
        ({"image": "b.png"}, "has no answer"),
        ({"answer": TAMPERED}, "names 0 images"),
        ({"images": ["b.png", "c.png"], "answer": TAMPERED}, "names 2 images"),
        ({"image": "b.png", "answer": "<answer>FAKE</answer>"}, "an unknown class word"),
        ({"image": "b.png", "answer": f"<think>I'm sorry, but I can't.</think>{TAMPERED}"}, "is a refusal"),
        ({"image": "z.png", "answer": TAMPERED}, "missing"),
        ("REAL", "not an object"),
    ],
)
def test_a_record_that_does_not_fit_is_rejected_with_its_reason(tmp_path, record, problem):
    chains, rejects, _, _ = run(tmp_path, {"image": "a.png", "answer": TAMPERED}, record)
    assert set(chains) == {"a.png"}
    assert problem in str(rejects.errors[0])


def test_a_tampered_image_without_a_box_is_counted(tmp_path):
    chains, _, _, summary = run(tmp_path, {"image": "a.png", "answer": "<answer>TAMPERED</answer>"})
    assert chains["a.png"].traces == ()
    assert "tampered images without a box: 1" in summary.remarks


def test_boxes_need_no_image(tmp_path):
    chains, _, _, _ = run(tmp_path, {"image": "x/a.png", "answer": TAMPERED}, without_images=True)
    assert chains["x/a.png"].traces[0].regions[0].box[0] == 48 / 224


def test_so_fake_ood_is_for_evaluation_only(tmp_path):
    for folder, reason in (("So-Fake-OOD", True), ("good", False)):
        run(tmp_path, {"image": "a.png", "answer": TAMPERED}, folder=folder)
        assert bool(open_chains(tmp_path / "out").meta.evaluation_only) is reason
