"""Rows of answers made up by the tests."""

import numpy as np


def verdict(index, fake, margin, **other):
    """An answer of kind "verdict"."""
    row = {
        "item": f"image-{index}",
        "kind": "verdict",
        "template": "one_word",
        "position": "first",
        "trained": True,
        "prompt": "Is this image real or fake?",
        "look": 0,
        "condition": "clean",
        "sample": 0,
        "label": "fake" if fake else "real",
        "manipulation": "generated" if fake else "none",
        "generator": "diffusion" if fake else None,
        "group": f"group-{index}",
        "split": "test",
        "words": ["fake", "real"],
        "classes": ["fake", "real"],
        "logits": [margin, 0.0],
        "piece_logits": [[margin], [0.0]],
        "margin": margin,
        "label_mass": 0.9,
    }
    row["chain"] = row["item"]
    row["image"] = f"{index}.png"
    return row | other


def simulated(n=200, seed=0, **other):
    """Answers of a perfectly calibrated expert with an AUC near .92, a quarter of them validation."""
    rng = np.random.default_rng(seed)
    return [
        verdict(
            index,
            index % 2 == 0,
            float(rng.normal(2 if index % 2 == 0 else -2, 2)),
            split="validation" if index % 4 > 1 and index % 8 < 4 else "test",
            **other,
        )
        for index in range(n)
    ]
