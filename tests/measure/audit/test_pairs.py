"""The audit of a pair set on disk."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from talked import honest, planted, turns, write_pairs

from fakeinstruct.base.errors import FakeInstructError, Rejects
from fakeinstruct.expand.pair import open_pairs
from fakeinstruct.measure.audit.labels import count_labels
from fakeinstruct.measure.audit.pairs import pairs_audit
from fakeinstruct.measure.audit.sample import draw, shortened, spread


def by_title(audit):
    return {finding.title: finding.level for _, finding in audit.findings()}


def halved(talk):
    return "train" if int(talk.group.split("-")[1]) < 40 else "test"


def test_an_honest_set_gives_no_finding(tmp_path):
    audit = pairs_audit(open_pairs(write_pairs(tmp_path / "set", honest(), split=halved)), seed=0)
    assert by_title(audit) == {}
    assert (audit.kind, audit.source, audit.n) == ("pairs", "set", 480)
    assert [s.name for s in audit.sections] == ["Reading", "Questions", "Choices", "Turns", "Labels"]
    assert not any(section.skipped for section in audit.sections)


def test_every_plant_is_found_at_once(tmp_path):
    talks = planted(honest(), lambda t: {"right": 0}, "choice/which")
    why = "Why is this {} wrong?", "How does this {} look?"
    talks = planted(
        talks,
        lambda t: {"turns": turns(why[not t.fake].format("light"), f"It is so, of {t.id}.")},
        "evidence/notice",
    )
    talks[1] = planted([talks[1]], lambda t: {"turns": turns(why[0].format("light"), "It breaks off at")})[0]
    fakes = planted(
        talks[:120:6],
        lambda t: {"template": "verdict/fakes", "id": f"{t.id}-2", "turns": turns("Is it fake?", "fake")},
    )
    folder = write_pairs(tmp_path / "set", [*talks, *fakes], split=halved)
    assert by_title(pairs_audit(open_pairs(folder), seed=0)) == {
        "The question tells the label over all templates": "problem",
        "The question tells the label in evidence/notice": "problem",
        "The right option can be guessed in choice/which": "problem",
        "verdict/fakes is asked more of fakes": "problem",
        "Answers that stop in the middle": "warning",
        "The same answer whatever the image in verdict/fakes": "problem",
    }


def test_uneven_and_straddling_splits_are_found(tmp_path):
    folder = write_pairs(
        tmp_path / "set", honest(), split=lambda t: "test" if t.fake and t.chain.endswith("0") else "train"
    )
    found = by_title(pairs_audit(open_pairs(folder)))
    assert found["The split test has one label only"] == "problem"
    assert found["Groups in several splits"] == "problem"


def test_labels_are_counted_over_all_pairs(tmp_path):
    counts = count_labels(open_pairs(write_pairs(tmp_path / "set", honest(), split=halved)))
    assert counts.total == 480
    assert counts.pairs["verdict/ask", "train", "fake"] == 40
    assert counts.images["verdict/ask", "fake"] == 80
    assert counts.by(1, "test") == (120, 120)


def test_a_big_set_is_read_in_whole_images(tmp_path):
    pairs = open_pairs(write_pairs(tmp_path / "set", honest()))
    drawn = draw(pairs, 480, seed=0, limit=150, rejects=Rejects())
    images = {talk.chain for talk in drawn}
    assert 25 < len(images) < 75
    assert len(drawn) == 3 * len(images)
    assert {t.chain for t in draw(pairs, 480, seed=1, limit=150, rejects=Rejects())} != images
    audit = pairs_audit(pairs, limit=150)
    assert audit.n == 480
    assert "480" in audit.sections[0].summary


def test_what_is_read_is_what_was_written(tmp_path):
    talks = honest(8)
    assert (
        draw(open_pairs(write_pairs(tmp_path / "s", talks)), 24, seed=0, limit=99, rejects=Rejects()) == talks
    )


def test_a_row_that_is_no_pair_is_counted_and_listed(tmp_path):
    pairs = open_pairs(
        write_pairs(tmp_path / "set", honest(), extra=[{"id": "bad", "chain": "c", "label": "fake"}])
    )
    rejects = Rejects()
    audit = pairs_audit(pairs, rejects=rejects)
    assert by_title(audit)["Rows that are no pairs"] == "problem"
    assert [error.record for error in rejects.errors] == ["bad"]


def test_a_damaged_shard_ends_the_audit_with_its_name(tmp_path):
    folder = write_pairs(tmp_path / "set", honest(4))
    (folder / "pairs-0.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(FakeInstructError, match=r"pairs-0\.parquet"):
        pairs_audit(open_pairs(folder))


def test_a_column_that_is_no_text_ends_the_audit_with_the_shard_s_name(tmp_path):
    folder = write_pairs(tmp_path / "set", honest(4))
    table = pq.read_table(folder / "pairs-0.parquet")
    place = table.column_names.index("group")
    lists = pa.array([["g"]] * len(table))
    pq.write_table(table.set_column(place, "group", lists), folder / "pairs-0.parquet")
    with pytest.raises(FakeInstructError, match=r"pairs-0\.parquet.*has a column that is not text"):
        count_labels(open_pairs(folder))


def test_a_set_of_nothing_is_refused(tmp_path):
    folder = write_pairs(tmp_path / "set", [], extra=[{"id": "x", "chain": "c", "label": "l"}])
    with pytest.raises(FakeInstructError, match=r"lacks|readable|no sound pair"):
        pairs_audit(open_pairs(folder))


def test_the_same_seed_gives_the_same_audit(tmp_path):
    pairs = open_pairs(write_pairs(tmp_path / "set", honest()))
    assert pairs_audit(pairs, seed=5, limit=300) == pairs_audit(pairs, seed=5, limit=300)


def test_examples_are_of_different_images_and_both_labels():
    shown = spread(honest())
    assert len({talk.chain for talk in shown}) == len(shown) == 6
    assert sum(talk.fake for talk in shown) == 3
    assert len(spread([talk for talk in honest() if talk.fake])) == 6


def test_a_long_text_is_shown_with_its_end():
    text = shortened("a" * 1000 + "the end")
    assert len(text) < 420
    assert text.endswith("the end")
