"""Two looks: which boxes the first answer names, and which crops the second question shows."""

import pytest
from conftest import make_chain
from hypothesis import given
from hypothesis import strategies as st
from test_grounding import CENTRE, CORNER, WHOLE, chain, pairs_of, trace, words

from fakeinstruct.base.grammar import find_boxes, thousandths
from fakeinstruct.chains.schema import Label
from fakeinstruct.expand.context import gather
from fakeinstruct.expand.pair import parse_pair
from fakeinstruct.expand.regions import MOST_LOOKS, crop_of
from fakeinstruct.expand.space import spaces

LOOKS = ("looks/scan", "looks/confirm", "looks/report")

sides = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted).filter(lambda side: side[0] < side[1])


@given(sides, sides)
def test_a_crop_is_the_box_with_a_tenth_around_it_as_far_as_the_image_reaches(across, down):
    x0, y0, x1, y1 = crop_of((across[0], down[0], across[1], down[1]))
    assert 0 <= x0 <= across[0] < across[1] <= x1 <= 1
    assert 0 <= y0 <= down[0] < down[1] <= y1 <= 1
    assert x1 - x0 <= 1.2 * (across[1] - across[0]) + 1e-9
    assert y1 - y0 <= 1.2 * (down[1] - down[0]) + 1e-9


def test_what_a_crop_takes_in():
    assert crop_of((0.4, 0.2, 0.6, 0.4)) == pytest.approx((0.38, 0.18, 0.62, 0.42))
    assert crop_of((0.0, 0.5, 0.5, 1.0)) == pytest.approx((0.0, 0.45, 0.55, 1.0))


@pytest.mark.parametrize("name", LOOKS)
@pytest.mark.parametrize("label", list(Label))
def test_the_crops_are_those_that_the_first_answer_names_in_its_order(templates, taxonomy, name, label):
    traces = (
        trace("one", "edge", label, (CORNER, WHOLE, CENTRE)),
        trace("two", "texture", label, ((0.7, 0.7, 0.9, 0.9),)),
        trace("three", None, label),
    )
    facts = gather(chain(label, *traces), taxonomy)
    assert set(spaces(templates[name], facts)) == {"3 crops"}
    for row in list(pairs_of(templates[name], facts))[:40]:
        pair = parse_pair(row)
        written = [box for one in find_boxes(pair.messages[1].text()) for box in one.boxes]
        assert len(written) == 3
        assert [image.crop for image in pair.images[1:]] == [crop_of(box) for box in pair.target.boxes]
        assert [thousandths(box) for box in written] == [thousandths(box) for box in pair.target.boxes]
        assert {(image.path, image.parent) for image in pair.images[1:]} == {("c.png", "c.png")}
        kinds = [[block.type for block in message.content] for message in pair.messages]
        assert kinds == [["image", "text"], ["text"], ["image"] * 3 + ["text"], ["text"]]
        assert pair.target.verdict is label
        assert pair.target.attributes == ("edge", "texture")
        assert "One is seen." in words(row)
        assert "Three is seen." not in words(row)


def test_a_trace_with_two_boxes_is_told_once(templates, taxonomy):
    facts = gather(chain(Label.FAKE, trace("one", "edge", Label.FAKE, (CORNER, CENTRE))), taxonomy)
    first = next(pairs_of(templates["looks/scan"], facts))
    assert "1 and 2. <box>[[0, 0, 200, 200], [400, 400, 600, 600]]</box>" in words(first)
    assert words(first).count("One is seen.") == 1


def test_there_are_four_looks_at_most(templates, taxonomy):
    boxes = [(0.1 * n, 0.1, 0.1 * n + 0.1, 0.2) for n in range(9)]
    for own in ([boxes], [[box] for box in boxes]):
        traces = [trace(f"t{n}", "edge", Label.FAKE, some) for n, some in enumerate(own)]
        facts = gather(chain(Label.FAKE, *traces), taxonomy)
        assert set(spaces(templates["looks/scan"], facts)) == {f"{MOST_LOOKS} crops"}


@pytest.mark.parametrize("label", list(Label))
def test_without_a_region_there_is_nothing_to_look_at(templates, taxonomy, label):
    for traces in ((), (trace("one", "edge", label),), (trace("one", "edge", label, (WHOLE,)),)):
        facts = gather(chain(label, *traces), taxonomy)
        assert not any(spaces(templates[name], facts) for name in LOOKS)
    assert spaces(templates["looks/scan"], gather(make_chain("c", label), taxonomy))


def test_the_number_of_crops_is_balanced_by_label(templates, taxonomy):
    """It is part of the second question, so it is a topic: the plan gives both labels as many of each."""
    facts = gather(chain(Label.REAL, trace("one", "edge", Label.REAL, (CORNER,))), taxonomy)
    assert set(spaces(templates["looks/scan"], facts)) == {"1 crop"}
