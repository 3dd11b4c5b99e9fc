"""Tokenizers as models have them, trained on a few lines: SentencePiece's and byte-level ones, with chat templates."""

from __future__ import annotations

from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from fakeinstruct.expert.tokenizer import load_tokenizer, train_sentencepiece

LINES = [
    "USER: Is this image real or fake? ASSISTANT: fake",
    "USER: Is this image fake or real? ASSISTANT: real",
    "The image is fake. The image is real. It is Fake or Real.",
    "Real images, fake images, a real image, a fake image; Yes or No, yes or no",
] * 20

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{% for block in message.content %}"
    "{% if block.type == 'image' %}<image>{% else %}{{ block.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
VICUNA = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}USER:"
    "{% for block in message.content %}{% if block.type == 'image' %} <image>{% else %} {{ block.text }}{% endif %}"
    "{% endfor %} ASSISTANT:{% else %} {{ message.content[0].text }}{{ eos_token }}{% endif %}{% endfor %}"
)


class Chat:
    """A tokenizer with a chat template: as much of a processor as words need."""

    def __init__(self, tokenizer: Any, template: str) -> None:
        self.tokenizer = tokenizer
        self.template = template

    def apply_chat_template(self, messages: Any, **options: Any) -> Any:
        return self.tokenizer.apply_chat_template(messages, chat_template=self.template, **options)


def byte_level(lines: list[str] = LINES, size: int = 400) -> PreTrainedTokenizerFast:
    """As GPT-2, Qwen and Llama 3 have it: a leading space is part of the token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        lines, trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    )
    special = ["<s>", "</s>", "<image>", "<|im_start|>", "<|im_end|>"]
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


def sentence_piece(folder: Any, lines: list[str] = LINES, size: int = 400) -> Any:
    """As LLaVA-1.5 has it."""
    return load_tokenizer(train_sentencepiece(lines, folder / "tokenizer.model", vocab_size=size))


def whole_words(*words: str) -> PreTrainedTokenizerFast:
    """A vocabulary of given words and nothing else."""
    names = ["<unk>", "<s>", "</s>", "<image>", *words]
    tokenizer = Tokenizer(models.WordLevel({name: n for n, name in enumerate(names)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(["<s>", "</s>", "<image>"])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
