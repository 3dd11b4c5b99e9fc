"""The last word on groups and splits: pictures that belong together lie in one group, and no group in two splits.

Chains belong together if their importer says so (the same source picture), if one is the other's twin, or if their
images are the same bytes, the same pixels, or nearly the same picture (see `duplicates`); and so do all that such
ties connect.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.chains.duplicates import Print, near_pairs
from fakeinstruct.chains.schema import Chain, Label, Split
from fakeinstruct.chains.splits import TEST_SHARE, draw_split

_PRECEDENCE = (Split.TEST, Split.VALIDATION, Split.TRAIN, None)


@dataclass(frozen=True)
class Member:
    """What settling needs to know of a chain.

    Attributes:
        id: The chain's id.
        path: Its image.
        label: What the image is.
        group: What the importer says belongs together.
        twin: The id of its twin, if it has one.
        split: The published split, if any.
        sha256: Hash of the image file, if it is at hand.
        file: The source it came from, for errors.
    """

    id: str
    path: str
    label: Label
    group: str
    twin: str | None
    split: Split | None
    sha256: str | None
    file: str

    @classmethod
    def of(cls, chain: Chain, file: str) -> Member:
        """The member that a chain is."""
        image = chain.image
        return cls(
            chain.id, image.path, chain.label, chain.group, chain.twin, chain.split, image.sha256, file
        )


@dataclass(frozen=True)
class Place:
    """Where a chain ends up.

    Attributes:
        group: The smallest hash of an image file in its group, or the smallest id where hashes are not at hand.
        split: The split of the whole group.
        twin: Its twin, if that was kept.
    """

    group: str
    split: Split
    twin: str | None


def settle(
    chains: Iterable[Chain],
    prints: Mapping[str, Print],
    rejects: Rejects,
    *,
    file: str,
    validation: float,
    seed: int,
    test: float = TEST_SHARE,
) -> list[Chain]:
    """The chains with their final groups and splits, in the order given.

    Args:
        chains: What an importer found; `split` is the published one.
        prints: The prints of images by path, as far as they are at hand.
        rejects: Collects chains that cannot stay.
        file: The source, for errors.
        validation: Share of groups for validation where no validation split is published.
        seed: Decides which groups these are.
        test: Share of groups for test where no split is published.
    """
    found = list(chains)
    members = [Member.of(chain, file) for chain in found]
    has_validation = any(chain.split is Split.VALIDATION for chain in found)
    places = settled(
        members, prints, rejects, has_validation=has_validation, validation=validation, seed=seed, test=test
    )
    kept = []
    for chain in found:
        place = places.pop(chain.id, None)  # of an id that comes twice, the first
        if place:
            update = {"group": place.group, "split": place.split, "twin": place.twin}
            kept.append(chain.model_copy(update=update))
    return kept


def settled(
    members: Sequence[Member],
    prints: Mapping[str, Print],
    rejects: Rejects,
    *,
    has_validation: bool,
    validation: float,
    seed: int,
    test: float = TEST_SHARE,
) -> dict[str, Place]:
    """Where each chain ends up, by id; those that cannot stay are rejected.

    An id that comes twice is rejected the second time. Images of the same bytes or pixels under both labels are
    all rejected, since nobody knows which is true. Of a group that straddles published splits the test split keeps
    its own, then validation; the others are rejected. Chains without a published split join their group's.

    Args:
        members: The chains.
        prints: The prints of images by path.
        rejects: Collects chains that cannot stay.
        has_validation: Whether published train groups are left alone, since there is a validation split.
        validation: Share of groups for validation: of those without a published split, or else of train groups.
        seed: Decides which groups these are.
        test: Share of groups for test, of those without a published split.
    """
    judge = _Judge(rejects)
    members = judge.once(members)
    groups = _groups(members, prints)
    members = judge.one_label(members, prints)
    together: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        together[groups[member.id]].append(member)
    places: dict[str, Place] = {}
    for group in together.values():
        kept = judge.one_split(group, prints)
        published = next((member.split for member in kept if member.split), None)
        name = min(member.sha256 or member.id for member in kept)
        split = draw_split(
            published, name, has_validation=has_validation, validation=validation, seed=seed, test=test
        )
        places |= {member.id: Place(name, split, member.twin) for member in kept}
    gone = {id: place for id, place in places.items() if place.twin is not None and place.twin not in places}
    return places | {id: Place(place.group, place.split, None) for id, place in gone.items()}


def _groups(members: Sequence[Member], prints: Mapping[str, Print]) -> dict[str, str]:
    """The id of one member of its group for each member's id."""
    ties = _Ties()
    for member in members:
        chain = ("id", member.id)
        ties.tie(chain, ("group", member.group))
        ties.tie(chain, ("image", member.path))
        if member.sha256:
            ties.tie(chain, ("bytes", member.sha256))
        if member.twin:
            ties.tie(chain, ("id", member.twin))
    paths = [path for path in dict.fromkeys(member.path for member in members) if path in prints]
    for one, other in near_pairs([prints[path] for path in paths]):
        ties.tie(("image", paths[one]), ("image", paths[other]))
    first: dict[tuple[str, str], str] = {}
    return {member.id: first.setdefault(ties.root(("id", member.id)), member.id) for member in members}


