"""`audit` as a user calls it."""

import json

import pytest
from commands import call
from talked import honest, planted, turns, write_pairs

from fakeinstruct import api
from fakeinstruct.base.errors import UsageError
from fakeinstruct.chains.sample import make_sample
from fakeinstruct.cli.audit import SHOWN, _line, findings_table, print_audit
from fakeinstruct.measure.audit.finding import Audit, Finding, Section


def leaky():
    why = ("Why is it wrong?", "How is it?")
    return planted(honest(), lambda t: {"turns": turns(why[not t.fake], f"So, {t.id}.")}, "evidence/notice")


def test_a_leak_is_printed_first_and_the_status_is_clean(tmp_path):
    pairs = write_pairs(tmp_path / "pairs", leaky(), pictures=160)
    result = call("audit", pairs, "--out", tmp_path / "out")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "pairs: 480 pairs, 2 problems, 0 warnings, 0 notes"
    assert lines[2].startswith("problem  Questions")
    assert "nothing found: Reading, Choices, Turns, Labels" in lines
    assert lines[-1] == f"report: {tmp_path / 'out/index.html'}"
    found = json.loads((tmp_path / "out/audit.json").read_text())
    assert found["sections"][1]["findings"][0]["level"] == "problem"
    assert str(tmp_path) not in (tmp_path / "out/audit.json").read_text()
    page = (tmp_path / "out/index.html").read_text()
    assert "data:image/jpeg" in page
    assert str(tmp_path) not in page


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    pairs = write_pairs(tmp_path / "pairs", leaky())
    for out in ("a", "b"):
        call("audit", pairs, "--out", tmp_path / out)
    for name in ("audit.json", "index.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_rejected_rows_are_listed_and_the_status_says_so(tmp_path):
    pairs = write_pairs(tmp_path / "pairs", honest(), extra=[{"id": "bad", "chain": "c", "label": "fake"}])
    result = call("audit", pairs, "--out", tmp_path / "out")
    assert result.exit_code == 3
    assert json.loads((tmp_path / "out/rejects.jsonl").read_text())["record"] == "bad"


def test_a_folder_of_neither_kind_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(UsageError, match="neither a chain set"):
        call("audit", tmp_path, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="no such folder"):
        call("audit", tmp_path / "gone", "--out", tmp_path / "out")


def test_chains_are_audited_too(tmp_path):
    make_sample(tmp_path / "chains", images=40, seed=0)
    result = call("audit", tmp_path / "chains", "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "40 chains" in result.stdout.splitlines()[0]
    assert json.loads((tmp_path / "out/audit.json").read_text())["kind"] == "chains"


def test_the_table_fits_a_screen_and_obeys_no_text(capsys, tmp_path):
    findings = tuple(
        Finding(level="problem", title=f"\x1b[31m[bold]{i}", detail="very long " * 50) for i in range(40)
    )
    section = Section(name="S", summary="", findings=findings)
    found = Audit(kind="pairs", source="s", n=1, seed=0, sections=(section,), versions={})
    assert findings_table(found).row_count == SHOWN
    print_audit(found, tmp_path)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "[bold]3" in out
    assert "and 28 more" in out
    assert len(out.splitlines()) <= 3 * SHOWN + 5


def test_a_long_detail_is_cut_between_words():
    line = _line("AUC 0.938 (0.860 – 1.000), n 160; " + "12345 " * 30)
    assert len(line) <= 90
    assert line.endswith("12345…")
    assert _line("short") == "short"
    assert len(_line("x" * 200)) == 90


def test_python_has_it_too(tmp_path):
    found = api.audit(write_pairs(tmp_path / "pairs", honest()), tmp_path / "out")
    assert list(found.findings()) == []
