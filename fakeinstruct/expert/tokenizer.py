"""A SentencePiece vocabulary trained on the pairs, and the Transformers tokenizer that agrees with it."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import sentencepiece
from transformers import LlamaTokenizer

from fakeinstruct.base.files import atomic_write

IMAGE_TOKEN = "<image>"  # noqa: S105 - a token, no password
"""Where the image stands in the text; the processor repeats it once a vision token."""


def train_sentencepiece(texts: Iterable[str], path: Path, *, vocab_size: int) -> Path:
    """Train a byte-pair vocabulary and write it as a SentencePiece model.

    BPE, because Transformers' Llama tokenizer loads a unigram model without a complaint and tokenises
    otherwise. Templated text has few distinct pieces, so that `vocab_size` is a limit, not a promise.

    Args:
        texts: What is to be tokenised; a sample of it will do.
        path: File to write, `tokenizer.model`.
        vocab_size: Largest number of pieces; 256 of them are bytes, so that any text can be spelt.
    """
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type="bpe",
        vocab_size=vocab_size,
        hard_vocab_limit=False,
        byte_fallback=True,
        character_coverage=1.0,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    with atomic_write(path) as file:
        file.write(model.getvalue())
    return path


def load_tokenizer(path: Path) -> LlamaTokenizer:
    """The Transformers tokenizer of a SentencePiece BPE model, with the image token added."""
    tokenizer = LlamaTokenizer.from_pretrained(path.parent, legacy=False)
    tokenizer.add_special_tokens({"additional_special_tokens": [IMAGE_TOKEN]})
    tokenizer.pad_token = tokenizer.unk_token
    tokenizer.padding_side = "right"
    return tokenizer
