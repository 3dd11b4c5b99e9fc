"""Detection through the command line and in memory, for a person and for a program."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from commands import command
from PIL import Image

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.expert.card import Readout, load_card, save_card
from fakeinstruct.forensics.ask import ask
from fakeinstruct.forensics.detect import detect, detect_all
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.pictures import picture_files
from fakeinstruct.forensics.probability import logit_of_mean
from fakeinstruct.forensics.protocol import Protocol, load_protocol
from fakeinstruct.forensics.questions import verdict_question
from fakeinstruct.forensics.scan import sampled
from fakeinstruct.forensics.views import View, Viewer


def run_detect(*arguments):
    return command("detect", *arguments)


@pytest.fixture(scope="module")
def expert(expert_folder):
    return load_expert(expert_folder)


@pytest.fixture(scope="module")
def files(chains_folder):
    return [chains_folder / f"images/{number}.png" for number in range(10)]


def test_json_is_one_object_a_picture(expert_folder, files):
    words = ["detect", expert_folder, *files[:2], "--json"]
    run = subprocess.run(
        [sys.executable, "-m", "fakeinstruct", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    assert [row["image"] for row in rows] == [str(file) for file in files[:2]]
    for row in rows:
        assert row["probability"] == pytest.approx(1 / (1 + np.exp(-row["margin"])), abs=1e-6)
        assert row["verdict"] == ("fake" if row["probability"] > 0.5 else "real")
        assert row["margin"] == pytest.approx(row["logits"]["fake"] - row["logits"]["real"], abs=1e-5)
        mass = np.exp(np.logaddexp(*row["logits"].values()) - row["log_normaliser"])
        assert row["label_mass"] == pytest.approx(mass, abs=1e-5)
        assert row["calibrated"] is row["fitted_on"] is row["error"] is None
        assert (row["readout"], row["position"], row["samples"]) == ("verdict/one_word", "first", 1)
        assert row["prompt"].startswith("Is this image")
        assert row["explanation"]
        assert row["explanation_prompt"] == "What speaks for your verdict?"


def test_a_fitted_expert_says_both_probabilities_the_unfitted_first(own_expert, files):
    card = load_card(own_expert)
    fitted = card.readouts[0].model_copy(update={"scale": 2.0, "bias": 5.0, "fitted_on": "9 images"})
    save_card(own_expert, card.model_copy(update={"readouts": (fitted,)}))
    expert = load_expert(own_expert)
    detection = detect(expert, files[0], explain=False)
    assert detection.probability == pytest.approx(1 / (1 + np.exp(-detection.margin)), abs=1e-6)
    assert detection.calibrated == pytest.approx(1 / (1 + np.exp(-(2 * detection.margin + 5))), abs=1e-6)
    assert detection.verdict == ("fake" if detection.probability > 0.5 else "real")
    said = run_detect(own_expert, files[0], "--no-explain").stdout.splitlines()
    assert said[1].endswith("(zero-shot)")
    assert said[2] == f"  calibrated on 9 images: {detection.calibrated:.1%}"


def test_a_person_reads_figures_then_the_explanation(expert_folder, expert, files):
    run = run_detect(expert_folder, files[0])
    lines = run.stdout.splitlines()
    assert lines[0] == str(files[0])
    assert "probability of fake" in lines[1]
    assert "beware: the expert wanted to say something else" in lines[2]  # it was never trained
    assert "\n".join(lines[3:]) == "  " + ask(expert, files[0]).replace("\n", "\n  ")
    quiet = run_detect(expert_folder, files[0], "--no-explain").stdout
    assert quiet.splitlines() == lines[:3]


def test_in_any_company_as_alone_by_file_or_in_memory(expert, files):
    together = detect_all(expert, files)
    assert [detection.image for detection in together] == [str(file) for file in files]
    images = [Image.open(file) for file in files]
    in_memory = detect_all(expert, images)
    assert [detection.image for detection in in_memory] == [f"image {n}" for n in range(1, 11)]
    for number in (0, 7, 8):  # the last of one batch, the first of the next
        one, other, alone = together[number], in_memory[number], detect(expert, files[number])
        assert alone.margin == pytest.approx(one.margin, abs=1e-4) == pytest.approx(other.margin, abs=1e-4)
        assert alone.explanation == one.explanation == other.explanation
    assert len({round(detection.margin, 4) for detection in together}) > 1


@pytest.mark.parametrize("kind", ["turned", "transparent", "palette", "sixteen bits"])
def test_an_image_in_memory_is_seen_as_its_file(expert, tmp_path, kind):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 4), dtype=np.uint8)
    image, options = Image.fromarray(pixels), {}
    if kind == "turned":
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = 6
        image = image.convert("RGB")
    elif kind == "palette":
        image = image.convert("RGB").convert("P")
    elif kind == "sixteen bits":
        image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    file = tmp_path / "picture.png"
    image.save(file, **options)
    with Image.open(file) as opened:
        in_memory = detect(expert, opened, explain=False)
    assert in_memory.margin == pytest.approx(detect(expert, file, explain=False).margin, abs=1e-6)


def test_a_bad_picture_is_named_and_the_others_are_answered(expert_folder, files, tmp_path):
    (tmp_path / "bad.png").write_text("no image")
    run = run_detect(expert_folder, tmp_path / "bad.png", files[1], "--no-explain")
    assert run.returncode == 3
    assert "no answer" in run.stderr
    assert "bad.png" in run.stderr
    assert "probability of fake" in run.stdout
    assert "Traceback" not in run.stderr
    run = run_detect(expert_folder, tmp_path / "bad.png", files[1], "--no-explain", "--json")
    assert run.returncode == 3
    bad, good = map(json.loads, run.stdout.splitlines())
    assert "not an image" in bad["error"]
    assert bad["probability"] is None
    assert good["error"] is None


def test_no_readable_picture_is_no_result(expert_folder, expert, tmp_path):
    run = run_detect(expert_folder, tmp_path / "missing.png")
    assert run.returncode == 1
    assert "missing" in run.stderr
    assert run.stdout == ""
    assert "Traceback" not in run.stderr
    with pytest.raises(FakeInstructError, match="missing"):
        detect_all(expert, [tmp_path / "missing.png"])


def test_a_folder_is_the_pictures_in_it(expert, files, tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("b.png", "deep/a.PNG", ".hidden.png"):
        shutil.copy(files[0], tmp_path / name)
    (tmp_path / "notes.txt").write_text("mine")
    found = picture_files([tmp_path, files[1]])
    assert found == [tmp_path / "b.png", tmp_path / "deep/a.PNG", files[1]]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no picture"):
        picture_files([tmp_path / "empty"])


def test_a_protocol_says_how_it_is_asked(expert, files):
    first = Readout(name="first", prompt="real or fake?", fake=("fake",), real=("real",), trained=False)
    other = first.model_copy(update={"name": "other", "prompt": "So what is it?"})
    protocol = Protocol(readouts=(first, other), readout="other")
    detection = detect(expert, files[0], protocol=protocol, explain=False)
    assert (detection.readout, detection.prompt) == ("other", "So what is it?")
    assert detection.margin != pytest.approx(detect(expert, files[0], explain=False).margin, abs=1e-4)
    with pytest.raises(UsageError, match="no readout 'third'"):
        detect(expert, files[0], protocol=Protocol(readout="third"))


def test_a_protocol_may_be_a_name_or_a_file_and_nothing_else(expert, files, tmp_path):
    named = detect(expert, files[0], protocol="zero-shot", explain=False)
    assert named == detect(expert, files[0], protocol=load_protocol("zero-shot"), explain=False)
    assert named.readout == "real-or-fake"
    (tmp_path / "own.yaml").write_text("name: own\n")
    assert detect(expert, files[0], protocol=tmp_path / "own.yaml").readout == "verdict/one_word"
    with pytest.raises(UsageError, match=r"no protocol named 'zero-shoot'.*Did you mean 'zero-shot'"):
        detect(expert, files[0], protocol="zero-shoot")
    with pytest.raises(UsageError, match="a dict is no protocol"):
        detect(expert, files[0], protocol={"name": "own"})


@pytest.mark.parametrize(("picture", "kind"), [(np.zeros((8, 8, 3), np.uint8), "ndarray"), (b"", "bytes")])
def test_what_is_no_picture_is_said_at_once(expert, files, picture, kind):
    with pytest.raises(UsageError, match=f"image 2 is of type '{kind}': a picture is a path or a PIL image"):
        detect_all(expert, [files[0], picture])
    with pytest.raises(UsageError, match="a picture is a path or a PIL image"):
        ask(expert, picture)


@pytest.mark.parametrize("verb", ["detect", "ask"])
def test_a_server_is_not_asked_by_a_person(verb, files):
    run = command(verb, "http://localhost:8000/v1", files[0])
    assert run.returncode == 2
    assert "http://localhost:8000/v1: a server can only be scored" in run.stderr


def test_no_verdict_in_what_was_written_is_an_error(expert, files):
    readout = Readout(
        name="scan", prompt="Why?", position="scan", after="Verdict:", fake=("fake",), real=("real",)
    )
    detection = detect(expert, files[0], protocol=Protocol(readouts=(readout,), samples=2))
    assert detection.error.startswith("wrote no verdict ('")
    assert detection.rationale
    assert detection.verdict is detection.probability is None


def test_several_rationales_are_a_mean_of_those_that_name_a_verdict(expert, files):
    """An untrained model writes letters by chance: with those for label words some name one and some do not."""
    readout = Readout(name="scan", prompt="Why?", position="scan", fake=("S",), real=("W",))
    protocol = Protocol(readouts=(readout,), samples=12)
    detection = detect(expert, files[0], protocol=protocol)
    question = verdict_question(View(files[0].name), readout, {"item": str(files[0])})
    rows = expert.asker(Viewer(files[0].parent)).ask(list(sampled(question, 12, seed=0)))
    read = [row for row in rows if not row.get("error")]
    assert 0 < len(read) < 12
    assert detection.samples == len(read)
    assert detection.margin == pytest.approx(logit_of_mean([row["margin"] for row in read]), abs=1e-4)
    assert detection.note == f"{12 - len(read)} of 12 rationales name no verdict"
    assert detection.rationale == read[0]["text"]
