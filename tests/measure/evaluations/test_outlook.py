"""What an evaluation says before it asks: what can be measured, and what scale and bias will rest on."""

from __future__ import annotations

import pytest
from drawn import make_chains

from fakeinstruct.chains.schema import Label, Split
from fakeinstruct.chains.store import open_chains
from fakeinstruct.expert.card import Readout
from fakeinstruct.forensics.protocol import load_evaluation
from fakeinstruct.measure.evaluations.fits import fitted_on, warnings
from fakeinstruct.measure.evaluations.needs import Given
from fakeinstruct.measure.evaluations.outlook import not_given
from fakeinstruct.measure.fit_warnings import FEW

READOUT = Readout(name="one", prompt="Which?", fake=("fake",), real=("real",))


@pytest.fixture(scope="module")
def chains(tmp_path_factory):
    return open_chains(make_chains(tmp_path_factory.mktemp("set") / "chains", 200))


def given(chains, change=lambda chain: {}):
    return [Given(chains, tuple(chain.model_copy(update=change(chain)) for chain in chains.read()))]


def fit(chains, change=lambda chain: {}, readout=READOUT, **settings):
    evaluation = load_evaluation("calibration", **settings)
    found = given(chains, change)
    return fitted_on(None, evaluation.asking(), [readout], found), list(warnings(evaluation, found))


def test_a_fit_says_how_many_images_of_each_label_it_is_on(chains):
    assert fit(chains) == ("the validation split: 40 fake and 40 real images", [])


def test_few_images_are_warned_of_by_the_measure_that_calibrate_has(chains):
    def few(count):
        kept = 0

        def change(chain):
            nonlocal kept
            if chain.split != "validation" or chain.label != "fake":
                return {}
            kept += 1
            return {} if kept <= count else {"split": Split.TRAIN}

        return change

    assert fit(chains, few(FEW))[1] == []
    said, beware = fit(chains, few(FEW - 1))
    assert said == f"the validation split: {FEW - 1} fake and 40 real images"
    assert beware == [
        f"calibrated figures will be fitted on {FEW - 1} fake and 40 real images, which is few: it would differ on "
        "others"
    ]


@pytest.mark.parametrize(
    ("change", "settings", "reason"),
    [
        (lambda chain: {"split": Split.TEST}, {}, "there is no validation image"),
        (lambda chain: {"label": Label.FAKE}, {}, "the validation split holds 80 fake and 0 real images"),
        (lambda chain: {}, {"splits": ("test",)}, "the protocol does not ask about the validation split"),
    ],
)
def test_where_nothing_can_be_fitted_the_reason_is_said(chains, change, settings, reason):
    said, beware = fit(chains, change, **settings)
    assert said == f"nothing: {reason}"
    assert beware == [f"the protocol says calibrate, and nothing can be fitted: {reason}"]


def test_a_stored_fit_is_named_where_there_is_no_other(chains):
    stored = READOUT.model_copy(
        update={"scale": 1.5, "bias": 0.1, "fitted_on": "240 validation images of demo"}
    )
    said, _ = fit(chains, lambda chain: {"split": Split.TEST}, stored)
    assert said == (
        "nothing here (there is no validation image): scale and bias are those of expert.json, 240 validation images "
        "of demo"
    )


def test_what_cannot_be_had_of_the_images_is_said_with_its_reason(chains):
    test = given(chains)[0].of(Split.TEST)
    plain, own = load_evaluation("detection"), load_evaluation("generators")
    alarms = (
        "share of fakes found at 1 % false alarms",
        "1 % of 40 reals is under 10 false alarms: needs 1,000 reals",
    )
    assert list(not_given(plain, test)) == [alarms]
    reals = (
        "figures of drawer against own reals",
        "no real image has the camera set; they stand against all",
    )
    assert list(not_given(own, test)) == [alarms, reals]
    assert dict(not_given(plain, test[:8])) == {
        alarms[0]: alarms[1].replace("40", "4"),
        "calibration error": "8 images are fewer than 15 bins",
        "what names and headers alone tell": "4 images of a label are too few to tell, 20 are needed",
    }
    fakes = [chain for chain in test if chain.label is Label.FAKE]
    assert list(not_given(plain, fakes)) == [("AUC", "one class only: 40 fakes and 0 reals")]
    few_sources = [chain.model_copy(update={"group": f"g{number // 8}"}) for number, chain in enumerate(test)]
    assert "only 10 photographs" in dict(not_given(plain, few_sources))["intervals"]
