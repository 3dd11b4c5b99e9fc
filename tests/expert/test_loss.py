"""The loss: which token predicts which, and a mean over all of a step's tokens."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from fakeinstruct.expert.loss import targets_of, token_losses

LABELS = [[-100, -100, 5, 6], [-100, 7, -100, -100, 8]]


def test_rows_of_a_batch_keep_their_places():
    targets = targets_of(LABELS, [1.0, 2.0], [0, 1])
    assert targets.rows.tolist() == [0, 0, 1, 1]
    assert targets.places.tolist() == [1, 2, 0, 3]
    assert targets.ids.tolist() == [5, 6, 7, 8]
    assert targets.weights.tolist() == [1, 1, 2, 2]
    assert targets.tasks.tolist() == [0, 0, 1, 1]
    assert targets.first.tolist() == [True, False, True, False]


def test_packed_pairs_lie_end_to_end():
    targets = targets_of(LABELS, [1.0, 2.0], [0, 1], packed=True)
    assert targets.rows is None
    assert targets.places.tolist() == [1, 2, 4, 7]
    assert targets.first.tolist() == [True, False, True, False]


def test_pairs_without_an_answer_have_no_targets():
    targets = targets_of([[-100, -100]], [1.0], [0])
    assert len(targets.ids) == len(targets.first) == 0


def test_logits_are_taken_where_they_predict():
    logits = torch.arange(2 * 5 * 3).view(2, 5, 3)
    targets = targets_of(LABELS, [1, 1], [0, 0])
    assert targets.logits(logits).tolist() == [
        logits[r, p].tolist() for r, p in ((0, 1), (0, 2), (1, 0), (1, 3))
    ]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_smoothing_is_that_of_pytorch(share):
    torch.manual_seed(0)
    logits, ids = torch.randn(6, 11), torch.randint(11, (6,))
    exact, smoothed = token_losses(logits, ids, torch.full((6,), share))
    torch.testing.assert_close(exact, cross_entropy(logits, ids, reduction="none"))
    torch.testing.assert_close(smoothed, cross_entropy(logits, ids, reduction="none", label_smoothing=share))


def test_the_loss_is_in_float32_whatever_the_logits_are():
    logits = torch.tensor([[300.0, 299.0, 0.0]], dtype=torch.bfloat16)
    exact, _ = token_losses(logits, torch.tensor([1]))
    assert exact.dtype == torch.float32
    want = cross_entropy(logits.float(), torch.tensor([1]))
    assert exact.item() == pytest.approx(want.item())
