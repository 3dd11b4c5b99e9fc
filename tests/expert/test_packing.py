"""Trees from conversations: nothing is lost, nothing predicted from a token that several branches share."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeinstruct.base.errors import RecordError
from fakeinstruct.expert.packing import Conversation, Packer, common_prefix, plain_positions
from fakeinstruct.expert.sft import IGNORE, encode_conversation, render_chat, tokenize

IMAGE = 9
WORDS = st.integers(0, 2)  # few words, so that questions begin alike


def conversation(turns: list[tuple[list[int], list[int]]], looks: bool) -> Conversation:
    """A pair with an image of three tokens, and one of two before the second question if it looks twice."""
    ids, labels, blocks = [1], [IGNORE], []
    for number, (question, answer) in enumerate(turns):
        shown = [IMAGE] * 3 if number == 0 else [IMAGE] * 2 if looks and number == 1 else []
        if shown:
            blocks.append((len(ids), len(ids) + len(shown)))
        ids += [*shown, *question, *answer]
        labels += [IGNORE] * (len(shown) + len(question)) + answer
    return Conversation(ids, labels, tuple(blocks), tuple(range(len(blocks))))


turns = st.tuples(st.lists(WORDS, min_size=1, max_size=4), st.lists(WORDS, min_size=1, max_size=3))
conversations = st.builds(conversation, st.lists(turns, min_size=1, max_size=3), st.booleans())
groups = st.lists(st.lists(conversations, min_size=1, max_size=4), min_size=1, max_size=3)


@settings(deadline=None)
@given(groups)
def test_every_pair_is_its_prefix_and_its_branch(groups):
    packed = Packer(plain_positions).pack(groups, [{}] * 3)
    ids, positions = packed.input_ids[0].tolist(), packed.position_ids[0].tolist()
    for (start, single), group in zip(packed.layout.starts(), groups, strict=True):
        prefix = slice(start, start + single.prefix)
        place = prefix.stop
        for pair, length in zip(group, single.branches, strict=True):
            branch = slice(place, place + length)
            assert ids[prefix] + ids[branch] == list(pair.input_ids)
            assert positions[prefix] + positions[branch] == list(range(len(pair.input_ids)))
            place = branch.stop


@settings(deadline=None)
@given(groups)
def test_each_answer_is_predicted_inside_its_own_branch(groups):
    """The trap of a prefix that ends right before an answer: its last token would have to predict several."""
    packed = Packer(plain_positions).pack(groups, [{}] * 3)
    targets = iter(zip(packed.targets.places.tolist(), packed.targets.ids.tolist(), strict=True))
    for (start, single), group in zip(packed.layout.starts(), groups, strict=True):
        place = start + single.prefix
        for pair, length in zip(group, single.branches, strict=True):
            for label in (label for label in pair.labels if label != IGNORE):
                predictor, expected = next(targets)
                assert expected == label
                assert place <= predictor < place + length
            place += length
    assert next(targets, None) is None


@settings(deadline=None)
@given(st.lists(conversations, min_size=1, max_size=4))
def test_the_prefix_holds_the_first_image_and_never_the_second(group):
    prefix = common_prefix(group)
    assert prefix >= 4
    assert all(prefix <= pair.blocks[1][0] for pair in group if len(pair.blocks) > 1)
    assert len({tuple(pair.input_ids[:prefix]) for pair in group}) == 1


@pytest.mark.parametrize(
    "pairs",
    [
        [([1, 5, IMAGE, IMAGE, 2], 4), ([1, 6, IMAGE, IMAGE, 2], 4)],  # the question before the image
        [([1, IMAGE, IMAGE, 2, 3], 3)],  # an answer right after the image
        [([1, 5, IMAGE, 2, 3], 2)],  # an answer before the image
    ],
)
def test_an_image_that_does_not_stand_before_the_question_is_refused(pairs):
    group = []
    for ids, answer in pairs:
        start = ids.index(IMAGE)
        labels = [IGNORE] * answer + ids[answer:]
        group.append(Conversation(ids, labels, ((start, start + ids.count(IMAGE)),)))
    with pytest.raises(RecordError, match="does not stand before the question"):
        common_prefix(group)


def test_the_prefix_goes_by_tokens_where_the_text_would_cut_one(processor):
    """`fake` and `fair` begin alike as text; the tokens of what is common are those of neither."""
    pairs = []
    for question in ("Is this image fake?", "Is this image fair?"):
        user = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}
        said = {"role": "assistant", "content": [{"type": "text", "text": "fake"}]}
        encoded = encode_conversation(processor, [user, said])
        place = encoded.input_ids.index(processor.image_token_id)
        pairs.append((encoded, Conversation(encoded.input_ids, encoded.labels, ((place, place + 1),)), user))
    texts = [render_chat(processor, [user], prompt=True) for *_, user in pairs]
    shared_text = texts[0][: next(i for i, (a, b) in enumerate(zip(*texts, strict=False)) if a != b)]
    group = [pair for _, pair, _ in pairs]
    prefix = common_prefix(group)
    assert tokenize(processor, shared_text) != list(group[0].input_ids[:prefix])
    packed = Packer(plain_positions).pack([group], [{}])
    (single,) = packed.layout.trees
    assert packed.input_ids[0, : single.prefix + single.branches[0]].tolist() == list(group[0].input_ids)
    assert torch.equal(packed.input_ids[0, -single.branches[1] :], torch.tensor(group[1].input_ids[prefix:]))
