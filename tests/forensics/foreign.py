"""Somebody else's models: folders as they are published, with random weights, words and a chat template."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.append(str(Path(__file__).parents[1] / "expert"))  # where the families' layouts lie

from published_layout import LAYOUTS, MODELS, ROLES, tokenizer, write, write_published
from tiny import BOS, IMAGE

from fakeinstruct.forensics.questions import Question
from fakeinstruct.forensics.readout import user_turn
from fakeinstruct.forensics.views import View

TEMPLATE = (
    "<s> {% for message in messages %}{{ {'user': 'word90', 'assistant': 'word91'}[message.role] }} "
    "{% for block in message.content %}{% if block.type == 'image' %}<image>{% else %}{{ block.text }}{% endif %} "
    "{% endfor %}{% if message.role == 'assistant' %}</s> {% endif %}{% endfor %}"
    "{% if add_generation_prompt %}word91 {% endif %}"
)
"""A chat template of words that the tiny vocabularies have."""

PROMPTS = (
    ("word60 word61 word62", ("word70", "word71"), ("word72", "word73")),  # real or fake?
    ("word62 word61 word60 word64 word65", ("word70", "word71"), ("word72", "word73")),  # fake or real?
    ("word63 word60", ("word74",), ("word75",)),  # is it fake? yes, no
    ("word63 word62", ("word75",), ("word74",)),  # is it real? no, yes
    ("word66 word67 word68 word69 word66 word67", ("word72",), ("word70",)),
)
"""Five questions with their words for fake and for real: both orders of the labels, both polarities."""


def write_foreign(family: str, folder: Path) -> Path:
    """A published folder of a family with its weights."""
    model = write_published(family, folder)
    model.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE.replace("<image>", LAYOUTS[family][3][IMAGE]))
    return folder


def write_llava(model: Any, folder: Path) -> Path:
    """A LLaVA of any language model, or another model that takes a LLaVA's pictures, with words and a template."""
    processor, images, settings, names = LAYOUTS["llava"]
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer(names, ROLES.get("llava", {})).save_pretrained(folder)
    means = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    write(folder / "preprocessor_config.json", {"processor_class": processor, **images, **means})
    write(folder / "processor_config.json", {"processor_class": processor, **settings})
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


def draw_pictures(folder: Path, count: int = 3) -> Path:
    """Pictures of noise, of different shapes."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        shape = ((40, 60, 3), (64, 64, 3), (90, 30, 3))[number % 3]
        pixels = np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def five_questions(images: int = 3) -> list[Question]:
    """The five questions about each picture, those of a picture together."""
    return [
        Question(
            View(f"{image}.png"),
            user_turn(prompt),
            {"fake": fake, "real": real},
            {"item": str(image), "prompt": prompt, "kind": "verdict"},
        )
        for image in range(images)
        for prompt, fake, real in PROMPTS
    ]


__all__ = [
    "BOS",
    "MODELS",
    "PROMPTS",
    "TEMPLATE",
    "draw_pictures",
    "five_questions",
    "write_foreign",
    "write_llava",
]
