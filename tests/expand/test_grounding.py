"""Regions, boxes in answers, the strongest flaw, and the targets that go with them."""

import re

import pytest
from conftest import ORIGIN, make_chain

from fakeinstruct.base.grammar import find_boxes, parse_answer
from fakeinstruct.chains.schema import Assessment, Chain, ImageRef, Label, Region, Trace
from fakeinstruct.expand.context import gather
from fakeinstruct.expand.regions import MOST_REGIONS, regions_of
from fakeinstruct.expand.render import draw, render_variant, row_of
from fakeinstruct.expand.space import spaces

CORNER, CENTRE, WHOLE = (0.0, 0.0, 0.2, 0.2), (0.4, 0.4, 0.6, 0.6), (0.0, 0.0, 0.9, 0.9)


def trace(name, attribute, label, boxes=(), **more):
    regions = tuple(Region(box=box) for box in boxes)
    return Trace(
        id=name, attribute=attribute, points_to=label, observation=f"{name} is seen", regions=regions, **more
    )


def chain(label, *traces, **more):
    return Chain(
        id="c",
        image=ImageRef(path="c.png"),
        label=label,
        dataset="hand",
        group="c",
        traces=traces,
        origin=ORIGIN,
        **more,
    )


def pairs_of(template, facts, topic=None):
    """Every pair of a template, or those of one topic."""
    for found, space in spaces(template, facts).items():
        for drawn in draw(template, facts, found, space, 0) if topic in (None, found) else ():
            row = row_of(render_variant(template, facts, drawn))
            row["target"]["boxes"] = list(map(tuple, row["target"]["boxes"]))
            yield row


def words(row, role="assistant"):
    return "\n".join(m["content"][-1]["text"] for m in row["messages"] if m["role"] == role)


def test_regions_leave_out_the_whole_picture_and_merge_equal_boxes(taxonomy):
    facts = gather(
        chain(
            Label.FAKE,
            trace("one", "edge", Label.FAKE, (CORNER, WHOLE)),
            trace("two", "texture", Label.FAKE, (CORNER, CENTRE, CENTRE), inference="so it is"),
            trace("three", None, Label.FAKE, (CENTRE,)),
            trace("four", "shape", Label.REAL, ((0.7, 0.7, 0.9, 0.9),)),
        ),
        taxonomy,
    )
    corner, centre = regions_of(facts.traces)
    assert (corner.box, corner.place) == (CORNER, "upper left")
    assert corner.view == {
        "box": "<box>[[0, 0, 200, 200]]</box>",
        "name": "edges and texture",
        "observation": "One is seen. Two is seen.",
        "inference": "So it is.",
        "where": "in the upper left",
    }
    assert (centre.box, centre.place, centre.view["name"]) == (CENTRE, "centre", None)


def test_regions_are_few(taxonomy):
    boxes = [(0.01 * n, 0.1, 0.01 * n + 0.05, 0.2) for n in range(90)]
    facts = gather(chain(Label.FAKE, trace("one", "edge", Label.FAKE, boxes)), taxonomy)
    assert len(regions_of(facts.traces)) == MOST_REGIONS


def test_a_region_is_asked_about_by_place_and_by_its_box_alone(templates, taxonomy):
    facts = gather(
        chain(
            Label.FAKE,
            trace("one", "edge", Label.FAKE, (CORNER,)),
            trace("two", None, Label.FAKE, (CENTRE,)),
        ),
        taxonomy,
    )
    assert set(spaces(templates["grounding/describe"], facts)) == {"upper left", "centre"}
    assert set(spaces(templates["grounding/attribute"], facts)) == {"upper left"}
    for row in pairs_of(templates["grounding/describe"], facts, "centre"):
        question = words(row, "user")
        assert find_boxes(question)[0].boxes == (CENTRE,)
        assert "seen" not in re.sub("to be seen", "", question)
        assert row["target"]["boxes"] == [CENTRE]
        assert "Two is seen." in words(row)


