"""What files give away of the measured images: FakeBench's published figure, and a set that gives nothing away."""

from __future__ import annotations

import pytest
from benchmarks_by_hand import fakebench
from published import data_folder

from fakeinstruct.base.errors import Rejects
from fakeinstruct.chains.importers import import_chains
from fakeinstruct.chains.store import open_chains
from fakeinstruct.measure.evaluations.leaks import leaks


def test_an_extension_for_each_label_tells_all(tmp_path):
    chains = open_chains(fakebench(tmp_path, images=80))
    found = leaks(chains, list(chains.read()), seed=0)
    assert found["extension"]["rule"] == 1.0
    assert found["extension"]["auc"] == pytest.approx(1.0)
    assert found["headers"]["auc"] == pytest.approx(1.0)  # PNG against JPEG
    assert found["headers"]["n"] == 80


def test_alike_files_tell_nothing(striped_chains):
    chains = striped_chains(120)
    found = leaks(chains, list(chains.read()), seed=0)
    for row in ("extension", "headers"):
        assert found[row]["auc_low"] <= 0.5 <= found[row]["auc_high"]
    assert found["extension"]["rule"] == 0.5


def test_one_label_or_few_images_have_no_figure_and_say_why(striped_chains):
    chains = striped_chains(40)
    fakes = [chain for chain in chains.read() if chain.label == "fake"]
    for some, reason in ((fakes, "one label"), ([], "no image"), (list(chains.read())[:6], "too few")):
        row = leaks(chains, some, seed=0)["headers"]
        assert row["auc"] is None
        assert reason in row["unavailable"]["auc"]


@pytest.mark.data
@pytest.mark.slow
def test_fakebench_extensions_alone_score_as_published(tmp_path):
    """.762 with letter case, .725 without: the part of FakeBench's accuracy that no look at the pixels is behind."""
    archive = data_folder() / "annotation-formats.zip"
    if not archive.is_file():
        pytest.skip(f"no {archive.name} in the development data")
    import_chains("fakebench", archive, tmp_path, without_images=True, rejects=Rejects(1.0))
    chains = open_chains(tmp_path)
    found = leaks(chains, list(chains.read()), seed=0)
    assert found["extension"]["rule"] == 0.7615
    assert found["extension_any_case"]["rule"] == pytest.approx(0.7253, abs=1e-4)
    assert found["headers"]["unavailable"]["auc"] == "no image could be opened"
