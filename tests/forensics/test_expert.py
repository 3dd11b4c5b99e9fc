"""Somebody else's models: loaded from folders, adapters and the hub's cache, read alike however they are asked."""

from __future__ import annotations

import json
import random
import shutil

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from foreign import TEMPLATE, draw_pictures, five_questions, write_foreign, write_llava
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from published_layout import tokenizer, write
from tiny import END, IMAGE, START, TEXT, tiny_llava
from transformers import Gemma3Config, Gemma3ForConditionalGeneration, LlamaConfig, LlamaForCausalLM

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.expert.families import why_not_packed
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.expert_files import expert_sha256, processor_sha256
from fakeinstruct.forensics.views import Viewer

TOLERANCE = 1e-4


def write_gemma3(folder):
    """Gemma 3: image tokens see each other both ways, most layers see a window: it cannot be packed."""
    torch.manual_seed(0)
    vision = {
        "hidden_size": 32,
        "image_size": 28,
        "patch_size": 7,
        "intermediate_size": 32,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
    }
    kinds = ["sliding_attention", "full_attention", "sliding_attention"]
    config = Gemma3Config(
        text_config={**TEXT, "head_dim": 12, "sliding_window": 8, "layer_types": kinds},
        vision_config=vision,
        mm_tokens_per_image=4,
        boi_token_index=START,
        eoi_token_index=END,
        image_token_index=IMAGE,
    )
    model = Gemma3ForConditionalGeneration(config)
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight)  # it starts at zero
    model.save_pretrained(folder)
    roles = {"image_token": "<soft>", "boi_token": "<boi>", "eoi_token": "<eoi>"}
    tokenizer({IMAGE: "<soft>", START: "<boi>", END: "<eoi>"}, roles).save_pretrained(folder)
    images = {"image_processor_type": "Gemma3ImageProcessor", "size": {"height": 28, "width": 28}}
    means = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    write(folder / "preprocessor_config.json", {"processor_class": "Gemma3Processor", **images, **means})
    write(folder / "processor_config.json", {"processor_class": "Gemma3Processor", "image_seq_length": 4})
    (folder / "chat_template.jinja").write_text(TEMPLATE.replace("<image>", "<boi>"))
    return folder


def write_windowed(folder):
    """A LLaVA of a Mistral, whose layers see a window."""
    model = tiny_llava(model_type="mistral", sliding_window=8).model
    return write_llava(model, folder)


@pytest.fixture(scope="module")
def llava(tmp_path_factory):
    """A LLaVA's folder, not to be changed."""
    return write_foreign("llava", tmp_path_factory.mktemp("llava") / "model")


