"""What a run reports, counted by hand."""

import pytest
import torch

from fakeinstruct.expert.loss import targets_of
from fakeinstruct.expert.meter import Meter
from fakeinstruct.expert.tree import Layout, Tree

CPU = torch.device("cpu")


def test_losses_are_means_of_each_task_over_all_batches():
    meter = Meter(["verdict", "reasoning", "advice"])
    first = targets_of([[-100, 7], [-100, 7, 8, 9]], [1.0, 1.0], [0, 1], packed=True)
    second = targets_of([[-100, 7, 8]], [2.0], [0], packed=True)
    meter.add(first, torch.tensor([4.0, 1.0, 2.0, 3.0]), 6, Layout((Tree(1, (1, 3)),)))
    meter.add(second, torch.tensor([1.0, 1.0]), 4, Layout((Tree(1, (2,)),)))
    report = meter.report(CPU)
    assert report["loss/verdict"] == pytest.approx((4 + 1 + 1) / 3)
    assert report["loss/reasoning"] == pytest.approx(2.0)
    assert "loss/advice" not in report


def test_speeds_are_counts_over_one_time():
    meter = Meter(["verdict"])
    layout = Layout((Tree(5, (2, 2)), Tree(5, (2,))))
    targets = targets_of([[-100, 7], [-100, 7], [-100, 7]], [1.0] * 3, [0] * 3, packed=True)
    meter.add(targets, torch.ones(3), 16, layout)
    report = meter.report(CPU)
    assert report["pairs_per_second"] / report["images_per_second"] == pytest.approx(3 / 2)
    assert report["tokens_per_second"] / report["pairs_per_second"] == pytest.approx(16 / 3)
    assert report["gib"] > 0.01


def test_padding_is_the_empty_share_of_attention():
    meter = Meter(["verdict"])
    layout = Layout((Tree(4, (8, 7)),))  # one chunk of 2 x 8 places, 15 of them tokens
    meter.add(targets_of([[-100, 7], [-100, 7]], [1.0] * 2, [0] * 2, packed=True), torch.ones(2), 19, layout)
    assert meter.report(CPU)["padding"] == pytest.approx(1 / 16)


def test_a_filler_counts_nothing_but_its_tokens():
    meter = Meter(["verdict"])
    meter.add(
        targets_of([[-100, 7]], [0.0], [0], packed=True), torch.tensor([9.0]), 5, Layout((Tree(3, (2,)),))
    )
    report = meter.report(CPU)
    assert report["pairs_per_second"] == report["images_per_second"] == 0
    assert report["tokens_per_second"] > 0
    assert not {"loss/verdict", "padding"} & report.keys()


def test_a_report_begins_anew():
    meter = Meter(["verdict"])
    targets = targets_of([[-100, 7]], [1.0], [0], packed=True)
    for loss in (4.0, 2.0):
        meter.add(targets, torch.tensor([loss]), 2, None)
        assert meter.report(CPU)["loss/verdict"] == loss
    assert "loss/verdict" not in meter.report(CPU)
