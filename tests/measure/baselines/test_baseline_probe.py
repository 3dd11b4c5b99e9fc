"""The probe: features are the tower's whatever the batch, no test label reaches it, its cache is sound."""

import numpy as np
import pytest
import torch
from drawn import TINY, conversations
from foreign import draw_pictures, write_foreign
from simulated_answers import verdict
from tiny import EXACT, tiny_qwen2_5_vl, tiny_small, tiny_smolvlm
from turned import turned

from fakeinstruct.base.errors import UsageError
from fakeinstruct.chains.schema import Meta, Split
from fakeinstruct.chains.store import open_chains, write_chains
from fakeinstruct.expert.card import ExpertCard, save_card
from fakeinstruct.expert.small import build_small
from fakeinstruct.forensics.expert_files import expert_sha256
from fakeinstruct.measure.baselines import probe as baseline_probe
from fakeinstruct.measure.baselines.probe import Tower, pooled
from fakeinstruct.measure.baselines.run import score_baseline
from fakeinstruct.measure.detection import auc
from fakeinstruct.measure.run import measure


@pytest.fixture(scope="module")
def expert_folder(tmp_path_factory):
    """An untrained small expert: convolutions drawn at random already answer to stripes."""
    folder = tmp_path_factory.mktemp("probed")
    build_small(conversations(), TINY, seed=3, out=folder)
    save_card(folder, ExpertCard(base="small"))
    return folder


@pytest.mark.parametrize("family", sorted(EXACT))
def test_an_image_has_the_same_features_in_any_company(family):
    tiny = EXACT[family]()
    model, blocks = tiny.model.eval(), [tiny.image(seed) for seed in range(5)]
    alone = np.concatenate([pooled(model, [block]) for block in blocks])
    together = pooled(model, blocks)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, alone, atol=2e-6)
    assert np.ptp(alone, axis=0).min() > 0


@torch.no_grad()
def test_features_are_the_mean_token_of_the_tower_itself():
    """Against each family's tower, called as its own code calls it."""
    small, qwen, smol = tiny_small(), tiny_qwen2_5_vl(), tiny_smolvlm()
    block = small.image(1)
    tower = small.model.eval().model.vision_tower(block["pixel_values"]).last_hidden_state
    assert pooled(small.model, [block])[0] == pytest.approx(tower[0].mean(0).numpy(), abs=1e-6)
    block = qwen.image(0)
    tower = qwen.model.eval().model.visual(block["pixel_values"], block["image_grid_thw"]).last_hidden_state
    assert pooled(qwen.model, [block])[0] == pytest.approx(tower.mean(0).numpy(), abs=1e-6)
    block = smol.image(2)  # five tiles
    seen = torch.ones(5, 4, 4, dtype=torch.bool)
    seen[-1, 2:] = False  # a patch counts if any of its pixels does: rows 0 to 19 of 28
    seen[-1, 2] = True
    tower = smol.model.eval().model.vision_model(block["pixel_values"][0], patch_attention_mask=seen)
    expected = tower.last_hidden_state.flatten(0, 1).mean(0).numpy()
    assert pooled(smol.model, [block])[0] == pytest.approx(expected, abs=1e-6)


def test_a_tile_that_the_model_takes_for_filling_costs_no_other_image_its_features():
    """SmolVLM drops tiles that are exactly zero, so that tiles cannot be counted from outside."""
    tiny = tiny_smolvlm()
    blocks = [tiny.image(seed) for seed in range(3)]
    alone = [pooled(tiny.model.eval(), [block])[0] for block in blocks]
    blocks[0]["pixel_values"][0, 0] = 0
    together = pooled(tiny.model, blocks)
    np.testing.assert_allclose(together[1:], alone[1:], atol=2e-6)
    assert np.abs(together[0] - alone[0]).max() > 1e-3


def test_a_smaller_image_is_not_filled_up_to_a_larger_one():
    tiny = tiny_smolvlm()
    large, small = tiny.image(0), tiny.image(1)
    small["pixel_values"] = small["pixel_values"][..., :14, :14]
    small["pixel_attention_mask"] = small["pixel_attention_mask"][..., :14, :14]
    alone = pooled(tiny.model.eval(), [small])[0]
    np.testing.assert_allclose(pooled(tiny.model, [large, small])[1], alone, atol=2e-6)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "smolvlm"])
