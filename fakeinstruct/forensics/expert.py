"""An expert in memory: its model, processor and card, read from a folder in Hugging Face's format."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.base_model import with_adapter
from fakeinstruct.expert.card import CARD, ExpertCard, load_card
from fakeinstruct.forensics.expert_files import (
    base_folder,
    check_architecture,
    check_files,
    expert_folder,
    expert_sha256,
    first_line,
    processor_folder,
    processor_sha256,
)

if TYPE_CHECKING:
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

        They are those of the model's own forward pass, in float32, see `fakeinstruct.forensics.head`.

        Args:
            batch: Rows that a collator batched or packed.
            reads: Of each row, for each of its last places, the ids of the tokens that are read there.

        Returns:
            Of each row, for each of its last places, the tokens' logits and the log-normaliser, float32.
        """
        import torch

        from fakeinstruct.expert.attention import tree_attention_in
        from fakeinstruct.expert.collate import pad
        from fakeinstruct.forensics.head import reading

        counts = [len(places) for places in reads]
        flat = [ids for places in reads for ids in places]
        layout = batch.get("tree")
        with (
            torch.inference_mode(),
            tree_attention_in(self.model) if layout else nullcontext(),
            reading(self.model, last_places(batch, counts), flat),
        ):
            logits = self.model(**self.inputs(batch), use_cache=False).logits[0]  # (places, vocabulary)
            normalisers = torch.logsumexp(logits, dim=-1).tolist()
            found = logits.gather(1, pad(flat, 0).to(logits.device)).tolist()
        read = iter(
            (own[: len(ids)], normaliser)
            for own, ids, normaliser in zip(found, flat, normalisers, strict=True)
        )
        return [list(islice(read, count)) for count in counts]

    def inputs(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """What the model takes of a batch, on its device, pixels in its precision."""
        import torch

        device, dtype = self.model.device, self.model.dtype
        return {
            name: value.to(device, dtype if value.is_floating_point() else None)
            if isinstance(value, torch.Tensor)
            else value
            for name, value in batch.items()
            if name not in ("targets", "image_keys", "logits_to_keep")
        }

    @property
    def note(self) -> str | None:
        """What is not as exact in this model as elsewhere; None if nothing is."""
        from fakeinstruct.forensics.head import is_plain, output_head

        if is_plain(output_head(self.model)):
            return None
        return (
            "its output head is quantised or adapted: logits are read in the model's own precision, "
            f"{str(self.model.dtype).removeprefix('torch.')}"
        )

    def sha256(self) -> tuple[str, str | None]:
        """Hashes of the model and of its processor."""
        return expert_sha256(self.folder), processor_sha256(self.folder)

    def asker(self, viewer: Viewer, *, batch: int | None = None, explain: bool = False) -> Asker:
        """What asks this expert about the views that a viewer gives."""
        from fakeinstruct.forensics.asker import Asker

        return Asker(self, viewer, batch=batch, explain=explain)


def last_places(batch: Mapping[str, Any], counts: Sequence[int]) -> list[tuple[int, int]]:
    """Row and place of the last `counts[i]` tokens of each conversation i of a batch, packed or padded."""
    layout = batch.get("tree")
    if layout:
        ends = [(0, end) for end in layout.ends()]
    else:
        ends = list(enumerate((batch["attention_mask"].sum(1) - 1).tolist()))
    return [
        (row, end - back)
        for (row, end), count in zip(ends, counts, strict=True)
        for back in reversed(range(count))
    ]


def load_expert(name: str | Path) -> Expert:
    """Read an expert: ours, or any vision-language model in Hugging Face's format.

    Without an `expert.json` it has no readouts; a protocol must bring them. It is asked once about a drawn picture,
    through our batches and through Transformers' own processor, so that no model is read wrongly in silence.

    Args:
        name: The folder of a whole model or of an adapter, or a model's name on the hub.

    Raises:
        UsageError: If it is not there, cannot be loaded, takes no pictures, has no chat template, or is read
            otherwise than Transformers reads it.
    """
    if str(name).startswith(("http://", "https://")):
        raise UsageError(
            "a server can only be scored",
            file=name,
            hint="Use 'fakeinstruct score', or give an expert's folder.",
        )
    folder = expert_folder(name)
    check_files(folder)
    check_architecture(base_folder(folder))
    card = load_card(folder) if (folder / CARD).is_file() else ExpertCard(base=str(name))
    import torch
    from transformers.utils import logging

    from fakeinstruct.expert.processors import load_processor
    from fakeinstruct.forensics.trial import check_reading, check_template

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    processor = load_processor(processor_folder(folder))
    check_template(processor, folder)
    try:
        model = _load_model(folder)
    except UsageError:
        raise
    except Exception as error:  # damaged folders make Transformers and safetensors raise nearly anything
        raise UsageError(f"cannot be loaded ({first_line(error)})", file=folder) from error
    device = (
        f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu"
    )  # a launcher's
    expert = Expert(folder, model.to(device).eval(), processor, card)
    check_reading(expert)
    return expert


def _load_model(folder: Path) -> Any:
    """The model of a folder in the precision it was saved in, with its adapter if it is one.

    Raises:
        UsageError: If it lacks some of its weights, which Transformers would draw at random.
    """
    from transformers import AutoModelForImageTextToText

    from fakeinstruct.expert import vision  # noqa: F401 - registers the small tower

    whole = base_folder(folder)
    model, loading = AutoModelForImageTextToText.from_pretrained(
        whole, dtype="auto", trust_remote_code=False, output_loading_info=True
    )
    if missing := sorted(loading["missing_keys"]):
        raise UsageError(
            f"lacks {len(missing):,} of its weights, {missing[0]} for one",
            file=whole,
            hint="Was the folder copied whole? Is config.json that of these weights?",
        )
    if whole == folder:
        return model
    adapted = with_adapter(model, str(folder), str(whole))
    if adapted.active_peft_config.is_prompt_learning:
        raise UsageError(
            "is an adapter that puts tokens of its own before the prompt, which cannot be read here",
            file=folder,
            hint="Give one that changes weights, LoRA for example.",
        )
    return adapted.base_model.model
