"""An expert in memory: its model, processor and card, read from a folder in Hugging Face's format."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fakeinstruct.base.errors import UsageError
from fakeinstruct.base.files import fingerprint, sha256_file
from fakeinstruct.expert.card import CARD, ExpertCard, load_card

if TYPE_CHECKING:
    from torch import Tensor

    from fakeinstruct.expert.blocks import Reader
    from fakeinstruct.expert.collate import Collator
    from fakeinstruct.forensics.asker import Asker
    from fakeinstruct.forensics.views import Viewer


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

    def collators(self, images: Path | Reader) -> tuple[Collator, Collator]:
        """What makes batches of one conversation a row, and what packs questions about one image behind it.

        Where a model cannot be packed exactly, the second is the first. Both read an image once.
        """
        from fakeinstruct.expert.collate import Collator, PackCollator
        from fakeinstruct.expert.families import join_of, why_not_packed
        from fakeinstruct.expert.packing import model_positions

        join = join_of(self.model.config)
        plain = Collator(self.processor, images, join=join)
        if why_not_packed(self.model.config):
            return plain, plain
        positions = model_positions(self.model, int(self.processor.image_token_id))
        packed = PackCollator(self.processor, images, positions=positions, join=join)
        packed.placer = plain.placer
        return plain, packed

    def read(
        self, batch: dict[str, Any], reads: Sequence[Sequence[Sequence[int]]]
    ) -> list[list[tuple[list[float], float]]]:
        """Logits of some tokens at the last places of each row, and the log of the sum of exp over all tokens.

        The rows of the output head that are read are computed in float32 whatever the model's precision: in
        bfloat16 the grid of logits is 0.125 wide, which ties many images.

        Args:
            batch: Rows that a collator batched or packed.
            reads: Of each row, for each of its last places, the ids of the tokens that are read there.

        Returns:
            Of each row, for each of its last places, the tokens' logits and the log-normaliser, float32.
        """
        import torch

        from fakeinstruct.expert.collate import pad

        counts = [len(places) for places in reads]
        flat = [ids for places in reads for ids in places]
        with torch.inference_mode():
            end = self._hidden(batch, counts)  # (places, width)
            head = self.model.get_output_embeddings()
            normalisers = torch.logsumexp(head(end).float(), dim=-1).tolist()
            rows = head.weight[pad(flat, 0).to(head.weight.device)].float()  # (places, tokens, width)
            logits = torch.einsum("pwd,pd->pw", rows, end.float()).tolist()
        read = iter(
            (found[: len(ids)], normaliser)
            for found, ids, normaliser in zip(logits, flat, normalisers, strict=True)
        )
        return [list(islice(read, count)) for count in counts]

    def _hidden(self, batch: dict[str, Any], counts: Sequence[int]) -> Tensor:
        """Last hidden states at the last `counts[i]` places of row i, shape (sum of counts, width)."""
        import torch

        from fakeinstruct.expert.attention import tree_attention_in

        layout = batch.get("tree")
        device = self.model.device
        inputs = {
            name: value.to(device) if isinstance(value, torch.Tensor) else value
            for name, value in batch.items()
            if name not in ("targets", "image_keys", "logits_to_keep")
        }
        with tree_attention_in(self.model) if layout else nullcontext():
            hidden = self.model.base_model(
                **inputs, use_cache=False
            ).last_hidden_state  # (rows, length, width)
        if layout:
            ends = [(0, end) for end in layout.ends()]
        else:
            ends = list(enumerate((inputs["attention_mask"].sum(1) - 1).tolist()))
        places = [
            (row, end - back)
            for (row, end), count in zip(ends, counts, strict=True)
            for back in reversed(range(count))
        ]
        found: Tensor = hidden[tuple(torch.tensor(places, device=hidden.device).T)]
        return found

    def sha256(self) -> tuple[str, str | None]:
        """Hashes of the model and of its processor."""
        return expert_sha256(self.folder), processor_sha256(self.folder)

    def asker(self, viewer: Viewer, *, batch: int | None = None, explain: bool = False) -> Asker:
        """What asks this expert about the views that a viewer gives."""
        from fakeinstruct.forensics.asker import Asker

        return Asker(self, viewer, batch=batch, explain=explain)


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
