"""An untrained small expert with a card, and chains over drawn images."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from drawn import QUESTION, TINY, conversations, make_chains

from fakeinstruct.expert.card import ExpertCard, Readout, save_card
from fakeinstruct.expert.small import build_small


@pytest.fixture(scope="session")
def expert_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("expert")
    build_small(conversations(), TINY, seed=3, out=folder)
    readout = Readout(name="verdict/one_word", prompt=QUESTION, fake=("fake",), real=("real",))
    save_card(
        folder,
        ExpertCard(base="small", readouts=(readout,), explanation_prompts=("What speaks for your verdict?",)),
    )
    return folder


@pytest.fixture
def own_expert(expert_folder, tmp_path):
    """A copy that a test may damage."""
    return Path(shutil.copytree(expert_folder, tmp_path / "own"))


@pytest.fixture(scope="session")
def chains_folder(tmp_path_factory):
    return make_chains(tmp_path_factory.mktemp("chains"), 20)
