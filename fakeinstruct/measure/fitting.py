"""Which scale, bias and threshold calibrated figures rest on, and where they come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.expert.card import UNFITTED, Aggregation, Readout
from fakeinstruct.forensics.answers import AnswerSet
from fakeinstruct.measure import calibration, detection
from fakeinstruct.measure.figure import UnavailableError, rounded
from fakeinstruct.measure.fit_warnings import beware, beware_stored
from fakeinstruct.measure.joining import Asked, ByPrompt, join_prompts
from fakeinstruct.measure.scores import Scores

OWN = "validation split of the answers"
STORED = "expert.json"
PROTOCOL = "protocol"

Covariance = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Fit:
    """What was fitted on other images than the measured ones; each absent for a reason.

    Attributes:
        scale: Factor of the margin; absent also where each prompt has its own, see `stored`.
        bias: Added to it.
        threshold: Threshold on the unfitted margin.
        source: `OWN`, or `STORED` or `PROTOCOL` where an earlier `calibrate` fitted them.
        n: Images behind it; of several prompts, behind the one that has fewest.
        covariance: Of scale and bias, shape (2, 2), see `calibration.fit_covariance`; absent for stored ones.
        fitted_on: What stored ones were fitted on, in words.
        stored: The readouts whose scale and bias were used, one a prompt; empty where the fit is the answers' own.
        warning: What to beware of.
        reason: Why something is absent.
        share_of_fakes: Of the images behind it, 0 to 1; absent where it is not known, or differs between prompts.
    """

    scale: float | None = None
    bias: float | None = None
    threshold: float | None = None
    source: str | None = None
    n: int | None = None
    covariance: Covariance | None = None
    fitted_on: str | None = None
    stored: tuple[Readout, ...] = ()
    warning: str | None = None
    reason: str = "no validation images to fit on"
    share_of_fakes: float | None = None

    def applied(self, scores: Scores) -> NDArray[np.float64]:
        """The calibrated margins, shape (n,).

        Raises:
            UnavailableError: If nothing was fitted.
        """
        if self.source is None:
            raise UnavailableError(self.reason)
        return scores.calibrated

    def cut(self) -> float:
        """The threshold.

        Raises:
            UnavailableError: If there is none.
        """
        if self.threshold is None:
            raise UnavailableError(self.reason)
        return self.threshold

    def ece_band(self, scores: Scores, seed: int) -> dict[str, float]:
        """Mean and 95th percentile of the calibration error that the chance in both sets of images alone would leave.

        Raises:
            UnavailableError: If scale and bias were not fitted on answers at hand.
        """
        if self.scale is None or self.bias is None or self.covariance is None:
            raise UnavailableError(
                self.reason if self.source is None else "how far scale and bias err is not stored"
            )
        mean, top = calibration.fitted_ece_band(
            scores.margin, (self.scale, self.bias), self.covariance, seed=seed
        )
        return {"mean": mean, "percentile_95": top}

    def items(self) -> frozenset[str]:
        """Images that a bias alone was fitted on, which are no test of it."""
        return frozenset(item for readout in self.stored for item in readout.fitted_items)

    def json(self) -> dict[str, Any]:
        """The fit as plain JSON."""
        values = {"scale": self.scale, "bias": self.bias, "threshold": self.threshold}
        reason = self.reason if self.source is None or self.threshold is None else None
        errors = np.sqrt(np.diag(self.covariance)).tolist() if self.covariance else (None, None)
        values |= dict(zip(("scale_standard_error", "bias_standard_error"), errors, strict=True))
        said = {"source": self.source, "n": self.n, "fitted_on": self.fitted_on, "warning": self.warning}
        values |= {"share_of_fakes": self.share_of_fakes}
        prompts = [
            {"name": each.name, "prompt": each.prompt, "scale": each.scale, "bias": each.bias}
            for each in self.stored
            if len(self.stored) > 1
        ]
        return rounded({**values, **said, "reason": reason, "per_prompt": prompts})  # type: ignore[no-any-return]


def fit(validation: Scores, *, table: bool = False) -> Fit:
    """Fit scale, bias and threshold on clean scores of the validation split, which may be empty; or of a table."""
    if not len(validation):
        return Fit()
    try:
        found = calibration.fit_scale_bias(validation.fake, validation.margin)
        threshold = detection.best_threshold(validation.fake, validation.margin)
    except UnavailableError as reason:
        return Fit(reason=f"validation images: {reason.problem}", n=len(validation))
    return Fit(
        *found,
        threshold,
        OWN,
        len(validation),
        _covariance(validation, *found),
        warning=beware(validation, found[0], table=table),
        share_of_fakes=float(validation.fake.mean()),
    )


def _covariance(validation: Scores, scale: float, bias: float) -> Covariance | None:
    try:
        (a, b), (_, c) = calibration.fit_covariance(validation.margin, scale, bias).tolist()
    except UnavailableError:
        return None
    return (a, b), (b, c)


def stored_fit(
    by_prompt: ByPrompt, readouts: Iterable[Readout], aggregations: Mapping[Asked, Aggregation]
) -> Fit:
    """The scale and bias that an earlier `calibrate` stored for every prompt that was asked, if it did.

    Args:
        by_prompt: What was asked.
        readouts: Readouts with what was stored.
        aggregations: How the margins of each prompt were aggregated.
    """
    known = {asked_of(each): each for each in readouts if each.scale is not None and each.bias is not None}
    missing = [key for key in by_prompt if key not in known]
    if missing or not by_prompt:
        return Fit()
    chosen = tuple(known[key] for key in by_prompt)
    for each in chosen:
        if (used := aggregations[asked_of(each)]) != each.aggregation:
            return Fit(
                reason=f"the stored scale and bias are of margins aggregated by {each.aggregation}, these are by {used}"
            )
    one = chosen[0] if len(chosen) == 1 else None
    counts = [each.fitted_n for each in chosen if each.fitted_n]
    fewest = min(counts, key=lambda n: min(n.get("fake", 0), n.get("real", 0)), default=None)
    shares = {n.get("fake", 0) / sum(n.values()) for n in counts if sum(n.values())}
    return Fit(
        one.scale if one else None,
        one.bias if one else None,
        source=PROTOCOL if any(each.fitted_expert for each in chosen) else STORED,
        n=min((sum(n.values()) for n in counts), default=None),
        fitted_on="; ".join(dict.fromkeys(each.fitted_on or "not recorded" for each in chosen)),
        stored=chosen,
        warning=beware_stored([each.scale or 0.0 for each in chosen], fewest),
        reason="no validation images to fit a threshold on",
        share_of_fakes=shares.pop() if len(shares) == 1 and len(counts) == len(chosen) else None,
    )


def asked_readouts(answers: Iterable[AnswerSet]) -> list[Readout]:
    """The readouts that answers were asked with, less what a protocol has that was fitted to another model."""
    return [
        readout
        if readout.fitted_expert in (None, each.meta.expert_sha256)
        else readout.model_copy(update=UNFITTED)
        for each in answers
        for readout in each.meta.readouts
    ]


def choose(own: Fit, stored: Fit) -> Fit:
    """The answers' own fit where there is one, else the stored one with the answers' own threshold."""
    if own.source is not None or stored.source is None:
        return replace(own, reason=stored.reason) if own == Fit() else own
    return replace(stored, threshold=own.threshold)


def apply(fitted: Fit, scores: Scores, by_prompt: ByPrompt) -> Scores:
    """The scores with what was fitted applied; a stored fit to every prompt on its own, before they are joined."""
    if fitted.stored:
        return join_prompts(by_prompt, {asked_of(each): numbers(each) for each in fitted.stored})
    if fitted.scale is None or fitted.bias is None:
        return scores
    return scores.scaled(fitted.scale, fitted.bias)


def aggregations(
    by_prompt: ByPrompt, answers: Sequence[AnswerSet], anew: Aggregation | None = None
) -> dict[Asked, Aggregation]:
    """How the margins of each prompt were aggregated: `anew`, or as its readout was, or the leading one."""
    then = {asked_of(each): each.aggregation for answer in answers for each in answer.meta.readouts}
    return {key: anew or then.get(key, answers[0].meta.aggregation) for key in by_prompt}


def asked_of(readout: Readout) -> Asked:
    """How a readout asks, to match it with answers."""
    return Asked(readout.name, readout.prompt, readout.position)


def numbers(readout: Readout) -> tuple[float, float]:
    """Scale and bias of a readout that has them."""
    return readout.scale or 0.0, readout.bias or 0.0
