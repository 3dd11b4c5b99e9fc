"""Whether the right option can be guessed: by letter, length, words."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from talked import honest, planted, turns

from fakeinstruct.measure.audit.choices import choices_section, letters

RNG = np.random.default_rng(0)


def only(talks):
    return [talk for talk in talks if talk.choices]


def shares(section):
    table = section.tables[0]
    return dict(zip(table.columns, table.rows[0], strict=True))


def test_honest_choices_give_no_finding():
    for seed in range(4):
        section = choices_section(honest(seed=seed), seed=seed)
        assert section.findings == ()
        assert shares(section)["chance"] == 0.25
        assert section.tables[1].rows[0][-1] > 0.001  # chi-square


def test_a_right_option_that_is_always_a_is_found():
    section = choices_section(planted(honest(), lambda t: {"right": 0}, "choice/which"), seed=0)
    (finding,) = section.findings
    assert finding.level == "problem"
    assert "the commonest letter" in finding.detail
    assert finding.examples[0].text.endswith("Right: A")
    assert section.tables[1].rows[0][1:5] == (160, 0, 0, 0)
    assert section.tables[1].rows[0][5] < 1e-20


def test_a_letter_of_each_label_is_found():
    section = choices_section(planted(honest(), lambda t: {"right": int(t.fake)}, "choice/which"), seed=0)
    assert section.findings[0].level == "problem"
    assert shares(section)["letter by label"] == 1
    assert shares(section)["one letter"] == pytest.approx(0.5, abs=0.1)


def test_a_right_option_that_is_always_the_longest_is_found():
    def stretch(talk):
        options = tuple(f"{o} of it" if i == talk.right else o for i, o in enumerate(talk.choices))
        return {"choices": options}

    # words would tell it too, if the same words came again
    talks = planted(honest(), stretch, "choice/which")
    talks = planted(
        talks,
        lambda t: {"choices": tuple("".join(RNG.choice(list("abcdefgh"), len(o))) for o in t.choices)},
        "choice/which",
    )
    section = choices_section(talks, seed=0)
    assert section.findings[0].level == "problem"
    assert "the longest option" in section.findings[0].detail
    assert shares(section)["longest"] == 1
    assert shares(section)["shortest"] == 0


def test_an_option_that_is_right_too_often_is_a_warning():
    def none(talk):
        options = list(talk.choices)
        options[talk.right] = "none" if int(talk.chain.split("-")[1]) % 4 else options[talk.right]
        if "none" not in options:
            options[(talk.right + 1) % 4] = "none"
        return {"choices": tuple(options)}

    section = choices_section(planted(honest(), none, "choice/which"), seed=0)
    (finding,) = section.findings
    assert finding.level == "warning"
    assert 0.65 < shares(section)["option's words"] < 0.85


def test_letters_are_expected_by_how_many_options_there_are():
    talks = only(honest(8))
    talks = planted(talks[:4], lambda t: {"choices": ("a", "b"), "right": 0}) + planted(
        talks[4:], lambda t: {"choices": ("a", "b", "c", "d"), "right": 3}
    )
    counts, expected, p = letters(talks)
    assert counts == [4, 0, 0, 4]
    assert expected == [3.0, 3.0, 1.0, 1.0]
    assert p is None  # too few for a chi-square


@given(st.lists(st.integers(2, 6), min_size=1, max_size=30), st.randoms())
def test_letters_account_for_every_question(sizes, random):
    talk = only(honest(1))[0]
    talks = [
        replace(talk, choices=tuple("option" for _ in range(n)), right=random.randrange(n)) for n in sizes
    ]
    counts, expected, _ = letters(talks)
    assert sum(counts) == len(talks)
    assert sum(expected) == pytest.approx(len(talks))


def test_a_set_without_choices_says_so():
    section = choices_section([talk for talk in honest() if not talk.choices], seed=0)
    assert "no multiple-choice" in section.skipped


def test_few_choices_are_counted_and_not_judged():
    section = choices_section(planted(honest(6), lambda t: {"right": 0}, "choice/which"), seed=0)
    assert section.findings == ()
    assert shares(section)["one letter"] is None


def test_questions_and_options_may_be_empty():
    talks = planted(
        honest(), lambda t: {"turns": turns("", ""), "choices": ("", ""), "right": 0}, "choice/which"
    )
    assert choices_section(talks, seed=0).findings
