"""The questions of a run: every view of every picture, each with all readouts, every one told from all others."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from drawn import make_pairs
from PIL import Image

from fakeinstruct.base.errors import Rejects, UsageError
from fakeinstruct.chains.sample import make_sample
from fakeinstruct.chains.store import open_chains
from fakeinstruct.expand.pair import open_pairs
from fakeinstruct.expert.card import Readout
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.intervene import twin_paths
from fakeinstruct.forensics.prior import prior_pictures, prior_questions
from fakeinstruct.forensics.protocol import Protocol
from fakeinstruct.forensics.questions import closed_questions, verdict_questions
from fakeinstruct.forensics.score import asked, score
from fakeinstruct.forensics.views import Viewer

CONDITIONS = ("jpeg-50", "noise-4", "crop-2x2")
FULL = Protocol(conditions=CONDITIONS, interventions=("repair", "mask"))
READOUTS = (
    Readout(
        name="one", prompt="Is this image real or fake? Answer with one word.", fake=("fake",), real=("real",)
    ),
    Readout(name="two", prompt="Is this a real image?", fake=("no",), real=("yes",)),
)


@pytest.fixture(scope="module")
def chains(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "chains"
    make_sample(folder, images=28, seed=3)
    return open_chains(folder)


@pytest.fixture(scope="module")
def questions(chains):
    return list(verdict_questions(chains.read(), READOUTS, FULL, twin_paths(chains)))


def test_every_question_has_a_key_of_its_own(questions, chains):
    prior = list(prior_questions(READOUTS, prior_pictures(chains, FULL)))
    keys = [question.key() for question in [*prior, *questions]]
    assert len(set(keys)) == len(keys)


def test_the_questions_about_one_view_and_the_views_of_one_picture_are_side_by_side(questions):
    views = [view for view, _ in groupby(question.view for question in questions)]
    paths = [path for path, _ in groupby(view.path for view in views)]
    assert len(set(paths)) == len(paths)
    for _, group in groupby(questions, key=lambda question: question.view):
        assert [question.facts["template"] for question in group][:2] == ["one", "two"]


def test_each_readout_is_asked_of_each_view(questions):
    of = {
        name: [(q.view, q.facts.get("trace")) for q in questions if q.facts["template"] == name]
        for name in ("one", "two")
    }
    assert of["one"] == of["two"]
    assert len(of["one"]) * 2 == len(questions)


def test_every_picture_is_asked_clean_and_under_every_condition_whatever_its_label(questions, chains):
    asked_about = [chain for chain in chains.read() if chain.split != "train"]
    for chain in asked_about:
        own = [q.facts for q in questions if q.facts["item"] == chain.id and q.facts["template"] == "one"]
        plain = [(facts["condition"], facts["look"]) for facts in own if facts.get("trace") is None]
        crops = [("crop-2x2", look) for look in (1, 2, 3, 4)]
        assert plain == [("clean", 1), ("jpeg-50", 1), ("noise-4", 1), *crops]
    assert {q.facts["item"] for q in questions} == {chain.id for chain in asked_about}
    assert {q.facts["label"] for q in questions if "trace" in q.facts} == {"fake"}


def test_what_is_done_to_a_picture_does_not_depend_on_its_label(chains):
    """The same pictures with every label turned round are shown alike, to the pixel."""
    protocol = FULL.model_copy(update={"interventions": ()})
    turned = [
        chain.model_copy(update={"label": chain.label.other, "traces": (), "manipulation": None})
        for chain in chains.read()
    ]
    viewer = Viewer(chains.image_root)
    one = [q.view for q in verdict_questions(chains.read(), READOUTS[:1], protocol)]
    other = [q.view for q in verdict_questions(turned, READOUTS[:1], protocol)]
    assert one == other
    assert all(viewer(a).tobytes() == viewer(b).tobytes() for a, b in zip(one, other, strict=True))


def test_a_split_that_is_not_asked_for_is_asked_nothing(chains):
    only = list(verdict_questions(chains.read(), READOUTS, FULL.model_copy(update={"splits": ("train",)})))
    assert {q.facts["split"] for q in only} == {"train"}


def test_a_seed_changes_noise_and_places_and_nothing_else(questions, chains):
    other = FULL.model_copy(update={"seed": 1})
    again = list(verdict_questions(chains.read(), READOUTS, other, twin_paths(chains)))
    assert [q.facts for q in again] == [q.facts for q in questions]
    changed = {
        one.facts["condition"] for one, two in zip(questions, again, strict=True) if one.view != two.view
    }
    assert changed == {"noise-4", "random-repair", "random-mask"}


def test_the_pictures_that_show_nothing(chains):
    pictures = prior_pictures(chains, Protocol())
    assert list(pictures) == ["prior/blank", "prior/grey", "prior/noise"]
    blank, grey, noise = (np.asarray(picture) for picture in pictures.values())
    assert {picture.size for picture in pictures.values()} == {(64, 64)}
    assert (blank == 255).all()
    assert (grey == 128).all()
    assert noise.std() == pytest.approx(256 / 12**0.5, rel=0.02)
    assert np.array_equal(noise, np.asarray(prior_pictures(chains, Protocol())["prior/noise"]))
    assert not np.array_equal(noise, np.asarray(prior_pictures(chains, Protocol(seed=1))["prior/noise"]))


def test_the_prior_has_the_size_of_the_first_image_that_can_be_read(tmp_path):
    make_sample(tmp_path / "chains", images=8, seed=0)
    chains = open_chains(tmp_path / "chains")
    every = Protocol(splits=("train", "validation", "test"))
    first, second, *rest = chains.read()
    (chains.image_root / first.image.path).write_bytes(b"no image")
    Image.new("RGB", (31, 17)).save(chains.image_root / second.image.path)
    assert prior_pictures(chains, every)["prior/grey"].size == (31, 17)
    for chain in (second, *rest):
        (chains.image_root / chain.image.path).unlink()
    assert prior_pictures(chains, every) == {}


def test_the_prior_does_not_take_the_size_of_a_split_that_is_not_asked(tmp_path):
    make_sample(tmp_path / "chains", images=28, seed=0)
    chains = open_chains(tmp_path / "chains")
    for chain in chains.read():
        if chain.split == "train":
            Image.new("RGB", (31, 17)).save(chains.image_root / chain.image.path)
    assert prior_pictures(chains, Protocol())["prior/grey"].size == (64, 64)
    assert prior_pictures(chains, Protocol(splits=("train",)))["prior/grey"].size == (31, 17)


def test_the_prior_is_asked_once_by_every_readout_without_a_label(chains):
    found = list(asked(chains, READOUTS, Protocol(), Rejects()))
    prior = [q.facts for q in found if q.facts["kind"] == "prior"]
    assert [(facts["item"], facts["template"]) for facts in prior] == [
        (f"prior/{name}", readout) for name in ("blank", "grey", "noise") for readout in ("one", "two")
    ]
    assert all(facts.get("label") is None and facts.get("split") is None for facts in prior)
    without = list(asked(chains, READOUTS, Protocol(prior=False), Rejects()))
    assert len(without) == len(found) - 6


def test_pairs_are_asked_under_conditions_and_without_prior(tmp_path):
    pairs = open_pairs(make_pairs(tmp_path / "pairs"))
    clean = list(closed_questions(pairs, Protocol(splits=("test",))))
    found = list(asked(pairs, (), Protocol(splits=("test",), conditions=("jpeg-50", "crop-2x2")), Rejects()))
    assert len(found) == 6 * len(clean)
    assert len({q.key() for q in found}) == len(found)
    assert [q for q in found if q.facts["condition"] == "clean"] == clean
    assert {(q.facts["condition"], q.facts["look"]) for q in found} == {
        ("clean", 1),
        ("jpeg-50", 1),
        *(("crop-2x2", look) for look in range(1, 5)),
    }


def test_interventions_on_pairs_are_refused(tmp_path):
    pairs = open_pairs(make_pairs(tmp_path / "pairs"))
    with pytest.raises(UsageError, match="does not say what is cited where"):
        asked(pairs, (), Protocol(interventions=("mask",)), Rejects())


def test_margins_do_not_depend_on_batches_or_order(expert_folder, chains, questions):
    expert = load_expert(expert_folder)
    asking = [q for q in questions if q.facts["template"] == "one"]
    groups = [list(group) for _, group in groupby(asking, key=lambda question: question.view)]
    order = np.random.default_rng(0).permutation(len(groups))
    mixed = [question for index in order for question in groups[index]]

    def margins(asked_in_turn, batch):
        prior = prior_pictures(chains, FULL)
        rows = expert.asker(Viewer(chains.image_root, prior), batch=batch).ask(asked_in_turn)
        return {question.key(): row["margin"] for question, row in zip(asked_in_turn, rows, strict=True)}

    one, many = margins(asking, 3), margins(mixed, 16)
    assert len(one) == len(asking)
    assert all(many[key] == pytest.approx(margin, abs=1e-4) for key, margin in one.items())


def test_a_run_stores_every_view_with_its_truth_and_the_decoders(expert_folder, chains, tmp_path):
    expert = load_expert(expert_folder)
    rejects = Rejects()
    answers = score(expert, chains, tmp_path / "answers", FULL, rejects=rejects)
    rows = answers.table().to_pylist()
    assert len(rejects) == 0
    assert all(row["margin"] is not None for row in rows)
    cited = [row for row in rows if row["trace"]]
    truth = {(chain.id, trace.id): trace.attribute for chain in chains.read() for trace in chain.traces}
    assert {row["condition"] for row in cited} == {"repair", "random-repair", "mask", "random-mask"}
    assert all(truth[row["item"], row["trace"]] == row["attribute"] for row in cited)
    assert sum(row["kind"] == "prior" for row in rows) == 3
    assert {"pillow", "scipy", "libwebp"} <= set(answers.meta.versions)


def test_a_fake_whose_twin_has_another_size_is_a_row_with_its_error(expert_folder, tmp_path):
    make_sample(tmp_path / "chains", images=8, seed=0)
    chains = open_chains(tmp_path / "chains")
    fake = next(chain for chain in chains.read() if chain.label == "fake")
    twin = chains.image_root / f"images/{fake.twin}.png"
    Image.open(twin).resize((40, 40)).save(twin)
    protocol = Protocol(interventions=("repair", "mask"), splits=("train", "validation", "test"))
    rejects = Rejects()
    rows = (
        score(load_expert(expert_folder), chains, tmp_path / "out", protocol, rejects=rejects)
        .table()
        .to_pylist()
    )
    failed = [row for row in rows if row["error"]]
    assert {row["item"] for row in failed} == {fake.id}
    assert {row["condition"].removeprefix("random-") for row in failed} == {"repair"}
    assert all("its twin has 40 x 40 pixels" in row["error"] for row in failed)
    assert len(rejects) == len(failed)
