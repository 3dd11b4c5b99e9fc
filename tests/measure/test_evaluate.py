"""Evaluating by a protocol: one resumable run, the expert untouched, what a set lacks said before anything is asked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from drawn import QUESTION, TINY, conversations, make_chains

from fakeinstruct.base.errors import Rejects, UsageError
from fakeinstruct.base.files import read_json, sha256_file
from fakeinstruct.base.surfaces import surface
from fakeinstruct.chains.schema import Label, Split
from fakeinstruct.chains.store import open_chains, write_chains
from fakeinstruct.expert.card import ExpertCard, Readout, save_card
from fakeinstruct.expert.small import build_small
from fakeinstruct.forensics.answers import open_answers
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.protocol import load_evaluation, prompts_sha256
from fakeinstruct.forensics.score import score
from fakeinstruct.measure.evaluate import evaluate
from fakeinstruct.measure.evaluations.needs import check_needs, check_protocol, open_items
from fakeinstruct.measure.evaluations.plan import as_many_as_there_are, make_plan, trainable

READOUTS = (
    Readout(name="one", prompt=QUESTION, fake=("fake",), real=("real",)),
    Readout(
        name="two", prompt="What speaks for your verdict?", fake=("fake",), real=("real",), trained=False
    ),
)
CLASSES = ("cat", "dog", "ship")


@pytest.fixture(scope="module")
def expert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("expert")
    build_small(conversations(), TINY, seed=3, out=folder)
    save_card(folder, ExpertCard(base="small", readouts=READOUTS))
    return folder


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    """Chains that show cats, dogs and ships; no ship in the train split."""
    folder = make_chains(tmp_path_factory.mktemp("chains") / "set", 100)
    found = open_chains(folder)
    chains = []
    for number, chain in enumerate(found.read()):
        content = CLASSES[number // 2 % (2 if chain.split == "train" else 3)]
        chains.append(chain.model_copy(update={"content": (content,)}))
    write_chains(folder, chains, found.meta)
    return folder


def hashes(folder):
    return {str(file.relative_to(folder)): sha256_file(file) for file in folder.rglob("*") if file.is_file()}


def run(expert, items, out, protocol="calibration", **more):
    rejects = Rejects()
    found = evaluate(
        load_expert(expert), load_evaluation(protocol), open_items([items]), out, rejects=rejects, **more
    )
    assert not rejects
    return found


MINE = """
name: mine
prompts: 3
held_out: 1
splits: [validation, test]
conditions: [jpeg-50]
measure: {calibrate: true, by_content: true, needs: [both labels, content], baselines: [metadata]}
"""


@pytest.fixture(scope="module")
def done(expert, items, tmp_path_factory):
    """A protocol of one's own, run once."""
    folder = tmp_path_factory.mktemp("done")
    (folder / "mine.yaml").write_text(MINE)
    before = hashes(expert)
    found = run(expert, items, folder / "out", folder / "mine.yaml")
    assert hashes(expert) == before  # what is fitted stays in the evaluation's folder
    return folder, found


def test_a_run_leaves_answers_figures_report_and_what_was_fitted(done, items):
    folder, found = done
    out = folder / "out"
    assert {file.name for file in out.iterdir()} >= {
        "answers", "calibration.json", "figures.json", "figures.md", "report.html",
    }  # fmt: skip
    assert read_json(out / "figures.json") == json.loads(json.dumps(found))
    added = found["protocol"]
    fit = read_json(out / "calibration.json")
    assert fit == found["provenance"]["fit"]
    assert added["protocol"]["name"] == "mine"
    assert (fit["source"], fit["n"]) == ("validation split of the answers", 40)
    assert set(found["baselines"]) == {"metadata"}
    assert "jpeg-50" in found["per_condition"]
    assert added["prompts_sha256"] == prompts_sha256(READOUTS)
    assert added["prompts"] == [each.prompt for each in READOUTS]
    assert added["remarks"] == [
        "2 prompts are asked, 1 of them never trained on; the protocol would ask 3, 1 of them never trained on"
    ]
    assert added["expert"]["trained_on_these_chains"] is False
    assert set(added["leaks"][str(items)]) == {"extension", "extension_any_case", "names", "headers"}


