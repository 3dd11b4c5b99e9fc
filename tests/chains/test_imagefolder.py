import hashlib
import io
import os
import random
import shutil
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from published import data_folder

from fakeinstruct.base.errors import FakeInstructError, Rejects, UsageError
from fakeinstruct.base.images import load_image
from fakeinstruct.chains.importers import import_chains
from fakeinstruct.chains.importers.layout import class_names, folder_split, read_layout, sources
from fakeinstruct.chains.schema import Label, Split
from fakeinstruct.chains.splits import Shares, draw_split
from fakeinstruct.chains.store import open_chains


def picture(seed, suffix=".png"):
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG" if suffix == ".png" else "JPEG")
    return buffer.getvalue()


def put(root, *paths, start=0):
    """Make a different small image at each path."""
    for number, path in enumerate(paths, start):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture(number, file.suffix))
    return root


def take(src, out, **options):
    rejects = options.pop("rejects", Rejects())
    import_chains("imagefolder", src, out, rejects=rejects, **options)
    return {chain.id: chain for chain in open_chains(out).read()}, rejects


LAYOUTS = {
    "REAL/a.png": (Label.REAL, None),
    "FAKE/a.png": (Label.FAKE, None),
    "0_real/a.png": (Label.REAL, None),
    "1_fake/a.png": (Label.FAKE, None),
    "nature/a.png": (Label.REAL, None),
    "ai/a.png": (Label.FAKE, None),
    "Train/Real/cats/a.png": (Label.REAL, Split.TRAIN),
    "x/val/fake/a.png": (Label.FAKE, Split.VALIDATION),
    "x/fake/validation/deep/a.png": (Label.FAKE, Split.VALIDATION),
    "TEST/x/AI/a.png": (Label.FAKE, Split.TEST),
}


@pytest.mark.parametrize(("path", "says"), LAYOUTS.items(), ids=LAYOUTS)
def test_known_folders_say_label_and_split(path, says):
    rejects = Rejects()
    (place,) = read_layout([path], class_names(), rejects, file="src").values()
    assert (place.label, place.split) == says
    assert not rejects


@pytest.mark.parametrize(
    ("folders", "split"),
    [
        (["sd", "Train"], Split.TRAIN),
        (["VAL", "x", "validation"], Split.VALIDATION),
        (["training"], None),
        (["train", "TEST"], None),
        ([], None),
    ],
)
def test_folders_state_one_split_or_none(folders, split):
    assert folder_split(folders) is split


@pytest.mark.parametrize(
    "folders", [("0", "1"), ("label0", "label1"), ("train/0", "train/1"), ("cats", "dogs")]
)
def test_a_polarity_is_never_guessed(tmp_path, folders):
    src = put(tmp_path / "src", *(f"{folder}/a.png" for folder in folders))
    names = [f"'{folder.split('/')[-1]}' (1)" for folder in folders]
    with pytest.raises(UsageError) as caught:
        take(src, tmp_path / "out")
    assert ", ".join(names) in str(caught.value)
    assert "--fake NAME and --real NAME" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_one_unknown_folder_among_known_ones_is_not_passed_over(tmp_path):
    src = put(tmp_path / "src", "real/a.png", "fake/a.png", "midjourney/a.png")
    with pytest.raises(UsageError, match=r"'midjourney' \(1\)"):
        take(src, tmp_path / "out")
    chains, _ = take(src, tmp_path / "out", fake=["MidJourney"])
    assert chains["midjourney/a.png"].label is Label.FAKE


def test_named_folders_win_over_known_ones_and_may_not_contradict():
    assert class_names(real=["AI"])["ai"] is Label.REAL
    with pytest.raises(UsageError, match="'x' is named both"):
        class_names(fake=["X"], real=["x"])


