"""An expert in memory: its model, processor and card, read from a folder in Hugging Face's format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fakeinstruct.base.errors import UsageError
from fakeinstruct.base.files import fingerprint, sha256_file
from fakeinstruct.expert.card import CARD, ExpertCard, Readout, load_card

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Expert:
    """A vision-language model that can be asked about an image.

    Attributes:
        folder: Where it was read from.
        model: A Hugging Face image-text-to-text model in evaluation mode.
        processor: Its processor.
        card: Its `expert.json`.
    """

    folder: Path
    model: Any
    processor: Any
    card: ExpertCard

    def next_token(self, batch: dict[str, Tensor], token_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of some tokens at each row's end, and the log of the sum of exp over all tokens.

        The rows of the output head that are read are computed in float32 whatever the model's precision: in
        bfloat16 the grid of logits is 0.125 wide, which ties many images.

        Args:
            batch: `input_ids` and `attention_mask` of shape (batch, length), padded on the right, and images.
            token_ids: Ids to read, shape (batch, words).

        Returns:
            Logits of shape (batch, words) and log-normalisers of shape (batch,), float32.
        """
        import torch

        batch = {name: tensor.to(self.model.device) for name, tensor in batch.items()}
        with torch.inference_mode():
            hidden = self.model.base_model(**batch).last_hidden_state  # (B, L, D)
            last = batch["attention_mask"].sum(1) - 1
            end = hidden[torch.arange(len(last), device=hidden.device), last]  # (B, D)
            head = self.model.get_output_embeddings()
            normaliser = torch.logsumexp(head(end).float(), dim=-1)
            rows = head.weight[token_ids.to(head.weight.device)].float()  # (B, words, D)
            logits = torch.einsum("bwd,bd->bw", rows, end.float())
        return logits.cpu(), normaliser.cpu()

    def readout(self, name: str | None = None) -> Readout:
        """A readout by name, the first by default.

        Raises:
            UsageError: If there is none, or none of that name.
        """
        readouts = self.card.readouts
        if not readouts:
            raise UsageError("has no readout: it was not trained on verdict pairs", file=self.folder / CARD)
        for readout in readouts:
            if name is None or readout.name == name:
                return readout
        raise UsageError(
            f"has no readout '{name}'",
            file=self.folder / CARD,
            hint=f"Known: {', '.join({r.name for r in readouts})}.",
        )


def load_expert(folder: str | Path) -> Expert:
    """Read an expert.

    Args:
        folder: A folder in Hugging Face's format with an `expert.json`.

    Raises:
        UsageError: If the folder is not an expert, or has no weights.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError("no such expert folder", file=folder)
    for name in (CARD, "config.json"):
        if not (folder / name).is_file() and not (
            name == "config.json" and (folder / "adapter_config.json").is_file()
        ):
            raise UsageError(
                f"is not an expert: it has no {name}",
                file=folder,
                hint="'fakeinstruct train' writes experts to RUN/expert.",
            )
    if not list(folder.glob("*.safetensors")):
        raise UsageError("has no weights (*.safetensors)", file=folder, hint="Was the folder copied whole?")
    card = load_card(folder)
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor
    from transformers.utils import logging

    from fakeinstruct.expert import vision  # noqa: F401 - registers the small tower

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model = AutoModelForImageTextToText.from_pretrained(folder, dtype="auto")
        processor = AutoProcessor.from_pretrained(folder)
    except Exception as error:  # damaged folders make Transformers and safetensors raise nearly anything
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(f"cannot be loaded ({first})", file=folder) from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Expert(folder, model.to(device).eval(), processor, card)


def expert_sha256(folder: Path) -> str:
    """A hash of everything in an expert's folder that an answer depends on: weights and configuration."""
    files = [*folder.glob("*.safetensors"), folder / "config.json", folder / "adapter_config.json"]
    return fingerprint({file.name: sha256_file(file) for file in sorted(files) if file.is_file()})


def processor_sha256(folder: Path) -> str:
    """A hash of the processor's files: tokenizer, image processor, chat template."""
    names = ("processor_config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json")
    files = [folder / name for name in (*names, "chat_template.jinja")]
    return fingerprint({file.name: sha256_file(file) for file in files if file.is_file()})
