"""The model card: what the Hub reads of it, and the figures."""

from pathlib import Path

import pytest
import yaml

from fakeinstruct.expert.card import ExpertCard, Readout
from fakeinstruct.expert.model_card import model_card as written

ROOT = Path(__file__).parents[2]

COUNTS = {
    "rows": 4800,
    "images": 96,
    "tokens": 1_234_567,
    "supervised": 98_765,
    "per_task": {"verdict": 1800, "reasoning": 3000},
}
HISTORY = [
    {"step": 50, "eval_verdict_nll": 0.31},
    {"step": 60, "loss": 1.0},
    {"step": 100, "eval_verdict_nll": 0.42},
]


def model_card(card, counts, history, *, adapter, small=False):
    return written(card, counts, history, title="my-run", adapter=adapter, small=small)


def card(base="somebody/model-7b", chosen=50):
    return ExpertCard(
        base=base,
        readouts=(Readout(name="a", prompt="Real or {fake}?", fake=("fake",), real=("real",)),),
        trained_on={
            "split": "train",
            "seed": 3,
            "steps": 100,
            "chosen_step": chosen,
            "pairs_seen": 9600,
            "images_seen": 95,
            "recipe": {
                "optimizer": {"lr": 1e-4, "schedule": "cosine", "epochs": 1.0},
                "tune": {"parts": ["projector", "language_model"], "method": "full"},
                "hardware": {"precision": "bf16", "deepspeed": "zero3"},
            },
        },
    )


def parts(text):
    _, header, body = text.split("---\n", 2)
    return yaml.safe_load(header), body


def test_the_header_is_what_the_hub_reads():
    header, _ = parts(model_card(card(), COUNTS, HISTORY, adapter=False))
    assert header["base_model"] == "somebody/model-7b"
    assert header["library_name"] == "transformers"
    assert header["pipeline_tag"] == "image-text-to-text"
    assert "license" not in header
    assert parts(model_card(card(), COUNTS, HISTORY, adapter=True))[0]["library_name"] == "peft"


@pytest.mark.parametrize(
    ("base", "what"),
    [
        ("small", "A small LLaVA built from scratch."),
        ("/runs/stage/expert", "A model fine-tuned from a local model, `stage`."),
        ("./models/llava-7b", "A model fine-tuned from a local model, `llava-7b`."),
        ("tests/expert", "A model fine-tuned from a local model, `tests`."),
    ],
)
def test_a_base_that_is_not_on_the_hub_is_not_named_to_it(base, what, monkeypatch):
    monkeypatch.chdir(ROOT)
    header, body = parts(model_card(card(base), COUNTS, HISTORY, adapter=False))
    assert "base_model" not in header
    assert what in body
    assert "/runs" not in body


def test_the_title_is_the_runs_name():
    assert "# Image-forensics expert (my-run)" in model_card(card(), COUNTS, [], adapter=False)


def test_the_figures():
    _, body = parts(model_card(card(), COUNTS, HISTORY, adapter=False))
    for line in (
        "| pairs | 4,800 of 96 images (3,000 reasoning, 1,800 verdict) |",
        "| trained | projector, language model (full) |",
        "| steps | 100, in which 9,600 pairs of 95 images were seen; the weights are those of step 50 |",
        "| learning rate | 0.0001, cosine |",
        "| precision | bf16, DeepSpeed zero3 |",
    ):
        assert line in body
    assert "Validation chose the step among 2" in body
    assert "0.3100 nats" in body
    assert "Real or {fake}?" in body


def test_without_validation_it_says_so():
    assert "No validation chose the step" in model_card(card(chosen=100), COUNTS, [], adapter=False)


def test_the_small_expert_says_what_to_import():
    text = model_card(card("/runs/stage/expert"), COUNTS, [], adapter=False, small=True)
    assert "    import fakeinstruct.expert.vision" in text
    assert "import fakeinstruct" not in model_card(card(), COUNTS, [], adapter=False)
    assert max(map(len, text.splitlines())) <= 120
