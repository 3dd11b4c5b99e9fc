"""Exports as others read them: `datasets` opens pairs and exports, TRL trains on its own."""

import pytest
from drawn import TINY, conversations, make_pairs
from pair_sets import BOXED, LOOKS, plain, write_set

from fakeinstruct.expand.export.write import export
from fakeinstruct.expand.pair import open_pairs


@pytest.fixture(autouse=True)
def offline(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def load(*arguments, **options):
    from datasets import load_dataset

    return load_dataset(*map(str, arguments), **options)


def test_datasets_opens_the_pairs_and_tags_come_back_as_a_mapping(tmp_path):
    pairs = write_set(tmp_path / "pairs", [plain("a"), BOXED, LOOKS])
    rows = load("parquet", data_files=str(tmp_path / "pairs" / "pairs-*.parquet"), split="train")
    assert rows[1]["target"]["tags"] == [{"name": "scene", "value": "street"}, {"name": "a", "value": "b"}]
    assert list(pairs.read()) == [plain("a"), BOXED, LOOKS]


@pytest.mark.parametrize("name", ["llama-factory", "trl", "jsonl"])
def test_datasets_opens_the_folder_of_an_export_with_its_splits(tmp_path, name):
    made = [plain("a"), LOOKS, plain("v", split="validation"), plain("t", split="test")]
    export(write_set(tmp_path / "pairs", made), tmp_path / "out", format=name)
    rows = load(tmp_path / "out")
    assert {split: len({row["id"] for row in rows[split]}) for split in rows} == {
        "train": 2,
        "validation": 1,
        "test": 1,
    }


def test_datasets_opens_both_files_of_an_ms_swift_export_and_joins_them(tmp_path):
    from datasets import concatenate_datasets

    export(write_set(tmp_path / "pairs", [plain("a"), BOXED]), tmp_path / "out", format="ms-swift")
    files = [tmp_path / "out" / name for name in ("train.jsonl", "train-boxes.jsonl")]
    rows = concatenate_datasets([load("json", data_files=str(file), split="train") for file in files])
    assert rows[0]["objects"] is None
    assert rows[1]["objects"]["bbox"][0] == [0.1, 0.2, 0.3, 0.4]
    assert rows[1]["objects"]["bbox_type"] == "norm1"


@pytest.fixture(scope="module")
def trl_export(tmp_path_factory):
    """Three pairs an image, one of two answers: `train.jsonl`, images relative to the working folder."""
    folder = tmp_path_factory.mktemp("trl")
    make_pairs(folder / "pairs", images=6)
    export(open_pairs(folder / "pairs"), folder / "out", format="trl", split="train")
    return folder


@pytest.fixture(scope="module")
def expert(tmp_path_factory):
    from fakeinstruct.expert.small import build_small

    folder = tmp_path_factory.mktemp("base")
    build_small(conversations(), TINY, seed=0, out=folder)
    return folder


def test_trl_learns_the_answers_and_nothing_else(trl_export, expert, monkeypatch):
    from transformers import AutoProcessor
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    monkeypatch.chdir(trl_export / "pairs")
    processor = AutoProcessor.from_pretrained(expert)
    rows = load("json", data_files=str(trl_export / "out" / "train.jsonl"), split="train")
    batch = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)(list(rows)[:4])
    learned = [
        processor.tokenizer.decode(row[row != -100], skip_special_tokens=True) for row in batch["labels"]
    ]
    said = ["real", "The texture tells: it is real.", "It is real, as I said.", "real"]
    assert [text.strip() for text in learned] == said
    assert batch["pixel_values"].shape[0] == 4


def test_trl_trains_on_its_export(trl_export, expert, monkeypatch, tmp_path):
    from transformers import AutoProcessor, LlavaForConditionalGeneration
    from trl import SFTConfig, SFTTrainer

    import fakeinstruct.expert.vision  # noqa: F401 - registers the small tower

    monkeypatch.chdir(trl_export / "pairs")
    rows = load("json", data_files=str(trl_export / "out" / "train.jsonl"), split="train")
    settings = SFTConfig(
        output_dir=str(tmp_path / "run"),
        max_steps=2,
        per_device_train_batch_size=4,
        max_length=None,
        use_cpu=True,
        bf16=False,
        report_to="none",
        save_strategy="no",
        logging_steps=1,
    )
    trainer = SFTTrainer(
        model=LlavaForConditionalGeneration.from_pretrained(expert),
        processing_class=AutoProcessor.from_pretrained(expert),
        args=settings,
        train_dataset=rows,
    )
    assert trainer.train().training_loss > 0
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 2
