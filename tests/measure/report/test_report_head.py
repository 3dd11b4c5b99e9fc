"""What stands at the head of a report: who is measured, what of a table was used, what makes figures doubtful."""

import re

import pytest
from simulated_answers import simulated

from fakeinstruct.base.errors import Rejects, UsageError
from fakeinstruct.measure.comparison.run import compare
from fakeinstruct.measure.report.head import DETECTOR, against_chance
from fakeinstruct.measure.run import measure
from fakeinstruct.measure.table.detector_table import open_table


def area(auc, low, high):
    return {"auc": auc, "auc_low": low, "auc_high": high}


def test_an_auc_is_below_chance_only_if_its_interval_is():
    assert against_chance(area(0.3, 0.2, 0.4), DETECTOR).startswith("AUC 0.300 is below chance")
    assert "--positive real" in against_chance(area(0.3, 0.2, 0.4), DETECTOR)
    assert "--positive" not in against_chance(area(0.3, 0.2, 0.4))
    for doubtful in (area(0.45, 0.3, 0.6), area(0.55, 0.4, 0.7), area(0.4, 0.3, 0.5)):
        assert "below chance" not in against_chance(doubtful)
        assert "holds 0.5" in against_chance(doubtful)


def test_nothing_is_said_against_chance_without_an_interval_or_above_it():
    for row in (area(0.7, 0.6, 0.8), area(0.45, None, None), area(None, None, None), area(1.0, None, None)):
        assert against_chance(row) is None
    assert against_chance(area(0.0, None, None)).startswith("every fake scores lower than every real")


@pytest.fixture
def table(tmp_path):
    """Write rows as a table, the margin turned round by `flip`, with what else is to stand in it."""

    def write(name, rows, *, flip=1, columns=("split",), extra=""):
        lines = [",".join(("id", "score", "label", *columns))]
        lines += [
            ",".join(
                (
                    row["item"],
                    repr(flip * row["margin"]),
                    row["label"],
                    *(row[each] or "" for each in columns),
                )
            )
            for row in rows
        ]
        (tmp_path / name).write_text("\n".join(lines) + "\n" + extra)
        return tmp_path / name

    return write


BAD = "bad-1,x,fake,test\nbad-2,x,fake,test\nbad-3,1,perhaps,test\n"
LINE = (
    "120 of 123 rows used; 3 rejected, listed in rejects.jsonl: the score is no number (2), unknown label (1)"
)


def read(folder, *names):
    """The texts of some files, without what Markdown and HTML add."""
    return {
        name: " ".join(re.sub(r"<style.*?</style>", "", (folder / name).read_text(), flags=re.DOTALL).split())
        .replace("\\", "")
        .replace("&#39;", "'")
        for name in names
    }


def test_rejected_rows_stand_in_every_file_of_a_report(table, tmp_path):
    path = table("mine.csv", simulated(120), extra=BAD)
    measure([open_table(path, "margin", rejects=Rejects())], tmp_path / "out")
    for text in read(tmp_path / "out", "report.html", "figures.md").values():
        assert f"mine.csv: {LINE}" in text


def test_rejected_rows_of_a_table_beside_an_expert_are_said_too(table, answer_set, tmp_path):
    path = table("theirs.csv", simulated(120), extra=BAD)
    other = open_table(path, "margin", rejects=Rejects())
    measure([answer_set(simulated(120))], tmp_path / "out", beside={"theirs": other})
    for text in read(tmp_path / "out", "report.html", "figures.md").values():
        assert f"theirs.csv: {LINE}" in text
        assert "expert" in text


def test_rejected_rows_stand_in_both_files_of_a_comparison(table, tmp_path):
    pair = [
        open_table(table(name, simulated(120), extra=extra), "margin", rejects=Rejects())
        for name, extra in (("a.csv", ""), ("b.csv", BAD))
    ]
    compare(*pair, tmp_path / "out")
    texts = read(tmp_path / "out", "compare.html", "compare.md")
    for text in texts.values():
        assert f"B: {LINE}" in text
    assert "A: all 120 rows used" in texts["compare.md"]


def test_a_table_that_ranks_the_wrong_way_round_is_warned_of_everywhere(table, tmp_path):
    turned = open_table(table("turned.csv", simulated(240), flip=-1), "margin")
    measure([turned], tmp_path / "out")
    compare(turned, open_table(table("right.csv", simulated(240)), "margin"), tmp_path / "both")
    texts = read(tmp_path / "out", "report.html", "figures.md")
    texts |= read(tmp_path / "both", "compare.html", "compare.md")
    for text in texts.values():
        assert "is below chance, with its whole interval" in text
        assert "the calibrated figures: the fitted scale is negative" in text
        assert "--positive real" in text


def test_a_report_of_a_mere_table_speaks_of_nothing_that_is_not_in_it(table, tmp_path):
    measure([open_table(table("mine.csv", simulated(120), columns=()), "margin")], tmp_path / "out")
    texts = read(tmp_path / "out", "report.html", "figures.md")
    texts["report.html"] = re.sub(r"<svg.*?</svg>", "", texts["report.html"])
    for text in texts.values():
        assert "expert" not in text.lower()
        assert "unnamed" not in text
        assert "sources" not in text
        assert "“”" not in text
        assert "logsumexp" not in text
        assert "unprocessed" not in text
        assert "'score" not in text  # what an expert could have been asked
        assert "label_mass" not in text
        assert "detector" in text
        assert "--column generator=NAME" in text
    assert "## by generator" not in texts["figures.md"]
    assert "spread over prompts" not in texts["figures.md"]


def test_what_a_table_names_is_in_its_report(table, tmp_path):
    rows = [
        row | {"group": f"photo-{index // 2}", "prompt": "Is it?"} for index, row in enumerate(simulated(120))
    ]
    path = table("mine.csv", rows, columns=("split", "generator", "group", "prompt"))
    measure([open_table(path, "margin")], tmp_path / "out")
    text = read(tmp_path / "out", "figures.md")["figures.md"]
    assert "sources)" in text
    assert "## by generator" in text
    assert "“Is it?”" in text


def test_the_measured_one_keeps_its_name(table, answer_set, tmp_path):
    mine = open_table(table("mine.csv", simulated(60)), "margin")
    with pytest.raises(UsageError, match="the name 'detector' is taken"):
        measure([mine], tmp_path / "out", beside={"detector": mine})
    with pytest.raises(UsageError, match="the name 'expert' is taken"):
        measure([answer_set(simulated(60))], tmp_path / "out", beside={"expert": mine})


def test_skipped_answers_and_the_images_they_are_about_are_counted_apart(answer_set, tmp_path):
    rows = [row | {"prompt": f"Fake {n}?", "template": str(n)} for n in range(5) for row in simulated(60)]
    lost = next(row["item"] for row in rows if row["split"] == "test")
    rows = [row | {"error": "gone"} if row["item"] == lost else row for row in rows]
    figures = measure([answer_set(rows)], tmp_path / "out")
    assert figures["overall"]["test"]["skipped"] == {"n": 5, "images": 1, "reasons": {"gone": 5}}
    texts = read(tmp_path / "out", "report.html", "figures.md")
    assert "5 test answers, about 1 image, have no figure" in texts["report.html"]
    assert "5 answers about 1 image" in texts["figures.md"]
