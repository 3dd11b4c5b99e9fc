"""Answers that fill every part of a report: generators, prompts, conditions, regions, texts with boxes, pictures."""

import numpy as np
from PIL import Image
from simulated_answers import verdict

from fakeinstruct.chains.schema import Chain, ImageRef, Meta, Origin, Region, Text, Trace
from fakeinstruct.chains.store import open_chains, write_chains

IMAGES = 432
GENERATORS = ("diffusion-xl", "a generator of a very long name that fits nowhere", "edit-clone")
PROMPTS = (("Is this image real or fake?", True), ("Fake or real?", True), ("Judge the picture.", False))
CONDITIONS = {"jpeg-90": 0.9, "jpeg-50": 0.5, "blur-1": 0.4, "crop-2x2": 0.8}
BOX = (0.2, 0.3, 0.6, 0.7)


def rich_rows(images=IMAGES, seed=0):
    """Rows of a fairly calibrated expert, a quarter of them of the validation split."""
    rng = np.random.default_rng(seed)
    rows = []
    for index in range(images):
        fake = index % 2 == 0
        base = float(rng.normal(1.6 if fake else -1.6, 2.0))
        known = {"split": "validation" if index % 8 > 5 else "test", "generator": None}
        if fake:
            name = GENERATORS[index // 2 % 3]
            known |= {"generator": name, "manipulation": "edited" if name == "edit-clone" else "generated"}
        for place, (prompt, trained) in enumerate(PROMPTS):
            asked = known | {"prompt": prompt, "trained": trained, "template": f"t{place}"}
            margin = base + float(rng.normal(0.2 * place, 0.3))
            said = {"text": "This image is fake: the hand has six fingers.", "boxes": [list(BOX)]}
            rows.append(verdict(index, fake, margin, **asked, **(said if place == 0 else {})))
            for condition, left in CONDITIONS.items():
                rows.append(verdict(index, fake, margin * left, **asked, condition=condition))
            if fake and index % 4 == 0:
                region = {"trace": "t1", "attribute": ("texture", "edge", "light_shadow")[index // 4 % 3]}
                for condition, drop in (("repair", 0.8), ("random-repair", 0.1)):
                    changed = margin - drop + float(rng.normal(0, 0.2))
                    rows.append(verdict(index, fake, changed, **asked, **region, condition=condition))
    rows[1] |= {"error": "the picture could not be decoded", "margin": None}
    return rows + _others()


def _others():
    prior = {
        "kind": "prior",
        "item": "prior/grey",
        "position": "first",
        "margin": -0.25,
        "condition": "clean",
    }
    priors = [
        prior | {"template": f"t{place}", "prompt": prompt} for place, (prompt, _) in enumerate(PROMPTS)
    ]
    choice = {"kind": "choice", "template": "which", "words": ["A", "B"], "choice": "A", "split": "test"}
    choices = [choice | {"item": f"q{place}", "target": "AB"[place % 2]} for place in range(30)]
    pairs = [
        verdict(index, index % 2 == 0, 1.0 - 2 * (index % 2), template="pair", prompt=f"Wording {index % 7}?")
        | {"item": f"pair-{index}"}
        for index in range(60)
    ]
    return priors + choices + pairs


def rich_chains(folder, images=IMAGES):
    """The chain set with pictures of noise, of which every fake cites a region."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(1)
    chains = []
    for index in range(images):
        path = f"{index}.png"
        pixels = rng.integers(0, 255, (24, 32, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "images" / path)
        fake = index % 2 == 0
        trace = Trace(
            id="t1", attribute="texture", points_to="fake", observation="A patch.", regions=(Region(box=BOX),)
        )
        chains.append(
            Chain(
                id=f"image-{index}",
                image=ImageRef(path=path, width=32, height=24),
                label="fake" if fake else "real",
                dataset="drawn",
                group=f"group-{index}",
                split="test",
                traces=(trace,) if fake else (),
                texts=(Text(role="explanation", text="The hand has six fingers."),),
                origin=Origin(by="human"),
            )
        )
    write_chains(folder, chains, Meta(name="drawn", image_root="images"))
    return open_chains(folder)
