"""Sizes of some images stand for all, and images that are not there are named before anything is tokenised."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expand.pair import open_pairs
from fakeinstruct.expert.image_sizes import check_images, image_sizes


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Thirty images, each as wide as its number and ten."""
    folder = tmp_path_factory.mktemp("sizes")
    for number in range(30):
        Image.new("RGB", (10 + number, 5)).save(folder / f"{number}.png")
    return folder


@given(count=st.integers(1, 30), sample=st.integers(1, 40))
def test_each_image_has_the_size_of_the_nearest_that_was_looked_at(drawn, count, sample):
    found = image_sizes(drawn, [f"{number}.png" for number in range(count)], sample)
    widths = found.size[found.of][:, 0]
    looked_at = found.size[:, 0]
    for number, width in enumerate(widths.tolist()):
        assert abs(width - 10 - number) == np.abs(looked_at - 10 - number).min()
    assert found.looked_at == len(looked_at) <= min(sample, count)
    assert found.unread is None


def test_some_that_are_missing_are_a_warning(drawn):
    found = image_sizes(drawn, ["0.png", "gone.png", "2.png"])
    assert found.warning().startswith("1 of 3 images looked at cannot be read; the first: ")
    assert "gone.png" in found.warning()
    assert found.size[found.of][:, 0].tolist() in ([10, 10, 12], [10, 12, 12])


@pytest.mark.parametrize("paths", [["gone.png", "lost.png"], ["../secret.png"]])
def test_none_that_is_found_is_an_error(drawn, paths):
    with pytest.raises(UsageError, match=r"can be read; the first: .*Give image_root=DIR"):
        image_sizes(drawn, paths)


def test_a_root_that_is_missing_is_an_error(pairs_folder, tmp_path):
    pairs = open_pairs(pairs_folder, image_root=tmp_path / "gone")
    with pytest.raises(
        UsageError, match=r"gone: the folder of the pairs' images is not there\. Give image_root="
    ):
        check_images(pairs, "train")
    check_images(open_pairs(pairs_folder), "train")