def test_a_bare_number_is_taken_when_the_user_says_what_it_means(tmp_path):
    src = put(tmp_path / "src", "0/a.png", "1/a.png")
    chains, _ = take(src, tmp_path / "out", fake=["0"], real=["1"])
    assert {name: chain.label for name, chain in chains.items()} == {"0/a.png": "fake", "1/a.png": "real"}


def test_contradictory_and_stray_places_are_rejected_one_by_one(tmp_path):
    src = put(
        tmp_path / "src",
        "train/real/a.png",
        "train/fake/a.png",
        "train/fake/real/x.png",
        "train/test/fake/x.png",
        "fake/x.png",
        "cover.png",
        "train/cover.png",
    )
    chains, rejects = take(src, tmp_path / "out", validation=0.0)
    assert set(chains) == {"train/real/a.png", "train/fake/a.png"}
    assert {error.record: error.problem for error in rejects.errors} == {
        "train/fake/real/x.png": "lies below folders of both classes",
        "train/test/fake/x.png": "lies below folders of two splits",
        "fake/x.png": "lies outside the split folders that others lie in",
        "cover.png": "lies in no class folder",
        "train/cover.png": "lies in no class folder",
    }


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["REAL/a", "FAKE/a"], {}),
        (["cifake/train/REAL/a", "cifake/train/FAKE/a"], {}),
        (["ADM/train/ai/a", "ADM/train/nature/a", "BigGAN/val/ai/a"], {0: "ADM", 2: "BigGAN"}),
        (["sd14/inner/train/ai/a", "sd15/inner/train/ai/a"], {0: "sd14", 1: "sd15"}),
        (["test/progan/cat/1_fake/a", "test/glide/1_fake/a"], {0: "progan", 1: "glide"}),
        (["all/progan/1_fake/a", "all/glide/1_fake/a", "all/glide/0_real/a"], {0: "progan", 1: "glide"}),
        (["REAL/a", "flux/FAKE/a"], {1: "flux"}),
        (["FAKE/flux/a", "REAL/coco/a"], {}),
    ],
)
def test_generators_come_from_folders_above_the_class_and_nowhere_else(paths, expected):
    places = read_layout(paths, class_names(), Rejects(), file="src")
    fakes = {image: name for image, name in sources(places).items() if places[image].label is Label.FAKE}
    assert fakes == {paths[index]: name for index, name in expected.items()}


def generators_of(src, out, **options):
    """Generators of fakes by path, and the notes about them."""
    summary = import_chains("imagefolder", src, out, **options)
    fakes = (chain for chain in open_chains(out).read() if chain.label is Label.FAKE)
    found = {chain.id: chain.generator for chain in fakes}
    return found, [remark for remark in summary.remarks if "generator" in remark]


def test_several_folders_named_as_fakes_are_generators_and_the_import_says_so(tmp_path):
    src = put(tmp_path / "src", "camera/a.png", "sd14/b.png", "Flux/c.png", "Flux/d.png")
    named = {"real": ["camera"], "fake": ["sd14", "flux"]}
    found, notes = generators_of(src, tmp_path / "out", **named)
    assert found == {"sd14/b.png": "sd14", "Flux/c.png": "Flux", "Flux/d.png": "Flux"}
    assert notes == ["fakes whose generator is the folder named with --fake (Flux, sd14): 3"]
    found, notes = generators_of(src, tmp_path / "out", generator="mine", **named)
    assert (set(found.values()), notes) == ({"mine"}, [])


