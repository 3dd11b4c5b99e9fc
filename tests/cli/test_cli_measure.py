"""`measure` and `calibrate` as a user calls them."""

import json

import numpy as np
import pytest
from commands import call

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.base.files import write_json
from fakeinstruct.expert.card import UNFITTED, ExpertCard, Readout, load_card, save_card
from fakeinstruct.forensics.answers import AnswersMeta, open_answers, write_part
from fakeinstruct.forensics.expert_files import expert_sha256
from fakeinstruct.measure.calibration import fit_bias, fit_scale_bias


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
                "template": "a",
                "prompt": "Fake?",
                "position": "first",
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


def rewrite(answers, change):
    """Replace the rows of an answer set."""
    rows = change(open_answers(answers).table().to_pylist())
    write_part(answers, "00000", rows)
    return rows


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
    assert "skipped, without a figure: 1 answer about 1 image" in result.stdout
    assert str(tmp_path / "out/report.html") in result.stdout
    assert (tmp_path / "out/report.html").is_file()
    assert (tmp_path / "out/figures.md").read_text().startswith("# Figures of ")


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
    assert after.readouts[0].fitted_n == {"fake": 100, "real": 100}
    first = after.readouts[0].model_copy(update=UNFITTED)
    assert after.model_copy(update={"readouts": (first, after.readouts[1])}) == before


def test_calibrate_never_fits_on_the_test_split(answers, expert):
    rewrite(answers, lambda rows: [row for row in rows if row["split"] == "test"])
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


def fitted(expert):
    return load_card(expert).readouts


def by_hand(rows, bias_only=False):
    """Scale and bias of rows of answers."""
    truth, margin = [row["label"] == "fake" for row in rows], np.float32([row["margin"] for row in rows])
    return (1.0, fit_bias(truth, margin)) if bias_only else fit_scale_bias(truth, margin)


def test_each_prompt_that_was_asked_has_its_own_scale_and_bias(answers, expert):
    def and_again(rows):
        return rows + [row | {"template": "b", "margin": row["margin"] * 2 - 1} for row in rows]

    rows = rewrite(answers, and_again)
    assert call("calibrate", expert, answers).exit_code == 0
    for name, readout in zip("ab", fitted(expert), strict=True):
        own = [row for row in rows if row["template"] == name and row["split"] == "validation"]
        assert (readout.scale, readout.bias) == pytest.approx(by_hand(own))
        assert readout.fitted_items == ()


def test_a_bias_alone_is_fitted_on_a_few_target_images_which_are_then_left_out(answers, expert, tmp_path):
    result = call("calibrate", expert, answers, "--bias-only", "--split", "test", "--images", 24)
    readout = fitted(expert)[0]
    assert readout.fitted_on == "24 test images of chains (111111111111), the bias alone"
    assert len(readout.fitted_items) == 24
    rows = open_answers(answers).table().to_pylist()
    own = [row for row in rows if row["item"] in readout.fitted_items]
    assert {row["split"] for row in own} == {"test"}
    assert (readout.scale, readout.bias) == pytest.approx(by_hand(own, bias_only=True))
    assert "beware: fitted on" in result.stdout

    result = call("measure", answers, "--out", tmp_path / "out", "--calibration", expert)
    figures = json.loads((tmp_path / "out/figures.json").read_bytes())
    assert figures["provenance"]["fit"]["source"] == "expert.json"
    assert figures["overall"]["test"]["n"] == 199 - 24
    assert "left out, because the bias was fitted on them: 24 images" in result.stdout
    assert "calibrated by expert.json: 24 test images" in result.stdout
    said = " ".join(result.stdout.split())
    n = readout.fitted_n
    assert f"calibrated figures: fitted on {n['fake']} fake and {n['real']} real images, which is few" in said

    call("calibrate", expert, answers, "--bias-only", "--split", "test", "--images", 24)
    assert fitted(expert)[0] == readout  # the same images each time


def test_a_scale_fitted_later_forgets_the_images_of_the_bias(answers, expert):
    call("calibrate", expert, answers, "--bias-only", "--split", "test")
    assert len(fitted(expert)[0].fitted_items) == 199
    call("calibrate", expert, answers)
    assert fitted(expert)[0].fitted_items == ()


def test_calibrate_says_what_it_replaces(answers, expert):
    assert "replaces" not in call("calibrate", expert, answers).stdout
    before = fitted(expert)[0]
    result = call("calibrate", expert, answers, "--bias-only", "--split", "test", "--images", 24)
    said = f"  replaces scale {before.scale:.4f}, bias {before.bias:.4f}, fitted on {before.fitted_on}"
    assert said in result.stdout.splitlines()


def test_calibrate_writes_a_protocol_for_a_model_without_a_card(answers, tmp_path):
    readout = Readout(name="a", prompt="Fake?", fake=("Fake",), real=("Real",)).model_dump(mode="json")
    meta = json.loads((answers / "meta.json").read_bytes())
    write_json(answers / "meta.json", meta | {"protocol": {"readouts": [readout]}, "readouts": [readout]})
    model, file = tmp_path / "model", tmp_path / "fitted.yaml"
    model.mkdir()
    assert f"{file} is not written" in call("calibrate", model, answers, "--out", file, "--dry-run").stdout
    assert f"written to {file}" in call("calibrate", model, answers, "--out", file).stdout
    assert list(model.iterdir()) == []
    result = call("measure", answers, "--out", tmp_path / "out", "--calibration", file)
    assert "calibrated by protocol: 200 validation images of chains" in " ".join(result.stdout.split())


