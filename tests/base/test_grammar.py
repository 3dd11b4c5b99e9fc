import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fakeinstruct.base.grammar import MARKUP, Answer, box_text, find_boxes, parse_answer, thousandths

ANSWER = (
    "<think>The sign melts <box>[[100, 250, 500, 1000]]</box>.</think>"
    "<tag>realism: low</tag><verdict>fake</verdict>"
)

sides = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted).filter(lambda side: side[0] < side[1])
boxes = st.tuples(sides, sides).map(lambda both: (both[0][0], both[1][0], both[0][1], both[1][1]))


def test_canonical_text():
    assert box_text([(0.1, 0.25, 0.5, 1.0)]) == "<box>[[100, 250, 500, 1000]]</box>"
    two = box_text([(0, 0, 1, 1), (0.0004, 0.9999, 0.0005, 1.0)])
    assert two == "<box>[[0, 0, 1000, 1000], [0, 999, 1, 1000]]</box>"
    with pytest.raises(ValueError, match="no box"):
        box_text([])


@given(st.lists(boxes, min_size=1, max_size=5), st.text(), st.text())
def test_boxes_come_back_from_any_surroundings(drawn, before, after):
    """Among others: unescaped bars in a token's pattern once made every IoU zero."""
    text = before.replace("<", "") + box_text(drawn) + after.replace("<", "")
    (found,) = find_boxes(text)
    assert text[found.start : found.end] == box_text(drawn)
    assert len(found.boxes) == len(drawn)
    for read, written in zip(found.boxes, drawn, strict=True):
        assert all(abs(one - other) <= 0.001 for one, other in zip(read, written, strict=True))
        assert read[0] < read[2]
        assert read[1] < read[3]
    assert box_text(found.boxes) == box_text(drawn)


@given(boxes)
def test_a_box_is_never_rounded_to_nothing(box):
    x0, y0, x1, y1 = thousandths(box)
    assert 0 <= x0 < x1 <= 1000
    assert 0 <= y0 < y1 <= 1000


@pytest.mark.parametrize(
    "text",
    [
        "<box>[[1,2,3,4]]</box>",
        "<box> [ [1, 2,3 ,4] ] </box>",
        "<box>\n[[1, 2, 3, 4]]\n</box>",
    ],
)
def test_spacing_does_not_matter(text):
    assert find_boxes(text)[0].boxes == ((0.001, 0.002, 0.003, 0.004),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<box></box>",
        "<box>[]</box>",  # an empty list of objects is no box, and says nothing of the label
        "<box>[[]]</box>",
        "<box>[1, 2, 3, 4]</box>",
        "<box>(1,2),(3,4)</box>",
        "<|box_start|>(1,2),(3,4)<|box_end|>",
        "<box>[[1, 2, 3]]</box>",
        "<box>[[1, 2, 3, 4, 5]]</box>",
        "<box>[[1, 2, 3, 4], ]</box>",
        "<box>[[3, 2, 1, 4]]</box>",
        "<box>[[1, 4, 3, 4]]</box>",
        "<box>[[0, 0, 1001, 5]]</box>",
        "<box>[[10, 10, 1920, 1080]]</box>",  # pixels of some image
        "<box>[[0.1, 0.2, 0.3, 0.4]]</box>",
        "<box>[[-1, 2, 3, 4]]</box>",
        "<box>[[01, 2, 3, 4]]</box>",
        "<box>[[\u0661, 2, 3, 4]]</box>",
        "<box>[[1, 2, 3, 4], [5, 5, 5, 5]]</box>",
        "<Box>[[1, 2, 3, 4]]</Box>",
    ],
)
def test_what_is_not_a_box_is_passed_over(text):
    assert find_boxes(text) == ()
    assert parse_answer(f"<think>{text}</think><verdict>real</verdict>") is None or "<box" not in text.lower()


def test_a_grounded_answer():
    assert parse_answer(ANSWER) == Answer(
        "The sign melts <box>[[100, 250, 500, 1000]]</box>.",
        ((0.1, 0.25, 0.5, 1.0),),
        {"realism": "low"},
        "fake",
    )
    bare = parse_answer("\n<think>\nAll in order: 1 < 2.\n</think>\n<verdict> real </verdict>\n")
    assert bare == Answer("All in order: 1 < 2.", (), {}, "real")
    tags = parse_answer(ANSWER.replace("<tag>", "<tag>at: 10:30</tag> <tag>"))
    assert tags is not None
    assert tags.tags == {"at": "10:30", "realism": "low"}


@pytest.mark.parametrize(
    "text",
    [
        "",  # a completion without any token
        "fake",
        "This image is not real.",  # a reader of the last keyword takes this for real
        "It looks unrealistic.",
        ANSWER.replace("fake", "not real"),
        ANSWER.replace("fake", "unrealistic"),
        ANSWER.replace("fake", "Fake"),
        ANSWER.replace("fake", "generated"),
        ANSWER.replace("fake", "fake or real"),
        ANSWER.replace("fake", ""),
        ANSWER.replace("<verdict>", "<verdict><verdict>"),
        ANSWER + "<verdict>real</verdict>",
        ANSWER + " Or so I think.",
        "Well. " + ANSWER,
        ANSWER.replace("melts", "melts <verdict>real</verdict>"),
        ANSWER.replace("melts", "melts <tag>a: b</tag>"),
        ANSWER.replace("melts", "melts <think>"),
        ANSWER.replace("melts", "melts </think>"),
        ANSWER.replace("1000]]", "1001]]"),
        ANSWER.replace("</box>", ""),
        ANSWER.replace("<tag>realism: low</tag>", "<tag>realism</tag>"),
        ANSWER.replace("<tag>realism: low</tag>", "<tag>: low</tag>"),
        ANSWER.replace("<tag>realism: low</tag>", "<tag>realism: </tag>"),
        ANSWER.replace("<tag>", "<tag>realism: high</tag><tag>"),
        ANSWER.replace("<tag>realism: low</tag>", "<verdict>fake</verdict>"),
        ANSWER.replace("think>", "thinking>"),
        ANSWER.split("</think>")[1],
        "<verdict>fake</verdict><think>x</think>",
    ],
)
def test_what_is_not_an_answer_is_none(text):
    assert parse_answer(text) is None


pieces = st.sampled_from(
    [*re.findall(r"<[^>]*>|[^<]+", ANSWER), "<box>[[", "]]", "real", "\0", "<", "[[1, 2, 3, 4]]"]
)


@given(st.lists(pieces | st.text(), max_size=14).map("".join))
@example(ANSWER)
def test_parsing_never_raises_and_answers_hold_together(text):
    answer = parse_answer(text)
    if answer is not None:
        assert f"<verdict>{answer.verdict}</verdict>" in re.sub(r"\s+", "", text)
        assert all(0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1 for x0, y0, x1, y1 in answer.boxes)
        assert not MARKUP.search(" ".join((*answer.tags, *answer.tags.values())))


@pytest.mark.parametrize(
    "text",
    [
        "<think>" * 40_000,
        "<think></think>" + "<tag>" * 40_000,
        "<think></think><tag>" + "a " * 80_000 + "</tag><verdict>real</verdict>",
        "<box>[" * 40_000,
        "<box>[" + "[1, 2, 3, 4]," * 20_000,
        ("<box>[" + "[1, 2, 3, 4]," * 20) * 1_000,
        "<box>" + " " * 200_000,
    ],
)
def test_long_hostile_text_takes_no_time(text):
    start = time.perf_counter()
    parse_answer(text)
    find_boxes(text)
    MARKUP.search(text)
    assert time.perf_counter() - start < 1
