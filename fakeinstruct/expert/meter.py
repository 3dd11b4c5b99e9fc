"""What a run reports between two log lines: loss per task, throughput, padding, memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence

import torch
from torch import Tensor

from fakeinstruct.expert.loss import Targets
from fakeinstruct.expert.tree import Layout


class Meter:
    """Sums over the batches of this process, joined over all processes when they are reported.

    Args:
        tasks: The tasks by number.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        self.tasks = tuple(tasks)
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.losses = torch.zeros(len(self.tasks), 2, dtype=torch.float64)
        self.counts = dict.fromkeys(("pairs", "images", "tokens", "places", "filled", "shown", "known"), 0)
        self.began = time.perf_counter()

    def add(self, targets: Targets, losses: Tensor, tokens: int, layout: Layout | None) -> None:
        """Count a batch.

        Args:
            targets: What it was to predict.
            losses: The loss of each target, shape (targets,).
            tokens: Its tokens, padding included.
            layout: Of a packed row.
        """
        counted = targets.weights > 0
        tasks = targets.tasks[counted].cpu()
        self.losses[:, 0].index_add_(0, tasks, losses.detach()[counted].double().cpu())
        self.losses[:, 1] += tasks.bincount(minlength=len(self.tasks))
        self.counts["tokens"] += tokens
        self.counts["pairs"] += int((targets.first & counted).sum())
        if layout is not None and counted.any():
            self.counts["images"] += len(layout.trees)
            self.counts["places"] += sum(chunk.valid.numel() for chunk in layout.chunks)
            self.counts["filled"] += sum(sum(tree.branches) for tree in layout.trees)

    def add_features(self, shown: int, known: int) -> None:
        """Count images, and those of them that the vision tower need not see."""
        self.counts["shown"] += shown
        self.counts["known"] += known

    def report(self, device: torch.device) -> dict[str, float]:
        """What was counted since the last report, over all processes; every process must call.

        Returns:
            `loss/TASK` in nats a token; `pairs_per_second`, `images_per_second`, `tokens_per_second`;
            `padding`, the share of a branch's places in attention that hold no token; `features_known`, the share
            of images whose features were kept; `gib`, the most memory a process has held: the GPU's, or without
            one its own.
        """
        seconds = time.perf_counter() - self.began
        sums = torch.cat([self.losses.flatten(), torch.tensor([*self.counts.values()], dtype=torch.float64)])
        sums, peak = sums.to(device), torch.tensor([memory()], dtype=torch.float64, device=device)
        if torch.distributed.is_initialized():
            torch.distributed.all_reduce(sums)
            torch.distributed.all_reduce(peak, op=torch.distributed.ReduceOp.MAX)
        losses = sums[: self.losses.numel()].view_as(self.losses)
        counts = dict(zip(self.counts, sums[self.losses.numel() :].tolist(), strict=True))
        report = {
            f"loss/{task}": float(total / count)
            for task, (total, count) in zip(self.tasks, losses, strict=True)
            if count
        }
        for name in ("pairs", "images", "tokens"):
            report[f"{name}_per_second"] = counts[name] / seconds
        if counts["places"]:
            report["padding"] = 1 - counts["filled"] / counts["places"]
        if counts["shown"]:
            report["features_known"] = counts["known"] / counts["shown"]
        self.reset()
        return report | {"gib": float(peak)}


def memory() -> float:
    """The most memory this process has held, in GiB: on its GPU, or without one in RAM."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
