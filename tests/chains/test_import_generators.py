"""Folders of generators, as GenImage and UniversalFakeDetect publish them; both known by their layout alone."""

from __future__ import annotations

import pytest
from published import pictures, problems, take

GENIMAGE = [
    f"{generator}/imagenet_ai_{generator}/{split}/{label}/{split}{number}.png"
    for generator in ("ADM", "BigGAN")
    for split in ("train", "val")
    for label in ("ai", "nature")
    for number in range(2)
]


def test_genimage_val_is_what_is_measured(tmp_path):
    chains, rejects, _, _ = take(
        "generators", pictures(tmp_path / "src", *GENIMAGE), tmp_path / "out", validation=0
    )
    assert not rejects
    assert len(chains) == 16
    for path, chain in chains.items():
        assert chain.split == ("train" if "/train/" in path else "test")
        name = path.partition("/")[0]
        assert (chain.generator, chain.camera_set) == (
            (name, None) if chain.label == "fake" else (None, name)
        )


def test_universalfakedetect_has_no_splits_and_all_of_it_is_measured(tmp_path):
    paths = ["progan/cat/0_real/a.png", "progan/cat/1_fake/a.png", "progan/dog/1_fake/a.png"]
    paths += ["ldm_200/1_fake/a.png", "guided/1_fake/a.png", "laion/0_real/a.png", "imagenet/0_real/a.png"]
    chains, rejects, _, _ = take("generators", pictures(tmp_path / "src", *paths), tmp_path / "out")
    assert not rejects
    assert {chain.split for chain in chains.values()} == {"test"}
    sources = {path: chain.generator or chain.camera_set for path, chain in chains.items()}
    assert sources == {path: path.partition("/")[0] for path in paths}


@pytest.mark.parametrize(
    "src", [["ai/a.png", "nature/a.png"], ["ADM/train/ai/a.png", "ADM/train/nature/a.png"]]
)
def test_one_generator_alone_names_none(tmp_path, src):
    """The folder that all images share may as well be a zip file's."""
    chains, rejects, _, _ = take("generators", pictures(tmp_path / "src", *src), tmp_path / "out")
    assert {chain.label for chain in chains.values()} == {"real"}
    assert list(problems(rejects).values()) == ["no folder names its generator"]


def test_class_folders_named_as_several_fakes_are_generators_where_no_folder_above_is(tmp_path):
    src = pictures(tmp_path / "src", "flux/a.png", "sd/a.png", "camera/a.png")
    chains, rejects, _, _ = take("generators", src, tmp_path / "out", fake=["flux", "sd"], real=["camera"])
    assert not rejects
    assert {path: chain.generator for path, chain in chains.items()} == {
        "flux/a.png": "flux",
        "sd/a.png": "sd",
        "camera/a.png": None,
    }


def test_class_folders_can_be_named(tmp_path):
    src = pictures(tmp_path / "src", "flux/made/a.png", "flux/shot/a.png", "sd/made/a.png")
    chains, _, _, _ = take("generators", src, tmp_path / "out", fake=["made"], real=["shot"])
    assert {chain.generator for chain in chains.values()} == {"flux", "sd", None}
