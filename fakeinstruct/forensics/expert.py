"""An expert in memory: its model, processor and card, read from a folder in Hugging Face's format."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fakeinstruct.base.errors import UsageError
from fakeinstruct.base.files import fingerprint, sha256_file
from fakeinstruct.expert.card import CARD, ExpertCard, Readout, load_card

if TYPE_CHECKING:
    from torch import Tensor

    from fakeinstruct.expert.collate import Collator


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

    def collators(self, image_root: Path) -> tuple[Collator, Collator]:
        """What makes batches of one conversation a row, and what packs questions about one image behind it.

        Where a model cannot be packed exactly, the second is the first. Both read an image once.
        """
        from fakeinstruct.expert.collate import Collator, PackCollator
        from fakeinstruct.expert.families import join_of, why_not_packed
        from fakeinstruct.expert.packing import model_positions

        join = join_of(self.model.config)
        plain = Collator(self.processor, image_root, join=join)
        if why_not_packed(self.model.config):
            return plain, plain
        positions = model_positions(self.model, int(self.processor.image_token_id))
        packed = PackCollator(self.processor, image_root, positions=positions, join=join)
        packed.placer = plain.placer
        return plain, packed

    def next_token(self, batch: dict[str, Any], token_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of some tokens at the end of each question, and the log of the sum of exp over all tokens.

        The rows of the output head that are read are computed in float32 whatever the model's precision: in
        bfloat16 the grid of logits is 0.125 wide, which ties many images.

        Args:
            batch: Questions that a collator batched or packed.
            token_ids: Ids to read, shape (questions, words).

        Returns:
            Logits of shape (questions, words) and log-normalisers of shape (questions,), float32.
        """
        import torch

        from fakeinstruct.expert.attention import tree_attention_in

        layout = batch.get("tree")
        device = self.model.device
        inputs = {
            name: value.to(device) if isinstance(value, torch.Tensor) else value
            for name, value in batch.items()
            if name not in ("targets", "image_keys", "logits_to_keep")
        }
        with torch.inference_mode(), tree_attention_in(self.model) if layout else nullcontext():
            hidden = self.model.base_model(**inputs, use_cache=False).last_hidden_state  # (B, L, D)
            if layout:
                end = hidden[0, layout.ends()]  # (questions, D)
            else:
                last = inputs["attention_mask"].sum(1) - 1
                end = hidden[torch.arange(len(last), device=device), last]
            head = self.model.get_output_embeddings()
            normaliser = torch.logsumexp(head(end).float(), dim=-1)
            rows = head.weight[token_ids.to(head.weight.device)].float()  # (questions, words, D)
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
    from transformers import AutoModelForImageTextToText
    from transformers.utils import logging

    from fakeinstruct.expert.processors import load_processor

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model = AutoModelForImageTextToText.from_pretrained(folder, dtype="auto")
        processor = load_processor(folder)
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
