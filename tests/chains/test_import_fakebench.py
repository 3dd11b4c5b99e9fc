import json
import zipfile
from collections import Counter

import pytest
from published import data_folder, pictures, problems, take, write

from fakeinstruct.base.errors import FakeInstructError, Rejects, UsageError
from fakeinstruct.chains.importers.fakebench import asked_attribute
from fakeinstruct.chains.store import open_chains
from fakeinstruct.expand.lint import load_templates
from fakeinstruct.expand.plan import make_plan

WHICH, IS_FAKE, IS_REAL = (
    "What is the authenticity of this image, fake or real?",
    "Is this a fake image, yes or no?",
    "Is this a real image, yes or no?",
)


def classed(image, question, answer, authenticity):
    return {"image_id": image, "question": question, "answer": answer, "authenticity": authenticity}


@pytest.mark.parametrize(
    ("question", "answer", "authenticity", "label", "yes"),
    [
        (WHICH, "fake", 0, "fake", None),
        (WHICH, "real", 1, "real", None),
        (IS_FAKE, "yes", 0, "fake", "fake"),
        (IS_FAKE, "no", 1, "real", "fake"),
        (IS_REAL, "yes", 1, "real", "real"),
        (IS_REAL, "no", 0, "fake", "real"),
    ],
)
def test_zero_is_fake_and_no_to_is_it_real_means_fake(tmp_path, question, answer, authenticity, label, yes):
    file = write(tmp_path / "FakeClass.json", [classed("a.png", question, answer, authenticity)])
    chains, rejects, items, _ = take("fakebench", file, tmp_path / "out", without_images=True)
    assert not rejects
    (chain,), (item,) = chains.values(), items
    assert (chain.label, chain.split, item.answer, item.yes) == (label, "test", label, yes)
    assert (item.chain, item.kind, item.question) == ("a.png", "verdict", question)


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (classed("a.png", IS_REAL, "no", 1), "authenticity 1 means real, and 'no' to this question fake"),
        (classed("a.png", IS_FAKE, "yes", 1), "authenticity 1 means real, and 'yes' to this question fake"),
        (classed("a.png", WHICH, "fake", 1), "authenticity 1 means real"),
        (classed("a.png", WHICH, "yes", 0), "'yes' does not answer"),
        (classed("a.png", IS_FAKE, "fake", 0), "'fake' does not answer"),
        (
            classed("a.png", "Is this image fake or real, yes or no?", "yes", 0),
            "does not say what 'yes' means",
        ),
        (classed("a.png", WHICH, "fake", 2), "must be 0 (fake) or 1 (real), not 2"),
        (classed("a.png", WHICH, "fake", False), "should be a valid integer"),
        (classed("../a.png", WHICH, "fake", 0), "leaves the image root"),
        (classed("b.png", WHICH, "real", 1), "'b.png' is called real here and fake in record 1"),
        ({"image_id": "a.png"}, "is of none of FakeBench's three files"),
        ({"image_id": 3, "Q1": "How is the edge?"}, "must be text"),
        ({"image_id": "a.png", "Q1": None}, "must be a question"),
        (classed("a.png", IS_FAKE + "x" * 30_000, "yes", 0), "at most 20000 characters"),
        (None, "is of none of FakeBench's three files"),
    ],
)
def test_a_contradiction_is_rejected(tmp_path, record, problem):
    file = write(tmp_path / "FakeClass.json", [classed("b.png", WHICH, "fake", 0), record])
    chains, rejects, _, _ = take("fakebench", file, tmp_path / "out", without_images=True)
    assert set(chains) == {"b.png"}
    assert problem in problems(rejects)["2"]


def bench(folder):
    write(
        folder / "FakeClass.json",
        [classed("sd-1.png", IS_REAL, "no", 0), classed("n0.JPEG", WHICH, "real", 1)],
    )
    clue = {
        "image_id": "sd-1.png",
        "image_caption": "A cat.",
        "content_categories": "creature, photo",
        "telltale_clues": "",
        "generation_model": "sd",
        "faultfinding_mode": "This is a fake image, explain why.",
        "inference_mode": "Analyze, and conclude: fake or real",
    }
    write(folder / "FakeClue.json", [clue])
    qa = {
        "Q1": "How is the light & shadow regarding the authenticity of this image?",
        "A1": "",
        "Q2": "How is the edge regarding the authenticity of this image?",
        "A2": "",
        "image_id": "sd-1.png",
    }
    write(folder / "FakeQA.json", [qa])
    return folder


def test_the_three_files_are_merged_by_image(tmp_path):
    chains, rejects, items, _ = take(
        "fakebench", bench(tmp_path / "src"), tmp_path / "out", without_images=True
    )
    assert not rejects
    fake = chains["sd-1.png"]
    assert (fake.label, fake.generator, fake.content) == ("fake", "sd", ("creature", "photo"))
    assert [(text.role, text.text) for text in fake.texts] == [("caption", "A cat.")]
    assert (chains["n0.JPEG"].label, chains["n0.JPEG"].traces, fake.traces) == ("real", (), ())
    assert [(item.id, item.kind, item.attribute, item.answer) for item in items] == [
        ("sd-1.png#class", "verdict", None, "fake"),
        ("sd-1.png#faultfinding", "open", None, "fake"),
        ("sd-1.png#inference", "open", None, "fake"),
        ("sd-1.png#Q1", "attribute", "light_shadow", "fake"),
        ("sd-1.png#Q2", "attribute", "edge", "fake"),
        ("n0.JPEG#class", "verdict", None, "real"),
    ]


