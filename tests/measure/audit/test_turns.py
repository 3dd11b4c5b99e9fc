"""Whole conversations, in order, answered; and each thing that can be wrong with one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from talked import honest, planted, turns

from fakeinstruct.measure.audit.sample import Turn
from fakeinstruct.measure.audit.turns import cut, declines, turns_section

ASKED = Turn("user", ("image", "text"), "What is it?")
SAID = Turn("assistant", ("text",), "It is fake.")


def spoiled(new, count=1):
    """An honest set in which some pairs are replaced."""
    talks = honest()
    changed = planted(talks[1 : 1 + 3 * count : 3], lambda t: {"turns": new})
    return [*talks, *changed]


def levels(section):
    return {finding.title: finding.level for finding in section.findings}


def test_an_honest_set_gives_no_finding():
    assert turns_section(honest()).findings == ()


@pytest.mark.parametrize(
    ("title", "new"),
    [
        ("Turns out of order", (SAID, ASKED)),
        ("Turns out of order", (ASKED, Turn("user", ("text",), "And?"), SAID)),
        ("Turns out of order", (ASKED, SAID, Turn("user", ("text",), "Why?"))),
        ("Image placeholders that do not match the images", (Turn("user", ("text",), "What is it?"), SAID)),
        (
            "Image placeholders that do not match the images",
            (ASKED, Turn("assistant", ("image", "text"), "So.")),
        ),
        (
            "Words that a processor takes for an image or the end of a turn",
            turns("What is <image>?", "It is fake."),
        ),
        ("Empty questions", turns("  ", "It is fake.")),
        ("Empty answers", turns("What is it?", " \n")),
    ],
)
def test_one_broken_conversation_is_a_problem(title, new):
    assert levels(turns_section(spoiled(new))) == {title: "problem"}


def test_one_truncated_answer_is_found():
    section = turns_section(spoiled(turns("What of it?", "Of the edges: they break off at the")))
    assert levels(section) == {"Answers that stop in the middle": "warning"}
    assert "they break off at the" in section.findings[0].examples[0].text


def test_many_truncated_answers_are_a_problem():
    def stop(talk):
        return {"turns": turns("What?", f"It breaks off at the place {talk.id}" + "." * (talk.id[-3] != "3"))}

    section = turns_section(planted(honest(), stop, "evidence/notice"))
    assert levels(section) == {"Answers that stop in the middle": "problem"}
    assert section.findings[0].detail.startswith("16 of 480")


def test_an_ending_that_comes_again_is_no_cut():
    def stop(talk):
        words = "nothing to be seen" if talk.id[-3] == "3" else "it is bent."
        return {"turns": turns("What?", f"Of {talk.id}: {words}")}

    assert turns_section(planted(honest(), stop, "evidence/notice")).findings == ()


def test_answers_of_a_template_that_ends_without_marks_are_not_cut():
    talks = planted(honest(), lambda t: {"turns": turns("What?", f"a list of {t.id}")}, "evidence/notice")
    assert turns_section(talks).findings == ()


@given(st.text(max_size=200))
def test_any_text_is_judged_and_a_full_stop_ends_it(text):
    cut(text)
    assert not cut(text + ".")
    assert turns_section(planted(honest(2), lambda t: {"turns": turns("Q?", text + ".")})).tables


def test_what_counts_as_cut():
    assert cut("It is fake because the")
    assert cut("First, look at this:")
    assert cut("I see:\n- The edges break off where the hand meets the")
    for whole in (
        "fake",
        "It is.",
        "It is!)",
        'He said "so"',
        "[[0.1, 0.2]]",
        "Flawed:\n- edges\n- light and shadow",
        "<verdict>fake</verdict>",
        "是的。",
    ):
        assert not cut(whole)
    assert not cut("B. none of these", ("edges", "none of these"))


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "As an AI language model, I do not see images.",
        "I’m sorry, this is nothing to me.",
        "The text translates to: it is fake.",
        "I can't see the image.",
        "I am unable to view images.",
        "No image was provided.",
    ],
)
def test_refusals_are_known(text):
    assert declines(text)
    assert levels(turns_section(spoiled(turns("What?", text)))) == {"Answers that refuse": "warning"}


@pytest.mark.parametrize(
    "text",
    [
        "It cannot be real.",
        "The sorry state of the edges.",
        "I see an AI image.",
        "As an image it fails.",
        "I cannot see a flaw in the eyes.",
    ],
)
def test_what_is_no_refusal(text):
    assert not declines(text)


def test_one_answer_to_a_whole_template_is_found():
    talks = planted(
        honest(), lambda t: {"turns": turns(f"What of {t.id}?", "It is fine.")}, "evidence/notice"
    )
    section = turns_section(talks)
    assert levels(section) == {"The same answer whatever the image in evidence/notice": "problem"}
    assert {each.label for each in section.findings[0].examples} == {"fake", "real"}


@pytest.mark.parametrize(("every", "level"), [(50, "warning"), (10, "note"), (3, None)])
def test_an_answer_to_most_questions_is_found_by_its_share(every, level):
    def most(talk):
        number = int(talk.id.split("-")[0])
        return {"turns": turns(f"Q{number}?", "No." if number % every else f"Yes, {number}.")}

    section = turns_section(planted(honest(), most, "evidence/notice"))
    assert [finding.level for finding in section.findings] == ([level] if level else [])


def test_the_same_conversation_again_is_found():
    talks = honest()
    section = turns_section([*talks, *talks[:2]])
    assert levels(section) == {"The same conversation about the same image, again": "warning"}
    assert section.findings[0].detail.startswith("2 of 482 pairs")


def test_questions_alone_are_evaluation_items():
    section = turns_section(planted(honest(), lambda t: {"turns": turns("Fake?")}, "verdict/ask"))
    assert section.findings == ()
    assert dict(section.tables[1].rows)["no answer: evaluation items"] == 160