def test_the_report_shows_what_the_protocol_adds(done):
    for name in ("report.html", "figures.md"):
        text = (done[0] / "out" / name).read_text(encoding="utf-8")
        assert "held out of training" in text
        assert "file extension, letter case aside" in text
    assert done[1]["protocol"]["prompts_sha256"] in (done[0] / "out/report.html").read_text(encoding="utf-8")


def test_what_was_held_out_has_its_rows_under_every_condition(done):
    rows = done[1]["protocol"]["by_content"]
    assert list(rows) == ["clean", "jpeg-50"]
    clean = rows["clean"]
    assert list(clean) == ["seen in training", "held out of training", *CLASSES]
    assert clean["held out of training"]["n"] == clean["ship"]["n"]
    assert clean["seen in training"]["n"] == clean["cat"]["n"] + clean["dog"]["n"]
    whole = done[1]["overall"]["test"]
    assert clean["seen in training"]["n"] + clean["held out of training"]["n"] == whole["n"]


def test_another_expert_stands_beside_with_what_was_held_out_of_its_own_training(done, items, tmp_path):
    folder, other = done[0], tmp_path / "other"
    build_small(conversations(), TINY, seed=4, out=other)
    save_card(other, ExpertCard(base="small", readouts=READOUTS))
    given = open_items([items])
    asking = make_plan(load_expert(other), load_evaluation(folder / "mine.yaml"), given).asking
    theirs = score(load_expert(other), given[0].set, tmp_path / "answers", asking)
    out = Path(shutil.copytree(folder / "out", tmp_path / "out"))
    expert = Path(read_json(out / "answers/meta.json")["expert"])

    def found() -> dict:
        return run(expert, items, out, folder / "mine.yaml", beside={"five": theirs})

    unknown = found()  # its card does not say what it was trained on
    assert unknown["protocol"]["by_content_beside"] == {}
    assert set(unknown["baselines"]) == {"metadata", "five"}
    trained_on = {"chains_sha256": sha256_file(open_chains(items).file)}
    save_card(other, ExpertCard(base="small", readouts=READOUTS, trained_on=trained_on))
    known = found()
    rows = known["protocol"]["by_content_beside"]["five"]
    assert list(rows) == ["clean", "jpeg-50"]
    parts = [rows["clean"][name] for name in ("seen in training", "held out of training")]
    assert sum(part["n"] for part in parts) == known["baselines"]["five"]["overall"]["test"]["n"]
    assert known["protocol"]["by_content"] == done[1]["protocol"]["by_content"]
    assert parts[1]["nll"] != known["protocol"]["by_content"]["clean"]["held out of training"]["nll"]
    text = (out / "report.html").read_text(encoding="utf-8")
    drawn = text[text.index('aria-label="AUC by what the images show"') :].partition("</svg>")[0]
    assert "five: held out of training" in drawn
    assert "five: ship" not in drawn
    assert "five: held out of training" in text.replace(drawn, "")


def test_what_cannot_stand_beside_is_refused_before_anything_is_asked(done, items, tmp_path):
    folder = done[0]
    answers = open_answers(folder / "out/answers")
    expert = Path(answers.meta.expert)
    for name in ("expert", "metadata"):
        with pytest.raises(UsageError, match=f"the name '{name}' is taken"):
            run(expert, items, tmp_path / "new", folder / "mine.yaml", beside={name: answers})
    others = changed(items, tmp_path / "others", lambda chain: {"id": f"other-{chain.id}"})
    with pytest.raises(UsageError, match="holds none of the test images"):
        run(expert, others, tmp_path / "new", folder / "mine.yaml", beside={"one": answers})
    assert not (tmp_path / "new").exists()


