"""`measure` and `calibrate` as a user calls them."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.base.files import write_json
from fakeinstruct.cli.main import app
from fakeinstruct.expert.card import ExpertCard, Readout, load_card, save_card
from fakeinstruct.forensics.answers import AnswersMeta, write_part
from fakeinstruct.forensics.expert import expert_sha256


def call(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def answers(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for index in range(400):
        fake = index % 2 == 0
        margin = float(rng.normal(1.5 if fake else -1.5, 1.7))
        rows.append(
            {
                "item": f"image-{index}",
                "kind": "verdict",
                "label": "fake" if fake else "real",
                "generator": "[bold]g" if fake else None,
                "split": "validation" if index < 200 else "test",
                "margin": 3 * margin + 2,  # three times too sure, and biased to fake
                "error": "gone" if index == 399 else None,
            }
        )
    folder = tmp_path / "answers"
    folder.mkdir()
    write_part(folder, "00000", rows)
    # the expert below has a card and no weights, whose hash is that of any folder without weights
    meta = AnswersMeta(
        expert="e",
        expert_sha256=expert_sha256(tmp_path),
        items="chains",
        items_sha256="1" * 64,
        complete=True,
    )
    write_json(folder / "meta.json", meta.model_dump(mode="json"))
    return folder


@pytest.fixture
def expert(tmp_path):
    readouts = tuple(
        Readout(name=name, prompt="Fake?", fake=("Fake",), real=("Real",)) for name in ("a", "b")
    )
    (tmp_path / "expert").mkdir()
    save_card(tmp_path / "expert", ExpertCard(base="small", readouts=readouts, trained_on={"seed": 3}))
    return tmp_path / "expert"


def test_measure_prints_the_figures_and_where_the_report_is(answers, tmp_path):
    result = call("measure", answers, "--out", tmp_path / "out")
    assert result.exit_code == 0
    figures = json.loads((tmp_path / "out/figures.json").read_bytes())
    assert f"{figures['overall']['test']['auc']:.4f}" in result.stdout
    assert "auc, [bold]g" in result.stdout
    assert "skipped, without a figure: 1" in result.stdout
    assert str(tmp_path / "out/report.html") in result.stdout
    assert (tmp_path / "out/report.html").is_file()


def test_measure_of_what_is_no_answer_set_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match=r"no meta\.json"):
        call("measure", tmp_path, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_calibrate_writes_scale_and_bias_and_keeps_the_rest(answers, expert):
    before = load_card(expert)
    result = call("calibrate", expert, answers)
    assert result.exit_code == 0
    after = load_card(expert)
    assert after.readouts[0].scale == pytest.approx(1 / 3, rel=0.3)
    assert after.readouts[0].bias == pytest.approx(-2 / 3, abs=0.5)
    assert after.readouts[0].fitted_on == "200 validation images of chains (111111111111)"
    assert f"scale {after.readouts[0].scale:.4f}" in result.stdout
    untouched = {"scale": None, "bias": None, "fitted_on": None}
    first = after.readouts[0].model_copy(update=untouched)
    assert after.model_copy(update={"readouts": (first, after.readouts[1])}) == before


def test_calibrate_never_fits_on_the_test_split(answers, expert):
    rows = [{"item": "x", "kind": "verdict", "label": "fake", "split": "test", "margin": 1.0}]
    write_part(answers, "00000", rows)
    card = (expert / "expert.json").read_bytes()
    with pytest.raises(FakeInstructError, match="no validation images to fit on"):
        call("calibrate", expert, answers)
    assert (expert / "expert.json").read_bytes() == card


def test_calibrate_refuses_answers_read_otherwise(answers, expert):
    meta = json.loads((answers / "meta.json").read_bytes())
    write_json(answers / "meta.json", meta | {"aggregation": "sum"})
    with pytest.raises(
        FakeInstructError, match="aggregated by sum, but the expert's readout is by logsumexp"
    ):
        call("calibrate", expert, answers)


def test_calibrate_refuses_the_answers_of_another_expert(answers, expert):
    (expert / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(FakeInstructError, match="answers of another expert"):
        call("calibrate", expert, answers)