def test_a_question_is_about_the_attribute_that_it_names_not_its_number():
    assert asked_attribute("How are the edges regarding the authenticity of this image?") == "edge"
    assert asked_attribute("Is there any content deficiency regarding the authenticity of this image?") == (
        "content_deficiency"
    )
    assert (
        asked_attribute("How realistic is the image regarding the authenticity of this image?")
        == "unrealistic"
    )
    assert asked_attribute("How are texture and symmetry?") is None
    assert asked_attribute("How is it?") is None


def test_the_set_may_not_be_trained_on(tmp_path):
    take("fakebench", bench(tmp_path / "src"), tmp_path / "out", without_images=True)
    chains = open_chains(tmp_path / "out")
    assert "evaluation only" in chains.meta.evaluation_only
    assert "CC BY-NC" in chains.meta.licences["FakeBench"]
    with pytest.raises(
        FakeInstructError, match="may not be trained on: FakeBench is published for evaluation only"
    ):
        make_plan(chains, load_templates(), seed=0, rejects=Rejects())


def test_with_images_each_is_read(tmp_path):
    src = pictures(bench(tmp_path / "src"), "sd-1.png")
    chains, rejects, items, _ = take("fakebench", src, tmp_path / "out")
    assert set(chains) == {"sd-1.png"}
    assert chains["sd-1.png"].image.width == 40
    assert rejects.reasons() == [("image file is missing", 1)]
    assert {item.chain for item in items} == {"sd-1.png"}


def test_a_folder_without_its_files_is_wrong_usage(tmp_path):
    write(tmp_path / "src/other.json", [])
    with pytest.raises(UsageError, match=r"holds no FakeClass\.json or FakeClue\.json or FakeQA\.json"):
        take("fakebench", tmp_path / "src", tmp_path / "out")


@pytest.mark.data
def test_the_whole_of_fakebench_is_imported_without_images(tmp_path):
    archive = data_folder() / "annotation-formats.zip"
    if not archive.is_file():
        pytest.skip("set FAKEINSTRUCT_DATA to the folder that holds annotation-formats.zip")
    with zipfile.ZipFile(archive) as file:
        for name in file.namelist():
            if "fakebench" in name:
                file.extract(name, tmp_path)
    chains, rejects, items, summary = take("fakebench", tmp_path, tmp_path / "out", without_images=True)
    assert (len(chains), len(rejects), summary.items) == (6_000, 0, len(items))
    assert Counter(chain.label for chain in chains.values()) == {"fake": 3_000, "real": 3_000}
    assert Counter(item.kind for item in items) == {"verdict": 6_000, "open": 6_000, "attribute": 41_971}
    assert Counter((item.yes, item.answer) for item in items if item.yes) == {
        ("fake", "fake"): 751,
        ("fake", "real"): 750,
        ("real", "real"): 750,
        ("real", "fake"): 749,
    }
    asked = Counter(item.attribute for item in items if item.kind == "attribute")
    assert (len(asked), asked[None]) == (15, 13)
    assert "evaluation only" in json.loads((tmp_path / "out/meta.json").read_text())["evaluation_only"]


def test_a_question_that_comes_twice_is_kept_once(tmp_path):
    row = {"image_id": "a.png", "question": "fake or real?", "answer": "fake", "authenticity": 0}
    write(tmp_path / "set/FakeClass.json", [row, row])
    _, rejects, items, _ = take("fakebench", tmp_path / "set", tmp_path / "out", without_images=True)
    assert len(items) == 1
    assert "the id of its question was used before" in str(rejects.errors[0])


def test_images_lie_in_the_published_folders_or_beside_one_another(tmp_path):
    src = bench(tmp_path / "src")
    pictures(src / "FakeBench_images", "fake_images/sd-1.png", "real_images/n0.JPEG")
    chains, rejects, _, _ = take("fakebench", src, tmp_path / "out")
    assert not rejects
    assert set(chains) == {"FakeBench_images/fake_images/sd-1.png", "FakeBench_images/real_images/n0.JPEG"}
    together = pictures(tmp_path / "together", "sd-1.png", "n0.JPEG")
    chains, _, _, _ = take("fakebench", src, tmp_path / "beside", image_root=together)
    assert set(chains) == {"sd-1.png", "n0.JPEG"}


def test_a_missing_image_is_said_by_its_published_name(tmp_path):
    src = bench(tmp_path / "src")
    pictures(src / "fake_images", "sd-1.png")
    _, rejects, _, _ = take("fakebench", src, tmp_path / "out")
    assert any("image file is missing ('n0.JPEG')" in error.problem for error in rejects.errors)
