"""The folder of a training run: what lies where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """A training run on disk.

    run/
      recipe.json     the resolved recipe
      stages.json     the whole of it, if it has several stages; this folder is the last one's
      run.json        base, image root, counts, fingerprint; written when preparation is complete
      rows.arrow      the tokenised pairs
      validation.arrow  verdicts by which a checkpoint is chosen, if there are any
      base/           the untrained small expert (base: small)
      card/           expert.json before training
      checkpoints/    the training state
      rejects.jsonl   pairs that could not be learned
      train.log       what the processes said
      board/          the same figures for TensorBoard
      history.json    loss and speed, every tenth step and at each checkpoint
      expert/         the result
    """

    folder: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.folder / "recipe.json"

    @property
    def stages(self) -> Path:
        """The whole recipe, where it has several stages; the folders of all but the last lie beside it."""
        return self.folder / "stages.json"

    @property
    def manifest(self) -> Path:
        """What was prepared; its presence vouches for the rest."""
        return self.folder / "run.json"

    @property
    def rows(self) -> Path:
        """The tokenised pairs."""
        return self.folder / "rows.arrow"

    @property
    def validation(self) -> Path:
        """Verdicts of the validation split."""
        return self.folder / "validation.arrow"

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
    def board(self) -> Path:
        """TensorBoard's folder."""
        return self.folder / "board"

    @property
    def history(self) -> Path:
        """What was logged."""
        return self.folder / "history.json"

    @property
    def log(self) -> Path:
        """What the processes said on standard error."""
        return self.folder / "train.log"

    @property
    def expert(self) -> Path:
        """The result."""
        return self.folder / "expert"
