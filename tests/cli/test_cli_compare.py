"""`compare`, and `measure` of a table, as a user calls them."""

import json

import numpy as np
import pytest
from commands import call

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.measure.detection import auc


@pytest.fixture
def tables(tmp_path):
    """Tables of two detectors: (id, p, truth), bare labels; returns them with truth and margins."""
    rng = np.random.default_rng(0)
    fake = np.arange(300) % 2 == 0
    margin = rng.normal(np.where(fake, 1.5, -1.5), 2)
    margins = margin, margin + rng.normal(0, 1.5, 300)
    for name, each in zip("ab", margins, strict=True):
        rows = [
            f"{i},{1 / (1 + np.exp(-m))},{int(y)}" for i, (m, y) in enumerate(zip(each, fake, strict=True))
        ]
        (tmp_path / f"{name}.csv").write_text("\n".join(["picture,p,truth", *rows]) + "\n")
    return tmp_path / "a.csv", tmp_path / "b.csv", fake, margins


SAID = ("--scores", "probability", "--fake-is", "1", "--column", "id=picture", "--column", "score=p")


def test_measure_takes_a_table_and_says_what_it_read(tables, tmp_path):
    path, _, fake, margins = tables
    result = call("measure", path, "--out", tmp_path / "out", *SAID)
    assert result.exit_code == 0
    assert "id = picture, score = p, label = truth; scores: probability, high for fake" in " ".join(
        result.stdout.split()
    )
    figures = json.loads((tmp_path / "out/figures.json").read_bytes())
    assert figures["overall"]["test"]["auc"] == pytest.approx(auc(fake, margins[0]), abs=1e-4)
    assert figures["provenance"]["tables"][0]["rows"] == 300


def test_bad_rows_are_listed_and_the_status_says_so(tables, tmp_path):
    path = tables[0]
    path.write_text(path.read_text() + "301,nan,1\n")
    result = call("measure", path, "--out", tmp_path / "out", *SAID)
    assert result.exit_code == 3
    row = json.loads((tmp_path / "out/rejects.jsonl").read_text())
    assert (row["record"], row["problem"]) == ("302 (301)", "the score is no number")
    assert "leave its row out" in row["hint"]


def test_an_auc_below_chance_is_reported_as_it_is_with_a_remark(tables, tmp_path):
    result = call("measure", tables[0], "--out", tmp_path / "out", *SAID, "--positive", "real")
    figures = json.loads((tmp_path / "out/figures.json").read_bytes())
    assert figures["overall"]["test"]["auc"] < 0.3
    assert "below chance" in result.stdout


def test_compare_prints_the_difference_and_where_the_page_is(tables, tmp_path):
    result = call("compare", *tables[:2], "--out", tmp_path / "out", *SAID)
    assert result.exit_code == 0
    figures = json.loads((tmp_path / "out/compare.json").read_bytes())
    assert f"{figures['overall']['auc']['difference']:+.3f}" in result.stdout
    assert "another training" in result.stdout
    assert str(tmp_path / "out/compare.html") in result.stdout.replace("\n", "")
    assert (tmp_path / "out/compare.md").is_file()


def test_an_auc_whose_interval_holds_a_half_is_not_called_below_chance(tmp_path):
    rng = np.random.default_rng(1)
    rows = [f"{index},{rng.random()},{('fake', 'real')[index % 2]}" for index in range(60)]
    (tmp_path / "guess.csv").write_text("\n".join(["id,score,label", *rows]) + "\n")
    result = call("measure", tmp_path / "guess.csv", "--out", tmp_path / "out", "--scores", "probability")
    test = json.loads((tmp_path / "out/figures.json").read_bytes())["overall"]["test"]
    assert test["auc_low"] < test["auc"] < 0.5 < test["auc_high"]
    assert "below chance" not in result.stdout
    assert "holds 0.5" in result.stdout