@pytest.mark.parametrize(
    ("paths", "fake", "expected"),
    [
        (["x/a.png", "FAKE/b.png"], ["x", "fake"], {"x/a.png": "x", "FAKE/b.png": None}),
        (["1/a.png", "generated/b.png"], ["1", "generated"], {"1/a.png": None, "generated/b.png": None}),
        (["flux/a.png"], ["flux"], {"flux/a.png": None}),
        (["test/x/a.png", "test/y/b.png"], ["x", "y"], {"test/x/a.png": "x", "test/y/b.png": "y"}),
        (["made/x/a.png", "made/y/b.png"], ["x", "y"], {"made/x/a.png": "x", "made/y/b.png": "y"}),
        (["fake/x/a.png", "fake/y/b.png"], ["x", "y"], {"fake/x/a.png": "x", "fake/y/b.png": "y"}),
        (["f/x/a.png", "g/y/b.png"], ["x", "y"], {"f/x/a.png": "f", "g/y/b.png": "g"}),
    ],
)
def test_words_for_a_label_and_one_folder_alone_are_no_generators(tmp_path, paths, fake, expected):
    place = {"test": "test/real/r.png", "made": "shot/real/r.png"}
    real = place.get(paths[0].split("/")[0], "real/r.png")
    found, _ = generators_of(put(tmp_path / "src", real, *paths), tmp_path / "out", fake=fake)
    assert found == expected


def test_subfolders_of_a_class_folder_stay_unread_and_a_note_says_what_would_read_them(tmp_path):
    src = put(tmp_path / "src", "real/r.png", "fake/sd14/a.png", "fake/my set/b.png", "fake/sd14/c.png")
    found, notes = generators_of(src, tmp_path / "out")
    assert set(found.values()) == {None}
    (said,) = notes
    assert said.startswith("fakes in subfolders that were not read as generators (my set, sd14); ")
    assert "--fake 'my set' --fake sd14, or 'import generators'" in said
    assert said.endswith(": 3")
    found, _ = generators_of(src, tmp_path / "out", fake=["sd14", "my set"])
    assert set(found.values()) == {"sd14", "my set"}
    shutil.rmtree(src / "fake/my set")
    assert "--generator sd14: 2" in generators_of(src, tmp_path / "out")[1][0]


def test_subfolders_that_reals_have_too_are_what_images_show(tmp_path):
    src = put(tmp_path / "src", "real/cats/r.png", "fake/cats/a.png", "fake/c.png")
    assert generators_of(src, tmp_path / "out")[1] == []


@pytest.mark.parametrize(
    "layout",
    [
        "{}/train/ai {}/train/nature",  # GenImage
        "{}/1_fake {}/0_real",  # UniversalFakeDetect
        "dataset/{}/cats/1_fake dataset/{}/cats/0_real",  # and its ProGAN, by class
    ],
)
def test_reals_beside_a_generator_are_known_as_its_own(tmp_path, layout):
    folders = [folder.format(name) for name in ("ADM", "glide") for folder in layout.split()]
    chains, rejects = take(
        put(tmp_path / "src", *(f"{folder}/a.png" for folder in folders)), tmp_path / "out"
    )
    assert not rejects
    own = {(chain.generator, chain.camera_set) for chain in chains.values()}
    assert own == {("ADM", None), (None, "ADM"), ("glide", None), (None, "glide")}
    chains, _ = take(tmp_path / "src", tmp_path / "named", camera_set="imagenet")
    assert {chain.camera_set for chain in chains.values()} == {"imagenet", None}


def test_a_chain_says_what_is_known_and_nothing_else(tmp_path):
    src = put(tmp_path / "src", "test/FAKE/a.png", "test/REAL/a.jpg")
    chains, rejects = take(src, tmp_path / "out", dataset="mine", generator="flux", camera_set="phone")
    data = (src / "test/FAKE/a.png").read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    assert not rejects
    assert chains["test/FAKE/a.png"].model_dump(mode="json", exclude_defaults=True) == {
        "id": "test/FAKE/a.png",
        "image": {"path": "test/FAKE/a.png", "width": 5, "height": 4, "sha256": sha256},
        "label": "fake",
        "dataset": "mine",
        "generator": "flux",
        "group": sha256,
        "split": "test",
        "origin": {"by": "dataset", "name": "mine"},
    }
    real = chains["test/REAL/a.jpg"]
    assert (real.generator, real.camera_set, real.manipulation) == (None, "phone", None)