@pytest.fixture
def own(llava, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(llava, tmp_path / "own")


def margins(rows):
    assert not any(row.get("error") for row in rows)
    return np.array([row["margin"] for row in rows])


@pytest.mark.parametrize("family", ["llava", "qwen2_5_vl", "smolvlm", "gemma3", "windowed"])
def test_margins_do_not_depend_on_company_order_or_packing(family, tmp_path):
    """Traps: left padding, position ids, stale rope state, a branch that sees another."""
    own = {"gemma3": write_gemma3, "windowed": write_windowed}.get(family)
    folder = own(tmp_path / "m") if own else write_foreign(family, tmp_path / "m")
    expert = load_expert(folder)
    assert not expert.card.readouts
    questions = five_questions()
    asker = expert.asker(Viewer(draw_pictures(tmp_path / "pictures")), batch=3)
    packs = asker.packer is not asker.collator
    assert packs == (why_not_packed(expert.model.config) is None) == (own is None)
    together = margins(asker.ask(questions))
    permuted = random.Random(1).sample(range(len(questions)), len(questions))
    shuffled = margins(asker.ask([questions[n] for n in permuted]))
    asker.packer = asker.collator
    alone = np.concatenate([margins(asker.ask([question])) for question in questions])
    padded = margins(asker.ask(questions))
    for other in (together, padded):
        np.testing.assert_allclose(other, alone, atol=TOLERANCE, rtol=0)
    np.testing.assert_allclose(shuffled, alone[permuted], atol=TOLERANCE, rtol=0)
    assert len(set(alone.round(3))) > 10  # they tell images and prompts apart


def test_gemma3_is_told_which_tokens_are_an_image(tmp_path, monkeypatch):
    """Without that its image tokens see backwards only, and the trial notices."""
    folder = write_gemma3(tmp_path / "m")
    monkeypatch.setattr("fakeinstruct.expert.collate.KINDS", ())
    with pytest.raises(UsageError, match="'gemma3' are read otherwise here than Transformers reads them"):
        load_expert(folder)


def test_a_layout_that_differs_from_transformers_is_refused(own, monkeypatch):
    def more(processor, image):
        block = image_block(processor, image)
        return block | {"input_ids": [*block["input_ids"], 20]}

    from fakeinstruct.expert.rows import image_block

    monkeypatch.setattr("fakeinstruct.expert.blocks.image_block", more)
    with pytest.raises(UsageError, match="lay out a picture's tokens"):
        load_expert(own)


def test_the_first_token_that_a_tokenizer_adds_is_there(own):
    """LLaVA-1.5's chat template leaves <s> to the tokenizer; without it every logit is another."""
    from tokenizers.processors import TemplateProcessing

    (own / "chat_template.jinja").write_text(TEMPLATE.removeprefix("<s> "))
    words = load_expert(own).processor.tokenizer
    words.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    words.save_pretrained(own)
    expert = load_expert(own)
    prompt = expert.asker(Viewer(None)).resolve(five_questions(1)[0]).input_ids
    assert prompt[:2] == (1, 90)


def test_the_precision_is_that_of_the_file(own):
    model = load_expert(own).model
    assert model.dtype == torch.float32
    model.to(torch.bfloat16).save_pretrained(own)
    assert load_expert(own).model.dtype == torch.bfloat16


def test_an_adapter_is_read_with_its_base(own, tmp_path):
    expert = load_expert(own)
    question = five_questions(1)[:1]
    pictures = Viewer(draw_pictures(tmp_path / "pictures"))
    plain = margins(expert.asker(pictures).ask(question))
    modules = r".*language_model.*(q_proj|down_proj)|lm_head"
    adapted = get_peft_model(expert.model, LoraConfig(target_modules=modules, init_lora_weights=False))
    adapted.peft_config["default"].base_model_name_or_path = str(own)
    adapted.save_pretrained(tmp_path / "adapter")
    found = load_expert(tmp_path / "adapter")
    with_it = margins(found.asker(pictures).ask(question))
    assert abs(with_it - plain) > 0.1
    expected = adapted.base_model.model
    ids = found.asker(pictures).resolve(question[0])
    batch = found.collators(pictures)[0]([{"input_ids": ids.input_ids, "image": question[0].view}])
    with torch.no_grad():
        logits = expected(**batch).logits[0, -1]
    fake, real = (torch.logsumexp(logits[pair], 0) for pair in ([70, 71], [72, 73]))
    assert with_it[0] == pytest.approx(float(fake - real), abs=1e-4)


def test_an_adapter_of_tokens_is_refused(own, tmp_path):
    config = PromptTuningConfig(
        task_type="CAUSAL_LM",
        num_virtual_tokens=2,
        token_dim=48,
        num_attention_heads=4,
        num_layers=3,
        num_transformer_submodules=1,
    )
    model = get_peft_model(load_expert(own).model, config)
    model.peft_config["default"].base_model_name_or_path = str(own)
    model.save_pretrained(tmp_path / "adapter")
    with pytest.raises(UsageError, match="puts tokens of its own before the prompt"):
        load_expert(tmp_path / "adapter")


def test_another_base_is_another_expert(own, tmp_path):
    adapter = tmp_path / "adapter"
    model = get_peft_model(load_expert(own).model, LoraConfig(target_modules=["q_proj"]))
    model.peft_config["default"].base_model_name_or_path = str(own)
    model.save_pretrained(adapter)
    before = expert_sha256(adapter), processor_sha256(adapter)
    assert before[1] == processor_sha256(own)
    (own / "chat_template.jinja").write_text(TEMPLATE + " ")
    assert processor_sha256(adapter) != before[1]
    base = load_expert(own).model
    base.lm_head.weight.data += 0.1
    base.save_pretrained(own)
    assert expert_sha256(adapter) != before[0]


@pytest.fixture
def cache(llava, tmp_path, monkeypatch):
    """The hub's cache with one model, and no network."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "models--somebody--llava"
    shutil.copytree(llava, repository / "snapshots" / "abc")
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text("abc")
    return repository / "snapshots" / "abc"


def test_a_model_on_the_hub_is_its_snapshot(cache, llava):
    expert = load_expert("somebody/llava")
    assert expert.folder == cache
    assert expert.card.base == "somebody/llava"
    assert expert.sha256() == load_expert(llava).sha256()


def test_a_model_that_is_not_here_without_a_network_is_one_message(cache):
    with pytest.raises(UsageError, match=r"somebody/other.*not on this machine.*hf download somebody/other"):
        load_expert("somebody/other")


@pytest.mark.parametrize("name", ["/no/such/folder", "./none", "none", "a/b/c"])
def test_a_folder_that_is_not_there_is_one_message(name):
    with pytest.raises(UsageError, match="no such expert folder"):
        load_expert(name)


def change(folder, **fields):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | fields))


def without(name):
    return lambda folder: (folder / name).unlink()


def text_only(folder):
    config = LlamaConfig(**{**TEXT, "num_hidden_layers": 1})
    LlamaForCausalLM(config).save_pretrained(folder)


def pickled(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80")


def half_copied(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if "layers.2" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


BROKEN = {
    "text only": (text_only, "'llama' model does not take a picture and write text"),
    "unknown": (lambda folder: change(folder, model_type="llava9"), "knows no models of type 'llava9'"),
    "of no type": (lambda folder: change(folder, model_type=None), "names no model type"),
    "own code": (
        lambda folder: change(folder, model_type="mine", auto_map={"AutoModel": "modeling.Mine"}),
        r"code of its own \(trust_remote_code\), which is not run",
    ),
    "no template": (without("chat_template.jinja"), "has no chat template"),
    "no picture": (
        lambda folder: (folder / "chat_template.jinja").write_text("word20"),
        "gives 0 places for one picture",
    ),
    "bad template": (
        lambda folder: (folder / "chat_template.jinja").write_text("{{ raise_exception('no') }}"),
        r"chat template fails \(no\)",
    ),
    "no processor": (without("preprocessor_config.json"), "no processor could be loaded"),
    "pickled": (pickled, "pytorch_model.bin may run code"),
    "half": (half_copied, "lacks 9 of its weights, model.language_model.layers.2"),
    "no weights": (without("model.safetensors"), "has no weights"),
    "no config": (without("config.json"), r"has no config\.json"),
    "other sizes": (
        lambda folder: write(
            folder / "processor_config.json", {"processor_class": "LlavaProcessor", "patch_size": 14}
        ),
        r"cannot be asked about a picture|lay out",
    ),
    "damaged config": (lambda folder: (folder / "config.json").write_text("{"), "config.json"),
    "card with NaN": (
        lambda folder: (folder / "expert.json").write_text(
            '{"base": "b", "readouts": [{"name": "a", "prompt": "p", "fake": ["f"], "real": ["r"], "scale": NaN}]}'
        ),
        "finite number|NaN",
    ),
    "card with an empty prompt": (
        lambda folder: (folder / "expert.json").write_text(
            '{"base": "b", "readouts": [{"name": "a", "prompt": " ", "fake": ["f"], "real": ["r"]}]}'
        ),
        r"readouts\.0\.prompt: is empty",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_model_that_cannot_be_asked_is_one_message(own, name):
    damage, message = BROKEN[name]
    damage(own)
    with pytest.raises(FakeInstructError, match=message) as caught:
        load_expert(own)
    assert str(own) in str(caught.value)
    assert "\n" not in str(caught.value)
