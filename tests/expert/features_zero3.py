"""A process of the ZeRO-3 test of kept features; prints each step's loss without them, with them, and the counts.

Rank 1 sees new images in the third step and rank 0 does not: both must go through the tower, or neither.
"""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext

import torch
from test_exactness import Sample
from test_features import frozen
from tiny import EXACT
from torch.nn.functional import cross_entropy

from fakeinstruct.expert.engine import prepare_deepspeed, process_group
from fakeinstruct.expert.families import family_of
from fakeinstruct.expert.features import image_key, keep_features


class Rank:
    """A model under DeepSpeed, its features kept or not."""

    def __init__(self, family: str, gib: float) -> None:
        import deepspeed

        tiny = EXACT[family]()
        model, self.sample = frozen(tiny), Sample(tiny)
        self.packed = self.sample.pack(model)
        self.joined = family_of(model.config).join(self.sample.shown())
        config = {
            "train_micro_batch_size_per_gpu": 1,
            "zero_optimization": {"stage": 3, "stage3_param_persistence_threshold": 0},
            "zero_allow_untested_optimizer": True,
        }
        optimizer = torch.optim.AdamW(
            [weight for weight in model.parameters() if weight.requires_grad], lr=1e-2
        )
        self.engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=config)
        self.features, _ = keep_features(model, gib)

    def step(self, first: int) -> float:
        """Train on the sample, its images numbered from `first`."""
        images = enumerate(self.sample.shown(), start=first)
        keys = [image_key(f"{number}.png", None, False, image) for number, image in images]
        with self.features.of(keys) if self.features else nullcontext():
            output = self.engine(
                input_ids=self.packed.input_ids,
                position_ids=self.packed.position_ids,
                logits_to_keep=self.packed.targets.places,
                tree=self.packed.layout,
                use_cache=False,
                **self.joined,
            )
        loss = cross_entropy(output.logits[0], self.packed.targets.ids)
        self.engine.backward(loss)
        self.engine.step()
        return loss.item()


def main(family: str) -> None:
    prepare_deepspeed()
    import deepspeed

    deepspeed.init_distributed("gloo")
    rank = torch.distributed.get_rank()
    found = []
    for gib in (0.0, 1.0):
        process = Rank(family, gib)
        found.append([process.step(100 * (rank == 1 and step == 2)) for step in range(4)])
    print(json.dumps({"rank": rank, "losses": found, "counts": process.features.counted()}), flush=True)


if __name__ == "__main__":
    with process_group():
        main(sys.argv[1])
