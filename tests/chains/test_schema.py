import copy
import math

import pytest
from pydantic import ValidationError

from fakeinstruct.base.config import explain
from fakeinstruct.base.errors import RecordError
from fakeinstruct.chains.schema import Chain, Label, Manipulation, Mask, Meta
from fakeinstruct.chains.store import parse_chain
from fakeinstruct.chains.taxonomy import load_taxonomy

SOUND = {
    "id": "a",
    "image": {"path": "x/a.png", "width": 10, "height": 20, "sha256": "0" * 64},
    "twin": "b",
    "label": "fake",
    "manipulation": "edited",
    "dataset": "d",
    "generator": "g",
    "group": "p1",
    "split": "train",
    "traces": [
        {
            "id": "t1",
            "attribute": "texture",
            "attribute_raw": "Anomalous Image Texture",
            "points_to": "fake",
            "observation": "The wall is smooth.",
            "regions": [{"box": [0.1, 0.2, 0.5, 0.6], "polygon": [[0.1, 0.2], [0.5, 0.2], [0.5, 0.6]]}],
            "span": {"text": 0, "start": 0, "end": 8},
        }
    ],
    "assessed": {"edge": "absent"},
    "tags": {"light": "day"},
    "texts": [{"role": "explanation", "text": "The wall is smooth."}],
    "origin": {"by": "human", "people": ["p"], "blind_verdicts": [{"by": "p", "verdict": "real"}]},
}


def changed(path, value):
    """The sound chain with one dotted field set, or removed if the value is `...`."""
    chain = copy.deepcopy(SOUND)
    *parents, last = path.split(".")
    target = chain
    for part in parents:
        target = target[int(part)] if isinstance(target, list) else target[part]
    if value is ...:
        del target[last]
    else:
        target[int(last) if isinstance(target, list) else last] = value
    return chain


def test_a_sound_chain_is_read_and_comes_back_the_same():
    chain = parse_chain(SOUND, load_taxonomy())
    assert chain.label is Label.FAKE
    assert chain.manipulation is Manipulation.EDITED
    written = chain.model_dump(mode="json", exclude_defaults=True)
    assert parse_chain(written, load_taxonomy()) == chain


def test_a_chain_without_judgement_says_nothing():
    chain = Chain.model_validate(
        {
            "id": "a",
            "image": {"path": "a"},
            "label": "real",
            "dataset": "d",
            "group": "a",
            "origin": {"by": "dataset"},
        }
    )
    assert (chain.manipulation, chain.generator, chain.split, chain.traces, chain.assessed) == (
        None,
        None,
        None,
        (),
        {},
    )


