"""One score an image, against brute force."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_answers import verdict

from fakeinstruct.forensics.probability import logit_of_mean
from fakeinstruct.measure.joining import Asked, asked, join_answers, join_prompts, lacking

MARGINS = st.lists(st.floats(-30, 30), min_size=1, max_size=8)


@given(MARGINS)
def test_samples_are_joined_by_the_logit_of_the_mean_probability(margins):
    mean = math.fsum(1 / (1 + math.exp(-each)) for each in margins) / len(margins)
    rest = math.fsum(1 / (1 + math.exp(each)) for each in margins) / len(margins)
    assert logit_of_mean(margins) == pytest.approx(math.log(mean / rest), abs=1e-9)


@given(MARGINS)
def test_joining_samples_treats_both_labels_alike(margins):
    assert logit_of_mean([-each for each in margins]) == pytest.approx(-logit_of_mean(margins), abs=1e-9)


def test_margins_beyond_what_a_probability_can_hold_stay_finite_and_apart():
    assert logit_of_mean([3e4, 3e4]) == 3e4
    assert logit_of_mean([-800, 900]) == pytest.approx(0)  # each surer than a float: half and half
    assert logit_of_mean([50, 60]) == pytest.approx(50 + math.log(2), abs=1e-4)
    assert logit_of_mean([5.25]) == 5.25


def test_samples_then_looks_then_prompts():
    margins = {("a", 1): [0.3, 2.0], ("a", 2): [-4.0], ("b", 1): [1.0, -1.0, 6.0]}
    rows = [
        verdict(0, True, margin, prompt=prompt, look=look, sample=sample, label_mass=0.1 * sample)
        for (prompt, look), samples in margins.items()
        for sample, margin in enumerate(samples)
    ]

    def of_samples(values):
        p = np.mean(1 / (1 + np.exp(-np.array(values))))
        return np.log(p / (1 - p))

    looks_of_a = (of_samples([0.3, 2.0]) + of_samples([-4.0])) / 2
    expected = (looks_of_a + of_samples([1.0, -1.0, 6.0])) / 2
    scores = join_prompts(join_answers(rows))
    assert scores.margin.dtype == np.float32
    assert scores.margin.tolist() == [pytest.approx(expected, abs=1e-6)]
    assert scores.mass.tolist() == [pytest.approx(((0.05 + 0) / 2 + 0.1) / 2)]
    assert np.isnan(scores.calibrated).all()


def test_conditions_stay_apart_and_an_image_lacking_a_prompt_is_counted():
    rows = [
        verdict(0, True, 1.0, prompt="a"),
        verdict(0, True, 3.0, prompt="b"),
        verdict(0, True, 5.0, prompt="a", condition="jpeg-50"),
        verdict(0, True, 7.0, prompt="b", condition="jpeg-50"),
        verdict(1, False, -1.0, prompt="a"),
    ]
    by_prompt = join_answers(rows)
    scores = join_prompts(by_prompt)
    assert list(zip(scores.image, scores.condition, scores.margin, strict=True)) == [
        ("image-0", "clean", 2.0),
        ("image-0", "jpeg-50", 6.0),
        ("image-1", "clean", -1.0),
    ]
    assert lacking(by_prompt) == 1


def test_one_wording_read_at_two_places_is_two_ways_of_asking():
    rows = [verdict(0, True, 1.0), verdict(0, True, 3.0, position="scan")]
    assert [key.position for key in join_answers(rows)] == ["first", "scan"]


def test_answers_without_template_and_position_are_of_the_first_token():
    assert asked({"prompt": "Fake?"}) == Asked("", "Fake?", "first")


def test_each_prompt_is_calibrated_before_prompts_are_joined():
    rows = [verdict(0, True, 1.0, prompt="a"), verdict(0, True, 3.0, prompt="b")]
    by_prompt = join_answers(rows)
    first, second = by_prompt
    scores = join_prompts(by_prompt, {first: (2.0, 0.5), second: (0.1, -1.0)})
    assert scores.calibrated.tolist() == [pytest.approx((2.5 - 0.7) / 2)]
    assert scores.margin.tolist() == [2.0]
