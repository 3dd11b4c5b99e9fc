"""`fakeinstruct sample` on the command line."""

from __future__ import annotations

from typer.testing import CliRunner

from fakeinstruct.base.errors import ExitStatus, UsageError
from fakeinstruct.chains.store import open_chains
from fakeinstruct.cli.main import app


def test_sample_writes_a_chain_set_and_counts_it(tmp_path):
    result = CliRunner().invoke(app, ["sample", str(tmp_path / "set"), "--images", "28", "--seed", "1"])
    assert result.exit_code == ExitStatus.CLEAN, result.output
    assert "28 chains in" in result.stdout
    assert "pixel-shuffle" in result.stdout
    assert len(list(open_chains(tmp_path / "set").read())) == 28


def test_sample_refuses_an_odd_number(tmp_path):
    result = CliRunner().invoke(app, ["sample", str(tmp_path / "set"), "--images", "27"])
    assert isinstance(result.exception, UsageError)
    assert result.exception.status == ExitStatus.USAGE
    assert not (tmp_path / "set").exists()
