"""Which templates the published formats can fill: `docs/templates-by-format.md`, from small sets of each format."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import ORIGIN
from PIL import Image
from published import conversation, picture, pictures, take, write

from fakeinstruct.chains.importers import IMPORTERS
from fakeinstruct.chains.sample.make import make_sample
from fakeinstruct.chains.schema import Chain, ImageRef, Label
from fakeinstruct.chains.store import open_chains
from fakeinstruct.expand.context import gather
from fakeinstruct.expand.space import spaces

NO_CHAINS = {
    "fakebench": "evaluation only",
    "cifake": "it fills what `imagefolder` does",
    "generators": "it fills what `imagefolder` does",
}
"""Formats without a column, and why."""

IDS = 24
"""Ids under which each chain is tried, since attributes for options are chosen by the id."""

HEAD = """# Templates and formats

Which templates a set of each format can fill. Made by `tests/expand/test_templates_by_format.py` from small sets of the
form that each importer reads; `make snapshots` writes it anew. What your own set fills is said by
`fakeinstruct expand CHAINS --out PAIRS --seed 0 --dry-run`.

- `both`: fake and real images of the set fill the template with a common topic, so it gets pairs.
- `+real`: the fakes do, and real images of another set with nothing but their label complete them (see
  [merging.md](merging.md)).
- empty: no fake of the set, or no real image beside it, has what the template needs.

{absent}

"""


def imagefolder(src):
    pictures(src, *(f"{name}/{n}.png" for name in ("REAL", "FAKE") for n in range(3)))


def llava(src):
    pictures(src, *(f"{n}.png" for n in range(4)))
    said = [
        "The lettering on the cup spells nothing. This suggests that the image is artificially generated.",
        "The hand has six fingers, and the skin looks waxy. This image is artificially generated.",
        "The shadows all fall to one side. This suggests that it is a real photograph.",
        "The picture shows a sign in a street. This image is real.",
    ]
    records = [conversation(f"{n}.png", text) | {"id": str(n)} for n, text in enumerate(said)]
    write(src / "captions.json", records)


def fakeclue(src):
    pictures(src, *(f"{n}.png" for n in range(3)))
    fake = "This is a fake image.\n1. The texture of the fur is waxy.\n2. The shadows fall towards the lamp."
    real = "This is a real image.\n1. The texture of the fur is irregular."
    rows = [
        conversation(f"{n}.png", text) | {"id": str(n), "label": label, "cate": "animal"}
        for n, (text, label) in enumerate([(fake, 0), (real, 1), (fake, 0)])
    ]
    write(src / "train.json", rows)


def mmfr(src):
    pictures(src, "sd/1_fake/a.png", "coco/0_real/b.png")
    fake = {
        "Inconsistent Lighting and Shadows": "The shadow falls towards the lamp.",
        "Low Image Quality": "It blurs.",
    }
    real = {"Consistent Lighting and Shadows": "One sun.", "High Image Quality": "It is sharp."}
    write(src / "train.json", {"sd/1_fake/a.png": fake, "coco/0_real/b.png": real})


def loki(src):
    pictures(src, *(f"media_data/image/{name}.png" for name in "ab"))
    record = {
        "image_path": "media_data/image/a.png",
        "problems": {
            "regional": [
                {"region": [10, 15, 20, 12], "desc": "The shape of the roof is warped."},
                {"region": [2, 2, 10, 10], "desc": "The lettering on the wall spells nothing."},
            ],
            "global": [{"desc": "The colours are too vivid."}],
        },
        "id": "1",
        "question": "<image>\nWhat is wrong?",
    }
    asked = {
        "image_path": "media_data/image/b.png",
        "question": "<image>\nWhat is wrong?",
        "answer": "Yes",
        "question_type": "image_tf_image_real_ask_real_animals",
        "id": "2",
    }
    write(src / "open_ended_vqa.json", [record], "utf-16")
    write(src / "true_or_false.json", [asked])


def synthscars(src):
    picture(src / "images/a.png", 1)
    refs = [
        {
            "sentence": "the hand",
            "segmentation": [[2, 2, 20, 2, 20, 20]],
            "explanation": "The anatomy of the hand is wrong.",
        },
        {
            "sentence": "the sign",
            "segmentation": [[25, 5, 35, 5, 35, 15]],
            "explanation": "The lettering is garbled.",
        },
    ]
    caption = "the hand and the sign"
    write(
        src / "annoations/train.json", [{"1": {"img_file_name": "a.png", "caption": caption, "refs": refs}}]
    )


def fakexplained(src):
    for number in range(2):
        picture(src / f"{number}.png", number, (200, 100))
    answer = (
        "<think>1. <ref-object><bbox>\n2. <ref-object><bbox></think><tag>texture quality: low</tag>"
        "<verdict>generated</verdict>"
    )
    objects = {
        "ref": ["The hand has six fingers.", "The text on the signs is garbled."],
        "bbox": [[20, 10, 100, 50], [120, 50, 180, 90]],
    }
    fake = [{"role": "user", "content": "<image>"}, {"role": "assistant", "content": answer}]
    real = [
        {"role": "user", "content": "<image>"},
        {"role": "assistant", "content": "<verdict>real</verdict>"},
    ]
    rows = [
        {"messages": fake, "images": ["0.png"], "objects": objects},
        {"messages": real, "images": ["1.png"], "objects": {"ref": [], "bbox": []}},
    ]
    write(src / "train.json", rows)


def sida(src):
    base = src / "train"
    for number, name in enumerate(("real/1.jpg", "full_synthetic/2.png", "tampered/3.png")):
        picture(base / name, number)
    mask = np.zeros((30, 40), np.uint8)
    mask[6:24, 10:30] = 255
    (base / "masks").mkdir()
    Image.fromarray(mask).save(base / "masks/3_mask.png")
    write(
        base / "description/real_GT.json", {"1.jpg": "Type: real Consistency: <lighting>Light from one side."}
    )
    fake = "Type: synthetic Consistency: <lighting>Two suns. <edges>The edges are smooth. Final Assessment: fake."
    write(base / "description/full_synthetic_GT.json", {"2.png": fake})
    tampered = "Type: {tampered} Visual Inconsistencies:<lighting> The light on the leg differs. [end]."
    write(base / "description/tampered_GT.json", {"3.png": tampered})


def xaigd(src):
    for number, name in enumerate(("flux/1.png", "real/1.png")):
        picture(src / name, number)
    labels = [
        {"label": "low-level-texture", "points": [[2, 2], [20, 2], [20, 20]]},
        {"label": "low-level-symbol", "points": [[25, 5], [35, 5], [35, 15]]},
    ]
    common = {"uid": "1", "width": 40, "height": 30}
    rows = [{"generator": "flux", "labels": labels, **common}, {"generator": "real", "labels": [], **common}]
    write(src / "labeled_train.json", rows)


def sofake(src):
    pictures(src, "0.png", "1.png", "2.png")
    answers = ["REAL", "FULL_SYNTHETIC", "TAMPERED,(48,10),(119,123)"]
    thoughts = ["One light.", "The texture is waxy. The edges melt.", "The edges of the cup do not fit."]
    rows = [
        {"image": f"{n}.png", "answer": f"<think>{thought}</think><answer>{answer}</answer>"}
        for n, (answer, thought) in enumerate(zip(answers, thoughts, strict=True))
    ]
    write(src / "train.json", rows)


MADE = {f.__name__: f for f in (imagefolder, llava, fakeclue, mmfr, loki, synthscars, fakexplained, sida)} | {
    f.__name__: f for f in (xaigd, sofake)
}


def label_only() -> list[Chain]:
    """Real images of which nothing but the label is known."""
    return [
        Chain(
            id=f"bare-{n}",
            image=ImageRef(path=f"{n}.png"),
            label=Label.REAL,
            dataset="elsewhere",
            group=f"bare-{n}",
            origin=ORIGIN,
        )
        for n in range(IDS)
    ]


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Chains of each format, and of the sample."""
    found = {}
    for name, make in MADE.items():
        folder = tmp_path_factory.mktemp(name)
        make(folder / "src")
        chains, rejects, _, _ = take(name, folder / "src", folder / "out", validation=0.0)
        assert not rejects.errors, (name, [str(error) for error in rejects.errors])
        found[name] = list(chains.values())
    folder = tmp_path_factory.mktemp("sample") / "chains"
    make_sample(folder, images=40, seed=1)
    return {"sample": list(open_chains(folder).read()), **found}


