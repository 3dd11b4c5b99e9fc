"""What training may start from: a whole model, or an adapter on the base that it was trained on."""

import json
import logging
import shutil

import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert import vision  # noqa: F401 - registers the small tower
from fakeinstruct.expert.base_model import adapted_base, base_sha256, check_base, load_tuned, loading
from fakeinstruct.expert.recipe import Tune
from fakeinstruct.expert.tune import apply_tune

TUNE = Tune.model_validate({"method": "lora", "parts": ["language_model"], "lora": {"rank": 2, "alpha": 4}})


@pytest.fixture
def base(base_folder, tmp_path):
    return shutil.copytree(base_folder, tmp_path / "base")


@pytest.fixture
def adapter(base, tmp_path):
    """An adapter on the base, as an expert's folder has it."""
    torch.manual_seed(1)
    model = apply_tune(AutoModelForImageTextToText.from_pretrained(base), TUNE)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    model.save_pretrained(tmp_path / "adapter")
    card = {"trained_on": {"base_sha256": base_sha256(str(base))}}
    (tmp_path / "adapter/expert.json").write_text(json.dumps(card))
    return tmp_path / "adapter"


def rewrite(adapter, **settings):
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))


def test_a_whole_model_stands_on_nothing(base):
    assert adapted_base(str(base)) is None
    assert adapted_base("somebody/model") is None


@pytest.mark.parametrize("base", ["/nowhere/model", "./no/model", "../model", "~/model", "models/of/mine"])
def test_a_folder_that_is_not_there_is_refused(base):
    with pytest.raises(UsageError, match="no such folder"):
        check_base(base)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"has no config\.json"):
        check_base(str(tmp_path))


def test_models_adapters_and_names_pass(base, adapter):
    for passing in (str(base), str(adapter), "small", "somebody/model"):
        check_base(passing)


@pytest.mark.parametrize("unreached", [LocalEntryNotFoundError, OfflineModeIsEnabled])
def test_a_hub_that_cannot_be_reached_is_one_line_and_prints_no_retries(unreached, tmp_path, caplog):
    def load():
        logging.getLogger("huggingface_hub.utils._http").warning("Retrying in 1s")
        raise OSError("We couldn't connect") from unreached("no network")

    said = r"hub cannot be reached.*hf download somebody/model, or give base="
    with pytest.raises(UsageError, match=said), loading("somebody/model"):
        load()
    assert caplog.text == ""
    with pytest.raises(OSError, match="couldn't connect"), loading(str(tmp_path)):
        load()
    logging.getLogger("huggingface_hub.utils._http").warning("later")
    assert "later" in caplog.text


def test_an_adapter_names_its_base(base, adapter):
    assert adapted_base(str(adapter)) == str(base)


@pytest.mark.parametrize("name", [None, "", 7])
def test_an_adapter_without_a_base_is_refused(adapter, name):
    rewrite(adapter, base_model_name_or_path=name)
    with pytest.raises(UsageError, match="the adapter names no base model"):
        adapted_base(str(adapter))


def test_a_base_that_is_missing_is_named(base, adapter):
    shutil.rmtree(base)
    with pytest.raises(UsageError, match=f"the adapter's base model '{base}' is missing"):
        adapted_base(str(adapter))


def test_a_base_that_has_changed_is_refused(base, adapter):
    weights = load_file(base / "model.safetensors")
    next(iter(weights.values())).add_(1)
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UsageError, match="trained on another base than"):
        adapted_base(str(adapter))


def test_an_adapter_of_another_shape_does_not_fit(base, adapter):
    file = adapter / "adapter_model.safetensors"
    save_file({name: weight.repeat(2, 2) for name, weight in load_file(file).items()}, file)
    with pytest.raises(UsageError, match="the adapter does not fit its base model"):
        load_tuned(str(adapter), TUNE, torch.float32)


def test_an_adapter_on_layers_that_the_base_lacks_does_not_fit(adapter):
    rewrite(adapter, target_modules=["transformer.h.0.attn"])
    with pytest.raises(UsageError, match="the adapter does not fit its base model"):
        load_tuned(str(adapter), TUNE, torch.float32)


def test_lora_trains_the_adapter_on(adapter):
    model = load_tuned(str(adapter), TUNE, torch.float32)
    kept = load_file(adapter / "adapter_model.safetensors")
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    assert len(trained) == len(kept) > 0
    assert all((weight == kept[name.replace(".default", "")]).all() for name, weight in trained.items())


def test_a_recipe_that_asks_for_other_adapters_is_refused(adapter):
    other = Tune.model_validate(TUNE.model_dump() | {"lora": {"rank": 8, "alpha": 4}})
    with pytest.raises(UsageError, match=r"has rank 2, alpha 4 on 7 layers, the recipe asks for rank 8"):
        load_tuned(str(adapter), other, torch.float32)


def test_full_training_merges_the_adapter(base, adapter):
    merged = load_tuned(str(adapter), Tune(parts=("language_model",)), torch.float32)
    plain = AutoModelForImageTextToText.from_pretrained(base)
    assert {name for name, _ in merged.named_parameters()} == {name for name, _ in plain.named_parameters()}
    weights = dict(plain.named_parameters())
    changed = {name for name, weight in merged.named_parameters() if not torch.equal(weight, weights[name])}
    assert len(changed) == 7


def test_a_part_without_linear_layers_cannot_have_adapters(base):
    tune = Tune.model_validate(TUNE.model_dump() | {"parts": ["vision_tower"]})
    with pytest.raises(UsageError, match="no linear layer lies in vision_tower"):
        load_tuned(str(base), tune, torch.float32)


def test_the_hash_of_a_base_sees_its_configuration_too(base):
    before = base_sha256(str(base))
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"vision_feature_layer": -2}))
    assert base_sha256(str(base)) != before
    assert base_sha256("somebody/model") is None
