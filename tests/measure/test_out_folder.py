"""Which folders figures may be written to."""

import pytest

from fakeinstruct.base.errors import UsageError
from fakeinstruct.measure.out_folder import COMPARISON, EVALUATION, REPORT, check_out


@pytest.mark.parametrize(
    ("names", "ours"),
    [
        ([], REPORT),
        (["figures.json", "notes.txt"], REPORT),
        (["report.html", ".report.html.tmp", "probe-features"], REPORT),  # stopped before the end
        (["answers-1", "answers-2"], EVALUATION),
        (["compare.html"], COMPARISON),
    ],
)
def test_a_new_folder_and_one_with_an_earlier_result_are_taken(tmp_path, names, ours):
    for name in names:
        (tmp_path / name).touch()
    check_out(tmp_path, ours)
    check_out(tmp_path / "none", ours)


@pytest.mark.parametrize(
    ("names", "ours"),
    [
        (["meta.json", "answers-000-00000.parquet"], REPORT),
        (["report.html", "notes.txt"], REPORT),
        (["figures.json"], COMPARISON),
        (["answers", "thesis.tex"], EVALUATION),
        (["answers-mine"], EVALUATION),
    ],
)
def test_a_folder_of_something_else_is_refused(tmp_path, names, ours):
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match="holds no earlier result"):
        check_out(tmp_path, ours)
