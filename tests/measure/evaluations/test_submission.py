"""FakeBench's submission files: the authors' names and keys, every image once, nothing made up."""

from __future__ import annotations

import json

import pytest

from fakeinstruct.measure.evaluations.submission import to_the_point, write_fakebench

TEXTURE = (
    "Answer this question without itemizing: How is the texture regarding the authenticity of this image?"
)
ROWS = [
    {"item": "b.png#class", "prompt": "?", "text": "No.", "condition": "clean"},
    {"item": "b.png#class", "prompt": "?", "text": "Yes.", "condition": "jpeg-50"},
    {"item": "a.JPEG#class", "prompt": "?", "text": None, "condition": "clean"},
    {
        "item": "b.png#faultfinding",
        "prompt": "?",
        "text": "This is a fake image because – é.",
        "condition": "clean",
    },
    {"item": "b.png#inference", "prompt": "?", "text": "… fake", "condition": "clean"},
    {"item": "b.png#Q10", "prompt": TEXTURE, "text": "It is fine.", "condition": "clean"},
    {
        "item": "b.png#Q2",
        "prompt": TEXTURE,
        "text": "A cat. Its texture repeats.\nIt sits.",
        "condition": "clean",
    },
]


def test_the_files_are_those_of_the_authors(tmp_path):
    found = write_fakebench(tmp_path, ROWS)
    assert found == {
        "test_FakeClass.json": {"images": 2, "lacking": 1},
        "test_FakeClue.json": {"images": 1, "lacking": 0},
        "test_FakeQA.json": {"images": 1, "lacking": 0},
    }
    files = {file.name: json.loads(file.read_bytes().decode("utf-8")) for file in tmp_path.iterdir()}
    assert files["test_FakeClass.json"] == [
        {"image_id": "a.JPEG", "answer": ""},
        {"image_id": "b.png", "answer": "No."},
    ]
    assert files["test_FakeClue.json"] == [
        {
            "image_id": "b.png",
            "faultfinding_mode": "This is a fake image because – é.",
            "inference_mode": "… fake",
        }
    ]
    (said,) = files["test_FakeQA.json"]
    assert list(said) == ["image_id", "A2", "A2_org", "A10", "A10_org"]  # by number, not by letter
    assert said["A2"] == "Its texture repeats."
    assert said["A2_org"] == "A cat. Its texture repeats.\nIt sits."
    assert said["A10"] == said["A10_org"] == "It is fine."


def test_a_file_of_nothing_is_not_written(tmp_path):
    assert list(write_fakebench(tmp_path, ROWS[:1])) == ["test_FakeClass.json"]
    assert write_fakebench(tmp_path / "none", []) == {}
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("question", "answer", "said"),
    [
        (
            "How is the light & shadow ...?",
            "Nice. The shadows fall left. The sky is blue.",
            "The shadows fall left.",
        ),
        ("Are there any content deficiencies ...?", "A deficiency shows! Else fine.", "A deficiency shows!"),
        ("How is the edge ...?", "Edges are sharp, e.g. v1.5 ones. Fine.", "Edges are sharp, e.g."),
        ("How is the tone ...?", "", ""),
        ("How is the shape ...?", "Stones.", "Stones."),
    ],
)
def test_an_answer_is_cut_to_the_sentences_that_name_the_aspect(question, answer, said):
    assert to_the_point(question, answer) == said