def test_sizes_are_those_after_the_orientation_tag(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "src/real").mkdir(parents=True)
    Image.new("RGB", (5, 4)).save(tmp_path / "src/real/a.png", exif=exif)
    chains, _ = take(tmp_path / "src", tmp_path / "out")
    assert (chains["real/a.png"].image.width, chains["real/a.png"].image.height) == (4, 5)


def test_the_set_and_its_images_can_move_together(tmp_path):
    put(tmp_path / "here/photos", "real/a.png")
    take(tmp_path / "here/photos", tmp_path / "here/chains/mine")
    shutil.move(tmp_path / "here", tmp_path / "there")
    chains = open_chains(tmp_path / "there/chains/mine")
    assert chains.meta.image_root == "../../photos"
    assert load_image(chains.image_path(next(chains.read()))).size == (5, 4)


def test_the_same_input_gives_the_same_bytes_and_another_seed_does_not(tmp_path):
    src = put(tmp_path / "src", *(f"train/real/{n}.png" for n in range(40)), "train/fake/a.png")
    for out, seed in (("a", 0), ("b", 0), ("c", 1)):
        take(src, tmp_path / out, seed=seed)
    a, b, c = ((tmp_path / out / "chains.jsonl").read_bytes() for out in "abc")
    assert a == b != c


def test_a_zip_file_gives_the_same_chains_as_its_folder(tmp_path):
    src = put(tmp_path / "photos", "train/real/a.png", "train/fake/b.jpg", "test/real/c.png")
    (src / "notes.txt").touch()
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as file:
        paths = [path for path in src.rglob("*") if path.is_file()]
        for path in random.Random(0).sample(paths, len(paths)):
            file.write(path, path.relative_to(src))
        file.writestr("__MACOSX/train/real/._a.png", b"resource fork")
    summary = import_chains("imagefolder", archive, tmp_path / "zip")
    import_chains("imagefolder", src, tmp_path / "folder")
    assert summary.ignored == 2
    assert (tmp_path / "zip/chains.jsonl").read_bytes() == (tmp_path / "folder/chains.jsonl").read_bytes()
    unpacked = open_chains(tmp_path / "zip")
    assert unpacked.meta.image_root == "images"
    assert all(unpacked.image_path(chain).is_file() for chain in unpacked.read())


def test_published_splits_stay_and_validation_comes_out_of_train_alone(tmp_path):
    paths = [f"{split}/real/{number}.png" for split in ("train", "test") for number in range(60)]
    chains, _ = take(put(tmp_path / "src", *paths), tmp_path / "out", validation=0.3)
    assert all(chain.split is Split.TEST for path, chain in chains.items() if path.startswith("test"))
    from_train = Counter(chain.split for path, chain in chains.items() if path.startswith("train"))
    assert set(from_train) == {Split.TRAIN, Split.VALIDATION}
    assert 8 <= from_train[Split.VALIDATION] <= 28  # mean 18, four standard deviations of 3.5 would be 14


def test_a_published_validation_split_is_not_added_to(tmp_path):
    src = put(tmp_path / "src", *(f"{split}/real/{n}.png" for split in ("train", "val") for n in range(30)))
    chains, _ = take(src, tmp_path / "out", validation=0.5)
    assert Counter(chain.split for chain in chains.values()) == {Split.TRAIN: 30, Split.VALIDATION: 30}


@given(st.text(max_size=8), st.integers(0, 5), st.floats(0, 0.4), st.floats(0, 0.1))
def test_a_larger_validation_share_only_adds_to_it_and_leaves_test_alone(group, seed, share, more):
    def split(validation, published=None):
        return draw_split(published, group, has_validation=False, validation=validation, seed=seed)

    small, large = split(share), split(share + more)
    assert (small is Split.TEST) == (large is Split.TEST)
    assert small is not Split.VALIDATION or large is Split.VALIDATION
    assert split(0.5, Split.TEST) is Split.TEST