def test_a_second_run_asks_nothing_and_computes_the_same_figures(done, expert, items, tmp_path):
    folder, found = done
    out = Path(shutil.copytree(folder / "out", tmp_path / "out"))
    parts = sorted((out / "answers").glob("answers-*.parquet"))
    stamps = [part.stat().st_mtime_ns for part in parts]
    (out / "figures.json").unlink()
    again = run(expert, items, out, folder / "mine.yaml")
    assert again == found
    assert [part.stat().st_mtime_ns for part in parts] == stamps
    assert (out / "figures.json").read_bytes() == (folder / "out/figures.json").read_bytes()


def test_another_protocol_does_not_go_into_the_same_folder(done, expert, items):
    with pytest.raises(UsageError, match="asked by another protocol"):
        run(expert, items, done[0] / "out", "robustness")


def test_a_pin_of_the_experts_own_prompts_is_kept(expert, items, tmp_path):
    file = tmp_path / "pinned.yaml"
    file.write_text(f"name: pinned\nprompts: 2\nheld_out: 1\nprompts_sha256: {prompts_sha256(READOUTS)}\n")
    given = open_items([items])
    assert make_plan(load_expert(expert), load_evaluation(file), given).readouts == READOUTS
    file.write_text(f"name: pinned\nprompts_sha256: {prompts_sha256(READOUTS)}\n")
    with pytest.raises(UsageError, match="not those that protocol 'pinned' pins"):
        make_plan(load_expert(expert), load_evaluation(file), given)


def test_an_expert_without_prompts_is_asked_those_of_zero_shot(expert, items, tmp_path):
    own = Path(shutil.copytree(expert, tmp_path / "foreign"))
    save_card(own, ExpertCard(base="small"))
    plan = make_plan(load_expert(own), load_evaluation("detection"), open_items([items]))
    zero_shot = load_evaluation("zero-shot")
    assert plan.readouts == zero_shot.readouts
    assert plan.sha256 == zero_shot.prompts_sha256
    assert any("learned no prompt of its own" in remark for remark in plan.remarks)


def test_an_expert_that_learned_no_explanation_is_asked_for_none(expert, items, tmp_path):
    file = tmp_path / "words.yaml"
    file.write_text("name: words\nexplain: true\n")
    plan = make_plan(load_expert(expert), load_evaluation(file), open_items([items]))
    assert plan.asking.explain is False
    assert any("explains nothing" in remark for remark in plan.remarks)


@pytest.mark.parametrize(
    ("trained", "unseen", "prompts", "held_out", "expected"),
    [(5, 3, 5, 2, (5, 2)), (2, 3, 5, 2, (4, 2)), (5, 1, 5, 2, (4, 1)), (5, 0, 5, 2, (3, 0)), (1, 0, 5, 2, (1, 0)),
     (0, 4, 3, 1, (2, 0))],
)  # fmt: skip
def test_no_more_prompts_are_asked_than_there_are(trained, unseen, prompts, held_out, expected):
    own = [
        Readout(name="a", prompt=str(number), fake=("f",), real=("r",), trained=number < trained)
        for number in range(trained + unseen)
    ]
    asking = load_evaluation(None, prompts=prompts, held_out=held_out).asking()
    fewer, remarks = as_many_as_there_are(asking, own)
    assert (fewer.prompts, fewer.held_out) == expected
    assert bool(remarks) == (expected != (prompts, held_out))


def test_baselines_that_cannot_be_trained_are_said_and_left_out(items, tmp_path):
    given = open_items([items])
    names = ("metadata", "question", "probe")
    assert trainable(names, given, has_tower=True) == (names, [])
    assert trainable(names, given, has_tower=False)[0] == ("metadata", "question")
    two = [*given, *given]
    kept, said = trainable(names, two, has_tower=True)
    assert kept == ("question",)
    assert said == ["no baseline metadata, probe: there are several sets of items"]


def changed(items, folder, change):
    """A copy of a chain set with its chains changed."""
    found = open_chains(items)
    chains = [chain.model_copy(update=change(chain)) for chain in found.read()]
    folder.mkdir()
    write_chains(folder, chains, found.meta)
    return folder