def test_published_folders_of_other_families_are_read(family, tmp_path):
    folder = write_foreign(family, tmp_path / family)
    pictures = sorted(draw_pictures(tmp_path / "pictures", 4).iterdir())
    tower = Tower(folder, tmp_path / "cache")
    found = tower.features(pictures)
    assert found.shape == (4, 32)
    alone = np.concatenate([Tower(folder, None).features([picture]) for picture in pictures])
    np.testing.assert_allclose(found, alone, atol=1e-5)


def test_the_probe_finds_stripes_and_says_what_was_fitted(striped_chains, expert_folder, tmp_path):
    scores, note = score_baseline("probe", striped_chains(), expert=expert_folder, cache=tmp_path / "cache")
    assert len(scores) == 60
    assert auc(scores.fake, scores.margin) > 0.9
    assert note.startswith("logistic regression on 16 features of ")
    assert note.endswith(" chosen on 30 validation images")


def test_no_label_of_a_test_image_reaches_the_probe(striped_chains, tmp_path, expert_folder):
    chains = striped_chains(48)
    first, _ = score_baseline("probe", chains, expert=expert_folder)
    other = turned(chains, tmp_path / "turned", "test")
    second, _ = score_baseline("probe", other, expert=expert_folder)
    assert first.margin.tolist() == second.margin.tolist()
    assert (first.fake != second.fake).tolist() == (first.split == "test").tolist()


def test_a_second_run_computes_nothing_and_damage_is_mended(
    striped_chains, expert_folder, tmp_path, monkeypatch
):
    chains, cache = striped_chains(48), tmp_path / "cache"
    first, _ = score_baseline("probe", chains, expert=expert_folder, cache=cache)
    kept = sorted(cache.iterdir())
    asked = []
    real = baseline_probe.pooled
    monkeypatch.setattr(baseline_probe, "pooled", lambda *given: asked.append(len(given[1])) or real(*given))
    again, _ = score_baseline("probe", chains, expert=expert_folder, cache=cache)
    assert asked == []
    kept[0].write_bytes(kept[0].read_bytes()[:50])
    np.save(kept[1], np.zeros((3, 16), dtype=np.float32))  # of other images
    mended, _ = score_baseline("probe", chains, expert=expert_folder, cache=cache)
    assert sum(asked) > 0
    assert first.margin.tolist() == again.margin.tolist() == mended.margin.tolist()
    asked.clear()
    path = chains.image_root / "images/0.bmp"
    path.write_bytes(path.read_bytes() + b"\0")  # another file of the same name
    score_baseline("probe", chains, expert=expert_folder, cache=cache)
    assert sum(asked) == 24  # those it was stored with
    assert sorted(cache.iterdir()) != kept


def test_without_validation_images_the_penalty_is_fixed_and_said(striped_chains, expert_folder, tmp_path):
    held = [
        chain.model_copy(update={"split": Split.TEST if chain.split is Split.VALIDATION else chain.split})
        for chain in striped_chains(48).read()
    ]
    write_chains(tmp_path / "held", held, Meta(name="held", image_root="../chains"))
    scores, note = score_baseline("probe", open_chains(tmp_path / "held"), expert=expert_folder)
    assert len(scores) == 24
    assert note.endswith("C 0.01: no validation images of both labels to choose it by")


def test_the_expert_is_the_one_that_answered(striped_chains, answer_set, expert_folder, tmp_path):
    chains = striped_chains(48)
    rows = [verdict(n, n % 2 == 0, 1.0) for n in range(48) if n // 2 % 4 == 3]
    sha256 = expert_sha256(expert_folder)
    given = {"chains": chains, "baselines": ("probe",)}
    with pytest.raises(UsageError, match="is not there"):
        measure([answer_set(rows, "a", expert="nowhere")], tmp_path / "out", **given)
    with pytest.raises(UsageError, match="is not the expert that answered"):
        measure([answer_set(rows, "b")], tmp_path / "out", expert=expert_folder, **given)
    with pytest.raises(UsageError, match="Name it with --expert"):
        score_baseline("probe", chains)
    assert not (tmp_path / "out").exists()
    answers = answer_set(rows, "c", expert=str(expert_folder), expert_sha256=sha256)
    figures = measure([answers], tmp_path / "out", **given)
    beside = figures["baselines"]["probe"]
    assert beside["overall"]["test"]["n"] == 12
    assert beside["note"].startswith("logistic regression on 16 features")
    first = (tmp_path / "out/figures.json").read_bytes()
    measure([answers], tmp_path / "out", **given)
    assert (tmp_path / "out/figures.json").read_bytes() == first
