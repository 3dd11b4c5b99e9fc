"""Interventions: cited regions repaired from the twin or masked, beside random ones."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from fakeinstruct.base.errors import RecordError, UsageError
from fakeinstruct.chains.sample import make_sample
from fakeinstruct.chains.schema import Chain, ImageRef, Label, Meta, Origin, Region, Trace
from fakeinstruct.chains.store import open_chains, write_chains
from fakeinstruct.forensics.areas import Area
from fakeinstruct.forensics.intervene import Mask, Repair, cited, interventions, survey, twin_paths, why_not
from fakeinstruct.forensics.protocol import Protocol, load_protocol
from fakeinstruct.forensics.views import View, Viewer

BOTH = Protocol(interventions=("repair", "mask"), splits=("train", "validation", "test"))
UPPER_LEFT = (Region(box=(0.0, 0.0, 0.5, 0.5)),)


def trace(name="t1", points_to=Label.FAKE, regions=UPPER_LEFT, attribute="texture"):
    return Trace(id=name, attribute=attribute, points_to=points_to, observation="Odd.", regions=regions)


def fake(**more):
    fields = {
        "id": "f",
        "image": ImageRef(path="f.png"),
        "label": "fake",
        "twin": "r",
        "traces": (trace(),),
        "dataset": "drawn",
        "group": "g",
        "origin": Origin(by="program"),
    }
    return Chain(**(fields | more))


def picture(seed, size=(8, 6)):
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "chains"
    make_sample(folder, images=112, seed=3)
    return open_chains(folder)


def test_repairing_the_cited_regions_gives_the_twin_back(sample):
    """Pixel for pixel where it is cited; and with processing that moves no pixel, all over the picture."""
    viewer, twins = Viewer(sample.image_root), twin_paths(sample)
    paths = {chain.id: chain.image.path for chain in sample.read()}
    repaired = whole = 0
    for chain in sample.read():
        for change, facts in interventions(chain, BOTH, twins):
            if facts["condition"] != "repair":
                continue
            area = Area(next(each.regions for each in chain.traces if each.id == facts["trace"]))
            inside = area.pixels(64, 64)
            twin = np.asarray(viewer(View(paths[chain.twin])))
            before = np.asarray(viewer(View(chain.image.path)))
            after = np.asarray(viewer(View(chain.image.path, change)))
            assert np.array_equal(after[inside], twin[inside])
            assert np.array_equal(after[~inside], before[~inside])
            assert not np.array_equal(before[inside], twin[inside])
            repaired += 1
            if chain.origin.source_record.endswith("processing none"):
                assert np.array_equal(after, twin)
                whole += 1
    assert repaired > 40
    assert whole > 5


def test_a_random_repair_of_an_edit_changes_nothing_where_nothing_was_edited(sample):
    viewer, twins = Viewer(sample.image_root), twin_paths(sample)
    seen = 0
    for chain in sample.read():
        if not (chain.generator or "").startswith("edit-"):
            continue
        if not chain.origin.source_record.endswith("processing none"):
            continue
        before = np.asarray(viewer(View(chain.image.path)))
        for change, facts in interventions(chain, BOTH, twins):
            area = change.area
            clear = not (area.pixels(64, 64) & Area(area.regions).pixels(64, 64)).any()
            if facts["condition"] == "random-repair" and clear:
                assert np.array_equal(np.asarray(viewer(View(chain.image.path, change))), before)
                seen += 1
    assert seen > 3


def test_the_rows_say_what_was_done():
    chain = fake(traces=(trace("a"), trace("b", attribute="edge"), trace("c", regions=())))
    found = [
        facts for _, facts in interventions(chain, BOTH.model_copy(update={"controls": 2}), {"r": "r.png"})
    ]
    for kind in ("repair", "mask"):
        own = [facts for facts in found if facts["condition"].endswith(kind)]
        assert [(f["trace"], f["attribute"], f["condition"], f["look"]) for f in own] == [
            ("a", "texture", kind, 1),
            ("a", "texture", f"random-{kind}", 1),
            ("a", "texture", f"random-{kind}", 2),
            ("b", "edge", kind, 1),
            ("b", "edge", f"random-{kind}", 1),
            ("b", "edge", f"random-{kind}", 2),
        ]


def test_both_interventions_take_the_same_random_places():
    found = list(interventions(fake(), BOTH, {"r": "r.png"}))
    places = {
        kind: [change.area for change, facts in found if facts["condition"] == f"random-{kind}"]
        for kind in ("repair", "mask")
    }
    assert places["repair"] == places["mask"]
    assert len(set(places["mask"])) == 3


def test_places_depend_on_seed_chain_trace_and_number_alone():
    def areas(chain, seed=0, controls=3):
        protocol = BOTH.model_copy(update={"seed": seed, "controls": controls})
        return [change.area for change, _ in interventions(chain, protocol, {"r": "r.png"})]

    base = areas(fake())
    assert areas(fake()) == base
    assert areas(fake(traces=(trace("z"), trace())))[4:8] == base[:4]
    assert areas(fake(), controls=4)[:4] == base[:4]
    for other in (areas(fake(), seed=1), areas(fake(id="g")), areas(fake(traces=(trace("t2"),)))):
        assert other[1] != base[1]


def test_a_region_of_more_than_half_the_picture_has_no_control():
    wide = trace(regions=(Region(box=(0.0, 0.0, 1.0, 0.6)),))
    conditions = [f["condition"] for _, f in interventions(fake(traces=(wide,)), BOTH, {"r": "r.png"})]
    assert conditions == ["repair", "mask"]


def test_masking_fills_with_the_mean_colour_and_leaves_the_rest():
    image = picture(0)
    masked = np.asarray(Mask(Area(UPPER_LEFT))(image, "f.png", None))
    colour = np.rint(np.asarray(image, float).mean(axis=(0, 1)))
    assert (masked[:3, :4] == colour).all()
    untouched = np.asarray(image).copy()
    untouched[:3, :4] = masked[:3, :4]
    assert np.array_equal(masked, untouched)


def test_a_twin_of_another_size_is_refused():
    viewer = Viewer(None, {"f.png": picture(0), "r.png": picture(1, (8, 7))})
    with pytest.raises(RecordError, match="its twin has 8 x 7 pixels, the image 8 x 6"):
        viewer(View("f.png", Repair(Area(UPPER_LEFT), "r.png")))


def test_a_missing_twin_file_is_one_bad_record(tmp_path):
    picture(0).save(tmp_path / "f.png")
    with pytest.raises(RecordError, match="missing"):
        Viewer(tmp_path)(View("f.png", Repair(Area(UPPER_LEFT), "r.png")))


@pytest.mark.parametrize(
    ("chain", "kind", "reason"),
    [
        (fake(), "repair", None),
        (fake(), "mask", None),
        (fake(twin=None), "repair", "no twin"),
        (fake(twin=None), "mask", None),
        (fake(twin="gone"), "repair", "a twin that is no real image of the set"),
        (fake(traces=(trace(regions=()),)), "mask", "no cited region"),
        (fake(traces=(trace(points_to=Label.REAL),)), "mask", "no cited region"),
        (fake(label="real", twin=None), "mask", "real"),
    ],
)
def test_why_nothing_is_done(chain, kind, reason):
    assert why_not(chain, kind, {"r": "r.png"}) == reason
    found = list(interventions(chain, Protocol(interventions=(kind,)), {"r": "r.png"}))
    assert bool(found) == (reason is None)


def test_a_trace_of_a_real_image_is_never_cited():
    assert cited(fake(label="real")) == []


def test_the_survey_counts_what_is_asked_and_why_not(tmp_path):
    real = fake(id="r", label="real", twin="f", traces=())
    others = [fake(), fake(id="a", twin=None), fake(id="b", twin=None), fake(id="c", traces=())]
    unasked = fake(id="d", split="train", twin=None)
    write_chains(tmp_path, [real, *others, unasked], Meta(name="drawn"))
    protocol = Protocol(interventions=("repair", "mask"))
    assert survey(open_chains(tmp_path), protocol) == [
        "repair: 1 of 4 fakes (2 with no twin; 1 with no cited region)",
        "mask: 3 of 4 fakes (1 with no cited region)",
    ]


def test_nothing_is_repaired_from_another_fake(tmp_path):
    write_chains(tmp_path, [fake(id="r", twin=None), fake()], Meta(name="drawn"))
    chains = open_chains(tmp_path)
    assert twin_paths(chains) == {}
    assert survey(chains, Protocol(interventions=("repair",))) == [
        "repair: 0 of 2 fakes (1 with no twin; 1 with a twin that is no real image of the set)"
    ]


def test_an_unknown_intervention_is_refused():
    with pytest.raises(UsageError, match="Did you mean 'repair'"):
        load_protocol(interventions=["repare"])
