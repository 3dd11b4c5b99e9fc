import pyarrow as pa
import pyarrow.parquet as pq
from conftest import make_chain, mixed

from fakeinstruct.base.errors import RecordError
from fakeinstruct.chains.schema import Label
from fakeinstruct.expand.columns import SCHEMA, Columns, Kind
from fakeinstruct.expand.context import gather
from fakeinstruct.expand.pair import parse_pair
from fakeinstruct.expand.render import render_chain, row_of
from fakeinstruct.expand.space import spaces


def render(chains, templates, taxonomy, quota=2):
    """Pairs of every topic of every template."""
    pairs = []
    for chain in chains:
        facts = gather(chain, taxonomy)
        quotas = {(t.id, topic): quota for t in templates.templates for topic in spaces(t, facts)}
        found = list(render_chain(templates.templates, facts, quotas, 1))
        assert not any(isinstance(pair, RecordError) for pair in found)
        pairs += found
    return pairs


def collect(pairs, templates):
    columns = Columns(templates.templates)
    for pair in pairs:
        columns.add(pair)
    return columns


def test_columns_hold_what_rows_hold(templates, taxonomy):
    pairs = render([*mixed(6), make_chain("bare", Label.REAL, traces=0, judged=0)], templates, taxonomy)
    table = collect(pairs, templates).table()
    assert table.schema == SCHEMA
    assert table == pa.Table.from_pylist([row_of(pair) for pair in pairs], schema=SCHEMA)
    assert {pair.template.id for pair in pairs} == {template.id for template in templates.templates}


def test_a_written_row_is_a_pair(templates, taxonomy, tmp_path):
    pairs = render(mixed(4), templates, taxonomy, quota=1)
    pq.write_table(collect(pairs, templates).table(), tmp_path / "pairs.parquet")
    for pair, row in zip(pairs, pq.read_table(tmp_path / "pairs.parquet").to_pylist(), strict=True):
        assert parse_pair(row) == parse_pair(row_of(pair))


def test_counts_are_of_the_rows(templates, taxonomy):
    pairs = render(mixed(4), templates, taxonomy, quota=1)
    counts = collect(pairs, templates).counts()
    assert counts.total() == len(pairs)
    first = pairs[0]
    same = [
        p
        for p in pairs
        if p.template is first.template
        and p.facts.chain.label is first.facts.chain.label
        and p.facts.chain.split is first.facts.chain.split
    ]
    kind = Kind(
        first.template.id, first.template.front.task, first.facts.chain.label, first.facts.chain.split
    )
    assert counts[kind] == len(same)


def test_no_pairs_are_an_empty_table(templates):
    assert collect([], templates).table().num_rows == 0
