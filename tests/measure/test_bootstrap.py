"""The clustered bootstrap: against copying the images drawn, against DeLong, and how often it covers."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from fakeinstruct.measure import bootstrap, calibration, detection, roc, smooth
from fakeinstruct.measure.bootstrap import Resampled, draw_weights, number_groups, resample
from fakeinstruct.measure.calibration import probability, reliability
from fakeinstruct.measure.figure import UnavailableError
from fakeinstruct.measure.figures import split_figures
from fakeinstruct.measure.fitting import Fit
from fakeinstruct.measure.intervals import FEW_GROUPS, JUDGED, PROBABLE, RANKED
from fakeinstruct.measure.scores import Scores
from fakeinstruct.measure.slices import slices
from fakeinstruct.measure.weighted import CalibrationError, Means, Ranking, together

RATES = {"tpr": 0.1}


def images(n=200, groups=40, seed=0, ties=False):
    """Truth, margin and group of images, those of one group alike."""
    rng = np.random.default_rng(seed)
    group = rng.integers(groups, size=n)
    y = rng.random(n) < 0.4
    margin = rng.normal(size=groups)[group] + rng.normal(size=n) + y
    return y, (np.round(margin) if ties else margin).astype(np.float32), group


def statistic(y, margin, group):
    index, count = number_groups(group)
    p = probability(margin)
    losses = {
        "accuracy": (margin > 0) == y,
        "brier": (p - y) ** 2,
        "nll": calibration.log_losses(y, margin.astype(float)),
    }
    parts = (Ranking(y, margin, index, RATES), Means(losses, index, count), CalibrationError(y, p, index))
    return together(("", part) for part in parts), count


def by_copying(y, margin, p_bounds):
    """Every figure of images that stand as often as they were drawn; ECE in the bins that were given."""
    p = probability(margin)
    bins = np.searchsorted(p_bounds, p, side="right")
    fpr_allowed = roc.curve(y, margin).tpr(0.1)[0]
    return {
        "auc": roc_auc_score(y, margin),
        "average_precision": average_precision_score(y, margin),
        "eer": roc.equal_error_rate(y, margin),
        "accuracy_oracle_threshold": max(
            np.mean((margin > cut) == y) for cut in [*np.unique(margin), margin.min() - 1]
        ),
        "tpr": fpr_allowed,
        "accuracy": detection.accuracy(y, margin),
        "brier": calibration.brier(y, margin),
        "nll": calibration.nll(y, margin),
        "ece": sum(abs((y - p)[bins == each].sum()) for each in np.unique(bins)) / len(y),
        "smooth_ece": smooth.smooth_ece(y, p),
    }


@pytest.mark.parametrize("ties", [False, True])
def test_weights_give_what_copies_give(ties):
    y, margin, group = images(ties=ties)
    compute, count = statistic(y, margin, group)
    weights = draw_weights(np.random.default_rng(1), count, 25)
    found = compute(weights)
    ordered = np.sort(probability(margin))
    bounds = ordered[calibration.equal_mass_bounds(ordered, calibration.BINS)][1:]
    assert found.keys() == by_copying(y, margin, bounds).keys()
    for draw, counts in enumerate(weights.astype(int)):
        drawn = np.repeat(np.arange(len(y)), counts[number_groups(group)[0]])
        for name, expected in by_copying(y[drawn], margin[drawn], bounds).items():
            assert found[name][draw] == pytest.approx(expected, abs=5e-6), name


@pytest.mark.parametrize("ties", [False, True])
def test_weights_of_one_give_the_figures_themselves(ties):
    y, margin, group = images(ties=ties)
    compute, count = statistic(y, margin, group)
    found = compute(np.ones((1, count)))
    assert found["auc"][0] == pytest.approx(detection.auc(y, margin), abs=1e-12)
    assert found["average_precision"][0] == pytest.approx(detection.average_precision(y, margin), abs=1e-12)
    assert found["eer"][0] == roc.equal_error_rate(y, margin)
    assert found["ece"][0] == pytest.approx(reliability(y, probability(margin), draws=2).ece, abs=1e-12)
    assert found["smooth_ece"][0] == pytest.approx(smooth.smooth_ece(y, probability(margin)), abs=5e-6)


def test_the_interval_of_the_area_is_close_to_delongs_and_obuchowskis():
    y, margin, _ = images(4000, 4000, seed=2)
    for groups in (np.arange(4000), np.arange(4000) // 8):
        compute, count = statistic(y, margin, groups)
        low, high = resample(compute, count, len(y)).interval("auc")
        _, below, above = detection.auc_interval(y, margin, groups)
        assert (low, high) == pytest.approx((below, above), abs=0.15 * (above - below))


def test_whole_groups_are_drawn():
    rng = np.random.default_rng(4)
    y, group = np.repeat(np.arange(60) < 30, 8), np.repeat(np.arange(60), 8)
    margin = (np.repeat(rng.normal(size=60), 8) + 0.3 * rng.normal(size=480) + y).astype(np.float32)
    widths = []
    for groups in (group, np.arange(480)):
        compute, count = statistic(y, margin, groups)
        low, high = resample(compute, count, 480).interval("auc")
        widths.append(high - low)
    assert widths[0] > 2 * widths[1]  # eight images of one photograph are not eight photographs


def test_it_covers_nineteen_times_of_twenty():
    rng = np.random.default_rng(5)
    area = hits = 0
    for seed in range(200):
        y = np.arange(200) < 100
        margin = (rng.normal(size=200) + np.sqrt(2) * y).astype(np.float32)
        each = np.arange(200)
        parts = (Ranking(y, margin, each, RATES), Means({"accuracy": (margin > 0) == y}, each, 200))
        found = resample(together(("", part) for part in parts), 200, 200, draws=200, seed=seed)
        low, high = found.interval("auc")
        area += low <= 0.8413 <= high  # Phi(sqrt(2) / sqrt(2))
        low, high = found.interval("accuracy")
        hits += low <= (0.5 + 0.92135) / 2 <= high  # reals Phi(0), fakes Phi(sqrt 2)
    assert 0.90 <= area / 200 <= 0.99
    assert 0.90 <= hits / 200 <= 0.99


def test_threads_and_batches_of_draws_change_nothing(monkeypatch):
    y, margin, group = images()
    compute, count = statistic(y, margin, group)
    once = resample(compute, count, len(y), seed=3)
    monkeypatch.setattr(bootstrap, "THREADS", 1)
    assert all(
        np.array_equal(once.values[k], v) for k, v in resample(compute, count, len(y), seed=3).values.items()
    )
    assert not np.array_equal(once.values["auc"], resample(compute, count, len(y), seed=4).values["auc"])


def test_a_draw_is_of_as_many_groups_as_there_are():
    weights = draw_weights(np.random.default_rng(0), 7, 500)
    assert weights.shape == (500, 7)
    assert (weights.sum(axis=1) == 7).all()
    assert weights.var() == pytest.approx(6 / 7, rel=0.1)  # multinomial


def test_draws_without_a_class_are_left_out_and_counted():
    values = np.r_[np.full(30, np.nan), np.linspace(0, 1, 970)]
    found = Resampled({"auc": values}, 50)
    assert found.left_out("auc") == 30
    assert found.interval("auc") == pytest.approx((0.025, 0.975), abs=1e-9)
    with pytest.raises(UnavailableError, match="51 of 1,000 draws lack a class"):
        Resampled({"auc": np.r_[np.full(51, np.nan), np.linspace(0, 1, 949)]}, 50).interval("auc")


def test_a_class_of_one_group_is_missing_in_a_third_of_the_draws():
    y = np.arange(60) == 0
    compute, count = statistic(y, np.random.default_rng(0).normal(size=60).astype(np.float32), np.arange(60))
    found = resample(compute, count, 60)
    for name in ("auc", "average_precision", "eer", "tpr", "accuracy_oracle_threshold"):
        assert found.left_out(name) == pytest.approx(1000 * (59 / 60) ** 60, abs=60)
    assert found.left_out("brier") == found.left_out("ece") == found.left_out("smooth_ece") == 0


def test_what_never_varies_has_no_interval():
    with pytest.raises(UnavailableError, match="the same in every draw"):
        Resampled({"auc": np.ones(1000)}, 50).interval("auc")


def scores(y, margin, group):
    rows = zip(y, margin, group, strict=True)
    return Scores.of(
        {"chain": f"image-{n}", "label": "fake" if fake else "real", "margin": m, "group": f"group-{g}"}
        for n, (fake, m, g) in enumerate(rows)
    )


def test_every_figure_of_a_split_has_an_interval_around_it():
    fitted = Fit(0.8, 0.1, 0.2, "validation split of the answers", 50)
    row = split_figures(scores(*images(3000, 300)).scaled(0.8, 0.1), fitted, 0).json()
    assert row["intervals"].keys() == {*RANKED, *JUDGED, *PROBABLE}
    assert row["calibrated"]["intervals"].keys() == set(PROBABLE)
    assert row["bootstrap"] == {"draws": 1000, "groups": 300, "left_out": 0}
    for name, ends in row["intervals"].items():
        assert (ends is None) == (row[name] is None), name
        if ends and name not in ("ece", "smooth_ece"):  # of which a draw's is larger, being noisier
            assert ends[0] < row[name] < ends[1], name
    for name in ("brier", "nll"):
        low, high = row["calibrated"]["intervals"][name]
        assert low < row["calibrated"][name] < high


def test_an_image_eight_times_over_narrows_no_interval_of_a_generator_or_of_their_mean():
    y, margin, _ = images(400)
    group = np.arange(len(y))
    once, many, naive = (
        slices(scores(*(np.repeat(each, times) for each in (y, margin)), names), 0)
        for times, names in ((1, group), (8, np.repeat(group, 8)), (8, np.arange(8 * len(y))))
    )

    def widths(tables):
        rows = tables["per_generator"]["unnamed"]["intervals"], tables["generators"]["intervals"]
        (low, high), (least, most) = rows[0]["auc"], rows[1]["macro_auc"]
        return np.array([high - low, most - least])

    assert widths(many) == pytest.approx(widths(once), rel=0.15)
    assert widths(naive) == pytest.approx(widths(once) / np.sqrt(8), rel=0.15)


def test_few_sources_have_no_intervals_and_the_reason_stands_once():
    row = split_figures(scores(*images(300, FEW_GROUPS - 1)), Fit(), 0).json()
    assert row["auc"] is not None
    assert row["intervals"] is None
    assert row["unavailable"]["intervals"] == "only 19 sources of images to draw from, an interval needs 20"
    assert "bootstrap" not in row


def test_few_sources_of_one_class_have_intervals_of_the_other_figures():
    y, margin, group = images(300, 100)
    y = y & (group < 10)
    row = split_figures(scores(y, margin, group), Fit(), 0).json()
    assert row["intervals"]["brier"] is not None
    assert row["intervals"]["auc"] is None
    assert "of fakes to draw from" in row["unavailable"]["intervals.auc"]


def test_one_class_only_has_intervals_of_what_it_has():
    row = split_figures(scores(np.ones(50, bool), images(50)[1], np.arange(50)), Fit(), 0).json()
    assert row["intervals"]["accuracy_half"] is not None
    assert row["intervals"]["auc"] is None
    assert "intervals.auc" not in row["unavailable"]  # nor has the figure itself


@pytest.mark.parametrize("n", [0, 1, 3])
def test_hardly_any_images(n):
    row = split_figures(scores(*(each[:n] for each in images())), Fit(), 0).json()
    assert row["intervals"] is None
    assert row["unavailable"]["intervals"].startswith(f"only {n} source")
