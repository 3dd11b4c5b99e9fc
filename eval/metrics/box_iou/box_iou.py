"""Overlap of predicted and annotated boxes, as a Hugging Face `evaluate` module."""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import evaluate

from fakeinstruct.measure.boxes_overlap import match, union_iou

DESCRIPTION = """
How well boxes agree with annotators' boxes of the same image: matched one to one, where a box too many costs as much
as one too few, and as the areas that they cover together. Means over images.
"""

INPUTS = """
Args:
    predictions: of each image the boxes said, each x0, y0, x1, y1 in fractions of the image, 0 to 1; maybe none.
    references: of each image the annotated boxes, in the same way.

Returns:
    matched_iou: sum of the IoU of boxes matched one to one, by the larger number of boxes; 1 where there are none on
    both sides; union_iou: IoU of the areas covered; precision, recall: share of the boxes said, and of those
    annotated, in a pair of IoU 0.5 or more, over images that have such a box, or None; n: images.
"""

CITATION = """
@article{kuhn1955hungarian,
  title={The {Hungarian} Method for the Assignment Problem}, author={Kuhn, Harold W.},
  journal={Naval Research Logistics Quarterly}, volume={2}, year={1955}}
"""

Boxes = Sequence[Sequence[float]]


@evaluate.utils.file_utils.add_start_docstrings(DESCRIPTION, INPUTS)
class BoxIou(evaluate.Metric):
    """Matched and union IoU of boxes."""

    def _info(self) -> evaluate.MetricInfo:
        boxes = datasets.Sequence(datasets.Sequence(datasets.Value("float64")))
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": boxes, "references": boxes}),
        )

    def _compute(
        self, predictions: Sequence[Boxes], references: Sequence[Boxes]
    ) -> dict[str, float | int | None]:
        said, true = (
            [[checked(box) for box in boxes] for boxes in some] for some in (predictions, references)
        )
        matched = [match(one, other) for one, other in zip(said, true, strict=True)]
        return {
            "matched_iou": mean([each.iou for each in matched]),
            "union_iou": mean([union_iou(one, other) for one, other in zip(said, true, strict=True)]),
            "precision": mean([each.precision for each in matched]),
            "recall": mean([each.recall for each in matched]),
            "n": len(matched),
        }


def checked(box: Sequence[float]) -> tuple[float, float, float, float]:
    """The box.

    Raises:
        ValueError: If it is none, or its numbers are pixels.
    """
    if len(box) != 4 or not (0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1):
        raise ValueError(f"{list(box)} is not x0, y0, x1, y1 in fractions of the image, x0 < x1 and y0 < y1")
    return box[0], box[1], box[2], box[3]


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of what is known."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
