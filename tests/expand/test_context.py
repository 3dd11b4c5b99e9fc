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
    facts = gather(chain(Label.REAL, (trace("a", "edge", Label.REAL),)), taxonomy)
    assert facts.absent == facts.flawed == ()
    assert list(facts.attributes) == ["edge"]


@pytest.mark.parametrize(
    ("label", "traces", "assessed"),
    [
        (Label.FAKE, (("edge", Label.FAKE),), {"edge": Assessment.ABSENT}),
        (Label.FAKE, (("edge", Label.FAKE), ("edge", Label.REAL)), {}),
        (Label.REAL, (("edge", Label.FAKE),), {}),
    ],
)
def test_an_attribute_on_which_the_annotation_contradicts_itself_is_not_asked_about(
    taxonomy, label, traces, assessed
):
    made = tuple(trace(str(number), *parts) for number, parts in enumerate(traces))
    facts = gather(chain(label, made, assessed), taxonomy)
    assert facts.attributes == {}
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
