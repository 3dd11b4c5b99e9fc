"""The paired tests: against definitions worked out by brute force, and against what chance does."""

import itertools

import numpy as np
import pytest
from scipy.stats import binom, norm

from fakeinstruct.measure.comparison.paired import holm, paired_accuracy, paired_auc, paired_draws
from fakeinstruct.measure.detection import auc, auc_variance
from fakeinstruct.measure.figure import UnavailableError


def two_detectors(n=60, shared=0.7, seed=0, shift=0.3):
    """Truth and the scores of two correlated detectors, with ties."""
    rng = np.random.default_rng(seed)
    fake = rng.random(n) < 0.45
    image = rng.normal(fake * 1.2, 1)
    a = np.round(shared * image + (1 - shared) * rng.normal(fake * (1 + shift), 1, n), 1)
    b = np.round(shared * image + (1 - shared) * rng.normal(fake, 1, n), 1)
    return fake, a, b


def psi(fakes, reals):
    """DeLong's kernel by definition, shape (fakes, reals)."""
    return (fakes[:, None] > reals[None, :]) + 0.5 * (fakes[:, None] == reals[None, :])


def by_definition(fake, a, b):
    """z of DeLong et al. (1988), from the covariance matrix of the two AUCs."""
    kernels = [psi(each[fake], each[~fake]) for each in (a, b)]
    of_fakes = np.cov([kernel.mean(axis=1) for kernel in kernels])
    of_reals = np.cov([kernel.mean(axis=0) for kernel in kernels])
    covariance = of_fakes / fake.sum() + of_reals / (~fake).sum()
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    return (kernels[0].mean() - kernels[1].mean()) / np.sqrt(variance)


@pytest.mark.parametrize("seed", range(6))
def test_z_is_that_of_the_definition(seed):
    fake, a, b = two_detectors(seed=seed)
    found = paired_auc(fake, a, b)
    assert found.z == pytest.approx(by_definition(fake, np.float32(a), np.float32(b)), rel=1e-9)
    assert found.p == pytest.approx(2 * norm.sf(abs(found.z)))
    assert found.difference == pytest.approx(auc(fake, a) - auc(fake, b))
    assert found.low < found.difference < found.high


def test_turning_the_two_round_turns_the_sign():
    fake, a, b = two_detectors()
    one, other = paired_auc(fake, a, b), paired_auc(fake, b, a)
    assert (one.z, one.low, one.p) == pytest.approx((-other.z, -other.high, other.p))


def test_groups_of_one_image_change_nothing():
    fake, a, b = two_detectors()
    assert paired_auc(fake, a, b, np.arange(len(fake))) == pytest.approx(paired_auc(fake, a, b))


def test_an_image_many_times_over_is_no_more_evidence():
    fake, a, b = two_detectors(120)
    group = np.arange(120)
    once = paired_auc(fake, a, b, group)
    many = paired_auc(*(np.tile(each, 8) for each in (fake, a, b, group)))
    naive = paired_auc(*(np.tile(each, 8) for each in (fake, a, b)))
    assert many.z == pytest.approx(once.z, rel=0.01)
    assert naive.z == pytest.approx(once.z * np.sqrt(8), rel=0.02)


def test_pairing_finds_what_two_intervals_hide():
    """The simulation of the notes on measuring: z near 12.8 paired, 3.0 unpaired."""
    rng = np.random.default_rng(0)
    n = 4000
    fake = np.arange(n) % 2 == 0
    image = rng.normal(fake * 1.5, 1)  # how plain an image is to either detector
    a = image + rng.normal(fake * 0.155, 0.2)
    b = image + rng.normal(0, 0.2, n)
    paired = paired_auc(fake, a, b)
    apart = np.sqrt(auc_variance(fake, a) + auc_variance(fake, b))
    unpaired = paired.difference / apart
    assert paired.z == pytest.approx(12.8, abs=1)
    assert unpaired == pytest.approx(3.0, abs=0.3)


def test_under_the_null_one_test_in_twenty_finds_something():
    found = [paired_auc(*two_detectors(200, seed=seed, shift=0.0)).p < 0.05 for seed in range(400)]
    assert np.mean(found) == pytest.approx(0.05, abs=0.03)


def test_clustered_variance_is_that_of_drawing_photographs_anew():
    rng = np.random.default_rng(3)
    photos, each = 150, 6

    def draw():
        group = np.repeat(np.arange(photos), each)
        fake = rng.random(photos * each) < 0.5
        image = rng.normal(size=photos)[group]
        lean = rng.normal(0, 0.7, photos)[group]  # how far the two differ is the photograph's doing
        a = fake + image + lean + rng.normal(size=len(fake))
        b = fake + image - lean + rng.normal(size=len(fake))
        return fake, a, b, group

    found = [draw() for _ in range(150)]
    spread = np.std([paired_auc(*one[:3]).difference for one in found])
    said = [paired_auc(*one) for one in found]
    clustered = np.mean([each.difference / each.z for each in said if abs(each.z) > 1e-6])
    naive = np.mean(
        [one.difference / one.z for one in (paired_auc(*each[:3]) for each in found) if abs(one.z) > 1e-6]
    )
    assert clustered == pytest.approx(spread, rel=0.15)
    assert naive < clustered


