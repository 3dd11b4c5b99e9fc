import pytest

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.chains.items import Item, read_items, write_items


def test_items_are_read_as_they_were_written(tmp_path):
    items = [
        Item(id="1", chain="a.png", kind="verdict", question="Real?", answer="fake", yes="real"),
        Item(id="2", chain="a.png", kind="attribute", question="How is the edge?", attribute="edge"),
    ]
    assert write_items(tmp_path, items) == 2
    assert list(read_items(tmp_path)) == items


def test_a_set_without_items_has_none(tmp_path):
    assert write_items(tmp_path, iter([])) == 0
    assert not list(tmp_path.iterdir())
    assert list(read_items(tmp_path)) == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"id": "1", "chain": "a", "kind": "guess", "question": "?"}', "record 1, field kind"),
        ('{"id": "1", "chain": "a", "kind": "open", "question": ""}', "record 1, field question"),
        ('{"id": "1", "chain": "a", "kind": "open", "question": "?", "answer": 0}', "record 1, field answer"),
        ('{"id": "1", "chain": "a", "kind": "open", "question": "?", "no": 1}', "there is no 'no' here"),
        ("[", "is not JSON"),
    ],
)
def test_a_bad_item_is_named(tmp_path, line, problem):
    (tmp_path / "items.jsonl").write_text(line)
    with pytest.raises(RecordError, match=problem):
        list(read_items(tmp_path))


def test_bad_items_and_repeated_ids_are_collected_and_the_rest_is_read(tmp_path):
    item = '{"id": "1", "chain": "a", "kind": "open", "question": "?"}'
    (tmp_path / "items.jsonl").write_text(f"{item}\nnull\n{item}\n")
    rejects = Rejects()
    assert [each.id for each in read_items(tmp_path, rejects)] == ["1"]
    assert [error.record for error in rejects.errors] == ["2", "3"]
    assert "was used before" in str(rejects.errors[1])
