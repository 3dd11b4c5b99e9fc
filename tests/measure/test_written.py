"""Words and boxes among the figures: there where something was written, absent where not."""

from simulated_answers import simulated, verdict

from fakeinstruct.base.errors import Rejects
from fakeinstruct.measure.run import measure
from fakeinstruct.measure.written import written_figures


def test_what_was_not_written_has_no_figures(answer_set, tmp_path):
    figures = measure([answer_set(simulated(40))], tmp_path / "out")
    assert (figures["words"], figures["boxes"]) == ({}, {})
    page = (tmp_path / "out/report.html").read_text()
    assert "no written answers: &#39;score --explain&#39;" in page
    assert "no written answer names a box" in page


def test_texts_that_name_no_box_are_words_and_no_boxes_of_nothing(answer_set):
    rows = [verdict(n, n % 2 == 0, 1.0, text="This image is fake.", boxes=[]) for n in range(30)]
    found = written_figures([answer_set(rows)], None, seed=0, rejects=Rejects())
    assert found["words"]["verdict"]["accuracy"] == 0.5
    assert found["boxes"] == {}


def test_a_text_without_boxes_counts_where_another_names_one(answer_set, tmp_path):
    rows = [verdict(n, n % 2 == 0, 1.0, text="This image is fake.", boxes=[]) for n in range(30)]
    rows[0]["boxes"] = [[0.1, 0.1, 0.5, 0.5]]
    found = written_figures([answer_set(rows)], None, seed=0, rejects=Rejects())
    assert found["boxes"]["n_groups"] == 30
