"""Families: every parameter has its part, models that cannot be packed say why, images are joined for a row."""

import pytest
import torch
from PIL import Image
from published_layout import LAYOUTS, MODELS, write_published
from tiny import BOS, IMAGE, count, tiny_llava, tiny_qwen3_5
from transformers import (
    Gemma3Config,
    InternVLConfig,
    LlavaConfig,
    LlavaNextConfig,
    MllamaConfig,
    PaliGemmaConfig,
    Qwen2_5_VLConfig,
    Qwen3_5Config,
    Qwen3VLConfig,
    SmolVLMConfig,
)

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.collate import Collator
from fakeinstruct.expert.dialect import THOUSANDTHS
from fakeinstruct.expert.families import FAMILIES, family_of, why_not_packed
from fakeinstruct.expert.processors import load_processor
from fakeinstruct.expert.sft import IGNORE

PARTS = ("vision_tower", "projector", "language_model")
MISTRAL = {"text_config": {"model_type": "mistral", "sliding_window": 64}}
WINDOWS = {"text_config": {"use_sliding_window": True, "sliding_window": 64, "max_window_layers": 20}}
LONG = {
    "model_type": "llama",
    "rope_parameters": {
        "rope_type": "longrope",
        "rope_theta": 1e4,
        "short_factor": [1.0] * 64,
        "long_factor": [2.0] * 64,
        "original_max_position_embeddings": 1024,
    },
}


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_belongs_to_one_part_and_every_part_has_some(name):
    model = MODELS[name]().model
    family = family_of(model.config)
    parts = [family.part_of(weight) for weight, _ in model.named_parameters()]
    assert set(parts) == set(PARTS)
    head = next(weight for weight, _ in model.named_parameters() if "embed_tokens" in weight)
    assert family.part_of(head) == "language_model"


@pytest.mark.parametrize("name", MODELS)
def test_adapters_go_to_the_language_model_alone(name):
    model = MODELS[name]().model
    layers = family_of(model.config).linear_layers(model, ("language_model",))
    assert layers
    assert all(layer.startswith(("model.language_model.", "model.text_model.")) for layer in layers)
    assert not any("lm_head" in layer for layer in layers)


def test_mergers_inside_the_towers_module_are_the_projector():
    assert FAMILIES["qwen2_5_vl"].part_of("model.visual.merger.mlp.0.weight") == "projector"
    assert FAMILIES["qwen3_vl"].part_of("model.visual.deepstack_merger_list.0.norm.weight") == "projector"
    assert FAMILIES["qwen3_vl"].part_of("model.visual.blocks.0.attn.qkv.weight") == "vision_tower"
    assert FAMILIES["llava_next"].part_of("model.image_newline") == "projector"


@pytest.mark.parametrize(
    "config",
    [LlavaConfig, LlavaNextConfig, Qwen2_5_VLConfig, Qwen3VLConfig, InternVLConfig, SmolVLMConfig],
)
def test_plain_causal_attention_can_be_packed(config):
    assert why_not_packed(config()) is None


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (Qwen3_5Config(), "of its 32 layers 24 linear attention"),
        (LlavaConfig(**MISTRAL), "sliding window of 64 tokens"),
        (LlavaNextConfig(**MISTRAL), "sliding window of 64 tokens"),
        (LlavaConfig(text_config={"model_type": "gemma2"}), "13 sliding attention"),
        (
            LlavaConfig(text_config={"model_type": "gemma", "use_bidirectional_attention": True}),
            "both directions",
        ),
        (Qwen2_5_VLConfig(**WINDOWS), "sliding attention"),
        (LlavaConfig(text_config=LONG), "scaled by the longest conversation"),
        (Gemma3Config(), "have not been tested"),
    ],
)
def test_any_other_attention_says_why_not(config, reason):
    assert reason in str(why_not_packed(config))


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (PaliGemmaConfig(), "both directions"),
        (
            Gemma3Config(text_config={"layer_types": ["full_attention"], "num_hidden_layers": 1}),
            "both directions",
        ),
        (MllamaConfig(), "cross attention"),
    ],
)
def test_a_model_of_no_family_is_refused_with_what_is_known_of_it(config, reason):
    with pytest.raises(UsageError, match=f"'{config.model_type}' cannot be trained, .*{reason}"):
        family_of(config)


