"""The folder of a training run: what lies where, and which checkpoint is complete."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

COMPLETE = "complete.json"
"""Written into a checkpoint last; a checkpoint without it was cut off and is passed over."""


@dataclass(frozen=True)
class RunFolder:
    """A training run on disk.

    run/
      recipe.json     the resolved recipe
      run.json        base, image root, counts, fingerprint; written when preparation is complete
      rows.parquet    the tokenised pairs
      base/           the untrained small expert (base: small)
      card/           expert.json before training
      checkpoints/    the training state
      rejects.jsonl   pairs that could not be learned
      train.log       what the processes said
      expert/         the result
    """

    folder: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.folder / "recipe.json"

    @property
    def manifest(self) -> Path:
        """What was prepared; its presence vouches for the rest."""
        return self.folder / "run.json"

    @property
    def rows(self) -> Path:
        """The tokenised pairs."""
        return self.folder / "rows.parquet"

    @property
    def base(self) -> Path:
        """The untrained small expert."""
        return self.folder / "base"

    @property
    def prepared(self) -> Path:
        """The card before training."""
        return self.folder / "card"

    @property
    def checkpoints(self) -> Path:
        """The training state."""
        return self.folder / "checkpoints"

    @property
    def cache(self) -> Path:
        """Arrow files of the rows."""
        return self.folder / ".cache"

    @property
    def log(self) -> Path:
        """What the processes said on standard error."""
        return self.folder / "train.log"

    @property
    def expert(self) -> Path:
        """The result."""
        return self.folder / "expert"

    def last_checkpoint(self) -> Path | None:
        """The latest checkpoint that every process finished writing, if any."""
        complete = [path.parent for path in self.checkpoints.glob(f"checkpoint-*/{COMPLETE}")]
        return max(complete, key=lambda path: int(path.name.split("-")[1]), default=None)
