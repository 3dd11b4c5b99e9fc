import errno

import pytest

from fakeinstruct.base.errors import (
    ExitStatus,
    FakeInstructError,
    RecordError,
    Rejects,
    UsageError,
    from_os_error,
    nearest,
)


def test_message_names_file_record_field_and_what_to_do():
    error = RecordError(
        "is empty", file="a/chains.jsonl", record=7, field="traces.0.id", hint="Give it an id."
    )
    assert str(error) == "a/chains.jsonl, record 7, field traces.0.id: is empty. Give it an id."


def test_message_without_place_and_hint_is_the_problem():
    assert str(FakeInstructError("no room")) == "no room"


def test_message_with_a_line_break_or_an_escape_stays_one_harmless_line():
    error = FakeInstructError("bad\nname \x1b[31m", file="\udc80.jpg")
    assert str(error) == "\\udc80.jpg: bad\\nname \\x1b[31m"


def test_located_fills_in_only_what_is_not_known():
    error = RecordError("p", record=0, field="f", hint="h").located(file="x", record=9)
    assert (error.file, error.record, error.field, error.hint) == ("x", "0", "f", "h")
    assert isinstance(error, RecordError)


@pytest.mark.parametrize(
    ("bad", "seen", "ends"),
    [(20, 20, False), (21, 21, True), (21, 104, True), (21, 105, False), (0, 5, False)],
)
def test_rejects_end_a_run_only_in_bulk_and_beyond_the_share(bad, seen, ends):
    rejects = Rejects(share=0.2)
    for number in range(bad):
        rejects.add(RecordError("is bad", record=number))
    if ends:
        with pytest.raises(FakeInstructError, match=r"more than 20%.*is bad.*--max-rejects"):
            rejects.check(seen)
    else:
        rejects.check(seen)
    assert rejects.status is (ExitStatus.REJECTS if bad else ExitStatus.CLEAN)


def test_reasons_are_counted_without_their_details():
    rejects = Rejects()
    for detail in ("(12 bytes)", "(13 bytes)", "(14 bytes)"):
        rejects.add(RecordError(f"is truncated {detail}"))
    rejects.add(RecordError("is missing"))
    assert rejects.reasons() == [("is truncated", 3), ("is missing", 1)]
    assert rejects.rows()[3] == {
        "file": None,
        "record": None,
        "field": None,
        "problem": "is missing",
        "hint": None,
    }


def test_exit_statuses_are_the_documented_ones():
    assert [FakeInstructError.status, UsageError.status, RecordError.status] == [1, 2, 1]
    assert list(ExitStatus) == [0, 1, 2, 3]


def test_nearest_names_one_or_all():
    assert nearest("texure", ["texture", "edge"]) == "Did you mean 'texture'?"
    assert nearest("zzz", ["texture", "edge"]) == "Known: edge, texture."


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_called_so(code):
    error = from_os_error(OSError(code, "whatever"), "out/x")
    assert str(error) == "out/x: the disk is full. Free some room and run it again."


def test_other_os_errors_keep_their_reason():
    assert "Permission denied" in str(from_os_error(PermissionError(errno.EACCES, "Permission denied"), "x"))


def test_what_a_terminal_would_obey_is_escaped_in_reasons_too():
    rejects = Rejects()
    rejects.add(RecordError("the taxonomy has no '\x1b[31m\u202e'"))
    assert rejects.reasons() == [("the taxonomy has no '\\x1b[31m\\u202e'", 1)]


def test_a_problem_that_quotes_ten_megabytes_is_cut():
    assert len(str(RecordError("x" * 10_000_000, file="a", hint="Mend it."))) < 2_100
