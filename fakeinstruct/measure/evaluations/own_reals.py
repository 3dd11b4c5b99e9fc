"""Each generator against the real images that a benchmark compares it with, where a mapping says which these are.

UniversalFakeDetect measures LDM, GLIDE and DALL-E against LAION's images and ADM ("guided") against ImageNet's: their
folders do not say so. Where the folders do, as GenImage's, `slices` has the figures as `own_reals` of each generator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fakeinstruct.measure.figure import Row, UnavailableError
from fakeinstruct.measure.scores import Scores
from fakeinstruct.measure.slices import part_figures


def mapped_reals(test: Scores, reals: Mapping[str, str]) -> dict[str, Any]:
    """Figures of detection of every generator against its reals, their macro means, and the worst generator.

    Args:
        test: Clean scores of the test split.
        reals: The camera set that a generator is compared with; one that it lacks is compared with that of its name.

    Returns:
        `per_generator`, each row with its `camera_set`, and `summary`. A generator without reals has a row that says
        so and is in no mean; how many the means are over stands beside them.
    """
    table = {}
    for name in map(str, np.unique(test.generator[test.fake])):
        beside = reals.get(name, name)
        own = test.where((test.generator == name) | (~test.fake & (test.camera_set == beside)))
        row = part_figures(own)
        row.values["camera_set"] = beside
        table[name] = row.json()
    return {"per_generator": table, "summary": _summary(table).json()}


def _summary(table: Mapping[str, Any]) -> Row:
    known = {name: row for name, row in table.items() if row["auc"] is not None}
    row = Row(generators=len(table), in_means=len(known))

    def figures() -> tuple[float, float, str, float]:
        if not known:
            raise UnavailableError("no generator has real images of its camera set")
        worst = min(known, key=lambda name: (known[name]["auc"], name))
        auc, accuracy = (
            float(np.mean([each[key] for each in known.values()])) for key in ("auc", "accuracy_half")
        )
        return auc, accuracy, worst, known[worst]["auc"]

    row.give(("macro_auc", "macro_accuracy", "worst", "worst_auc"), figures)
    return row
