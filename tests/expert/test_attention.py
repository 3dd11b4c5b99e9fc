"""The attention function against PyTorch's own with the whole mask, and what it refuses."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tree import layouts
from tiny import Tiny, tiny_llava
from torch.nn.functional import scaled_dot_product_attention

from fakeinstruct.expert import attention, tree
from fakeinstruct.expert.attention import tree_attention, use_tree_attention
from fakeinstruct.expert.tree import Layout, Tree

LAYOUT = Layout((Tree(3, (2, 4)), Tree(2, (1,))))


def states(layout: Layout, heads: int, groups: int, seed: int = 0, width: int = 8) -> list[torch.Tensor]:
    """Random queries, keys and values in float64, which ask for their gradient."""
    draw = torch.Generator().manual_seed(seed)
    return [
        torch.randn(1, count, len(layout), width, generator=draw, dtype=torch.float64).requires_grad_()
        for count in (heads * groups, heads, heads)
    ]


def learned(output: torch.Tensor, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    """The output and the gradients of a weighted sum of it."""
    weights = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view_as(output)
    return [output, *torch.autograd.grad((output * weights).sum(), inputs)]


@settings(deadline=None, max_examples=60)
@given(
    layouts, st.integers(1, 3), st.integers(1, 3), st.sampled_from([None, 0.3]), st.sampled_from([2**15, 12])
)
def test_it_attends_as_the_dense_mask_does(layout, heads, groups, scaling, keys):
    inputs = states(layout, heads, groups)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "KEYS", keys)  # small: many chunks, each computed again in the backward pass
        patch.setattr(attention, "BYTES", 0 if keys == 12 else attention.BYTES)
        found = learned(tree_attention(None, *inputs, None, tree=layout, scaling=scaling)[0], inputs)
    dense = scaled_dot_product_attention(
        *inputs, attn_mask=layout.dense_mask()[None, None], scale=scaling, enable_gqa=True
    ).transpose(1, 2)
    for ours, theirs in zip(found, learned(dense, inputs), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_a_bad_call_is_refused():
    query, key, value = states(LAYOUT, 2, 1)
    mask = LAYOUT.dense_mask()[None, None]
    twice = [torch.cat([one, one]) for one in (query, key, value)]
    for inputs, given_mask, layout in (
        ((query, key, value), None, None),
        ((query, key, value), mask, LAYOUT),
        (twice, None, LAYOUT),
        ((query, key, value), None, Layout((Tree(3, (2,)),))),
    ):
        with pytest.raises(ValueError, match="one packed row with its layout and no mask"):
            tree_attention(None, *inputs, given_mask, tree=layout)


@pytest.mark.parametrize("name", attention.FOREIGN)
def test_an_option_that_a_tree_would_get_wrong_is_refused(name):
    with pytest.raises(ValueError, match=f"knows no {name}"):
        tree_attention(None, *states(LAYOUT, 2, 1), None, tree=LAYOUT, **{name: 4})
    tree_attention(None, *states(LAYOUT, 2, 1), None, tree=LAYOUT, **{name: None})


def row(tiny: Tiny) -> dict[str, torch.Tensor]:
    """One picture and two branches of two tokens each, positions restarted."""
    block = tiny.image(0)
    ids = [1, *block["input_ids"], 30, 31, 40, 41]
    trunk = len(ids) - 4
    positions = [*range(trunk), trunk, trunk + 1, trunk, trunk + 1]
    return {
        "input_ids": torch.tensor([ids]),
        "position_ids": torch.tensor([positions]),
        "pixel_values": block["pixel_values"],
    }


def test_a_model_takes_neither_a_mask_nor_a_batch_nor_a_missing_layout():
    tiny = tiny_llava()
    use_tree_attention(tiny.model)
    inputs = row(tiny)
    layout = Layout((Tree(17, (2, 2)),))
    with pytest.raises(ValueError, match="no mask"):
        tiny.model(**inputs)
    with pytest.raises(ValueError, match="no mask"):
        tiny.model(**inputs, tree=layout, attention_mask=layout.dense_mask()[None, None])
    with pytest.raises(ValueError, match="no mask"):
        tiny.model(**{name: torch.cat([value, value]) for name, value in inputs.items()}, tree=layout)


def test_a_model_with_a_sliding_window_is_refused():
    tiny = tiny_llava(model_type="mistral", sliding_window=8)
    use_tree_attention(tiny.model)
    with pytest.raises(ValueError, match="sliding_window"):
        tiny.model(**row(tiny), tree=Layout((Tree(17, (2, 2)),)))


def test_stock_attention_without_a_mask_takes_restarted_positions_for_separate_rows():
    """Why the mask must never be left out under stock attention: branches then lose the image."""
    tiny = tiny_llava()
    model = tiny.model.eval()
    inputs = row(tiny)
    layout = Layout((Tree(17, (2, 2)),))
    with torch.no_grad():
        dense = model(**inputs, attention_mask=layout.dense_mask()[None, None]).logits
        without = model(**inputs).logits
        use_tree_attention(model)
        ours = model(**inputs, tree=layout).logits
    torch.testing.assert_close(ours, dense, rtol=1e-4, atol=1e-4)
    assert (without[:, -2:] - dense[:, -2:]).abs().max() > 0.1