@pytest.mark.parametrize(
    ("path", "value", "field", "problem"),
    [
        ("label", 0, "label", "must be 'fake' or 'real': published sets disagree"),
        ("label", 1, "label", "must be 'fake' or 'real': published sets disagree"),
        ("label", "1", "label", "must be 'fake' or 'real': published sets disagree"),
        ("label", True, "label", "must be 'fake' or 'real': published sets disagree"),
        ("label", "FAKE", "label", "not 'FAKE'"),
        ("label", ..., "label", "field required"),
        ("id", "", "id", "at least 1 character"),
        ("id", "x" * 513, "id", "at most 512"),
        ("image.path", "../a.png", "image.path", "without '..'"),
        ("image.path", "x/../../a.png", "image.path", "without '..'"),
        ("image.path", "/etc/passwd", "image.path", "relative to the image root"),
        ("image.path", "x\\a.png", "image.path", "forward slashes"),
        ("image.path", "a\0b", "image.path", "relative to the image root"),
        ("image.path", "", "image.path", "relative to the image root"),
        ("image.width", 0, "image.width", "greater than 0"),
        ("image.sha256", "abc", "image.sha256", "match pattern"),
        ("twin", "a", "", "its twin is itself"),
        ("manipulation", "none", "", "labelled fake cannot have manipulation 'none'"),
        ("manipulation", "processed", "", "labelled fake cannot have manipulation 'processed'"),
        ("camera_set", "c", "", "camera_set is of real images"),
        ("split", "val", "split", "not 'val'"),
        ("traces.0.attribute", "texure", "traces.0.attribute", "Did you mean 'texture'"),
        ("traces.0.attribute", "Anomalous Image Texture", "traces.0.attribute", "Did you mean 'texture'"),
        ("traces.0.points_to", 1, "traces.0.points_to", "'fake' or 'real'"),
        ("traces.0.observation", "", "traces.0.observation", "at least 1 character"),
        ("traces.0.observation", "\ud800", "traces.0.observation", "valid string"),
        ("traces.0.regions.0.box", [0.1, 0.2, 1.5, 0.6], "traces.0.regions.0.box", "fractions of the image"),
        ("traces.0.regions.0.box", [math.nan, 0, 1, 1], "traces.0.regions.0.box", "fractions of the image"),
        ("traces.0.regions.0.box", [0.5, 0.2, 0.1, 0.6], "traces.0.regions.0.box", "x0 < x1"),
        ("traces.0.regions.0.box", [0.1, 0.2, 0.5], "traces.0.regions.0.box.3", "field required"),
        (
            "traces.0.regions.0.polygon",
            [[0, 0], [1, 1]],
            "traces.0.regions.0.polygon",
            "three or more points",
        ),
        ("traces.0.regions.0.polygon", [[0, 0], [1, 1], [2, 0]], "traces.0.regions.0.polygon", "0 to 1"),
        ("traces.0.span.end", 20, "", "the span of trace 't1' lies outside"),
        ("traces.0.span.text", 1, "", "the span of trace 't1' lies outside"),
        ("traces.0.span.start", 8, "", "the span of trace 't1' lies outside"),
        ("traces", [SOUND["traces"][0]] * 2, "", "two traces have the same id"),
        ("assessed", {"colr": "absent"}, "assessed.colr", "no attribute 'colr'"),
        ("assessed", {"edge": "no"}, "assessed.edge", "not 'no'"),
        ("origin", {"by": "God"}, "origin.by", "not 'God'"),
        ("twinn", "b", "twinn", "Did you mean 'twin'"),
        ("traces.0.region", [], "traces.0.region", "Did you mean 'regions'"),
    ],
)
def test_every_fault_names_its_field_and_what_is_wrong(path, value, field, problem):
    with pytest.raises(RecordError) as caught:
        parse_chain(changed(path, value), load_taxonomy())
    assert (caught.value.field or "") == field
    assert problem in str(caught.value)


@pytest.mark.parametrize("manipulation", ["edited", "generated"])
def test_a_real_image_is_not_manipulated_and_has_no_generator(manipulation):
    for change in ({"manipulation": manipulation}, {"generator": "g"}):
        real = {**SOUND, "label": "real", "manipulation": "none", "generator": None}
        with pytest.raises(RecordError):
            parse_chain({**real, **change}, load_taxonomy())
    assert parse_chain(real, load_taxonomy()).label is Label.REAL


@pytest.mark.parametrize("row", [None, 5, "chain", [], [SOUND]])
def test_a_row_that_is_no_object_is_a_record_error(row):
    with pytest.raises(RecordError, match="dictionary"):
        parse_chain(row, load_taxonomy())


def test_a_mask_covers_its_image_exactly():
    assert Mask(size=(2, 3), counts=(0, 4, 2)).counts == (0, 4, 2)
    for size, counts in [((2, 3), (5,)), ((2, 3), (7, -1)), ((0, 3), (0,))]:
        with pytest.raises(ValidationError):
            Mask(size=size, counts=counts)


def test_each_label_has_an_opposite():
    assert (Label.FAKE.other, Label.REAL.other) == (Label.REAL, Label.FAKE)


def test_a_chain_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        parse_chain(SOUND, load_taxonomy()).label = Label.REAL


def test_a_set_of_a_later_schema_is_refused():
    with pytest.raises(ValidationError) as caught:
        Meta.model_validate({"schema_version": 2, "name": "x"})
    assert explain(caught.value, Meta)[:2] == ("schema_version", "input should be 1, not 2")


@pytest.mark.parametrize(
    ("mask", "problem"),
    [
        ({"size": [3, 3], "counts": [0, 9]}, "has another size than the image"),
        ({"size": [10, 20], "counts": [0, 200]}, "has another size than the image"),
        ({"size": [10**9, 10**9], "counts": [10**18]}, "it is too large"),
    ],
)
def test_a_mask_of_another_size_or_of_no_image_is_refused(mask, problem):
    row = copy.deepcopy(SOUND)
    row["traces"][0]["regions"][0]["mask"] = mask
    with pytest.raises(RecordError, match=problem):
        parse_chain(row, load_taxonomy())
    row["traces"][0]["regions"][0]["mask"] = {"size": [20, 10], "counts": [0, 200]}
    parse_chain(row, load_taxonomy())