def test_a_branch_would_reach_another_where_layers_attend_linearly():
    """Why such models are not packed: what stands in one branch changes the logits of the next."""
    tiny = tiny_qwen3_5()
    tiny.model.eval()
    block = tiny.image(0)
    tensors = {name: value for name, value in block.items() if name != "input_ids"}
    last = []
    for word in (30, 40):
        ids = torch.tensor([[1, *block["input_ids"], word, 50, 51]])
        seen = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
        seen[-2:, -3] = False  # the last two tokens do not see the word
        with torch.no_grad():
            output = tiny.model(
                input_ids=ids,
                attention_mask={"full_attention": seen[None, None], "linear_attention": None},
                position_ids=torch.arange(ids.shape[1]).expand(3, 1, -1),
                **tensors,
            )
        last.append(output.logits[0, -1])
    assert (last[0] - last[1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", MODELS)
def test_joined_images_give_the_features_of_each_alone(name):
    tiny = MODELS[name]()
    tiny.model.eval()
    images = [tiny.image(seed) for seed in (2, 0, 1)]
    joined = family_of(tiny.model.config).join(
        [{**image, "mm_token_type_ids": torch.ones(1, 3)} for image in images]
    )
    assert set(joined) == set(images[0]) - {"input_ids"}
    with torch.no_grad():
        together = flat(tiny.model.get_image_features(**joined))
        apart = [flat(tiny.model.get_image_features(**tensors(image))) for image in images]
    torch.testing.assert_close(together, torch.cat(apart), rtol=1e-4, atol=1e-5)
    assert len(together) == sum(count(tiny.model, tensors(image)) for image in images)


def test_smaller_tiles_are_filled_up_outside_their_mask():
    join = FAMILIES["smolvlm"].join
    small = {"pixel_values": torch.ones(1, 2, 3, 4, 6), "pixel_attention_mask": torch.ones(1, 2, 4, 6)}
    large = {"pixel_values": torch.ones(1, 1, 3, 8, 8), "pixel_attention_mask": torch.ones(1, 1, 8, 8)}
    joined = join([small, large])
    assert joined["pixel_values"].shape == (1, 3, 3, 8, 8)
    assert joined["pixel_attention_mask"].sum() == 2 * 24 + 64


def tensors(image: dict) -> dict:
    return {name: value for name, value in image.items() if name != "input_ids"}


def flat(output) -> torch.Tensor:
    return torch.cat([piece.reshape(-1, piece.shape[-1]) for piece in output.pooler_output])


def test_every_family_has_a_tiny_model_and_a_dialect():
    assert {make().model.config.model_type for make in MODELS.values()} == set(FAMILIES)
    assert FAMILIES["internvl"].boxes is THOUSANDTHS
    assert tiny_llava().model.config.model_type == "llava"


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_batch_of_rows_gives_each_the_logits_it_has_alone(name, tmp_path):
    """Row by row, which every family must be able to, those that cannot be packed above all."""
    model = write_published(name, tmp_path).eval()
    collator = Collator(load_processor(tmp_path), tmp_path, join=family_of(model.config).join)
    rows = []
    for number, (width, height) in enumerate(((60, 40), (40, 90))):
        Image.effect_noise((width, height), 60).convert("RGB").save(tmp_path / f"{number}.png")
        ids = [BOS, IMAGE, *range(30, 33 + number)]
        rows.append(
            {
                "id": str(number),
                "image": f"{number}.png",
                "input_ids": ids,
                "labels": [IGNORE, *ids[1:]],
                "task": "",
            }
        )
    batch = collator(rows)
    together = predict(model, batch)
    for row, length, logits in zip(rows, batch["attention_mask"].sum(1), together, strict=True):
        torch.testing.assert_close(logits[:length], predict(model, collator([row]))[0], rtol=1e-3, atol=1e-3)


def predict(model, batch: dict) -> torch.Tensor:
    inputs = {key: value for key, value in batch.items() if key not in ("targets", "image_keys")}
    with torch.no_grad():
        return model(**inputs, use_cache=False).logits
