"""Similarity in meaning: cosine of two sentence vectors of an encoder that the user names, read from disk alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.base.files import read_json
from fakeinstruct.base.progress import track
from fakeinstruct.forensics.expert_files import expert_sha256, first_line

if TYPE_CHECKING:
    import torch

BATCH = 64
"""Texts that are encoded at once."""

LONGEST = 512
"""Most tokens of a text that are read, fewer where the encoder's positions end before."""

POOLING = Path("1_Pooling") / "config.json"
"""Where Sentence Transformers say how tokens become one vector; without it, by their mean."""


class Encoder:
    """A sentence encoder of a local folder, as Transformers' `AutoModel` loads it.

    Args:
        folder: Its folder: configuration, safetensors weights and tokenizer.

    Raises:
        UsageError: If there is none that can be loaded.
    """

    def __init__(self, folder: str | Path) -> None:
        from transformers import AutoModel, AutoTokenizer

        self.folder = Path(folder)
        if not (self.folder / "config.json").is_file():
            raise UsageError("is not a sentence encoder: it has no config.json", file=folder)
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(self.folder, **options)
            self.model = AutoModel.from_pretrained(self.folder, use_safetensors=True, **options).eval()
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(f"cannot be loaded as an encoder ({first_line(error)})", file=folder) from error
        self.first_token = _takes_first_token(self.folder / POOLING)
        places = getattr(self.model.config, "max_position_embeddings", None) or LONGEST
        self._known: dict[str, NDArray[np.float32]] = {}  # parts of a report are of the same texts
        self.longest = min(LONGEST, places, self.tokenizer.model_max_length)

    def json(self) -> dict[str, str]:
        """Which encoder, for the figures: the folder's name and a hash of weights and configuration."""
        return {"name": self.folder.name, "sha256": expert_sha256(self.folder)}

    def similarity(self, pairs: Sequence[tuple[str, Sequence[str]]]) -> NDArray[np.float64]:
        """Cosine of each text with the nearest of its references, -1 to 1, NaN where it has none.

        Args:
            pairs: Text and references, each.

        Returns:
            Shape (pairs,).
        """
        texts = sorted({each for text, references in pairs if references for each in (text, *references)})
        fresh = [text for text in texts if text not in self._known]
        self._known |= dict(zip(fresh, self.vectors(fresh), strict=True))
        known = self._known
        return np.array(
            [
                max(float(known[text] @ known[each]) for each in references) if references else np.nan
                for text, references in pairs
            ],
            dtype=np.float64,
        )

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One vector of length 1 a text, shape (texts, width); texts of like length are encoded together."""
        import torch

        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        found: NDArray[np.float32] = np.zeros((len(texts), self.model.config.hidden_size), dtype=np.float32)
        with torch.inference_mode():
            for start in track(range(0, len(order), BATCH), "comparing meanings, batches"):
                chosen = order[start : start + BATCH]
                found[chosen] = self._encode([texts[number] for number in chosen]).numpy()
        return found

    def _encode(self, texts: list[str]) -> torch.Tensor:
        import torch

        inputs = self.tokenizer(
            texts, padding=True, truncation=True, max_length=self.longest, return_tensors="pt"
        )
        states = self.model(**inputs).last_hidden_state.float()
        if self.first_token:
            pooled = states[:, 0]
        else:  # padding must not count
            mask = inputs["attention_mask"].unsqueeze(-1)
            pooled = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
        return torch.nn.functional.normalize(pooled, dim=-1)


def _takes_first_token(file: Path) -> bool:
    if not file.is_file():
        return False
    said = read_json(file)
    if not isinstance(said, dict):
        raise FakeInstructError("is not the configuration of a pooling", file=file)
    return bool(said.get("pooling_mode_cls_token"))
