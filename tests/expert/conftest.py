"""An untrained small expert over drawn images."""

import pytest
from drawn import TINY, conversations, make_pairs

from fakeinstruct.expert.small import build_small


@pytest.fixture(scope="session")
def pairs_folder(tmp_path_factory):
    return make_pairs(tmp_path_factory.mktemp("pairs") / "pairs")


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    build_small(conversations(), TINY, seed=0, out=folder)
    return folder


@pytest.fixture(scope="session")
def processor(base_folder):
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(base_folder)