def test_measure_does_not_write_among_somebody_elses_files(answers, tmp_path):
    before = sorted(answers.iterdir())
    with pytest.raises(UsageError, match="is not empty and holds no earlier result"):
        call("measure", answers, "--out", answers)
    assert sorted(answers.iterdir()) == before
    for _ in range(2):  # a report of its own it replaces
        assert call("measure", answers, "--out", tmp_path / "out").exit_code == 0


def test_prompts_with_little_label_mass_are_warned_of(answers, tmp_path):
    def low(rows):
        again = [row | {"template": "b", "prompt": "Really?", "label_mass": 0.2} for row in rows]
        return [row | {"label_mass": 0.4 if row["item"] == "image-200" else 0.9} for row in rows] + again

    rewrite(answers, low)
    said = " ".join(call("measure", answers, "--out", tmp_path / "out").stdout.split())
    warning = "label mass is under 0.5 for 1 of 2 prompts (200 of 398 test answers)"
    assert f"beware: {warning}" in said
    assert "headline figures are of the mean over all prompts" in said
    assert f"L{warning[1:]}" in (tmp_path / "out/report.html").read_text()
    assert warning in (tmp_path / "out/figures.md").read_text().replace("\\", "")

    rewrite(answers, lambda rows: [row | {"label_mass": 0.9} for row in rows])
    assert "label mass is under" not in call("measure", answers, "--out", tmp_path / "out").stdout


def test_traces_that_are_left_out_are_counted_with_the_reason(answers, tmp_path):
    def more(rows):
        changed = {"condition": "mask", "trace": "t1", "look": 1}
        return rows + [row | changed for row in rows[200:203]]

    rewrite(answers, more)
    said = " ".join(call("measure", answers, "--out", tmp_path / "out").stdout.split())
    assert "mask: 3 traces are left out as incomplete: 3 with no random region beside it" in said
    assert (
        "3 traces are left out as incomplete: 3 with no random" in (tmp_path / "out/report.html").read_text()
    )


def test_a_dry_run_prints_and_writes_nothing(answers, expert):
    before = (expert / "expert.json").read_bytes()
    result = call("calibrate", expert, answers, "--dry-run")
    assert "scale 0." in result.stdout
    assert "stays as it was" in result.stdout
    assert (expert / "expert.json").read_bytes() == before


def test_what_a_bias_cannot_be_fitted_on_is_said(answers, expert):
    before = (expert / "expert.json").read_bytes()
    with pytest.raises(FakeInstructError, match="fewer than 500"):
        call("calibrate", expert, answers, "--bias-only", "--images", 500)
    rewrite(answers, lambda rows: [row for row in rows if row["label"] == "fake"][:30])
    with pytest.raises(FakeInstructError, match="one class only: 30 fakes and 0 reals"):
        call("calibrate", expert, answers, "--bias-only")
    assert (expert / "expert.json").read_bytes() == before


def test_scale_and_bias_are_not_fitted_on_the_test_split(answers, expert):
    with pytest.raises(UsageError, match="never on what is measured"):
        call("calibrate", expert, answers, "--split", "test")
    with pytest.raises(UsageError, match="never on what is measured"):
        call("calibrate", expert, answers, "--images", 20)


def test_calibrate_refuses_a_prompt_that_the_expert_has_not(answers, expert):
    rewrite(answers, lambda rows: [row | {"position": "scan"} for row in rows])
    with pytest.raises(UsageError, match=r"position 'scan'\), which expert.json does not hold"):
        call("calibrate", expert, answers)


def test_measure_refuses_a_calibration_that_is_not_there_or_of_another_expert(answers, expert, tmp_path):
    with pytest.raises(UsageError, match="no scale and bias for the prompt “Fake\\?”"):
        call("measure", answers, "--out", tmp_path / "out", "--calibration", expert)
    (expert / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(UsageError, match="answers of another expert"):
        call("measure", answers, "--out", tmp_path / "out", "--calibration", expert)
    assert not (tmp_path / "out").exists()


def test_measure_prints_conditions_prompts_and_the_prior(answers, tmp_path):
    def more(rows):
        jpeg = [row | {"condition": "jpeg-50", "margin": row["margin"] / 2} for row in rows]
        asked = [row | {"template": "b", "prompt": "[red]Really?\x1b[31m", "trained": False} for row in rows]
        nothing = {"kind": "prior", "item": "prior/grey", "position": "first", "margin": -0.25}
        priors = [
            nothing | {"template": row["template"], "prompt": row["prompt"]} for row in (rows[0], asked[0])
        ]
        return rows + jpeg + asked + priors

    rewrite(answers, more)
    result = call("measure", answers, "--out", tmp_path / "out", "--subtract-prior")
    lines = result.stdout.splitlines()
    places = [
        next(n for n, line in enumerate(lines) if line.startswith(name)) for name in ("clean", "jpeg-50")
    ]
    assert places[0] < places[1]
    assert any(line.startswith("[red]Really?\\x1b[31m") and line.endswith("-0.2500") for line in lines)
    assert "prior subtracted" in result.stdout
    assert "auc over 2 prompts: " in result.stdout
    assert "\x1b" not in result.stdout


def test_an_unknown_aggregation_is_wrong_usage(answers, tmp_path):
    with pytest.raises(UsageError, match="no aggregation 'logsumexpo'") as error:
        call("measure", answers, "--out", tmp_path / "out", "--aggregation", "logsumexpo")
    assert "logsumexp" in error.value.hint