def test_shares_without_split_folders_are_80_10_10():
    draws = Counter(
        draw_split(None, str(n), has_validation=False, validation=0.1, seed=0) for n in range(20_000)
    )
    for split, share in ((Split.TRAIN, 0.8), (Split.VALIDATION, 0.1), (Split.TEST, 0.1)):
        assert draws[split] / 20_000 == pytest.approx(share, abs=0.01)


def test_everything_can_be_test_by_one_option(tmp_path):
    src = put(tmp_path / "src", *(f"{label}/{n}.png" for label in ("real", "fake") for n in range(30)))
    chains, _ = take(src, tmp_path / "out", test=1)
    assert Counter(chain.split for chain in chains.values()) == {Split.TEST: 60}
    assert "validation share 0, test share 1" in open_chains(tmp_path / "out").meta.notes


def test_a_test_share_beside_a_validation_share_leaves_nothing_to_train_on(tmp_path):
    src = put(tmp_path / "src", *(f"{label}/{n}.png" for label in ("real", "fake") for n in range(60)))
    chains, _ = take(src, tmp_path / "out", validation=0.3, test=0.7)
    found = Counter(chain.split for chain in chains.values())
    assert set(found) == {Split.VALIDATION, Split.TEST}
    assert 16 <= found[Split.VALIDATION] <= 56  # mean 36, four standard deviations of 5


