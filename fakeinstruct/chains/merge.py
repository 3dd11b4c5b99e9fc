"""Several chain sets become one: a set that annotates only fakes gets real images beside it.

Images stay where they are: paths are rewritten below the folder that all image roots have in common. Groups are made
anew over all sets, by the rules of import, so that a picture that two sets share lies in one group and one split;
published splits stay.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects
from fakeinstruct.base.files import atomic_folder
from fakeinstruct.base.images import load_image, resolve_under
from fakeinstruct.base.progress import track
from fakeinstruct.chains.counts import Kind, counted
from fakeinstruct.chains.duplicates import Print, print_of
from fakeinstruct.chains.items import write_items
from fakeinstruct.chains.merge_parts import Part, parts_of
from fakeinstruct.chains.schema import Chain, Meta
from fakeinstruct.chains.settle import Member, Place, settled
from fakeinstruct.chains.store import ChainSet, write_chains

VALIDATION = 0.1
"""Share for validation of chains whose set gave them no split."""


@dataclass(frozen=True)
class MergeSummary:
    """What a merge wrote, or would have written.

    Attributes:
        chains: How many chains.
        counts: How many of each kind.
        remarks: What a person should know before using the set.
    """

    chains: int
    counts: Counter[Kind]
    remarks: tuple[str, ...]


def merge_chains(
    sets: Sequence[ChainSet],
    out: str | Path,
    *,
    rejects: Rejects | None = None,
    without_images: bool = False,
    seed: int = 0,
    dry_run: bool = False,
) -> MergeSummary:
    """Merge chain sets into one.

    The records are read twice, and only a few words of each are kept in memory in between. An id that several
    sets use gets the set's name before it. Images are decoded to find pictures that sets share.

    Args:
        sets: Two chain sets or more.
        out: The merged set's folder.
        rejects: Collects bad records, and those that would stand in two splits or under both labels.
        without_images: Open no image: of shared pictures only those of equal stated hashes are found.
        seed: Decides the splits of chains that have none.
        dry_run: Do everything but write.

    Raises:
        UsageError: If fewer than two sets are given, one twice, one that is for evaluation only, if the image
            roots have no folder in common, or `out` would replace a source.
        FakeInstructError: If a set cannot be read, too many records are bad, or the disk is full.
    """
    out = Path(out)
    rejects = Rejects() if rejects is None else rejects
    parts = parts_of(sets, out, without_images=without_images)
    members = _members(parts, rejects)
    seen = len(members) + len(rejects)
    prints = {} if without_images else _prints(parts, members, rejects)
    kept = [member for member in members if without_images or member.path in prints]
    places = settled(kept, prints, rejects, has_validation=True, validation=VALIDATION, seed=seed)
    rejects.check(seen)
    if not places:
        raise FakeInstructError(f"no chain is left; the first: {rejects.errors[0]}", file=out)
    counts: Counter[Kind] = Counter()
    with nullcontext() if dry_run else atomic_folder(out) as folder:
        chains = counted(_settled_chains(parts, places), counts)
        if folder is None:
            total = sum(1 for _ in chains)
        else:
            write_items(folder, (item for part in parts for item in part.items(places, rejects)))
            total = write_chains(folder, chains, _meta(parts, out, seed))
    return MergeSummary(total, counts, tuple(_remarks(parts, members, places, counts, without_images)))


def _members(parts: Sequence[Part], rejects: Rejects) -> list[Member]:
    """What is to be known of every chain, under its id and path in the merged set; fills the parts' clashes."""
    found: list[tuple[Part, Member]] = []
    users: dict[str, Part] = {}
    for part in parts:
        for chain in track(part.chains.read(rejects), f"reading {part.name}"):
            try:
                # A link may lead out of the set's own image root and still not out of the common one.
                part.chains.image_path(chain)
            except RecordError as error:
                rejects.add(error)
                continue
            if users.setdefault(chain.id, part) is not part:
                part.clashes.add(chain.id)
            found.append((part, Member.of(chain, str(part.chains.file))))
    return [
        replace(
            member,
            id=part.id(member.id),
            path=part.path(member.path),
            group=f"{part.name}/{member.group}",  # names of groups mean nothing in another set
            twin=member.twin and part.id(member.twin),
        )
        for part, member in found
    ]


def _prints(parts: Sequence[Part], members: Sequence[Member], rejects: Rejects) -> dict[str, Print]:
    """The print of each image that can be read; those that cannot reject their chains."""
    root = parts[0].root
    prints: dict[str, Print] = {}
    for member in track(members, "reading images"):
        if member.path in prints:
            continue
        try:
            prints[member.path] = print_of(load_image(resolve_under(root, member.path)))
        except RecordError as error:
            rejects.add(
                RecordError(
                    error.problem, file=member.file, record=member.id, field=error.field, hint=error.hint
                )
            )
    return prints


def _settled_chains(parts: Sequence[Part], places: dict[str, Place]) -> Iterator[Chain]:
    """The kept chains, in the order of the sets, as they stand in the merged set."""
    seen: set[str] = set()
    for part in parts:
        # Bad records were listed at the first reading.
        for chain in track(part.chains.read(Rejects(1.0)), f"merging {part.name}"):
            id = part.id(chain.id)
            place = places.get(id)
            if place is None or id in seen:
                continue
            seen.add(id)
            image = chain.image.model_copy(update={"path": part.path(chain.image.path)})
            update = {
                "id": id,
                "image": image,
                "twin": place.twin,
                "group": place.group,
                "split": place.split,
            }
            yield chain.model_copy(update=update)


def _meta(parts: Sequence[Part], out: Path, seed: int) -> Meta:
    name = out.resolve().name.encode(errors="replace").decode()  # a folder's name need not be UTF-8
    licences: dict[str, str] = {}
    for part in parts:
        for source, terms in part.chains.meta.licences.items():
            same = licences.setdefault(source, terms) == terms
            if not same:
                licences[f"{part.name}: {source}"] = terms
    notes = [f"{part.name}: {part.chains.meta.notes}" for part in parts if part.chains.meta.notes]
    return Meta(
        name=name,
        image_root=Path(os.path.relpath(parts[0].root, out.resolve())).as_posix(),
        licences=licences,
        synthetic=all(part.chains.meta.synthetic for part in parts),
        notes=" ".join([f"Merged from {', '.join(part.name for part in parts)} with seed {seed}.", *notes]),
    )


def _remarks(
    parts: Sequence[Part],
    members: Sequence[Member],
    places: dict[str, Place],
    counts: Counter[Kind],
    without_images: bool,
) -> Iterator[str]:
    if clashes := len(parts[0].clashes):
        yield f"ids that several sets use, now with the set's name before them: {clashes:,}"
    sources: dict[str, set[str]] = {}
    for member in members:
        if place := places.get(member.id):
            sources.setdefault(place.group, set()).add(member.file)
    if shared := sum(len(files) > 1 for files in sources.values()):
        yield f"groups that hold images of several sets: {shared:,}"
    if without_images:
        yield "pictures that sets share in another encoding or size were not looked for"
    labels = {kind.label for kind in counts}
    if len(labels) == 1:
        yield f"every image is {labels.pop()}"