def test_boxes_are_written_of_flaws_and_nothing_else(templates, taxonomy):
    fake = gather(
        chain(
            Label.FAKE,
            trace("one", "edge", Label.FAKE, (CORNER, CENTRE)),
            trace("two", "theme", Label.REAL, (CENTRE,)),
            assessed={"text": Assessment.ABSENT},
        ),
        taxonomy,
    )
    real = gather(chain(Label.REAL, trace("two", "theme", Label.REAL, (CENTRE,))), taxonomy)
    for name in ("grounding/locate", "grounding/point"):
        for row in pairs_of(templates[name], fake, "edge"):
            assert find_boxes(words(row))[0].boxes == (CORNER, CENTRE)
            assert row["target"]["boxes"] == [CORNER, CENTRE]
            assert row["target"]["attributes"] == ["edge"]
        others = [*pairs_of(templates[name], fake, "theme"), *pairs_of(templates[name], fake, "text")]
        others += list(pairs_of(templates[name], real))
        assert len(others) > 30
        for row in others:
            assert "<box>" not in words(row)
            assert row["target"]["boxes"] == []


def test_of_a_photograph_no_more_is_said_than_its_label_entails(templates, taxonomy):
    """Label-only reals: the answers are the same whatever the picture shows."""
    bare = gather(chain(Label.REAL), taxonomy)
    for template in templates.templates:
        for row in pairs_of(template, bare):
            assert not re.search(r"\bseen?\b.*\b(?:at|in the (?:upper|lower))\b", words(row))
            assert row["target"]["attributes"] == []
            assert row["target"]["boxes"] == []
            break
    topics = set(spaces(templates["grounding/locate"], bare))
    assert topics == set(taxonomy.attributes)
    for row in pairs_of(templates["grounding/locate"], bare, "texture"):
        assert "photograph" in words(row)


def test_how_many_flaws(templates, taxonomy):
    for count in (1, 2, 3):
        facts = gather(
            chain(Label.FAKE, *(trace(f"n{n}", None, Label.FAKE, (CORNER,)) for n in range(count))), taxonomy
        )
        for row in pairs_of(templates["grounding/count"], facts):
            text = words(row)
            assert text.count("\n- ") == text.count("<box>") == count
            stated = re.search(r"\d+|one", text.split("\n")[0])
            assert stated
            assert stated.group().replace("one", "1") == str(count)
            assert ("flaws" in text) <= (count > 1)
    for row in pairs_of(templates["grounding/count"], gather(chain(Label.REAL), taxonomy)):
        assert re.search(r"\bNone\b|\b0\b|\bno flaws\b", words(row))


def test_flaws_are_needed_of_fakes_alone(templates, taxonomy):
    count = templates["grounding/count"]
    assert spaces(count, gather(chain(Label.REAL), taxonomy))
    assert not spaces(count, gather(chain(Label.FAKE), taxonomy))
    unplaced = trace("one", "edge", Label.FAKE)
    assert not spaces(count, gather(chain(Label.FAKE, unplaced), taxonomy))


@pytest.mark.parametrize(
    ("severities", "strongest"),
    [
        (("slight",), "t0"),
        (("slight", "severe", "clear"), "t1"),
        (("severe", "severe", "clear"), None),
        (("severe", None), None),  # it could be graver still
        ((None,), None),
        ((), None),
    ],
)
def test_the_strongest_flaw_is_uniquely_gravest(templates, taxonomy, severities, strongest):
    traces = [trace(f"t{n}", "edge", Label.FAKE, (CORNER,), severity=one) for n, one in enumerate(severities)]
    facts = gather(chain(Label.FAKE, *traces, trace("r", "theme", Label.REAL, severity="severe")), taxonomy)
    assert (facts.strongest.id if facts.strongest else None) == strongest
    rows = list(pairs_of(templates["grounding/strongest"], facts))
    assert bool(rows) == (strongest is not None)
    for row in rows:
        assert f"{strongest} is seen" in words(row).replace("T", "t")
        assert row["target"]["boxes"] == [CORNER]


def test_a_report_is_read_back(templates, taxonomy):
    facts = gather(make_chain("c", Label.FAKE), taxonomy)
    for row in list(pairs_of(templates["grounding/report"], facts))[:30]:
        answer = parse_answer(words(row))
        assert answer is not None
        assert answer.verdict == "fake"
        assert answer.tags == {"texture quality": "low", "realism": "fair"}
        assert list(answer.boxes) == [pytest.approx(box, abs=0.001) for box in row["target"]["boxes"]]
        assert row["target"]["tags"] == [
            {"name": "texture quality", "value": "low"},
            {"name": "realism", "value": "fair"},
        ]
    for row in pairs_of(templates["grounding/report"], gather(make_chain("c", Label.REAL), taxonomy)):
        answer = parse_answer(words(row))
        assert answer is not None
        assert (answer.verdict, answer.boxes, answer.tags) == ("real", (), {})
        assert row["target"]["boxes"] == []
        assert row["target"]["tags"] is None
