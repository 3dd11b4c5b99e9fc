import pytest
from conftest import ORIGIN

from fakeinstruct.base.errors import RecordError
from fakeinstruct.chains.schema import Assessment, Chain, ImageRef, Label, Region, Text, Trace
from fakeinstruct.expand.context import gather


def chain(label, traces=(), assessed=None, **more):
    return Chain(
        id="c",
        image=ImageRef(path="c.png"),
        label=label,
        dataset="hand",
        group="c",
        traces=traces,
        assessed=assessed or {},
        origin=ORIGIN,
        **more,
    )


def trace(name, attribute, label, **more):
    return Trace(id=name, attribute=attribute, points_to=label, observation=f"{attribute} seen", **more)


def test_facts_of_a_fake(taxonomy):
    facts = gather(
        chain(
            Label.FAKE,
            (
                trace(
                    "a",
                    "texture",
                    Label.FAKE,
                    regions=(Region(box=(0, 0, 0.2, 0.2)), Region(box=(0.4, 0.4, 0.6, 0.6))),
                ),
                trace("b", "texture", Label.FAKE, inference="it repeats", advice="mend it"),
                trace("c", "theme", Label.REAL),
            ),
            {"shape": Assessment.ABSENT, "edge": Assessment.UNSURE, "text": Assessment.PRESENT},
        ),
        taxonomy,
    )
    assert {key: found.status for key, found in facts.attributes.items()} == {
        "texture": "flawed",
        "theme": "sound",
        "shape": "absent",
    }
    assert (facts.flawed, facts.absent) == (("texture",), ("shape",))
    texture = facts.attributes["texture"].view
    assert texture["observation"] == "Texture seen. Texture seen."
    assert texture["where"] == "in the upper left and in the centre"
    assert texture["inference"] == "It repeats."
    assert [(t.id, t.from_bank) for t in facts.traces] == [("a", True), ("b", False)]
    assert facts.traces[0].advice == taxonomy.attributes["texture"].advice
    assert facts.traces[1].advice == ("Mend it.",)


def test_unmentioned_is_not_absent(taxonomy):
    facts = gather(chain(Label.FAKE, (trace("a", "edge", Label.FAKE),)), taxonomy)
    assert facts.absent == facts.photograph == ()
    assert list(facts.attributes) == ["edge"]


def test_of_a_real_image_the_label_says_something_of_every_attribute_and_no_more(taxonomy):
    judged = {"shape": Assessment.ABSENT, "theme": Assessment.UNSURE, "text": Assessment.PRESENT}
    facts = gather(chain(Label.REAL, (trace("a", "edge", Label.REAL),), judged), taxonomy)
    statuses = {key: one.status for key, one in facts.attributes.items()}
    assert statuses.pop("edge") == "sound"
    assert statuses.pop("shape") == "absent"
    assert set(statuses.values()) == {"photograph"}
    assert set(statuses) == set(taxonomy.attributes) - {"edge", "shape", "theme", "text"}
    assert facts.photograph == tuple(statuses)
    assert facts.absent == ("shape",)
    assert facts.flawed == ()
    for key in facts.photograph:
        one = facts.attributes[key]
        assert one.traces == ()
        own = {name: one.view[name] for name in ("observation", "inference", "where", "boxes", "advice")}
        assert set(own.values()) == {None}


@pytest.mark.parametrize(
    ("label", "traces", "assessed"),
    [
        (Label.FAKE, (("edge", Label.FAKE),), {"edge": Assessment.ABSENT}),
        (Label.FAKE, (("edge", Label.FAKE), ("edge", Label.REAL)), {}),
        (Label.REAL, (("edge", Label.FAKE),), {}),
        (Label.FAKE, (("edge", Label.REAL),), {"edge": Assessment.PRESENT}),
    ],
)
def test_an_attribute_on_which_the_annotation_contradicts_itself_is_not_asked_about(
    taxonomy, label, traces, assessed
):
    made = tuple(trace(str(number), *parts) for number, parts in enumerate(traces))
    facts = gather(chain(label, made, assessed), taxonomy)
    assert "edge" not in facts.attributes
    assert facts.flawed == facts.absent == ()


