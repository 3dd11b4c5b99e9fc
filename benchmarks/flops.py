"""Model FLOP utilisation: how much of a GPU's peak goes into what training needs to compute.

Chowdhery et al. 2022 (PaLM, arXiv 2204.02311, appendix B): of a forward and backward pass a token needs

    6 N + 12 L H Q T      N parameters, L layers, H heads of width Q, T tokens that it sees

2 N forward, 2 N backward to the inputs, 2 N to the weights; 4 H Q forward and twice that backward for each pair of a
query and a key, in every layer. What checkpointing computes again does not count. Four refinements:

- T is counted, not bounded: the pairs of query and key that causal attention, or a tree, really lets see each other.
- A weight that is frozen needs no gradient: 4 N, or 2 N in a tower that nothing trainable stands before.
- The output head counts where a token is predicted for the loss; embeddings are looked up and count nothing.
- The vision tower counts by patches.

`needed` has them all and is what we call utilisation; `conventional` is 6 N of the whole language model for every
token, as it is often given. Under LoRA it is half as much again, for work that nobody does.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

PEAK = {
    "B200": 2250e12,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "A10": 125e12,
    "L4": 121e12,
    "RTX 4090": 165e12,
    "RTX 3090": 71e12,
}
"""Dense bf16 FLOP/s with float32 sums, from the makers' data sheets; the first name that a device's holds."""


@dataclass
class Work:
    """What was computed forward and backward.

    Attributes:
        pairs: Pairs learned.
        tokens: Tokens through the language model, padding apart.
        images: Images through the vision tower.
        seen: Pairs of query and key that causal attention, or a tree, lets see each other.
        targets: Tokens predicted for the loss.
    """

    pairs: int = 0
    tokens: int = 0
    images: int = 0
    seen: int = 0
    targets: int = 0

    def __sub__(self, other: Work) -> Work:
        return Work(**{name: value - asdict(other)[name] for name, value in asdict(self).items()})


def peak_of(device: str) -> float | None:
    """Peak FLOP/s of a device by its name, if it is in the table."""
    return next((peak for name, peak in PEAK.items() if name in device), None)


def needed(model: Any, work: Work) -> float:
    """FLOPs that the work needs.

    Args:
        model: A LLaVA with a CLIP tower, wrapped by PEFT or not.
        work: What was computed.
    """
    text, vision = model.config.text_config, model.config.vision_config
    patches = (vision.image_size // vision.patch_size) ** 2 + 1
    tower = _weights(model, "vision_tower")
    learned = 6 if tower[1] else 2
    body, head = _weights(model, "language_model"), text.vocab_size * text.hidden_size
    trained = any(weight.requires_grad for weight in model.get_output_embeddings().parameters())
    return (
        (4 * body[0] + 2 * body[1]) * work.tokens
        + 12 * _attended(text) * work.seen
        + (6 if trained else 4) * head * work.targets
        + learned * (tower[0] * patches + 2 * _attended(vision) * patches**2) * work.images
    )


def conventional(model: Any, work: Work) -> float:
    """FLOPs by the plain rule: 6 N of the language model a token, and 12 a pair of query and key."""
    text = model.config.text_config
    size = _weights(model, "language_model")[0] + text.vocab_size * text.hidden_size
    return 6 * size * work.tokens + 12 * _attended(text) * work.seen


def _attended(config: Any) -> int:
    """Layers x heads x width of a head."""
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(config.num_hidden_layers * config.num_attention_heads * width)


def _weights(model: Any, part: str) -> tuple[int, int]:
    """Weights of a part's matrices without embeddings and head: all, and those trained."""
    matrices = [
        weight
        for name, weight in model.named_parameters()
        if f"{part}." in name and weight.ndim >= 2 and "embed" not in name and "lm_head" not in name
    ]
    return sum(weight.numel() for weight in matrices), sum(
        weight.numel() for weight in matrices if weight.requires_grad
    )
