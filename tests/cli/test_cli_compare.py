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
