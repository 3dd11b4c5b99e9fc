"""`compare`, and `measure` of a table, as a user calls them."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.cli.main import app
from fakeinstruct.measure.detection import auc


def call(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


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
    assert (row["record"], row["problem"]) == ("302", "the score is no number")


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
