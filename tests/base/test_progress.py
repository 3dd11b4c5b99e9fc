import io

import pytest
from rich.console import Console

from fakeinstruct.base import progress
from fakeinstruct.base.progress import track


@pytest.fixture(params=[True, False], ids=["terminal", "log"])
def shown(request, monkeypatch):
    """What people see, on a terminal and in a log."""
    out = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=out, force_terminal=request.param))
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
    return out


def test_everything_passes_in_order_even_nested(shown):
    seen = [(a, b) for a in track(range(3), "outer") for b in track(iter("xy"), "inner")]
    assert seen == [(a, b) for a in range(3) for b in "xy"]


def test_nothing_passes_where_there_is_nothing(shown):
    assert list(track([], "nothing")) == []


def test_a_log_has_the_count_and_the_total(monkeypatch, capsys):
    monkeypatch.setattr(progress, "console", Console(file=io.StringIO(), force_terminal=False))
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
    list(track(range(2), "reading"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("reading: 1/2 (")
    assert lines[-1].startswith("reading: 2/2 (")


def test_an_error_is_not_swallowed(shown):
    with pytest.raises(ZeroDivisionError):
        list(track((1 / number for number in (1, 0)), "dividing"))