@given(st.text(max_size=8), st.integers(0, 5), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_test_share_only_adds_to_it(group, seed, one, other):
    def split(test):
        return draw_split(None, group, has_validation=False, validation=0.0, seed=seed, test=test)

    small, large = split(min(one, other)), split(max(one, other))
    assert small is not Split.TEST or large is Split.TEST
    assert (split(0.0), split(1.0)) == (Split.TRAIN, Split.TEST)


@pytest.mark.parametrize(
    ("validation", "test", "expected"),
    [(None, None, (0.1, 0.1)), (0.5, None, (0.5, 0.1)), (None, 1, (0, 1)), (None, 0.95, (0.05, 0.95)),
     (0.3, 0.7, (0.3, 0.7)), (0.0, 0.0, (0, 0))],
)  # fmt: skip
def test_the_validation_share_gives_way_unless_it_was_asked_for(validation, test, expected):
    assert Shares.of(validation, test) == expected


def test_a_test_share_of_published_splits_is_refused_and_their_own_folder_is_not(tmp_path):
    src = put(tmp_path / "src", *(f"train/{label}/{n}.png" for label in ("real", "fake") for n in range(4)))
    with pytest.raises(UsageError, match=r"states the split of every image \(train\)"):
        take(src, tmp_path / "out", test=1)
    assert not (tmp_path / "out").exists()
    chains, _ = take(src / "train", tmp_path / "out", test=1)
    assert {chain.split for chain in chains.values()} == {Split.TEST}


def test_copies_share_a_group_and_never_straddle(tmp_path):
    src = put(tmp_path / "src", *(f"real/{n}.png" for n in range(30)))
    for number in range(30):
        shutil.copy(src / f"real/{number}.png", src / f"real/copy{number}.png")
    chains, rejects = take(src, tmp_path / "out", validation=0.4)
    assert not rejects
    for number in range(30):
        one, other = chains[f"real/{number}.png"], chains[f"real/copy{number}.png"]
        assert (one.group, one.split) == (other.group, other.split)
    assert len({chain.group for chain in chains.values()}) == 30


def test_a_copy_in_train_of_a_test_image_is_rejected(tmp_path):
    src = put(tmp_path / "src", "train/real/a.png", "val/real/b.png", "test/real/c.png", "train/real/d.png")
    for path in ("train/real/copy.png", "val/real/copy.png"):
        shutil.copy(src / "test/real/c.png", src / path)
    shutil.copy(src / "val/real/b.png", src / "train/real/b.png")
    chains, rejects = take(src, tmp_path / "out")
    assert set(chains) == {"train/real/a.png", "val/real/b.png", "test/real/c.png", "train/real/d.png"}
    assert {error.record: error.hint for error in rejects.errors} == {
        "train/real/copy.png": "Kept: test/real/c.png.",
        "val/real/copy.png": "Kept: test/real/c.png.",
        "train/real/b.png": "Kept: val/real/b.png.",
    }
    assert "the same bytes are in the test split too" in str(rejects.errors[1])


def test_bytes_under_both_labels_are_nobody_s(tmp_path):
    src = put(tmp_path / "src", "real/a.png", "fake/b.png", "fake/c.png")
    shutil.copy(src / "fake/b.png", src / "real/b.png")
    chains, rejects = take(src, tmp_path / "out")
    assert set(chains) == {"real/a.png", "fake/c.png"}
    assert rejects.reasons() == [("the same bytes are labelled both real and fake", 2)]
    assert {error.hint for error in rejects.errors} == {"See also real/b.png.", "See also fake/b.png."}


def test_bad_images_are_rejected_by_name_and_the_rest_is_imported(tmp_path):
    src = put(tmp_path / "src", *(f"real/{n}.png" for n in range(3)), "fake/a.png")
    whole = picture(99)
    (src / "fake/cut.png").write_bytes(whole[:60])
    (src / "fake/empty.jpg").touch()
    (src / "fake/text.png").write_text("not an image")
    Image.new("1", (20_000, 20_000)).save(src / "fake/bomb.png")
    (src / "real/out.png").symlink_to("/etc/hostname")
    (src / "real/gone.png").symlink_to(src / "nowhere.png")
    (src / "real/folder").symlink_to(tmp_path)
    (src / "real" / ("x" * 200) / ("y" * 200) / ("z" * 200)).mkdir(parents=True)
    put(src, f"real/{'x' * 200}/{'y' * 200}/{'z' * 200}/a.png", start=50)
    chains, rejects = take(src, tmp_path / "out")
    assert set(chains) == {"real/0.png", "real/1.png", "real/2.png", "fake/a.png"}
    problems = {error.record: error.problem for error in rejects.errors}
    assert problems.pop(f"real/{'x' * 200}/{'y' * 200}/{'z' * 200}/a.png").startswith(
        "string should have at most"
    )
    for record, problem in {
        "fake/cut.png": "image is truncated or damaged",
        "fake/empty.jpg": "is not an image",
        "fake/text.png": "is not an image",
        "fake/bomb.png": "image is too large",
        "real/out.png": "is a symbolic link that leaves the image root",
        "real/gone.png": "image file is missing",
        "real/folder": "is a symbolic link to a folder, which is not followed",
    }.items():
        assert problem in problems.pop(record)
    assert not problems
    assert {error.file for error in rejects.errors} == {str(src)}


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX only")
def test_a_name_that_is_not_utf8_is_rejected(tmp_path):
    src = put(tmp_path / "src", "real/a.png")
    try:
        Path(os.fsdecode(os.fsencode(src) + b"/real/\xff.png")).write_bytes(picture(7))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    chains, rejects = take(src, tmp_path / "out")
    assert set(chains) == {"real/a.png"}
    assert "file name is not UTF-8" in str(rejects.errors[0])


def test_hidden_files_and_other_files_are_counted_not_rejected(tmp_path):
    src = put(tmp_path / "src", "real/a.png", "real/._a.png", ".cache/real/b.png", "real/.thumbs/c.png")
    for name in ("readme.txt", "real/.DS_Store", "real/a.json"):
        (src / name).touch()
    summary = import_chains("imagefolder", src, tmp_path / "out")
    assert (summary.chains, summary.ignored) == (1, 4)


def test_the_summary_says_what_is_lacking(tmp_path):
    src = put(tmp_path / "src", "train/real/a.png", "val/real/b.png")
    summary = import_chains("imagefolder", src, tmp_path / "out")
    assert summary.remarks == ("no image has the split 'test'", "no image has the label 'fake'")
    assert summary.counts.total() == 2


def test_too_many_bad_images_end_the_import_and_leave_what_was_there(tmp_path):
    src = put(tmp_path / "src", "real/a.png")
    take(src, tmp_path / "out")
    before = (tmp_path / "out/chains.jsonl").read_bytes()
    for number in range(30):
        (src / f"real/bad{number}.png").touch()
    with pytest.raises(FakeInstructError, match="30 of 31 records rejected"):
        take(src, tmp_path / "out")
    assert (tmp_path / "out/chains.jsonl").read_bytes() == before
    assert len(take(src, tmp_path / "out", rejects=Rejects(1.0))[1]) == 30


@pytest.mark.parametrize(
    ("paths", "message"), [([], "holds no images"), (["readme.txt"], r"holds no images \(1 other files\)")]
)
def test_an_empty_folder_is_an_error(tmp_path, paths, message):
    (tmp_path / "src").mkdir()
    for path in paths:
        (tmp_path / "src" / path).touch()
    with pytest.raises(FakeInstructError, match=message):
        take(tmp_path / "src", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_class_folder_alone_is_the_wrong_folder(tmp_path):
    src = put(tmp_path / "src", *(f"REAL/{number}.png" for number in range(3)))
    with pytest.raises(UsageError, match=r"no image lies in a class folder\. Import the folder above"):
        take(src / "REAL", tmp_path / "out")


def test_a_folder_of_only_bad_images_is_an_error(tmp_path):
    (tmp_path / "src/real").mkdir(parents=True)
    (tmp_path / "src/real/a.png").touch()
    with pytest.raises(FakeInstructError, match=r"no image could be taken; the first: .*a\.png"):
        take(tmp_path / "src", tmp_path / "out")


def test_a_dry_run_counts_and_writes_nothing(tmp_path):
    src = put(tmp_path / "src", "real/a.png", "fake/b.png")
    summary = import_chains("imagefolder", src, tmp_path / "out", dry_run=True)
    assert summary.chains == 2
    assert list(tmp_path.iterdir()) == [src]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "imagefoldr"}, "Did you mean 'imagefolder'"),
        ({"src": "nowhere"}, "nowhere: no such folder, zip file or annotation file"),
        ({"vlaidation": 0.1}, "no option 'vlaidation'. Did you mean 'validation'"),
        ({"validation": 0.6}, "between 0 and 0.5"),
        ({"validation": float("nan")}, "between 0 and 0.5"),
        ({"test": 1.1}, "between 0 and 1"),
        ({"test": float("nan")}, "between 0 and 1"),
        ({"validation": 0.2, "test": 0.9}, r"validation \(0.2\) and test \(0.9\) are more than 1 together"),
    ],
)
def test_wrong_usage_is_named(tmp_path, arguments, message):
    src = put(tmp_path / "src", "real/a.png")
    with pytest.raises(UsageError, match=message):
        import_chains(**{"format": "imagefolder", "src": src, "out": tmp_path / "out", **arguments})


