"""Scale and bias of a model without a card, which go to the protocol that it was asked by."""

import pytest
from simulated_answers import simulated

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.card import ExpertCard, Readout, save_card
from fakeinstruct.forensics.answer_folder import identity
from fakeinstruct.forensics.expert_files import expert_sha256
from fakeinstruct.forensics.protocol import Protocol, load_protocol, prompts_sha256
from fakeinstruct.measure.calibrate import calibrate
from fakeinstruct.measure.run import measure

ASKED = Readout(
    name="one_word",
    prompt="Is this image real or fake?",
    fake=("no", "Nein „x“: #1"),  # words that YAML would take for something else
    real=("yes",),
    aggregation="mean",
)
OTHER = ASKED.model_copy(update={"name": "never-asked", "prompt": "Fake?"})


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "somebody\'s"}')
    return folder


@pytest.fixture
def answers(answer_set, model):
    """The model's answers to the first prompt of a protocol with two."""

    def ask(name="answers", rows=None, readout=ASKED, **other):
        protocol = Protocol(
            name="mine",
            readouts=(readout, OTHER),
            prompts_sha256=prompts_sha256((readout, OTHER)),
            conditions=("jpeg-50",),
        )
        known = {"expert_sha256": expert_sha256(model), "aggregation": "mean", "readouts": (readout,)}
        return answer_set(
            simulated() if rows is None else rows, name, **(known | {"protocol": protocol} | other)
        )

    return ask


def test_the_protocol_holds_what_was_fitted_and_the_model_stays_as_it_was(answers, model, tmp_path):
    asked, file = answers(), tmp_path / "fitted.yaml"
    before = sorted(path.name for path in model.iterdir())
    (fitted,) = calibrate(model, [asked], out=file)
    assert sorted(path.name for path in model.iterdir()) == before
    protocol = load_protocol(file)
    assert protocol == asked.meta.protocol.model_copy(update={"readouts": (fitted.readout, OTHER)})
    assert fitted.readout.fitted_n == {"fake": 25, "real": 25}
    assert fitted.readout.fitted_expert == expert_sha256(model)
    assert fitted.readout.fitted_on.endswith(f"asked of runs/expert ({expert_sha256(model)[:12]})")


def test_answers_to_the_fitted_protocol_are_of_the_same_run(answers, model, tmp_path):
    asked, file = answers(), tmp_path / "fitted.yaml"
    (fitted,) = calibrate(model, [asked], out=file)
    update = {"protocol": load_protocol(file), "readouts": (fitted.readout,)}
    again = asked.meta.model_copy(update=update)
    assert all(identity(again, name) == identity(asked.meta, name) for name in ("protocol", "readouts"))


def test_measure_takes_the_protocol_or_has_it_from_the_answers(answers, model, tmp_path):
    file = tmp_path / "fitted.yaml"
    (fitted,) = calibrate(model, [answers()], out=file)
    test = [row for row in simulated() if row["split"] == "test"]
    named = measure([answers("plain", test)], tmp_path / "a", calibration=file)
    asked = measure([answers("again", test, fitted.readout)], tmp_path / "b")
    for figures in (named, asked):
        fit = figures["provenance"]["fit"]
        assert (fit["source"], fit["n"], fit["warning"]) == ("protocol", 50, None)
        assert fit["scale"] == pytest.approx(fitted.readout.scale, abs=1e-6)
    assert named["overall"]["test"]["calibrated"] == asked["overall"]["test"]["calibrated"]


def test_what_was_fitted_to_another_model_is_not_applied(answers, model, tmp_path):
    file = tmp_path / "fitted.yaml"
    (fitted,) = calibrate(model, [answers()], out=file)
    test = [row for row in simulated() if row["split"] == "test"]
    others = answers("others", test, fitted.readout, expert_sha256="0" * 64)
    with pytest.raises(UsageError, match="scale and bias of another model"):
        measure([others], tmp_path / "a", calibration=file)
    assert measure([others], tmp_path / "a")["provenance"]["fit"]["source"] is None


def test_a_bias_alone_names_its_images_and_how_few_they_are(answers, model, tmp_path):
    asked, file = answers(), tmp_path / "bias.yaml"
    calibrate(model, [asked], out=file, bias_only=True, split="test", images=24)
    figures = measure([asked], tmp_path / "out", calibration=file)
    assert figures["provenance"]["left_out"] == 24
    n = load_protocol(file).readouts[0].fitted_n
    assert figures["provenance"]["fit"]["n"] == sum(n.values()) == 24
    expected = f"fitted on {n['fake']} fake and {n['real']} real images, which is few"
    assert figures["provenance"]["fit"]["warning"].startswith(expected)


def test_a_fit_that_stands_in_the_file_is_the_one_replaced(answers, model, tmp_path):
    asked, file = answers(), tmp_path / "fitted.yaml"
    (first,) = calibrate(model, [asked], out=file)
    (second,) = calibrate(model, [asked], out=file, bias_only=True)
    assert (first.before, second.before) == (None, first.readout)
    assert load_protocol(file).readouts == (second.readout, OTHER)


def test_few_validation_images_are_warned_of_by_the_card_too(answer_set, model, tmp_path):
    own = ASKED.model_copy(update={"aggregation": "logsumexp"})
    save_card(model, ExpertCard(base="small", readouts=(own,)))
    asked = answer_set(simulated(40), expert_sha256=expert_sha256(model), readouts=(own,))
    calibrate(model, [asked])
    fit = measure([asked], tmp_path / "out", calibration=model)["provenance"]["fit"]
    assert (fit["source"], fit["n"]) == ("expert.json", 10)
    assert fit["warning"].startswith("fitted on 5 fake and 5 real images, which is few")


def test_where_scale_and_bias_can_go_is_said(answers, answer_set, model, tmp_path):
    with pytest.raises(UsageError, match=r"no expert\.json to hold") as error:
        calibrate(model, [answers()])
    assert "--out fitted.yaml" in error.value.hint
    own = answer_set(simulated(), "own", expert_sha256=expert_sha256(model))
    with pytest.raises(UsageError, match="not by those of a protocol"):
        calibrate(model, [own], out=tmp_path / "fitted.yaml")


@pytest.mark.parametrize(
    ("name", "message"), [("notes.txt", "not named like"), ("notes.yaml", "no 'todo' here")]
)
def test_a_file_that_is_no_protocol_is_not_overwritten(answers, model, tmp_path, name, message):
    (tmp_path / name).write_text("todo: milk\n")
    with pytest.raises(UsageError, match=message):
        calibrate(model, [answers()], out=tmp_path / name)
    assert (tmp_path / name).read_text() == "todo: milk\n"
