import shutil

import numpy as np
import pytest
from PIL import Image
from published import picture, problems, take, write

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.chains.importers.sida import description_traces
from fakeinstruct.chains.masks import decode_mask
from fakeinstruct.chains.schema import Label

SYNTHETIC = (
    "Type: synthetic Consistency: <lighting>The lighting is uniform on both faces. <edges>The edges around the cap are"
    " overly smooth. <shadows> Shadows do not align with the lamp. Authenticity: <natural imperfections>The skin has no"
    " pores. <cultural>The attire is generic. Final Assessment: The given image is {synthetic} based on above analysis."
)
TAMPERED = (
    "Type: {part tampered} Areas:<tampered position> The tampered area is on the right leg. Tampered Content:"
    "<Types of objects or parts> The leg and the ski. Visual Inconsistencies:<lighting> The light on the leg differs."
    "<resolution> The leg is blurred. [end]."
)
REAL = "Type: real Consistency: <lighting>Light comes from one side."


def mask(file, size=(40, 30), box=(10, 6, 30, 24)):
    pixels = np.zeros(size[::-1], np.uint8)
    pixels[box[1] : box[3], box[0] : box[2]] = 255
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


def published(root, splits=("train", "validation")):
    for number, split in enumerate(splits):
        base = root / split
        picture(base / "real/0001.jpg", 10 * number)
        picture(base / "full_synthetic/0002.png", 10 * number + 1)
        picture(base / "tampered/0003.png", 10 * number + 2)
        mask(base / "masks/0003_mask.png")
        write(base / "description/real_GT.json", {"0001.jpg": REAL})
        write(base / "description/full_synthetic_GT.json", {"0002.png": SYNTHETIC})
        write(base / "description/tampered_GT.json", {"0003.png": TAMPERED})
    return root


def test_folders_masks_and_descriptions(tmp_path):
    chains, rejects, _, summary = take("sida", published(tmp_path / "src"), tmp_path / "out", validation=0.0)
    assert not rejects
    assert summary.ignored == 0
    assert {id: (c.label, c.manipulation, c.split) for id, c in chains.items()} == {
        f"{split}/{path}": (*kind, split)
        for split in ("train", "validation")
        for path, kind in {
            "real/0001.jpg": ("real", None),
            "full_synthetic/0002.png": ("fake", "generated"),
            "tampered/0003.png": ("fake", "edited"),
        }.items()
    }
    tampered = chains["train/tampered/0003.png"]
    assert [trace.observation for trace in tampered.traces] == [
        "The light on the leg differs.",
        "The leg is blurred.",
    ]
    assert [trace.attribute for trace in tampered.traces] == ["light_shadow", "clarity"]
    (region,) = tampered.traces[0].regions
    assert region.box == (10 / 40, 6 / 30, 30 / 40, 24 / 30)
    assert decode_mask(region.mask).sum() == 20 * 18
    assert tampered.texts[0].text == TAMPERED
    assert tampered.origin.by == "model"
    real = chains["train/real/0001.jpg"]
    assert [(trace.points_to, trace.regions) for trace in real.traces] == [("real", ())]


def test_labels_are_folder_names_never_numbers(tmp_path):
    # SID-Set's numbers are 0 real, 1 synthetic, 2 tampered; So-Fake-OOD's are 0 synthetic, 1 real, 2 tampered.
    for number in range(3):
        picture(tmp_path / f"src/{number}/a.png", number)
    with pytest.raises(
        UsageError, match=r"folders that SID-Set does not have: '0' \(1\), '1' \(1\), '2' \(1\)"
    ):
        take("sida", tmp_path / "src", tmp_path / "out")


def test_a_folder_without_splits_is_drawn_from(tmp_path):
    published(tmp_path / "x", splits=("one",))
    chains, _, _, _ = take("sida", tmp_path / "x/one", tmp_path / "out")
    assert {id: chain.label for id, chain in chains.items()} == {
        "real/0001.jpg": "real",
        "full_synthetic/0002.png": "fake",
        "tampered/0003.png": "fake",
    }


def test_split_folders_may_be_written_in_any_case(tmp_path):
    chains, _, _, _ = take("sida", published(tmp_path / "src", splits=("Train", "TEST")), tmp_path / "out")
    assert {(id.split("/")[0], chain.split) for id, chain in chains.items()} <= {
        ("Train", "train"),
        ("Train", "validation"),
        ("TEST", "test"),
    }