@pytest.mark.parametrize(
    "token",
    [
        "<image>",
        "<|image_pad|>",
        "</s>",
        "<IMG src='x'>",
        "[INST]",
        "<|im_end|>",
        "<image_soft_token>",
        "<start_of_image>",
    ],
)
def test_placeholders_are_refused(taxonomy, token):
    made = (Trace(id="a", points_to=Label.FAKE, observation=f"the sky {token} is flat"),)
    with pytest.raises(RecordError, match="placeholder or control token") as caught:
        gather(chain(Label.FAKE, made), taxonomy)
    assert (caught.value.record, caught.value.field) == ("c", "traces.0.observation")
    with pytest.raises(RecordError, match=r"field texts\.0\.text"):
        gather(chain(Label.FAKE, texts=(Text(role="explanation", text=token),)), taxonomy)


def test_ordinary_angles_are_not_placeholders(taxonomy):
    made = (
        Trace(id="a", points_to=Label.FAKE, observation="the sign reads a < b > c, <size> </street>, [sic]"),
    )
    assert (
        gather(chain(Label.FAKE, made), taxonomy).traces[0].view["observation"]
        == "The sign reads a < b > c, <size> </street>, [sic]."
    )


@pytest.mark.parametrize(
    "mark",
    ["<box>[[1, 2, 3, 4]]</box>", "</think>", "<verdict>real</verdict>", "<TAG>a: b</TAG>", "<think >"],
)
def test_marks_of_the_answers_grammar_are_refused_in_annotators_texts(taxonomy, mark):
    """Inside one of our answers they would make it say something else than its target."""
    made = (Trace(id="a", points_to=Label.FAKE, observation="flat", advice=f"write {mark} there"),)
    with pytest.raises(RecordError, match="mark of the answers' grammar") as caught:
        gather(chain(Label.FAKE, made), taxonomy)
    assert caught.value.field == "traces.0.advice"
    with pytest.raises(RecordError, match="mark of the answers' grammar"):
        gather(chain(Label.FAKE, tags={"style": mark}), taxonomy)


def test_tags_are_names_and_values(taxonomy):
    facts = gather(chain(Label.REAL, tags={"texture  quality": "high\nindeed", "at": "10:30"}), taxonomy)
    assert facts.values["tags"] == [
        {"name": "texture quality", "value": "high indeed"},
        {"name": "at", "value": "10:30"},
    ]


@pytest.mark.parametrize(("name", "value"), [("a: b", "c"), ("", "c"), (" ", "c"), ("a", ""), ("a", "x < y")])
def test_tags_that_could_not_be_read_back_are_refused(taxonomy, name, value):
    with pytest.raises(RecordError, match="cannot be written") as caught:
        gather(chain(Label.REAL, tags={name: value}), taxonomy)
    assert (caught.value.record, caught.value.field) == ("c", "tags")


def test_boxes_are_worded_in_thousandths(taxonomy):
    regions = (Region(box=(0.1, 0.2, 0.3, 0.4)), Region(box=(0, 0, 1, 1)))
    facts = gather(
        chain(
            Label.FAKE,
            (
                trace("a", "edge", Label.FAKE, regions=regions),
                trace("b", "edge", Label.FAKE, regions=regions[:1]),
            ),
        ),
        taxonomy,
    )
    assert facts.traces[0].view["boxes"] == "<box>[[100, 200, 300, 400], [0, 0, 1000, 1000]]</box>"
    assert facts.attributes["edge"].view["boxes"] == facts.traces[0].view["boxes"]
    assert facts.values["traces"][1]["boxes"] == "<box>[[100, 200, 300, 400]]</box>"
