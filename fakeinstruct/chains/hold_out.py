"""Holding content out of training: what the train and validation splits then lack, the test split keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from fakeinstruct.base.errors import UsageError, nearest
from fakeinstruct.chains.schema import Chain, Split


def hold_out(chains: Iterable[Chain], contents: Sequence[str], notes: Counter[str]) -> list[Chain]:
    """The chains without those of the train and validation split that show some content.

    The test split stays whole: what it shows that no chain of the train split does was held out, and can be measured
    apart. Validation loses them too, since a scale and a bias that are fitted on what was held out are none for it.

    Args:
        chains: Chains with their final splits.
        contents: Content to hold out, as it stands in the chains' `content`.
        notes: Counts the chains left out.

    Raises:
        UsageError: If no chain shows one of the contents, or none would be left to train on.
    """
    chains = list(chains)
    known = {content for chain in chains for content in chain.content}
    for content in contents:
        if content not in known:
            raise UsageError(
                f"no image shows '{content}'",
                field="hold_out",
                hint=nearest(content, known) if known else "The format does not say what images show.",
            )
    kept = [chain for chain in chains if chain.split is Split.TEST or set(contents).isdisjoint(chain.content)]
    if not any(chain.split is Split.TRAIN for chain in kept):
        raise UsageError("nothing is left to train on", field="hold_out", hint="Hold out fewer of them.")
    if contents:
        notes[f"held out of training and validation ({', '.join(contents)})"] = len(chains) - len(kept)
    return kept