def test_rejects_of_an_archive_name_files_by_their_place_in_it(tmp_path):
    src = published(tmp_path / "src")
    for path in ("real/0001.jpg", "masks/0003_mask.png"):
        (src / "train" / path).write_bytes(b"no image")
    archive = shutil.make_archive(str(tmp_path / "set"), "zip", src)
    _, rejects, _, _ = take("sida", archive, tmp_path / "out")
    assert {error.file for error in rejects.errors} == {archive}
    assert archive not in problems(rejects)["train/real/0001.jpg"]
    assert problems(rejects)["train/tampered/0003.png"].endswith(f"({archive}/train/masks/0003_mask.png)")


def test_a_mask_without_words_says_only_that_its_part_was_edited(tmp_path):
    src = published(tmp_path / "src")
    (src / "train/description/tampered_GT.json").unlink()
    chains, _, _, _ = take("sida", src, tmp_path / "out")
    (trace,) = chains["train/tampered/0003.png"].traces
    assert trace.observation == "This part of the picture was edited."
    assert trace.attribute is None
    assert len(trace.regions) == 1
    assert chains["train/tampered/0003.png"].texts == ()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda file: file.unlink(), "a tampered image has no mask"),
        (lambda file: mask(file, size=(20, 15)), "a mask has another size than its image"),
        (lambda file: mask(file, box=(0, 0, 0, 0)), "a mask marks nothing"),
        (lambda file: file.write_bytes(b"no image"), "is not an image"),
    ],
)
def test_a_missing_resized_empty_or_damaged_mask_rejects_its_image(tmp_path, change, problem):
    src = published(tmp_path / "src")
    change(src / "train/masks/0003_mask.png")
    chains, rejects, _, _ = take("sida", src, tmp_path / "out")
    assert len(chains) == 5
    assert problems(rejects)["train/tampered/0003.png"].startswith(problem)


def test_masks_are_no_images_and_spare_ones_are_counted(tmp_path):
    src = published(tmp_path / "src")
    mask(src / "train/masks/0009_mask.png")
    chains, _, _, summary = take("sida", src, tmp_path / "out")
    assert not any("masks" in id for id in chains)
    assert "masks that belong to no tampered image: 1" in summary.remarks


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ({"0002.png": "I'm sorry, but I can't assist with that."}, "the description is a refusal"),
        ({"0002.png": {"lighting": "..."}}, "is not a description but"),
        ({"0002.png": " "}, "is not a description but"),
        ({"0099.png": SYNTHETIC}, "describes an image that is not there"),
    ],
)
def test_a_bad_description_is_rejected_and_its_image_stays(tmp_path, text, problem):
    src = published(tmp_path / "src")
    write(src / "train/description/full_synthetic_GT.json", text)
    chains, rejects, _, _ = take("sida", src, tmp_path / "out")
    assert rejects.errors[0].problem.startswith(problem)
    assert chains["train/full_synthetic/0002.png"].traces == ()


def test_a_tampered_photograph_and_its_original_are_one_group_in_one_split(tmp_path):
    src = published(tmp_path / "src")
    original = Image.open(picture(src / "train/real/0500.png", 77, (400, 300)))
    edited = original.copy()
    edited.paste((200, 30, 30), (180, 140, 210, 165))
    (src / "validation").mkdir(exist_ok=True)
    edited.save(src / "validation/tampered/0500.png")
    mask(src / "validation/masks/0500_mask.png", (400, 300), (180, 140, 210, 165))
    chains, rejects, _, _ = take("sida", src, tmp_path / "out")
    assert "validation/tampered/0500.png" in chains
    assert problems(rejects) == {
        "train/real/0500.png": "a picture that belongs with it is in the validation split too, which goes first"
    }


def test_headings_cut_a_description_into_observations():
    traces = list(description_traces(SYNTHETIC, Label.FAKE))
    assert [(trace.attribute_raw, trace.attribute, trace.observation) for trace in traces] == [
        ("lighting", "light_shadow", "The lighting is uniform on both faces."),
        ("edges", "edge", "The edges around the cap are overly smooth."),
        ("shadows", "light_shadow", "Shadows do not align with the lamp."),
        ("natural imperfections", None, "The skin has no pores."),
        ("cultural", None, "The attire is generic."),
    ]
    assert all(SYNTHETIC[trace.span.start : trace.span.end] == trace.observation for trace in traces)


@pytest.mark.parametrize(
    "text", ["", "No headings here.", "<lighting>", "<lighting> Final Assessment: fake", "< a > b"]
)
def test_a_description_without_observations_has_no_traces(text):
    assert not list(description_traces(text, Label.FAKE))


def test_a_file_or_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "src/real").mkdir(parents=True)
    with pytest.raises(FakeInstructError, match="holds no images"):
        take("sida", tmp_path / "src", tmp_path / "out")
    with pytest.raises(UsageError, match=r"no folder of SID-Set's"):
        take("sida", write(tmp_path / "a.json", {}), tmp_path / "out")