@pytest.mark.parametrize(
    ("protocol", "change", "message"),
    [
        ("detection", lambda chain: {"split": Split.TRAIN}, "no image of the test split"),
        ("detection", lambda chain: {"label": Label.FAKE}, "images of one label only"),
        ("fakebench", lambda chain: {}, "has no questions of its own"),
        ("synthscars", lambda chain: {}, "no annotator marked a region"),
        ("mmfr", lambda chain: {}, "no annotator wrote a word"),
        ("generators", lambda chain: {"generator": None}, "no fake names its generator"),
        ("cifake", lambda chain: {"content": ()}, "no image says what it shows"),
    ],
)
def test_items_of_the_wrong_kind_are_refused_before_anything_is_asked(
    items, tmp_path, protocol, change, message
):
    folder = changed(items, tmp_path / "set", change)
    with pytest.raises(UsageError, match=message) as caught:
        check_needs(load_evaluation(protocol), open_items([folder]))
    assert str(folder) in str(caught.value)
    assert caught.value.hint


def test_a_missing_label_may_come_from_another_set(items, tmp_path):
    def only(label):
        found = open_chains(items)
        chains = [chain for chain in found.read() if chain.label == label]
        (tmp_path / label).mkdir()
        write_chains(tmp_path / label, chains, found.meta)
        return tmp_path / label

    fakes, reals = only("fake"), only("real")
    evaluation = load_evaluation("detection")
    with pytest.raises(UsageError, match="one label only"):
        check_needs(evaluation, open_items([fakes]))
    check_needs(evaluation, open_items([fakes, reals]))


def test_several_sets_are_asked_for_their_prior_and_measured_together(expert, items, tmp_path):
    """Each set has pictures that show nothing, by the same names."""
    found = open_chains(items)
    for label in ("fake", "real"):
        chains = [chain for chain in found.read() if chain.label == label]
        shutil.copytree(items / "images", tmp_path / label / "images")
        write_chains(tmp_path / label, chains, found.meta)
    file = tmp_path / "short.yaml"
    file.write_text("name: short\nsplits: [test]\nmeasure: {needs: [both labels]}\n")
    given = open_items([tmp_path / "fake", tmp_path / "real"])
    figures = evaluate(load_expert(expert), load_evaluation(file), given, tmp_path / "out")
    whole = run(expert, items, tmp_path / "whole", file)
    assert figures["overall"]["test"]["auc"] == whole["overall"]["test"]["auc"]
    assert set(figures["prior"]["per_prompt"][0]["margins"]) == {"blank", "grey", "noise"}


def test_sets_that_share_an_id_are_refused_before_anything_is_asked(items, tmp_path):
    shutil.copytree(items, tmp_path / "copy")
    with pytest.raises(UsageError, match=r"its chain 'c0' has the id of one in .*merge"):
        open_items([items, tmp_path / "copy"])


@pytest.mark.parametrize("splits", [("test",), ("train", "test")])
def test_a_protocol_that_calibrates_asks_about_the_validation_split(splits):
    contrary = load_evaluation("calibration", splits=splits)  # `score` may ask by it
    with pytest.raises(UsageError, match="says calibrate, which fits on validation answers"):
        check_protocol(contrary)
    check_protocol(load_evaluation("calibration"))


def shipped():
    return sorted(file.stem for file in (surface("eval") / "protocols").glob("*.yaml"))


@pytest.mark.parametrize("name", shipped())
def test_no_shipped_protocol_contradicts_itself(name):
    check_protocol(load_evaluation(name))


def test_what_is_no_chain_set_is_refused_with_what_to_do(items, tmp_path):
    (tmp_path / "photos" / "real").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"is no chain set.*fakeinstruct import imagefolder"):
        open_items([tmp_path / "photos"])
    with pytest.raises(UsageError, match="no such chain set folder"):
        open_items([tmp_path / "nowhere"])
    with pytest.raises(UsageError, match="is named twice"):
        open_items([items, items])
    (tmp_path / "photos" / "manifest.json").write_text("{}")
    with pytest.raises(UsageError, match="is a pair set"):
        open_items([tmp_path / "photos"])
