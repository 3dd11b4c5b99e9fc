"""Label logits are those of the model's own forward pass, whatever it does around its head, in float32."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from foreign import BOS
from peft import LoraConfig, inject_adapter_in_model
from tiny import IMAGE, TEXT, tiny_llava
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    GraniteDoclingConfig,
    GraniteDoclingForConditionalGeneration,
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
)

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.card import ExpertCard
from fakeinstruct.forensics.expert import Expert
from fakeinstruct.forensics.head import output_head

SIGLIP = {
    "hidden_size": 32,
    "image_size": 28,
    "patch_size": 7,
    "intermediate_size": 32,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
}
ROWS = [[BOS, 20, 21, 22], [BOS, 30, 31, 32, 33, 34, 35], [BOS, 40]]
READS = [[[50, 51, 52]], [[60], [61, 62]], [[70, 71]]]
"""Of each row the tokens read at its last place, or at its last two."""


def soft_capped():
    """PaliGemma 2, whose logits are 2 tanh(head / 2) here."""
    text = {"model_type": "gemma2", **TEXT, "head_dim": 12, "final_logit_softcapping": 2.0}
    config = PaliGemmaConfig(
        text_config=text, vision_config={"model_type": "siglip_vision_model", **SIGLIP}, image_token_id=IMAGE
    )
    return PaliGemmaForConditionalGeneration(config)


def scaled():
    """Granite Docling, whose logits are divided by a number of the configuration."""
    config = GraniteDoclingConfig(
        text_config={"model_type": "granite", **TEXT, "logits_scaling": 8.0},
        vision_config={**SIGLIP, "out_hidden_size": 48},
        image_token_id=IMAGE,
    )
    return GraniteDoclingForConditionalGeneration(config)


def biased():
    """A head with a bias, which no published model of the families has."""
    model = tiny_llava().model
    head = torch.nn.Linear(48, 100, bias=True)
    torch.nn.init.normal_(head.bias, std=3.0)
    model.lm_head = head
    return model


def gemma3():
    text = {**TEXT, "head_dim": 12, "layer_types": ["full_attention"] * 3}
    config = Gemma3Config(
        text_config=text, vision_config=SIGLIP, mm_tokens_per_image=4, image_token_index=IMAGE
    )
    return Gemma3ForConditionalGeneration(config)


def plain():
    return tiny_llava().model


def batch_of(rows):
    longest = max(map(len, rows))
    return {
        "input_ids": torch.tensor([row + [0] * (longest - len(row)) for row in rows]),
        "attention_mask": torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows]),
    }


def expert_of(model):
    return Expert(Path("model"), model.eval(), None, ExpertCard(base="model"))


def alone(model, row):
    """Logits of the last two places of a row alone, by stock Transformers."""
    with torch.no_grad():
        return model(input_ids=torch.tensor([row]), use_cache=False).logits[0, -2:].float()


@pytest.mark.parametrize("make", [plain, biased, soft_capped, scaled, gemma3])
def test_what_is_read_are_the_models_own_logits(make):
    torch.manual_seed(1)
    model = make().eval()
    found = expert_of(model).read(batch_of(ROWS), READS)
    for row, reads, read in zip(ROWS, READS, found, strict=True):
        own = alone(model, row)[-len(reads) :]
        for logits, ids, (values, normaliser) in zip(own, reads, read, strict=True):
            assert values == pytest.approx(logits[ids].tolist(), abs=1e-4)
            assert normaliser == pytest.approx(float(logits.logsumexp(0)), abs=1e-4)


def test_the_cap_and_the_scale_are_not_left_out():
    """Reading the head alone would give other logits: else the test above proved nothing."""
    torch.manual_seed(1)
    for make in (soft_capped, scaled, biased):
        model = make().eval()
        head = output_head(model)
        with torch.no_grad():
            hidden = model.model(input_ids=torch.tensor([ROWS[0]]), use_cache=False).last_hidden_state[0, -1]
            rows = head.weight[READS[0][0]] @ hidden
        assert not torch.allclose(rows, alone(model, ROWS[0])[-1][READS[0][0]], atol=1e-2)


def test_a_readout_leaves_no_hook_behind():
    model = plain().eval()
    before = alone(model, ROWS[1])
    expert_of(model).read(batch_of(ROWS), READS)
    assert torch.equal(alone(model, ROWS[1]), before)
    with pytest.raises(IndexError):
        expert_of(model).read(batch_of(ROWS), [[[50, 10_000]]] * 3)
    assert torch.equal(alone(model, ROWS[1]), before)


def test_an_adapted_head_is_read_whole_and_said_so():
    torch.manual_seed(1)
    model = plain()
    model = inject_adapter_in_model(
        LoraConfig(target_modules=["lm_head"], init_lora_weights=False), model
    ).eval()
    expert = expert_of(model)
    own = alone(model, ROWS[0])[-1]
    assert expert.read(batch_of(ROWS), READS)[0][0][0] == pytest.approx(own[READS[0][0]].tolist(), abs=1e-4)
    assert "quantised or adapted" in expert.note
    assert expert_of(plain()).note is None


def test_a_model_without_a_head_is_refused():
    model = plain()
    model.get_output_embeddings = lambda: None
    with pytest.raises(UsageError, match="no output head"):
        expert_of(model).read(batch_of(ROWS), READS)
