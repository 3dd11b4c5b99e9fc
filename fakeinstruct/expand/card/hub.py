"""What the Hugging Face hub reads of a data set's README: its header, and safe Markdown."""

from __future__ import annotations

from typing import Any

from fakeinstruct.expand.pair import PairManifest

SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B")
"""The hub's size categories, a factor of ten apart."""


def hub_metadata(name: str, manifest: PairManifest) -> dict[str, Any]:
    """The header of a data set's README on the Hugging Face hub.

    A shard holds pairs of all splits, so the first configuration names the whole `pairs`; one more a split filters
    by the column `split`.
    """
    whole = {"config_name": "default", "data_files": [{"split": "pairs", "path": "pairs-*.parquet"}]}
    by_split = [
        {
            "config_name": split,
            "data_files": [{"split": split, "path": "pairs-*.parquet"}],
            "filters": [["split", "==", split]],
        }
        for split in manifest.per_split
        if split != "none"
    ]
    return {
        "pretty_name": name,
        "language": ["en"],
        "license": "other",
        "license_name": "licences-of-its-sources",
        "task_categories": ["image-text-to-text", "visual-question-answering", "image-classification"],
        "tags": ["ai-generated-image-detection", "image-forensics", "explanations", "instruction-tuning"],
        "size_categories": [SIZES[min(max(len(str(manifest.pairs)) - 3, 0), len(SIZES) - 1)]],
        "configs": [whole, *by_split],
    }


def cell(text: str) -> str:
    """Words that come from data, safe in a cell of a Markdown table."""
    flat = "".join(filter(str.isprintable, " ".join(text.split()))) or "not said"
    for mark, escaped in (
        ("\\", "\\\\"),
        ("|", "\\|"),
        ("<", "&lt;"),
        ("[", "\\["),
        ("`", "\\`"),
        ("*", "\\*"),
    ):
        flat = flat.replace(mark, escaped)
    return flat