@pytest.fixture(scope="module")
def table(sets, templates, taxonomy):
    """By template and format, how it can be filled."""
    bare = topics(label_only(), templates, taxonomy)
    found = {template.id: {} for template in templates.templates}
    for name, chains in sets.items():
        by_label = {
            label: topics([chain for chain in chains if chain.label is label], templates, taxonomy)
            for label in Label
        }
        for template, row in found.items():
            fake, real = (by_label[label].get(template, set()) for label in Label)
            beside = bare.get(template, set())
            row[name] = "both" if fake & real else "+real" if fake & beside else ""
    return found


def topics(chains, templates, taxonomy):
    """By template, the topics that any of the chains can fill."""
    found = {}
    for chain in (chain for own in chains for chain in copies(own)):
        facts = gather(chain, taxonomy)
        for template in templates.templates:
            found.setdefault(template.id, set()).update(spaces(template, facts))
    return found


def copies(chain):
    return [chain.model_copy(update={"id": f"{chain.id}-{n}", "twin": None}) for n in range(IDS)]


def test_every_format_is_in_the_table(sets):
    assert set(sets) == {"sample", *IMPORTERS} - {*NO_CHAINS, "merge"}


def test_every_template_is_filled_by_some_format(table):
    assert [name for name, row in table.items() if not any(row.values())] == []


def test_label_only_sets_fill_verdicts_alone_and_the_sample_fills_all(table):
    assert {name.split("/")[0] for name, row in table.items() if row["imagefolder"]} == {"verdict"}
    assert [name for name, row in table.items() if row["sample"] != "both" and "tags" not in name] == []


def test_sets_that_annotate_fakes_only_are_useful_beside_real_images(table):
    for name in ("loki", "synthscars", "fakexplained", "xaigd"):
        filled = {template.split("/")[0] for template, row in table.items() if row[name]}
        assert filled >= {"verdict", "reasoning", "evidence", "advice", "knowledge"}, name


def test_the_table_of_the_guide_is_up_to_date(table, snapshot):
    names = list(next(iter(table.values())))
    absent = " ".join(f"`{name}` is left out: {why}." for name, why in NO_CHAINS.items())
    rows = [["template", *names], ["---", *[":-:"] * len(names)]]
    rows += [[f"`{template}`", *row.values()] for template, row in table.items()]
    counts = [sum(row[name] != "" for row in table.values()) for name in names]
    rows.append(["filled", *map(str, counts)])
    text = HEAD.format(absent=absent) + "".join(f"| {' | '.join(row)} |\n" for row in rows)
    snapshot("../../docs/templates-by-format.md", text)