@pytest.mark.parametrize(
    ("fake", "a", "b", "groups", "why"),
    [
        ([1, 1], [1, 2], [2, 1], None, "one class only"),
        ([1, 0, 1, 0], [1, 2, 3, 4], [1, 2, 3, 4], None, "rank every fake and real alike"),
        ([1, 1, 0, 0], [3, 4, 1, 2], [1, 1, 1, 1], None, "the same for every image"),
        ([1, 0] * 10, range(20), range(20, 0, -1), [0, 1] * 10, "photograph"),
        ([1, 0, 0], [1, np.nan, 2], [1, 2, 3], None, "not a number"),
    ],
)
def test_no_test_where_none_can_be_had(fake, a, b, groups, why):
    with pytest.raises(UnavailableError, match=why):
        paired_auc(np.array(fake, dtype=bool), list(a), list(b), groups)


def test_holm_is_the_smallest_level_at_which_the_step_down_test_rejects():
    p = [0.01, 0.04, 0.03, 0.005]
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    for order in itertools.permutations(range(4)):
        assert holm([p[i] for i in order]) == pytest.approx([holm(p)[i] for i in order])


def test_figures_of_paired_draws_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    n = 1500
    fake = np.arange(n) % 2 == 0
    margin = rng.normal(np.where(fake, 1, -1), 1.5)
    found = paired_draws(fake, (margin, margin + rng.normal(0, 0.5, n)), np.arange(n))
    assert found.first["accuracy"] == pytest.approx(np.mean((margin > 0) == fake))
    p = 1 / (1 + np.exp(-margin))
    assert found.first["brier"] == pytest.approx(np.mean((p - fake) ** 2))
    assert found.first["nll"] == pytest.approx(-np.mean(np.log(np.where(fake, p, 1 - p))))


def test_the_bootstrap_interval_of_a_mean_is_the_normal_one():
    rng = np.random.default_rng(0)
    n = 2000
    fake = np.arange(n) % 2 == 0
    a = rng.normal(np.where(fake, 1, -1), 1.5)
    b = a + rng.normal(0, 0.8, n)
    found = paired_draws(fake, (a, b), np.arange(n))
    each = [(1 / (1 + np.exp(-m)) - fake) ** 2 for m in (a, b)]
    half = 1.96 * np.std(each[0] - each[1]) / np.sqrt(n)
    middle = np.mean(each[0] - each[1])
    assert found.differences.interval("brier") == pytest.approx(
        (middle - half, middle + half), abs=0.15 * half
    )
    unpaired = 1.96 * np.hypot(np.std(each[0]), np.std(each[1])) / np.sqrt(n)
    assert unpaired > 2 * half


def test_an_infinite_log_loss_is_left_out_and_the_rest_stays():
    fake = np.arange(40) % 2 == 0
    margin = np.where(fake, 2.0, -2.0)
    margin[0] = -np.inf
    found = paired_draws(fake, (margin, margin), np.arange(40))
    assert "nll" not in found.first
    assert found.first["brier"] > 0
    assert "ece" in found.first


def test_a_difference_of_accuracy_has_mcnemars_exact_p():
    fake = np.ones(40, dtype=bool)
    one, other = fake.copy(), fake.copy()
    one[:3], other[3:15] = False, False  # 12 images only the first has right, 3 only the second
    p = paired_accuracy(fake, (one, other), np.arange(40))
    assert p == pytest.approx(2 * binom.cdf(3, 15, 0.5)) == pytest.approx(0.03515625)
    assert paired_accuracy(~fake, (~one, ~other), np.arange(40)) == p
    with pytest.raises(UnavailableError, match="no difference to test"):
        paired_accuracy(fake, (one, one), np.arange(40))


def test_the_same_image_many_times_is_no_evidence():
    rng = np.random.default_rng(5)
    fake = np.arange(200) % 2 == 0
    one, other = rng.random(200) < 0.5, rng.random(200) < 0.5
    gain = (one == fake).astype(int) - (other == fake)
    z = gain.sum() / np.sqrt((gain**2).sum())
    again = [np.repeat(each, 10) for each in (fake, one, other, np.arange(200))]
    p = paired_accuracy(again[0], (again[1], again[2]), again[3])
    assert p == pytest.approx(2 * norm.sf(abs(z)))
    alone = paired_accuracy(again[0], (again[1], again[2]), np.arange(2000))
    assert alone < p / 2
    with pytest.raises(UnavailableError, match="photographs"):
        paired_accuracy(again[0], (again[1], again[2]), np.arange(2000) // 200)


def test_clustered_p_of_accuracy_is_uniform_where_nothing_differs():
    rng = np.random.default_rng(0)
    fake = np.arange(400) % 2 == 0
    groups = np.arange(400) // 4
    found = []
    for _ in range(400):
        hard = np.repeat(rng.random(100), 4)
        one, other = ((np.repeat(rng.random(100), 4) > hard * 0.6) == fake for _ in range(2))
        found.append(paired_accuracy(fake, (one, other), groups))
    assert 0.025 < np.mean(np.array(found) < 0.05) < 0.085
