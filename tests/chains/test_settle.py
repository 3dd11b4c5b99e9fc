import io
import json
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from fakeinstruct.base.errors import Rejects
from fakeinstruct.chains.duplicates import Print
from fakeinstruct.chains.importers import import_chains
from fakeinstruct.chains.schema import Chain, ImageRef, Origin
from fakeinstruct.chains.settle import Member, settle, settled
from fakeinstruct.chains.store import open_chains


def chain(id, *, label="real", split=None, group=None, twin=None, bytes=None, path=None):
    sha256 = None if bytes is None else f"{bytes:0>64}"
    return Chain(
        id=id,
        image=ImageRef(path=path or f"{id}.png", sha256=sha256),
        label=label,
        dataset="d",
        group=group or id,
        split=split,
        twin=twin,
        origin=Origin(by="dataset"),
    )


def picture(number):
    """A print that is far from that of every other number."""
    rng = np.random.default_rng(number)
    return Print(
        str(number), int(rng.integers(0, 2**63)), rng.integers(0, 256, 256, dtype=np.uint8).tobytes()
    )


def run(*chains, prints=None, validation=0.0, seed=0):
    rejects = Rejects()
    kept = settle(chains, prints or {}, rejects, file="src", validation=validation, seed=seed)
    return {one.id: one for one in kept}, {error.record: error for error in rejects.errors}


def groups(kept):
    found = defaultdict(set)
    for one in kept.values():
        found[one.group].add(one.id)
    return {frozenset(ids) for ids in found.values()}


def test_chains_without_ties_keep_to_themselves_in_their_order():
    kept, rejected = run(chain("b"), chain("a"), chain("c"))
    assert list(kept) == ["b", "a", "c"]
    assert groups(kept) == {frozenset("a"), frozenset("b"), frozenset("c")}
    assert not rejected


@pytest.mark.parametrize(
    "pair",
    [
        (chain("a", group="street"), chain("b", group="street")),
        (chain("a", twin="b"), chain("b")),
        (chain("a", bytes="7"), chain("b", bytes="7")),
        (chain("a", path="x.png"), chain("b", path="x.png")),
    ],
    ids=["group", "twin", "bytes", "image"],
)
def test_each_tie_makes_one_group(pair):
    kept, _ = run(*pair, chain("c"))
    assert groups(kept) == {frozenset("ab"), frozenset("c")}


def test_a_chain_of_ties_of_every_kind_is_one_group():
    one, near = picture(1), picture(2)
    prints = {
        "c.png": one,
        "d.png": Print("other pixels", one.dhash ^ 0b1001, one.thumbnail),
        "f.png": near,
    }
    kept, _ = run(
        chain("a", twin="b", label="fake"),
        chain("b", bytes="1"),
        chain("c", bytes="1"),
        chain("d", group="lake"),
        chain("e", group="lake"),
        chain("f"),
        prints=prints,
    )
    assert groups(kept) == {frozenset("abcde"), frozenset("f")}


def drawn(seed):
    rng = np.random.default_rng(seed)
    ground = rng.integers(40, 200, (4, 4, 3), dtype=np.uint8)
    image = Image.fromarray(ground).resize((64, 64), Image.Resampling.BICUBIC)
    for _ in range(5):
        x, y, w = (int(value) for value in rng.integers(4, 50, 3))
        ImageDraw.Draw(image).rectangle(
            (x, y, x + w, y + w), fill=tuple(int(v) for v in rng.integers(0, 256, 3))
        )
    return image