def test_without_images_names_and_folders_are_taken_on_trust(tmp_path):
    (tmp_path / "src/train/FAKE").mkdir(parents=True)
    (tmp_path / "src/train/FAKE/a.png").write_text("not an image")
    chains, rejects = take(tmp_path / "src", tmp_path / "out", without_images=True, validation=0.0)
    assert not rejects
    chain = chains["train/FAKE/a.png"]
    assert (chain.label, chain.split, chain.image.width, chain.image.sha256) == ("fake", "train", None, None)


def test_an_image_folder_has_no_other_image_root(tmp_path):
    src = put(tmp_path / "src", "real/a.png")
    with pytest.raises(UsageError, match="no other image root"):
        take(src, tmp_path / "out", image_root=tmp_path)
    (src / "list.json").write_text("[]")
    with pytest.raises(UsageError, match="no annotation file"):
        take(src / "list.json", tmp_path / "out")


def test_images_elsewhere_are_never_replaced_by_the_result(tmp_path):
    src = put(tmp_path / "src", "real/a.png")
    put(tmp_path / "out/images", "a.png")
    with pytest.raises(UsageError, match="would replace it"):
        take(src, tmp_path / "out", image_root=tmp_path / "out/images")


@pytest.mark.parametrize("out", ["src", ".", "src/../src"])
def test_the_source_is_never_replaced_by_the_result(tmp_path, out):
    src = put(tmp_path / "src", "real/a.png")
    with pytest.raises(UsageError, match="would replace it"):
        import_chains("imagefolder", src, tmp_path / out)
    assert (src / "real/a.png").is_file()


