"""What an evaluation will be able to say of the images it is given, and what not, before anything is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from fakeinstruct.chains.schema import Chain, Label, Split
from fakeinstruct.forensics.expert import Expert
from fakeinstruct.forensics.protocol import Evaluation
from fakeinstruct.forensics.server import Server
from fakeinstruct.measure.audit.chance import clusters_of
from fakeinstruct.measure.calibration import BINS
from fakeinstruct.measure.detection import both_classes, check_groups
from fakeinstruct.measure.evaluations.fits import fitted_on, labels_of
from fakeinstruct.measure.evaluations.needs import Given
from fakeinstruct.measure.evaluations.plan import Plan
from fakeinstruct.measure.figure import UnavailableError
from fakeinstruct.measure.roc import check_reals

FALSE_ALARMS = 0.01
"""The lower rate of false alarms, 0.1 %, needs ten times as many reals still."""


def outlook(expert: Expert | Server, plan: Plan, given: Sequence[Given]) -> Iterator[str]:
    """What is measured, what cannot be and why, and what calibrated figures will rest on, in lines.

    Args:
        expert: Who is asked.
        plan: What is asked.
        given: What it is asked about.
    """
    test = [chain for each in given for chain in each.of(Split.TEST)]
    under = f", clean and under {len(plan.asking.conditions)} conditions" if plan.asking.conditions else ""
    yield f"measured    {labels_of(test)} of the test split{under}"
    yield from (f"not given   {what}: {reason}" for what, reason in not_given(plan.evaluation, test))
    yield f"baselines   {', '.join(plan.baselines) or 'none'}"
    yield f"fitted on   {fitted_on(expert, plan.asking, plan.readouts, given)}"


def not_given(evaluation: Evaluation, test: Sequence[Chain]) -> Iterator[tuple[str, str]]:
    """Figures that cannot be had of some test images whatever the expert answers, each with its reason.

    Args:
        evaluation: The protocol.
        test: The chains of the test split.
    """
    fake = np.array([chain.label is Label.FAKE for chain in test], dtype=bool)
    groups = [chain.group for chain in test]
    checks: dict[str, Callable[[], object]] = {"AUC": lambda: both_classes(fake)}
    if fake.any() and not fake.all():
        checks |= {
            "intervals": lambda: check_groups(fake, np.array(groups)),
            "share of fakes found at 1 % false alarms": lambda: check_reals(int((~fake).sum()), FALSE_ALARMS),
            "calibration error": lambda: _check_bins(len(fake)),
            "what names and headers alone tell": lambda: clusters_of(
                fake, groups, [chain.id for chain in test]
            ),
        }
    for what, check in checks.items():
        try:
            check()
        except UnavailableError as reason:
            yield what, reason.problem
    if without := without_reals(evaluation, test):
        yield (
            f"figures of {', '.join(without)} against own reals",
            "no real image has the camera set; they stand against all",
        )


def without_reals(evaluation: Evaluation, test: Sequence[Chain]) -> list[str]:
    """The generators that a protocol compares with reals of which there are none."""
    reals = evaluation.measure.reals
    if reals == "shared":
        return []
    beside = reals if isinstance(reals, dict) else {}
    sets = {chain.camera_set for chain in test if chain.label is Label.REAL}
    names = sorted({chain.generator for chain in test if chain.label is Label.FAKE and chain.generator})
    return [name for name in names if beside.get(name, name) not in sets]


def _check_bins(n: int) -> None:
    if n < BINS:
        raise UnavailableError(f"{n} images are fewer than {BINS} bins")