class _Ties:
    """Union-find: which things are connected, whatever the order in which the ties were told."""

    def __init__(self) -> None:
        self._parents: dict[tuple[str, str], tuple[str, str]] = {}

    def root(self, thing: tuple[str, str]) -> tuple[str, str]:
        """The thing that stands for all that are connected with this one."""
        root = thing
        while (parent := self._parents.setdefault(root, root)) != root:
            root = parent
        while thing != root:
            self._parents[thing], thing = root, self._parents[thing]
        return root

    def tie(self, one: tuple[str, str], other: tuple[str, str]) -> None:
        """Connect two things, and so all that each is connected with."""
        self._parents[self.root(one)] = self.root(other)


@dataclass(frozen=True)
class _Judge:
    """Who must go, and why."""

    rejects: Rejects

    def once(self, members: Iterable[Member]) -> list[Member]:
        """Each id once, the first time it comes."""
        first: dict[str, Member] = {}
        for member in members:
            if first.setdefault(member.id, member) is not member:
                self._reject(member, "the id was used before", f"See also {first[member.id].path}.")
        return list(first.values())

    def one_label(self, members: Sequence[Member], prints: Mapping[str, Print]) -> list[Member]:
        """Those whose very image, by bytes or pixels, does not go under the other label too."""
        images: dict[tuple[str, str], dict[Label, Member]] = defaultdict(dict)
        for member in members:
            for image in _same(member, prints):
                images[image].setdefault(member.label, member)
        kept = []
        for member in members:
            other = next((images[key] for key in _same(member, prints) if len(images[key]) > 1), None)
            if other is None:
                kept.append(member)
                continue
            contrary = next(one for label, one in other.items() if label is not member.label)
            same_bytes = member.sha256 is not None and member.sha256 == contrary.sha256
            what = "bytes are" if same_bytes else "picture is"
            self._reject(member, f"the same {what} labelled both real and fake", f"See also {contrary.path}.")
        return kept

    def one_split(self, group: Sequence[Member], prints: Mapping[str, Print]) -> list[Member]:
        """Those of a group that lie in its foremost published split, or in none."""
        first = min((member.split for member in group), key=_PRECEDENCE.index)
        kept = [member for member in group if member.split in (first, None)]
        if len(kept) == len(group):
            return kept
        by_image = {key: member for member in reversed(kept) for key in _same(member, prints)}
        for member in group:
            if member.split in (first, None):
                continue
            copy = next((by_image[key] for key in _same(member, prints) if key in by_image), None)
            stays = (copy or kept[0]).path
            what = "the same bytes are" if copy and copy.sha256 == member.sha256 else "the same picture is"
            if copy is None:
                what = "a picture that belongs with it is"
            self._reject(member, f"{what} in the {first} split too, which goes first", f"Kept: {stays}.")
        return kept

    def _reject(self, member: Member, problem: str, hint: str) -> None:
        self.rejects.add(RecordError(problem, file=member.file, record=member.id, hint=hint))


def _same(member: Member, prints: Mapping[str, Print]) -> list[tuple[str, str]]:
    """What makes an image the very same as another: its path, its bytes, its pixels."""
    keys = [("path", member.path)]
    if member.sha256:
        keys.append(("bytes", member.sha256))
    if member.path in prints:
        keys.append(("pixels", prints[member.path].pixels_sha256))
    return keys
