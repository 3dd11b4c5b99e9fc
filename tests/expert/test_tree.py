"""The layout of a packed row, against the definition of who sees whom."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeinstruct.expert import tree
from fakeinstruct.expert.tree import WASTE, Layout, Tree

trees = st.builds(Tree, st.integers(1, 6), st.lists(st.integers(1, 7), min_size=1, max_size=6).map(tuple))
layouts = st.lists(trees, min_size=1, max_size=3).map(tuple).map(Layout)


def owners(layout: Layout) -> list[tuple[int, int]]:
    """The tree and the branch of each token, -1 for a prefix."""
    found = []
    for number, single in enumerate(layout.trees):
        found += [(number, -1)] * single.prefix
        for branch, length in enumerate(single.branches):
            found += [(number, branch)] * length
    return found


@settings(deadline=None)
@given(layouts)
def test_a_token_sees_what_stands_before_it_in_its_prefix_and_its_branch(layout):
    own, mask = owners(layout), layout.dense_mask()
    assert mask.shape == (len(layout), len(layout))
    for row, (number, branch) in enumerate(own):
        for column, (other, theirs) in enumerate(own):
            sees = number == other and theirs in (-1, branch) and column <= row
            assert mask[row, column] == sees


@settings(deadline=None)
@given(layouts)
def test_the_order_is_a_permutation_that_puts_back_what_chunks_took_apart(layout):
    assert len(set(layout.order.tolist())) == len(layout)
    assert layout.gather[layout.order].tolist() == list(range(len(layout)))
    assert sum(layout.sizes) == len(layout.gather)


@settings(deadline=None)
@given(layouts)
def test_chunks_hold_each_branch_once_and_whole_after_its_own_prefix(layout):
    own = owners(layout)
    starts = dict(zip(range(len(layout.trees)), layout.starts(), strict=True))
    seen = []
    for chunk in layout.chunks:
        for places, valid in zip(chunk.index, chunk.valid, strict=True):
            taken = places[valid].tolist()
            (branch,) = {own[place] for place in taken}
            start, single = starts[branch[0]]
            assert taken == list(range(taken[0], taken[0] + single.branches[branch[1]]))
            assert valid.tolist() == sorted(valid.tolist(), reverse=True), "padding stands on the right"
            assert chunk.prefix == (start, start + single.prefix)
            seen.append(branch)
    assert sorted(seen) == sorted({one for one in own if one[1] != -1})


@settings(deadline=None)
@given(layouts, st.integers(2, 40))
def test_no_chunk_gathers_more_keys_than_allowed_unless_one_branch_alone_needs_them(layout, keys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "KEYS", keys)
        for chunk in layout.chunks:
            branches, longest = chunk.index.shape
            gathered = branches * (chunk.prefix[1] - chunk.prefix[0] + longest)
            assert gathered <= keys or branches == 1


@settings(deadline=None)
@given(layouts)
def test_a_branch_is_padded_by_a_limited_share(layout):
    for chunk in layout.chunks:
        lengths = chunk.valid.sum(1)
        assert (lengths >= (1 - WASTE) * chunk.index.shape[1]).all()
    places = sum(chunk.valid.numel() for chunk in layout.chunks)
    tokens = sum(sum(single.branches) for single in layout.trees)
    assert layout.padding() == pytest.approx(1 - tokens / places)
    assert 0 <= layout.padding() <= WASTE


def test_the_picture_of_the_module():
    layout = Layout((Tree(4, (2, 3)), Tree(3, (2,))))
    rows = ["".join("x" if sees else "." for sees in row) for row in layout.dense_mask().tolist()]
    assert rows[4:9] == [
        "xxxxx.........",
        "xxxxxx........",
        "xxxx..x.......",
        "xxxx..xx......",
        "xxxx..xxx.....",
    ]
    assert rows[13] == ".........xxxxx"


@pytest.mark.parametrize(("prefix", "branches"), [(0, (1,)), (1, ()), (1, (2, 0))])
def test_an_empty_prefix_or_branch_is_refused(prefix, branches):
    with pytest.raises(ValueError, match="needs a prefix and branches"):
        Tree(prefix, branches)
