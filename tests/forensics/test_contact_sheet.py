"""The contact sheet: every condition of one item in a picture."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import make_chains
from PIL import Image

from fakeinstruct.base.errors import UsageError
from fakeinstruct.chains.sample import make_sample
from fakeinstruct.chains.store import open_chains
from fakeinstruct.forensics.contact_sheet import CAPTION, CELL, GAP, RED, contact_sheet
from fakeinstruct.forensics.protocol import Protocol


def cells(file, columns):
    sheet = np.asarray(Image.open(file))
    width, height = CELL + GAP, CELL + CAPTION + GAP
    rows = (sheet.shape[0] - GAP) // height
    corners = [(GAP + row * height, GAP + column * width) for row in range(rows) for column in range(columns)]
    return [sheet[y : y + CELL, x : x + CELL] for y, x in corners]


def test_each_condition_is_drawn_and_what_is_changed_is_outlined(tmp_path):
    make_sample(tmp_path / "chains", images=28, seed=3)
    chains = open_chains(tmp_path / "chains")
    protocol = Protocol(conditions=("jpeg-50",), interventions=("repair", "mask"), controls=1)
    chain = contact_sheet(chains, protocol, tmp_path / "sheet.png")
    assert chain.label == "fake"
    assert chain.split != "train"
    clean, jpeg, *changed = cells(tmp_path / "sheet.png", 6)
    original = Image.open(chains.image_path(chain)).resize((CELL, CELL), Image.Resampling.NEAREST)
    assert np.array_equal(clean, np.asarray(original))
    assert not np.array_equal(jpeg, clean)
    assert not (clean == RED).all(-1).any()
    drawn = [cell for cell in changed if (cell != 255).any()]
    assert len(drawn) >= 2 * len(chain.traces)
    assert all((cell == RED).all(-1).any() for cell in drawn)


def test_without_interventions_any_item_does(tmp_path):
    chains = open_chains(make_chains(tmp_path / "chains", 4))
    assert contact_sheet(chains, Protocol(conditions=("blur-1",)), tmp_path / "sheet.png").id == "c0"


def test_no_item_to_draw_is_one_message(tmp_path):
    chains = open_chains(make_chains(tmp_path / "chains", 4))
    with pytest.raises(UsageError, match="no item of the splits validation, test to draw"):
        contact_sheet(chains, Protocol(interventions=("mask",)), tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()


def test_the_name_says_the_format_and_one_of_no_picture_is_refused(tmp_path):
    chains = open_chains(make_chains(tmp_path / "chains", 4))
    contact_sheet(chains, Protocol(), tmp_path / "sheet.JPG")
    assert Image.open(tmp_path / "sheet.JPG").format == "JPEG"
    for name in ("sheet", "sheet.txt"):
        with pytest.raises(UsageError, match=r"is no name of a picture\. Let it end with one of \.png"):
            contact_sheet(chains, Protocol(), tmp_path / name)
        assert not (tmp_path / name).exists()


def test_a_picture_that_cannot_be_shown_says_why_in_its_place(tmp_path):
    make_sample(tmp_path / "chains", images=28, seed=3)
    chains = open_chains(tmp_path / "chains")
    protocol = Protocol(interventions=("repair",))
    chain = contact_sheet(chains, protocol, tmp_path / "sheet.png")
    (chains.image_root / f"images/{chain.twin}.png").unlink()
    assert contact_sheet(chains, protocol, tmp_path / "other.png").id == chain.id
    assert not np.array_equal(cells(tmp_path / "other.png", 2)[1], cells(tmp_path / "sheet.png", 2)[1])
