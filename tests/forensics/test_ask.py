"""Free questions: answered in any company, a bad picture a reply with its error."""

import pytest
from PIL import Image

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.expert.card import load_card, save_card
from fakeinstruct.forensics.ask import ask, ask_all, replies
from fakeinstruct.forensics.expert import load_expert

QUESTION = "What do the edges tell?"


@pytest.fixture(scope="module")
def expert(expert_folder):
    return load_expert(expert_folder)


@pytest.fixture(scope="module")
def files(chains_folder):
    return [chains_folder / f"images/{number}.png" for number in range(10)]


def test_several_pictures_are_answered_as_each_alone(expert, files):
    together = ask_all(expert, files, QUESTION, max_new_tokens=10)
    assert [reply.image for reply in together] == [str(file) for file in files]
    assert [reply.text for reply in together] == [
        ask(expert, file, QUESTION, max_new_tokens=10) for file in files
    ]
    assert len({reply.text for reply in together}) > 1


def test_an_image_in_memory(expert, files):
    with Image.open(files[0]) as image:
        assert ask(expert, image, QUESTION) == ask(expert, files[0], QUESTION)


def test_the_answer_is_shown_while_it_is_written(expert, files):
    pieces = []
    assert ask(expert, files[0], QUESTION, show_piece=pieces.append) == "".join(pieces)


def test_without_a_question_it_explains(expert, files):
    assert ask(expert, files[0]) == ask(expert, files[0], "What speaks for your verdict?")


def test_without_a_question_and_a_learned_one(own_expert, files):
    save_card(own_expert, load_card(own_expert).model_copy(update={"explanation_prompts": ()}))
    with pytest.raises(UsageError, match="give one"):
        ask(load_expert(own_expert), files[0])


def test_a_bad_picture_costs_itself_only(expert, files, tmp_path):
    (tmp_path / "bad.png").write_text("no image")
    found = ask_all(expert, [files[0], tmp_path / "bad.png", tmp_path / "none.png", files[1]], QUESTION)
    assert [reply.error is None for reply in found] == [True, False, False, True]
    assert [reply.text is None for reply in found] == [False, True, True, False]
    assert "not an image" in found[1].error
    with pytest.raises(FakeInstructError, match="missing"):
        ask(expert, tmp_path / "none.png", QUESTION)


def test_a_picture_that_the_processor_refuses_costs_itself_only(expert, files, monkeypatch):
    """Published processors refuse a picture 200 times as wide as high."""
    own = expert.processor.image_processor.preprocess

    def refuse(images, *arguments, **options):
        if any(image.width == 400 for image in images):
            raise ValueError("absolute aspect ratio must be smaller than 200, got 400.0")
        return own(images, *arguments, **options)

    monkeypatch.setattr(expert.processor.image_processor, "preprocess", refuse)
    found = ask_all(expert, [files[0], Image.new("RGB", (400, 1)), files[1]], QUESTION)
    assert [reply.error is None for reply in found] == [True, False, True]
    assert found[1].error == (
        "cannot be asked about (ValueError: absolute aspect ratio must be smaller than 200, got 400.0)"
    )


@pytest.mark.parametrize("question", ["", " ", "is <image> fake?"])
def test_a_question_that_cannot_be_asked_is_refused_before_any_picture(expert, question):
    with pytest.raises(UsageError, match="question"):
        next(replies(expert, ["missing.png"], question))