@pytest.mark.data
def test_cifake_is_imported(tmp_path):
    archive = data_folder() / "cifake-16k.zip"
    if not archive.is_file():
        pytest.skip("set FAKEINSTRUCT_DATA to the folder that holds cifake-16k.zip")
    with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(tmp_path / "cifake.zip", "w") as part:
        names = sorted(name for name in whole.namelist() if name.endswith(".jpg"))
        assert len(names) == 16_000
        for name in names[::8]:
            part.writestr(name, whole.read(name))
    summary = import_chains("imagefolder", tmp_path / "cifake.zip", tmp_path / "out", generator="sd14")
    chains = list(open_chains(tmp_path / "out").read())
    assert summary.chains == len(chains) == 2_000
    per_split = Counter((chain.split, chain.label) for chain in chains)
    for label in Label:
        assert per_split[Split.TEST, label] == 250
        assert per_split[Split.TRAIN, label] + per_split[Split.VALIDATION, label] == 750
        assert per_split[Split.VALIDATION, label] == pytest.approx(75, abs=33)  # four standard deviations
    assert len({(chain.group, chain.split) for chain in chains}) == len({chain.group for chain in chains})
    assert {(chain.image.width, chain.image.height) for chain in chains} == {(32, 32)}
    assert {chain.generator for chain in chains} == {"sd14", None}


@pytest.mark.parametrize("option", ["dataset", "generator", "camera_set"])
@pytest.mark.parametrize("name", ["x" * 600, "caf\udce9"])
def test_a_name_that_no_record_could_have_is_wrong_usage(tmp_path, option, name):
    put(tmp_path / "set", "REAL/1.png", "FAKE/2.png")
    with pytest.raises(UsageError, match=f"field {option}: .* is no name"):
        import_chains("imagefolder", tmp_path / "set", tmp_path / "out", **{option: name})


def test_a_chain_set_below_the_source_is_no_source(tmp_path):
    put(tmp_path / "set", "REAL/1.png", "FAKE/2.png")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("REAL/7.png", picture(7))
        archive.writestr("FAKE/8.png", picture(8))
    import_chains("imagefolder", tmp_path / "more.zip", tmp_path / "set/inside")
    for _ in range(2):
        assert import_chains("imagefolder", tmp_path / "set", tmp_path / "set/out").chains == 2


def test_a_backslash_in_a_name_is_said(tmp_path):
    put(tmp_path / "set", "REAL/1.png", "FAKE/2.png", "FAKE/a\\b.png")
    rejects = Rejects()
    assert import_chains("imagefolder", tmp_path / "set", tmp_path / "out", rejects=rejects).chains == 2
    assert "holds a backslash" in str(rejects.errors[0])


def test_a_split_of_one_label_is_noted_with_what_to_do(tmp_path):
    src = put(tmp_path / "src", "train/real/a.png", "train/fake/b.png", "val/fake/c.png")
    summary = import_chains("imagefolder", src, tmp_path / "out")
    (said,) = [remark for remark in summary.remarks if "only" in remark]
    assert said.startswith("the split 'validation' holds fake images only, and expand gives no pairs of it; ")
    assert "--validation 0.3" in said
