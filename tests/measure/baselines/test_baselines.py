"""Baselines find what is there, see what they should, and are the same twice."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from simulated_answers import verdict
from turned import turned

from fakeinstruct.base.errors import RecordError, Rejects, UsageError
from fakeinstruct.chains.schema import Meta, Split
from fakeinstruct.chains.store import open_chains, write_chains
from fakeinstruct.measure.baselines import cnn as baseline_cnn
from fakeinstruct.measure.baselines.run import score_baseline
from fakeinstruct.measure.baselines.statistics import features, ring_spectrum
from fakeinstruct.measure.beside import Company
from fakeinstruct.measure.detection import auc
from fakeinstruct.measure.run import measure


@pytest.fixture
def short(monkeypatch):
    """A short training of the convolutional network: the stripes of the test images are plain to see."""
    monkeypatch.setattr(baseline_cnn, "PIXELS_SEEN", 25 * 64 * 24 * 24)


@pytest.mark.parametrize(
    ("name", "low", "high"), [("cnn", 0.99, 1), ("statistics", 0.99, 1), ("metadata", 0.2, 0.8)]
)
def test_pixels_tell_the_stripes_and_the_file_does_not(striped_chains, short, name, low, high):
    scores, _ = score_baseline(name, striped_chains())
    assert set(scores.split) == {"validation", "test"}
    assert len(scores) == 60
    assert scores.margin.dtype == np.float32
    assert low <= auc(scores.fake, scores.margin) <= high


@pytest.mark.parametrize("name", ["cnn", "statistics"])
def test_same_seed_same_scores(striped_chains, short, name):
    chains = striped_chains(48)
    state = torch.get_rng_state()
    first, again, other = (score_baseline(name, chains, seed=seed)[0].margin for seed in (0, 0, 1))
    assert first.tolist() == again.tolist()
    assert torch.equal(torch.get_rng_state(), state)
    if name == "cnn":
        assert first.tolist() != other.tolist()


def test_nothing_is_learned_from_the_images_that_are_measured(striped_chains, tmp_path, short):
    chains = striped_chains(48)
    other = turned(chains, tmp_path / "turned", "validation", "test")
    for name in ("cnn", "statistics", "metadata"):
        scores, _ = score_baseline(name, chains)
        again, _ = score_baseline(name, other)
        assert scores.margin.tolist() == again.margin.tolist()
        assert (scores.fake != again.fake).all()


def test_only_the_test_images_asked_for_are_scored(striped_chains):
    chains = striped_chains(48)
    scores, _ = score_baseline("metadata", chains, test={"image-6", "image-7"})
    assert set(scores.image[scores.split == "test"]) == {"image-6", "image-7"}
    assert (scores.split == "validation").sum() == 12


def test_baselines_stand_beside_the_expert_in_every_table(striped_chains, answer_set, tmp_path):
    chains = striped_chains()
    rows = [
        verdict(
            n,
            n % 2 == 0,
            float((-1) ** n),
            split=("validation", "test")[n // 2 % 4 - 2],
            generator="stripes" if n % 2 == 0 else None,
        )
        for n in range(120)
        if n // 2 % 4 > 1
    ]
    figures = measure([answer_set(rows)], tmp_path / "out", chains=chains, baselines=["statistics"])
    beside = figures["baselines"]["statistics"]
    assert beside["overall"]["test"]["n"] == figures["overall"]["test"]["n"] == 30
    assert beside["per_generator"]["stripes"]["auc"] > 0.99
    assert beside["overall"]["test"]["calibrated"]["nll"] is not None
    assert "statistics AUC" in (tmp_path / "out/report.html").read_text()


def test_an_unreadable_image_is_rejected_and_the_rest_goes_on(striped_chains):
    chains = striped_chains(48)
    (chains.image_root / "images/6.bmp").write_bytes(b"not a picture")
    with pytest.raises(RecordError, match="not an image"):
        score_baseline("metadata", chains)
    rejects = Rejects()
    scores, _ = score_baseline("metadata", chains, rejects=rejects)
    assert len(rejects) == 1
    assert len(scores) == 23


def test_what_cannot_be_trained_is_said_before_anything_is_written(striped_chains, answer_set, tmp_path):
    chains = striped_chains(16)
    with pytest.raises(UsageError, match="Did you mean 'cnn'"):
        Company(("cnnn",), chains=chains).check([answer_set([], "none")])
    with pytest.raises(UsageError, match="there is no baseline 'nothing'"):
        measure(
            [answer_set([verdict(0, True, 1.0)], "one")],
            tmp_path / "out",
            chains=chains,
            baselines=["cnn", "nothing"],
        )
    with pytest.raises(UsageError, match="none of the test images"):
        measure(
            [answer_set([verdict(99, True, 1.0)], "far")],
            tmp_path / "out",
            chains=chains,
            baselines=["metadata"],
        )
    held = [chain.model_copy(update={"split": Split.TEST}) for chain in chains.read()]
    write_chains(tmp_path / "held", held, Meta(name="held", image_root="../chains"))
    rows = [verdict(n, n % 2 == 0, 1.0) for n in range(16)]
    with pytest.raises(UsageError, match="train split has 0 readable fakes and 0 reals"):
        measure(
            [answer_set(rows)], tmp_path / "out", chains=open_chains(tmp_path / "held"), baselines=["cnn"]
        )
    assert not (tmp_path / "out").exists()


def test_the_network_has_about_300_000_parameters():
    assert sum(each.numel() for each in baseline_cnn.network().parameters()) == pytest.approx(
        300_000, rel=0.03
    )


def test_images_of_mixed_or_large_size_are_resized(tmp_path):
    sizes = {"same": [(40, 30), (40, 30)], "mixed": [(40, 30), (30, 40)], "large": [(300, 200)]}
    found = {}
    for name, wanted in sizes.items():
        paths = [tmp_path / f"{name}-{n}.png" for n in range(len(wanted))]
        for path, size in zip(paths, wanted, strict=True):
            Image.new("RGB", size).save(path)
        found[name] = baseline_cnn.input_size(paths)
    assert found == {"same": (40, 30), "mixed": (64, 64), "large": (64, 64)}


def test_every_step_of_training_has_a_whole_batch_and_an_epoch_repeats_nothing():
    batches = list(baseline_cnn._batches(150, 7))
    assert [len(batch) for batch in batches] == [64] * 7
    assert len(set(torch.cat(batches[:2]).tolist())) == 128
    assert [len(batch) for batch in baseline_cnn._batches(10, 3)] == [10] * 3


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 255))
def test_statistics_are_finite_and_as_many_for_any_size(height, width, value):
    flat = features(np.full((height, width, 3), value, dtype=np.uint8))
    noise = features(np.random.default_rng(value).integers(0, 256, (height, width, 3)).astype(np.uint8))
    assert flat.shape == noise.shape == features(np.zeros((32, 32, 3), dtype=np.uint8)).shape
    assert np.isfinite(flat).all()
    assert np.isfinite(noise).all()


def test_a_wave_has_its_power_in_its_ring():
    x = np.arange(48)
    for cycles in (6, 12, 20):
        plane = np.tile(np.sin(2 * np.pi * cycles * x / 48), (48, 1)).astype(np.float32)
        ring = ring_spectrum(plane).argmax()
        assert ring == int(cycles / 48 / np.hypot(0.5, 0.5) * 24)