def degraded(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def test_a_chain_of_near_duplicates_is_one_group_though_its_ends_are_far_apart():
    one = picture(0)
    levels = np.frombuffer(one.thumbnail, np.uint8).astype(int)
    steps = [
        Print(str(n), one.dhash ^ (2 ** (6 * n) - 1), (levels * 0.9 + 3 * n).astype(np.uint8).tobytes())
        for n in range(5)
    ]
    prints = {f"{n}.png": step for n, step in enumerate(steps)}
    ends, _ = run(chain("0"), chain("4"), prints=prints)
    assert len(groups(ends)) == 2
    whole, _ = run(*(chain(str(n)) for n in range(5)), prints=prints)
    assert len(groups(whole)) == 1


def test_the_name_of_a_group_is_its_smallest_hash_or_id():
    kept, _ = run(chain("a", bytes="9", group="g"), chain("b", bytes="3", group="g"), chain("c"))
    assert kept["a"].group == kept["b"].group == "3".zfill(64)
    assert kept["c"].group == "c"


def test_bytes_under_both_labels_are_nobody_s():
    kept, rejected = run(
        chain("a", bytes="1"), chain("b", bytes="1", label="fake"), chain("c", bytes="1"), chain("d")
    )
    assert set(kept) == {"d"}
    assert {error.problem for error in rejected.values()} == {
        "the same bytes are labelled both real and fake"
    }
    assert rejected["a"].hint == rejected["c"].hint == "See also b.png."
    assert rejected["b"].hint == "See also a.png."


def test_pixels_under_both_labels_are_nobody_s_whatever_the_file():
    prints = {"a.png": picture(1), "b.bmp": picture(1)}
    kept, rejected = run(
        chain("a", bytes="1"), chain("b", bytes="2", label="fake", path="b.bmp"), prints=prints
    )
    assert not kept
    assert {error.problem for error in rejected.values()} == {
        "the same picture is labelled both real and fake"
    }


def test_nearly_the_same_picture_may_have_both_labels_since_edits_do():
    one = picture(1)
    prints = {"a.png": one, "b.png": Print("edited", one.dhash ^ 1, one.thumbnail)}
    kept, rejected = run(chain("a"), chain("b", label="fake"), prints=prints)
    assert groups(kept) == {frozenset("ab")}
    assert not rejected


def test_duplicates_across_splits_test_keeps_its_own_then_validation():
    kept, rejected = run(
        chain("a", bytes="1", split="train"),
        chain("b", bytes="1", split="test"),
        chain("c", bytes="1", split="validation"),
        chain("d", bytes="2", split="train"),
        chain("e", bytes="2", split="validation"),
    )
    assert {id: one.split for id, one in kept.items()} == {"b": "test", "e": "validation"}
    assert {id: error.hint for id, error in rejected.items()} == {
        "a": "Kept: b.png.",
        "c": "Kept: b.png.",
        "d": "Kept: e.png.",
    }
    assert rejected["a"].problem == "the same bytes are in the test split too, which goes first"


def test_ties_across_splits_name_the_picture_or_the_group():
    kept, rejected = run(
        chain("a", group="g", split="train"),
        chain("b", group="g", split="test"),
        chain("c", split="train", bytes="1"),
        chain("d", split="test", bytes="2"),
        prints={"c.png": picture(5), "d.png": picture(5)},
    )
    assert set(kept) == {"b", "d"}
    assert (
        rejected["a"].problem == "a picture that belongs with it is in the test split too, which goes first"
    )
    assert rejected["c"].problem == "the same picture is in the test split too, which goes first"


def test_what_has_no_published_split_joins_its_group():
    kept, _ = run(chain("a", group="g", split="train"), chain("b", group="g"), validation=0.5)
    assert kept["a"].split == kept["b"].split
    kept, rejected = run(*(chain(f"{n}", group="g", split=("train", None)[n % 2]) for n in range(20)))
    assert {one.split for one in kept.values()} == {"train"}
    assert not rejected


def test_an_id_twice_is_kept_once():
    kept, rejected = run(chain("a", path="x.png"), chain("a", path="y.png"))
    assert kept["a"].image.path == "x.png"
    assert rejected["a"].problem == "the id was used before"


def test_the_same_record_twice_is_kept_once():
    one = chain("a")
    rejects = Rejects()
    assert len(settle([one, one], {}, rejects, file="src", validation=0.0, seed=0)) == 1
    assert len(rejects) == 1


def test_a_twin_that_is_not_kept_is_no_twin():
    kept, rejected = run(
        chain("a", label="fake", twin="b"),
        chain("b", bytes="1"),
        chain("c", bytes="1", label="fake"),
        chain("d", label="fake", twin="nowhere"),
    )
    assert set(rejected) == {"b", "c"}
    assert kept["a"].twin is kept["d"].twin is None


def test_the_same_image_as_png_and_jpg_is_one_group_in_one_split(tmp_path):
    for number in range(30):
        folder = tmp_path / f"src/{('real', 'fake')[number % 2]}"
        folder.mkdir(parents=True, exist_ok=True)
        drawn(number).save(folder / f"{number}.png")
        drawn(number).save(folder / f"{number}.jpg", quality=70)
    rejects = Rejects()
    import_chains("imagefolder", tmp_path / "src", tmp_path / "out", rejects=rejects, validation=0.4)
    chains = list(open_chains(tmp_path / "out").read())
    assert len(chains) == 60
    assert not rejects
    splits = defaultdict(set)
    for one in chains:
        splits[one.id.rpartition(".")[0]].add((one.group, one.split))
    assert {len(found) for found in splits.values()} == {1}
    assert len({one.group for one in chains}) == 30


def test_a_copy_saved_again_in_train_of_a_test_image_is_rejected(tmp_path):
    for split in ("train", "test"):
        (tmp_path / f"src/{split}/real").mkdir(parents=True)
    drawn(1).save(tmp_path / "src/test/real/a.png")
    degraded(drawn(1), 60).resize((128, 128)).save(tmp_path / "src/train/real/b.jpg")
    drawn(2).save(tmp_path / "src/train/real/c.png")
    rejects = Rejects()
    import_chains("imagefolder", tmp_path / "src", tmp_path / "out", rejects=rejects)
    assert {one.id for one in open_chains(tmp_path / "out").read()} == {"test/real/a.png", "train/real/c.png"}
    assert rejects.errors[0].record == "train/real/b.jpg"


members = st.lists(
    st.builds(
        lambda number, label, split, group, twin, bytes, pixels: (
            chain(
                str(number),
                label=label,
                split=split,
                group=f"g{group}",
                twin=None if twin == number or twin is None else str(twin),
                bytes=str(bytes),
            ),
            pixels,
        ),
        st.integers(0, 11),
        st.sampled_from(["real", "fake"]),
        st.sampled_from([None, "train", "validation", "test"]),
        st.integers(0, 9),
        st.none() | st.integers(0, 11),
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    max_size=12,
    unique_by=lambda drawn: drawn[0].id,
)


@settings(max_examples=150, deadline=None)
@given(members, st.integers(0, 3), st.floats(0, 0.5), st.randoms())
def test_no_tie_straddles_splits_or_groups(drawn_members, seed, validation, random):
    chains = [one for one, _ in drawn_members]
    prints = {one.image.path: picture(pixels) for one, pixels in drawn_members}
    rejects = Rejects(1.0)
    options = {"file": "src", "validation": validation, "seed": seed}
    kept = settle(chains, prints, rejects, **options)
    assert len(kept) + len(rejects) == len(chains)
    by_id = {one.id: one for one in kept}
    before = {one.id: one for one in chains}
    for one in kept:
        assert one.split is not None
        for other in kept:
            tied = (
                before[one.id].group == before[other.id].group
                or before[one.id].twin == other.id
                or one.image.sha256 == other.image.sha256
                or prints[one.image.path].pixels_sha256 == prints[other.image.path].pixels_sha256
            )
            if tied:
                assert one.group == other.group
            if one.group == other.group:
                assert one.split == other.split
            same = one.image.sha256 == other.image.sha256
            assert not (same and one.label is not other.label)
        assert one.twin is None or one.twin in by_id
        published = before[one.id].split
        assert published in (None, one.split) or (published, one.split) == ("train", "validation")
    # the order in which the ties are told does not matter
    random.shuffle(chains)
    again = settle(chains, prints, Rejects(1.0), **options)
    assert {one.id: one for one in again} == by_id


def test_splits_of_settled_groups_are_drawn_by_the_share():
    kept, _ = run(*(chain(str(n)) for n in range(4000)), validation=0.2)
    found = Counter(one.split for one in kept.values())
    assert found["validation"] / 4000 == pytest.approx(0.2, abs=0.03)
    assert found["test"] / 4000 == pytest.approx(0.1, abs=0.02)


def test_many_chains_settle_in_seconds():
    chains = [
        Member(str(n), f"{n}.png", "real", f"g{n // 3}", None, None, f"{n // 2:064}", "src")
        for n in range(50_000)
    ]
    assert len(settled(chains, {}, Rejects(), has_validation=True, validation=0.1, seed=0)) == 50_000


def test_a_set_settles_to_json_that_is_the_same_every_time(tmp_path):
    kept, _ = run(chain("a", bytes="9", group="g"), chain("b", bytes="3", group="g"))
    again, _ = run(chain("b", bytes="3", group="g"), chain("a", bytes="9", group="g"))
    assert {id: json.loads(one.model_dump_json()) for id, one in kept.items()} == {
        id: json.loads(one.model_dump_json()) for id, one in again.items()
    }
