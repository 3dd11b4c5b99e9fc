"""The sample set as a whole: bytes, splits, twins, halves, and words that hold."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.base.files import sha256_file
from fakeinstruct.chains.sample import make_sample
from fakeinstruct.chains.sample.make import plan
from fakeinstruct.chains.sample.photographs import PHOTOGRAPHS
from fakeinstruct.chains.sample.process import AMOUNTS
from fakeinstruct.chains.schema import Assessment, Chain, Label, Manipulation
from fakeinstruct.chains.store import open_chains

IMAGES = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("sample") / "set"
    assert make_sample(out, images=IMAGES, seed=3) == IMAGES
    return out


@pytest.fixture(scope="module")
def chains(folder) -> list[Chain]:
    return list(open_chains(folder).read())


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def processing(chain: Chain) -> str:
    return chain.origin.source_record.partition("processing ")[2]


def test_same_seed_same_bytes_and_another_seed_other_bytes(tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        make_sample(tmp_path / name, images=28, seed=seed)
    first, again, other = (contents(tmp_path / name) for name in "abc")
    assert first == again
    assert not set(first) & set(other) - {"chains.jsonl", "meta.json"}
    assert first["chains.jsonl"] != other["chains.jsonl"]


def test_halves_are_equal(chains):
    labels = Counter(chain.label for chain in chains)
    manipulations = Counter(chain.manipulation for chain in chains if chain.label is Label.FAKE)
    assert labels == {Label.FAKE: IMAGES // 2, Label.REAL: IMAGES // 2}
    assert manipulations == {Manipulation.GENERATED: IMAGES // 4, Manipulation.EDITED: IMAGES // 4}


def test_photographs_do_not_straddle_splits(chains):
    assert {(c.group, c.split) for c in chains} == {(p.name, p.split) for p in PHOTOGRAPHS}
    assert Counter(p.split for p in PHOTOGRAPHS) == {"train": 4, "validation": 1, "test": 2}


def test_every_fake_has_a_real_twin_with_the_same_crop_and_processing(chains):
    by_id = {chain.id: chain for chain in chains}
    for chain in chains:
        twin = by_id[chain.twin]
        assert twin.twin == chain.id
        assert twin.label is not chain.label
        assert (twin.group, twin.split, twin.content) == (chain.group, chain.split, chain.content)
        assert twin.origin.source_record == chain.origin.source_record


def test_reals_say_whether_they_were_processed(chains):
    for chain in chains:
        if chain.label is Label.REAL:
            assert (chain.manipulation is Manipulation.NONE) == (processing(chain) == "none")
            assert chain.camera_set == chain.group


def test_images_leave_through_one_encoding(folder, chains):
    for chain in chains:
        path = folder / chain.image.path
        assert sha256_file(path) == chain.image.sha256
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size, image.info) == ("PNG", "RGB", (64, 64), {})
    assert {p.name for p in (folder / "images").iterdir()} == {Path(c.image.path).name for c in chains}


def test_names_and_order_do_not_tell_the_label(chains):
    assert [chain.id for chain in chains] == sorted(chain.id for chain in chains)
    for chain in chains:
        assert chain.image.path == f"images/{chain.id}.png"
        assert len(chain.id) == 16
    # runs of one label, by the number of changes: 59.5 are expected of 119 neighbours, deviation 5.5
    changes = sum(a.label != b.label for a, b in pairwise(chains))
    assert 40 < changes < 80


def test_twins_differ_in_pixels_and_never_across_the_same_label(folder, chains):
    hashes = Counter(chain.image.sha256 for chain in chains)
    assert set(hashes.values()) == {1}


def test_traces_point_to_the_label_and_agree_with_what_was_assessed(chains):
    for chain in chains:
        assert chain.traces
        for trace in chain.traces:
            assert trace.points_to is chain.label
            assert trace.regions
            assert (trace.advice is None) == (trace.severity is None) == (chain.label is Label.REAL)
        present = {key for key, what in chain.assessed.items() if what is Assessment.PRESENT}
        assert present == ({t.attribute for t in chain.traces} if chain.label is Label.FAKE else set())
        assert Assessment.ABSENT in chain.assessed.values()
        assert not {"theme", "anatomy", "text", "overall_tone"} & set(chain.assessed)


def test_every_chain_says_that_it_is_synthetic_and_whose_the_photograph_is(folder, chains):
    meta = open_chains(folder).meta
    assert meta.synthetic
    assert meta.licences == {p.name: p.licence for p in PHOTOGRAPHS}
    for chain in chains:
        assert chain.origin.synthetic
        assert chain.origin.by == "program"
        assert chain.origin.licence == meta.licences[chain.group]


def test_words_vary(chains):
    observations = [trace.observation for chain in chains for trace in chain.traces]
    assert len(set(observations)) > 0.7 * len(observations)
    assert not any(mark in text for text in observations for mark in "[]{}|@")


def test_kinds_are_equally_frequent_with_every_processing():
    jobs = plan(2100, seed=0)
    makers = Counter(job.generator for job in jobs)
    decoders = [n for name, n in makers.items() if not name.startswith("edit-")]
    edits = [n for name, n in makers.items() if name.startswith("edit-")]
    assert (len(decoders), sum(decoders)) == (3, 1050)
    assert (len(edits), sum(edits)) == (7, 1050)
    assert max(decoders) - min(decoders) <= len(PHOTOGRAPHS)
    assert max(edits) - min(edits) <= len(PHOTOGRAPHS)
    pairs = Counter((job.generator, job.processing) for job in jobs if job.generator == "edit-halo")
    assert len(pairs) == len(AMOUNTS)
    assert max(pairs.values()) - min(pairs.values()) <= len(PHOTOGRAPHS)


@pytest.mark.parametrize("images", [0, 2, 30, -4])
def test_refuses_a_number_that_cannot_be_quartered(tmp_path, images):
    with pytest.raises(UsageError, match="multiple of four"):
        make_sample(tmp_path / "out", images=images, seed=0)
    assert not (tmp_path / "out").exists()


def test_replaces_a_chain_set_but_nothing_else(tmp_path):
    make_sample(tmp_path / "out", images=4, seed=0)
    make_sample(tmp_path / "out", images=8, seed=1)
    assert len(list(open_chains(tmp_path / "out").read())) == 8
    own = tmp_path / "own"
    own.mkdir()
    (own / "thesis.txt").write_text("mine")
    with pytest.raises(FakeInstructError, match="not replaced"):
        make_sample(own, images=4, seed=0)
    assert [f.name for f in own.iterdir()] == ["thesis.txt"]


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    written = Path.write_bytes
    names = []

    def fails_at_the_third(path: Path, data: bytes) -> int:
        names.append(path)
        if len(names) == 3:
            raise OSError(28, "No space left on device")
        return written(path, data)

    monkeypatch.setattr(Path, "write_bytes", fails_at_the_third)
    with pytest.raises(FakeInstructError, match="disk is full"):
        make_sample(tmp_path / "out", images=8, seed=0)
    assert list(tmp_path.iterdir()) == []


def test_mean_colour_does_not_tell_the_label(folder, chains):
    colour = {c.id: np.asarray(Image.open(folder / c.image.path)).mean(axis=(0, 1)) for c in chains}
    shifts = np.array(
        [colour[c.id] - colour[c.twin] for c in chains if c.manipulation is Manipulation.GENERATED]
    )
    assert np.abs(shifts).max() < 2  # levels, of photographs that differ by a hundred


def test_boxes_of_real_images_are_those_of_their_twins(chains):
    """Where a real image's traces lie would tell its label if fakes had boxes of other sizes."""
    by_id = {chain.id: chain for chain in chains}

    def boxes(chain):
        return {region.box for trace in chain.traces for region in trace.regions} - {(0.0, 0.0, 1.0, 1.0)}

    seen = 0
    for chain in chains:
        if chain.label is Label.REAL:
            assert boxes(chain) == boxes(by_id[chain.twin])
            seen += bool(boxes(chain))
    assert seen
