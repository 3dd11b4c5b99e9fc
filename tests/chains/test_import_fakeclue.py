import pytest
from published import conversation, pictures, problems, take, write

FAKE = "This is a fake image. The texture of the wall is odd."
REAL = "This is a real image. The light falls naturally."


def clue(image, label, answer, **more):
    return conversation(image, answer, label=label, cate="animal", **more)


def test_zero_is_fake_and_one_is_real(tmp_path):
    pictures(tmp_path, "ff/a.png", "b.png")
    file = write(tmp_path / "train.json", [clue("ff/a.png", 0, FAKE), clue("b.png", 1, REAL)])
    chains, rejects, _, _ = take("fakeclue", file, tmp_path / "out", validation=0.0)
    assert not rejects
    fake, real = chains["ff/a.png"], chains["b.png"]
    assert (fake.label, real.label) == ("fake", "real")
    assert (fake.content, fake.split) == (("animal",), "train")
    assert [(trace.observation, trace.attribute) for trace in fake.traces] == [
        ("The texture of the wall is odd.", "texture")
    ]
    assert real.traces[0].points_to == "real"
    assert (fake.origin.by, fake.origin.label_shown, fake.origin.source_record) == ("model", True, "1")


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (clue("a.png", 1, FAKE), "its label 1 means real, and its answer says fake"),
        (clue("a.png", 0, REAL), "its label 0 means fake, and its answer says real"),
        (clue("a.png", 2, FAKE), "must be 0 (fake) or 1 (real), not 2"),
        (clue("a.png", "0", FAKE), "should be a valid integer, not '0'"),
        (clue("a.png", False, FAKE), "should be a valid integer, not False"),
        (clue("a.png", 0, "I'm sorry, I can't help with that."), "the answer is a refusal"),
        (clue("/etc/../a.png", 0, FAKE), "leaves the image root"),
        (conversation("a.png", FAKE), "field required"),
        ("a.png", "is text, not an object"),
    ],
)
def test_a_contradiction_is_rejected(tmp_path, record, problem):
    pictures(tmp_path, "a.png", "b.png")
    file = write(tmp_path / "x.json", [record, clue("b.png", 1, REAL)])
    chains, rejects, _, _ = take("fakeclue", file, tmp_path / "out")
    assert set(chains) == {"b.png"}
    assert problem in problems(rejects)["1"]


def test_a_file_of_the_opposite_polarity_ends_the_import(tmp_path):
    """With the usual share of rejects nothing of it gets through."""
    from fakeinstruct.base.errors import FakeInstructError, Rejects

    names = [f"{number}.png" for number in range(30)]
    pictures(tmp_path, *names)
    file = write(tmp_path / "x.json", [clue(name, 1, FAKE) for name in names])
    with pytest.raises(FakeInstructError, match="30 of 30 records rejected"):
        take("fakeclue", file, tmp_path / "out", rejects=Rejects())
    assert not (tmp_path / "out").exists()


def test_an_answer_without_a_verdict_is_taken_by_its_label_and_counted(tmp_path):
    pictures(tmp_path, "a.png")
    file = write(tmp_path / "x.json", [clue("a.png", 0, "The hands are warped.")])
    chains, rejects, _, summary = take("fakeclue", file, tmp_path / "out")
    assert (chains["a.png"].label, len(rejects)) == ("fake", 0)
    assert "answers whose first sentence states no verdict, taken by their label: 1" in summary.remarks