def test_a_file_that_is_not_there_is_named(tables, tmp_path):
    for words in (
        ("compare", tables[0], "nosuch.csv"),
        ("measure", "nosuch.csv"),
        ("compare", "no/such", tables[1]),
    ):
        with pytest.raises(UsageError, match=r"no.?such.*: no such file or folder"):
            call(*words, "--out", tmp_path / "out", *SAID)


def test_names_of_missing_figures_that_hold_commas_stay_apart(tables, tmp_path):
    said = ("--scores", "score", *SAID[2:])
    printed = " ".join(call("compare", *tables[:2], "--out", tmp_path / "out", *said).stdout.split())
    names = "accuracy at 0.5, calibrated; Brier, calibrated; log loss, calibrated"
    assert f"missing: {names}" in printed
    assert "accuracy at validation threshold (no validation images to fit on)" in printed
    for name in ("compare.md", "compare.html"):
        assert names in (tmp_path / "out" / name).read_text()


def test_a_table_without_generators_has_no_row_of_one(tables, tmp_path):
    compared = call("compare", *tables[:2], "--out", tmp_path / "both", *SAID).stdout
    measured = call("measure", tables[0], "--out", tmp_path / "one", *SAID).stdout
    assert "unnamed" not in compared + measured
    assert "(Holm)" not in compared
    for path in (tmp_path / "both/compare.md", tmp_path / "both/compare.html"):
        assert "unnamed" not in path.read_text()
    assert "detector" in measured
    assert "expert" not in measured


def test_rejected_rows_are_said_before_the_figures(tables, tmp_path):
    tables[0].write_text(tables[0].read_text() + "301,nan,1\n")
    out = " ".join(call("measure", tables[0], "--out", tmp_path / "out", *SAID).stdout.split())
    assert "300 of 301 rows used; 1 rejected, listed in rejects.jsonl: the score is no number (1)" in out


def test_what_is_not_said_is_asked_for(tables, tmp_path):
    with pytest.raises(UsageError, match="--scores probability"):
        call(
            "compare", *tables[:2], "--out", tmp_path / "out", "--column", "id=picture", "--column", "score=p"
        )
    with pytest.raises(FakeInstructError, match="--fake-is 1"):
        call("measure", tables[0], "--out", tmp_path / "out", *SAID[:2], *SAID[4:])
    with pytest.raises(UsageError, match="'score' names no column"):
        call("measure", tables[0], "--out", tmp_path / "out", "--column", "score")
    assert call("measure", tables[0], "--out", tmp_path / "out", "--fake-is", "2").exit_code == 2
    assert not (tmp_path / "out").exists()


@pytest.fixture
def unlike(tables, tmp_path):
    """The second detector's table in a dress of its own: logits, high for real, other columns, 0 for fake."""
    _, _, fake, margins = tables
    rows = [
        {"file_path": str(index), "logit": -float(margin), "truth": int(not each)}
        for index, (margin, each) in enumerate(zip(margins[1], fake, strict=True))
    ]
    path = tmp_path / "theirs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_two_unlike_tables_are_compared_each_by_its_own_words(tables, unlike, tmp_path):
    own = ("--scores-b", "margin", "--positive-b", "real", "--fake-is-b", "0")
    assert call("compare", tables[0], unlike, "--out", tmp_path / "out", *SAID, *own).exit_code == 0
    call("compare", *tables[:2], "--out", tmp_path / "alike", *SAID)
    found, alike = (json.loads((tmp_path / name / "compare.json").read_bytes()) for name in ("out", "alike"))
    assert found["overall"]["auc"] == alike["overall"]["auc"]
    assert found["overall"]["unfitted"]["brier"] == alike["overall"]["unfitted"]["brier"]
    read = found["provenance"]["b"]["table"]
    assert (read["scores"], read["positive"], read["fake_is"]) == ("margin", "real", "0")


