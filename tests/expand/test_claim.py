import threading

import pytest

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.base.files import read_json
from fakeinstruct.expand.claim import MARK, claimed


def says(**other):
    return {
        "fingerprint": "f",
        "seed": 0,
        "budget": {"pairs": None},
        "chains_sha256": "c",
        "templates_sha256": "t",
        **other,
    }


def test_a_new_folder_is_marked_and_may_be_claimed_again(tmp_path):
    for _ in range(2):
        with claimed(tmp_path / "out", says()):
            assert read_json(tmp_path / "out" / MARK) == says()
    assert [file.name for file in (tmp_path / "out").iterdir()] == [MARK]


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"seed": 1}, "other: seed"),
        ({"chains_sha256": "d", "budget": {"pairs": 9}}, "other: chains, budget"),
        ({}, "other: version of fakeinstruct or NumPy"),
    ],
)
def test_another_expansion_is_refused_and_the_difference_named(tmp_path, other, named):
    with claimed(tmp_path, says()):
        pass
    with pytest.raises(FakeInstructError, match=named), claimed(tmp_path, says(**other, fingerprint="g")):
        pytest.fail("claimed")
    assert read_json(tmp_path / MARK) == says()


def test_a_mark_that_is_not_ours_is_refused(tmp_path):
    (tmp_path / MARK).write_text("[1]")
    (tmp_path / ".mine.tmp").write_text("years of work")
    with pytest.raises(FakeInstructError, match="holds another expansion"), claimed(tmp_path, says()):
        pytest.fail("claimed")
    assert (tmp_path / ".mine.tmp").exists()


def test_of_many_that_claim_at_once_one_wins(tmp_path):
    for turn in range(20):
        out = tmp_path / str(turn)
        ready, won, refused = threading.Barrier(6), [], []

        def claim(name, out=out, ready=ready, won=won, refused=refused):
            ready.wait()
            try:
                with claimed(out, says(fingerprint=name)):
                    won.append(name)
            except FakeInstructError:
                refused.append(name)

        threads = [threading.Thread(target=claim, args=(str(number // 2),)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(won)) == 1
        assert len(won) == 2  # both that meant the same
        assert len(refused) == 4
        assert [file.name for file in out.iterdir()] == [MARK]


def test_leftovers_are_swept_by_whoever_is_alone(tmp_path):
    leftover = tmp_path / ".pairs-00000-of-00002.parquet.00c0ffee.tmp"
    with claimed(tmp_path, says()):
        leftover.write_text("being written")
        with claimed(tmp_path, says()):
            assert leftover.exists()
        assert leftover.exists()
    assert not leftover.exists()
    leftover.write_text("of a run that was killed")
    with claimed(tmp_path, says()):
        assert not leftover.exists()
