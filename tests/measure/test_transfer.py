"""Scale and bias fitted on one generator and tested on another."""

import numpy as np
import pytest

from fakeinstruct.measure.calibration import fit_scale_bias, nll
from fakeinstruct.measure.scores import Scores
from fakeinstruct.measure.transfer import FEW, _sides, transfer_figures


def images(per=800, *, own=True, shift=0.0, stretch=1.0, fakes_of_b=1.0, seed=0, per_group=1):
    """Generators a and b, each with as many reals; b's margins are stretched and shifted from calibrated ones."""
    rng = np.random.default_rng(seed)
    rows = []
    for name in "ab":
        for index in range(per):
            fake = index % 2 == 0
            if name == "b" and fake and index >= per * fakes_of_b:
                continue
            margin = rng.normal(2 if fake else -2, 2)  # its sigmoid is the probability, at equal shares
            rows.append(
                {
                    "chain": f"{name}{index}",
                    "label": "fake" if fake else "real",
                    "generator": name if fake else None,
                    "camera_set": name if own and not fake else None,
                    "margin": margin * (stretch if name == "b" else 1) + (shift if name == "b" else 0),
                    "group": f"{name}{index // per_group}",
                }
            )
    return Scores.of(rows)


def test_what_was_fitted_on_one_generator_is_off_on_another_that_is_shifted():
    found = transfer_figures(images(shift=2.0, stretch=2.0), 0)
    assert found["reals"] == "own"
    matrix = found["fitted_on"]
    assert matrix.keys() == {"nothing", "a", "b"}
    for name in "ab":
        cell = matrix[name][name]
        assert (cell["n"], cell["n_fake"]) == (800, 400)
        assert cell["ece"] < 1.3 * cell["ece_perfect_95"]
    for source, target in ("ab", "ba"):
        assert matrix[source][target]["ece"] > 2 * matrix[source][target]["ece_perfect_95"]
        assert matrix[source][target]["nll"] > matrix[target][target]["nll"] + 0.03
    assert matrix["nothing"]["a"]["ece"] < 0.06  # a's margins are calibrated as they are
    assert matrix["nothing"]["b"]["ece"] > 0.1


def test_nothing_is_tested_on_what_it_was_fitted_on():
    """Margins that say nothing: a fit on the tested images would beat a coin, one on others cannot."""
    rng = np.random.default_rng(1)
    test = images(6 * FEW)
    noise = Scores.of(
        {
            "chain": str(i),
            "label": "fake" if f else "real",
            "generator": g or None,
            "camera_set": c,
            "margin": m,
        }
        for i, (f, g, c, m) in enumerate(
            zip(test.fake, test.generator, test.camera_set, rng.normal(size=len(test)), strict=True)
        )
    )
    losses = [
        cell["nll"]
        for seed in range(20)
        for row in (transfer_figures(noise, seed)["fitted_on"][name] for name in "ab")
        for cell in row.values()
    ]
    part = noise.where((noise.generator == "a") | (noise.camera_set == "a"))
    assert nll(part.fake, part.margin, *fit_scale_bias(part.fake, part.margin)) < np.log(2)
    assert np.mean(losses) > np.log(2)


def test_images_of_one_source_are_never_on_both_sides():
    test = images(per_group=4)
    halves = [_sides(test, name, True, 0) for name in "ab"]
    assert [sum(len(side.fake) for side in sides) for sides in halves] == [800, 800]
    margins = [set(test.margin[test.group == group].tolist()) for group in np.unique(test.group)]
    for sides in halves:
        first, second = (set(side.margin.tolist()) for side in sides)
        assert not first & second
        assert all(not (own & first and own & second) for own in margins)


def test_the_share_of_fakes_is_taken_out():
    matrix = transfer_figures(images(4000, fakes_of_b=0.2, own=True), 0)["fitted_on"]
    assert matrix["a"]["b"]["n_fake"] == 400
    assert matrix["a"]["b"]["ece"] < 0.03  # the same margins: without the correction .1 or more
    assert matrix["b"]["a"]["ece"] < 0.03


def test_shared_reals_where_not_every_generator_has_its_own():
    found = transfer_figures(images(own=False), 0)
    assert found["reals"] == "shared"
    assert found["fitted_on"]["a"]["b"]["n"] == 400 + 800


def test_too_few_images_are_absent_with_the_reason_and_the_others_stay():
    matrix = transfer_figures(images(fakes_of_b=0.08), 0)["fitted_on"]
    assert matrix["a"]["a"]["ece"] is not None
    assert matrix["a"]["b"]["ece"] is None
    assert "it needs 20 of each" in matrix["a"]["b"]["unavailable"]["ece"]
    assert matrix["b"]["a"]["unavailable"]["ece"].startswith("fitted on: a half has ")


@pytest.mark.parametrize("name", ["a", None])
def test_without_two_generators_there_is_no_matrix(name):
    test = images()
    found = transfer_figures(test.where(test.generator == name) if name else test.where(~test.fake), 0)
    assert found["fitted_on"] is None
    count = "is 1" if name else "are 0"
    assert found["unavailable"]["fitted_on"] == f"a matrix needs 2 to 30 generators, there {count}"


def test_equal_margins_have_nothing_to_scale():
    test = images()
    flat = Scores.of(
        {"chain": str(i), "label": "fake" if f else "real", "generator": g or None, "margin": 0.0}
        for i, (f, g) in enumerate(zip(test.fake, test.generator, strict=True))
    )
    matrix = transfer_figures(flat, 0)["fitted_on"]
    assert (
        matrix["a"]["b"]["unavailable"]["nll"]
        == "fitted on: all margins are equal: there is nothing to scale"
    )
    assert matrix["nothing"]["b"]["nll"] == pytest.approx(np.log(2))
