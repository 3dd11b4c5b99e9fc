"""An untrained sentence encoder on disk, of a vocabulary of its own."""

WORDS = [
    "the",
    "left",
    "hand",
    "has",
    "six",
    "fingers",
    "two",
    "of",
    "which",
    "are",
    "fused",
    "falls",
    "a",
    "light",
]


def write_encoder(folder):
    """Write a sentence encoder of random weights, and return its folder."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast(vocab={word: i for i, word in enumerate(vocabulary)}).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(folder)
    return folder