def test_a_column_that_no_table_has_is_an_error(tables, unlike, tmp_path):
    words = ("compare", tables[0], unlike, "--out", tmp_path / "out", *SAID, "--column")
    with pytest.raises(UsageError, match=r"no table has a column 'file_pth'\. .*file_path"):
        call(*words, "id=file_pth")
    with pytest.raises(UsageError, match=r"theirs\.jsonl: two columns were said to hold the id"):
        call(*words, "id=file_path", "--column", "id=logit")
    with pytest.raises(UsageError, match="nothing called 'scores' is read"):
        call(*words, "scores=p")
    with pytest.raises(UsageError, match="has no column 'pp'"):
        call("measure", tables[0], "--out", tmp_path / "out", *SAID, "--column", "score=pp")
    assert not (tmp_path / "out").exists()


def test_a_table_beside_another_has_its_own_columns(tables, unlike, tmp_path):
    rows = [json.loads(line) for line in unlike.read_text().splitlines()]
    turned = [json.dumps(row | {"truth": 1 - row["truth"], "logit": -row["logit"]}) for row in rows]
    unlike.write_text("\n".join(turned) + "\n")
    words = ("--beside", f"theirs={unlike}", "--out", tmp_path / "out", "--scores", "score", *SAID[2:])
    assert call("measure", tables[0], *words).exit_code == 0
    figures = json.loads((tmp_path / "out/figures.json").read_bytes())
    assert figures["baselines"]["theirs"]["table"]["columns"]["id"] == "file_path"


def test_beside_without_a_name_has_an_example(tables, tmp_path):
    with pytest.raises(UsageError, match="for example --beside other=runs/other/answers"):
        call("measure", tables[0], "--out", tmp_path / "out", *SAID, "--beside", tables[1])


def test_the_terminal_says_why_nothing_is_calibrated(tmp_path):
    rng = np.random.default_rng(2)
    fake = np.arange(200) % 2 == 0
    p = np.clip(np.round(rng.normal(np.where(fake, 0.7, 0.3), 0.3), 2), 0, 1)
    split = np.where(np.arange(200) < 100, "validation", "test")
    rows = [
        f"{i},{v},{('real', 'fake')[int(y)]},{s}"
        for i, (v, y, s) in enumerate(zip(p, fake, split, strict=True))
    ]
    (tmp_path / "t.csv").write_text("\n".join(["id,p_fake,label,split", *rows]) + "\n")
    words = ("measure", tmp_path / "t.csv", "--out", tmp_path / "out", "--scores", "probability")
    sure = int(np.isin(p[:100], (0, 1)).sum())
    assert sure > 5
    said = " ".join(call(*words).stdout.split())
    assert f"no calibrated figures: validation images: {sure} probabilities are exactly 0 or 1" in said
    (tmp_path / "t.csv").write_text(
        (tmp_path / "t.csv").read_text().replace(",0.0,", ",0.005,").replace(",1.0,", ",0.995,")
    )
    assert "no calibrated figures" not in call(*words).stdout


def test_of_a_table_no_way_of_asking_is_recorded(tables, tmp_path):
    call("measure", tables[0], "--out", tmp_path / "out", *SAID)
    (answers,) = json.loads((tmp_path / "out/figures.json").read_bytes())["provenance"]["answers"]
    assert answers["expert"] == str(tables[0])
    assert not {"protocol", "readouts", "aggregation"} & set(answers)


def test_pictures_of_which_nothing_is_known_are_one_line(tables, tmp_path):
    call("compare", *tables[:2], "--out", tmp_path / "out", *SAID)
    page = (tmp_path / "out/compare.html").read_text()
    assert page.count("it is not known where they lie") == 1
    assert 'class="blank"' not in page
    call("compare", *tables[:2], "--out", tmp_path / "there", *SAID, "--image-root", tmp_path)
    page = (tmp_path / "there/compare.html").read_text()
    assert "it is not known where" not in page
    assert 'class="blank"' in page  # the folder is known, the files are not there
