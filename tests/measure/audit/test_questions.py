"""A classifier that sees the question only: near .5 where nothing leaks, and not where something does."""

import numpy as np
import pytest
from talked import honest, planted, turns

from fakeinstruct.measure.audit.questions import ALL, halves, questions_section
from fakeinstruct.measure.figure import UnavailableError


def titles(section):
    return [(finding.level, finding.title) for finding in section.findings]


def row(section, part):
    table = section.tables[0]
    return dict(zip(table.columns, next(r for r in table.rows if r[0] == part), strict=True))


def test_an_honest_set_gives_no_finding():
    for seed in range(4):
        section = questions_section(honest(seed=seed), seed=seed)
        assert section.findings == ()
        assert 0.35 < row(section, ALL)["AUC of words"] < 0.6


def test_why_asked_of_fakes_only_is_found_and_named():
    leaky = planted(
        honest(),
        lambda t: {"turns": turns("Why is the light wrong?" if t.fake else "How is the light?", "It is.")},
        "evidence/notice",
    )
    section = questions_section(leaky, seed=0)
    found = section.findings
    assert ("problem", "The question tells the label in evidence/notice") in titles(section)
    assert ("problem", f"The question tells the label over {ALL}") in titles(section)
    assert (
        row(section, "evidence/notice")["AUC of words"] == row(section, "evidence/notice")["first word"] == 1
    )
    assert "evidence/notice" in section.tables[0].rows[1][0]  # the worst template first, below all of them
    assert "why" in found[-1].detail
    examples = {(each.label, each.text) for each in found[-1].examples}
    assert examples == {("fake", "Why is the light wrong?"), ("real", "How is the light?")}
    assert any("why" in str(r[0]) for table in section.tables[1:] for r in table.rows)


def test_a_question_that_is_longer_of_fakes_is_found():
    rng = np.random.default_rng(0)

    def pad(talk):
        return {"turns": turns("x" * (17 if talk.fake else 13) + str(rng.integers(10)), "It is.")}

    section = questions_section(planted(honest(), pad, "evidence/notice"), seed=0)
    assert "by length" in next(f.detail for f in section.findings if "evidence" in f.title)


def test_an_order_of_options_that_tells_the_label_is_found():
    def order(talk):
        options = tuple(sorted(talk.choices, reverse=talk.fake))
        return {"choices": options, "turns": turns("Which?", "A")}  # the words of the question do not show it

    section = questions_section(planted(honest(), order, "choice/which"), seed=0)
    assert row(section, "choice/which")["order"] > 0.7
    assert row(section, "choice/which")["options"] < 0.65
    assert ("problem", "The question tells the label in choice/which") in titles(section)


def test_halves_part_groups_and_balance_labels():
    talks = honest()
    fitted, units = halves(talks, 0)
    assert units == "groups"
    assert not {t.group for t, f in zip(talks, fitted, strict=True) if f} & {
        t.group for t, f in zip(talks, fitted, strict=True) if not f
    }
    fake = np.array([talk.fake for talk in talks])
    assert fake[fitted].mean() == pytest.approx(0.5, abs=0.05)


def test_images_are_halved_where_there_is_one_group():
    fitted, units = halves(planted(honest(), lambda t: {"group": "photo"}), 0)
    assert units == "images"
    assert 0.4 < fitted.mean() < 0.6


def test_one_label_cannot_be_halved():
    with pytest.raises(UnavailableError):
        halves([talk for talk in honest() if talk.fake], 0)
    assert questions_section([talk for talk in honest() if talk.fake], seed=0).skipped


def test_a_template_of_few_images_says_so_instead_of_a_figure():
    talks = [talk for talk in honest() if talk.template != "verdict/ask" or int(talk.id.split("-")[0]) < 30]
    section = questions_section(talks, seed=0)
    found = row(section, "verdict/ask")
    assert found["AUC of words"] is None
    assert found["interval"] is None
    (reason,) = section.tables[0].missing
    assert reason.startswith("verdict/ask: no figure by words: ")
    assert "too few" in reason


def test_the_same_seed_gives_the_same_section():
    assert questions_section(honest(), seed=3) == questions_section(honest(), seed=3)
