import json
import shutil

import pytest
from PIL import Image
from published import picture, problems
from typer.testing import CliRunner

from fakeinstruct.base.errors import FakeInstructError, Rejects, UsageError
from fakeinstruct.base.files import sha256_file
from fakeinstruct.chains.items import Item, read_items, write_items
from fakeinstruct.chains.merge import merge_chains
from fakeinstruct.chains.schema import Chain, ImageRef, Meta, Origin
from fakeinstruct.chains.store import open_chains, write_chains
from fakeinstruct.chains.validate import validate_chains
from fakeinstruct.cli.main import app


def chain_set(folder, *rows, name=None, images=True, **meta):
    """A chain set of rows (id, label, split, seed of the picture, more), images in a folder of its own."""
    chains = []
    for id, label, split, seed, *more in rows:
        path = f"{id}.png"
        file = folder / "pictures" / path
        if images:
            picture(file, seed)
        chains.append(
            Chain(
                **{
                    "id": id,
                    "image": ImageRef(path=path, sha256=sha256_file(file) if images else None),
                    "label": label,
                    "dataset": folder.name,
                    "group": f"g{id}",
                    "split": split,
                    "origin": Origin(by="dataset"),
                    **(more[0] if more else {}),
                }
            )
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_chains(folder, chains, Meta(name=name or folder.name, image_root="pictures", **meta))
    return open_chains(folder)


def merged(out, *sets, **options):
    rejects = Rejects(1.0)
    summary = merge_chains(sets, out, rejects=rejects, **options)
    return {chain.id: chain for chain in open_chains(out).read()}, rejects, summary


def test_a_set_of_fakes_gets_reals_beside_it(tmp_path):
    fakes = chain_set(tmp_path / "scars", ("f1", "fake", "train", 1), ("f2", "fake", "test", 2))
    reals = chain_set(tmp_path / "coco", ("r1", "real", "train", 3), ("r2", "real", "validation", 4))
    chains, rejects, summary = merged(tmp_path / "mixed", fakes, reals)
    assert not rejects
    assert {id: (chain.label, chain.split, chain.dataset) for id, chain in chains.items()} == {
        "f1": ("fake", "train", "scars"),
        "f2": ("fake", "test", "scars"),
        "r1": ("real", "train", "coco"),
        "r2": ("real", "validation", "coco"),
    }
    assert chains["f1"].image.path == "scars/pictures/f1.png"
    assert summary.chains == 4
    assert summary.remarks == ()
    assert not validate_chains(open_chains(tmp_path / "mixed")).findings


def test_the_merged_set_and_its_images_can_move_together(tmp_path):
    sets = [chain_set(tmp_path / f"x/{name}", ("a", "real", "train", n)) for n, name in enumerate("ab")]
    merged(tmp_path / "x/sets/all", *sets)
    shutil.move(tmp_path / "x", tmp_path / "y")
    chains = open_chains(tmp_path / "y/sets/all")
    assert chains.meta.image_root == "../.."
    assert all(chains.image_path(chain).is_file() for chain in chains.read())


def test_sets_over_one_image_root_keep_their_paths(tmp_path):
    one = chain_set(tmp_path / "one", ("a", "fake", "train", 1))
    two = open_chains(
        shutil.copytree(tmp_path / "one", tmp_path / "two", ignore=shutil.ignore_patterns("pictures"))
    )
    (tmp_path / "two/meta.json").write_text(json.dumps({"name": "two", "image_root": "../one/pictures"}))
    chains, _, summary = merged(tmp_path / "out", one, open_chains(two.folder))
    assert {chain.image.path for chain in chains.values()} == {"a.png"}
    assert set(chains) == {"one/a", "two/a"}
    assert "groups that hold images of several sets: 1" in summary.remarks


def test_ids_that_clash_get_the_set_s_name_and_twins_follow(tmp_path):
    one = chain_set(tmp_path / "one", ("a", "fake", "train", 1, {"twin": "b"}), ("b", "real", "train", 2))
    two = chain_set(tmp_path / "two", ("b", "real", "train", 3), ("c", "fake", "train", 4, {"twin": "b"}))
    chains, _, summary = merged(tmp_path / "out", one, two)
    assert set(chains) == {"a", "one/b", "two/b", "c"}
    assert (chains["a"].twin, chains["c"].twin) == ("one/b", "two/b")
    assert "ids that several sets use, now with the set's name before them: 1" in summary.remarks


def test_groups_of_the_same_name_in_two_sets_are_not_one(tmp_path):
    one = chain_set(tmp_path / "one", ("a", "fake", "train", 1, {"group": "0001"}))
    two = chain_set(tmp_path / "two", ("b", "real", "test", 2, {"group": "0001"}))
    chains, rejects, _ = merged(tmp_path / "out", one, two)
    assert not rejects
    assert chains["a"].group != chains["b"].group


def test_groups_of_one_set_stay_together(tmp_path):
    one = chain_set(
        tmp_path / "one", ("a", "fake", "train", 1, {"group": "x"}), ("b", "fake", "train", 2, {"group": "x"})
    )
    two = chain_set(tmp_path / "two", ("c", "real", "train", 3))
    chains, _, _ = merged(tmp_path / "out", one, two)
    assert chains["a"].group == chains["b"].group != chains["c"].group


def test_a_picture_that_sets_share_stays_in_test_alone(tmp_path):
    one = chain_set(tmp_path / "one", ("a", "real", "train", 7), ("b", "real", "train", 8))
    two = chain_set(tmp_path / "two", ("c", "real", "test", 7), ("d", "fake", "test", 9))
    chains, rejects, _ = merged(tmp_path / "out", one, two)
    assert set(chains) == {"b", "c", "d"}
    assert problems(rejects) == {"a": "the same bytes are in the test split too, which goes first"}
    assert rejects.errors[0].file == str(tmp_path / "one/chains.jsonl")


def test_a_picture_saved_again_is_found_by_its_pixels_and_not_without_images(tmp_path):
    one = chain_set(tmp_path / "one", ("a", "real", "train", 7))
    two = chain_set(tmp_path / "two", ("b", "real", "test", 8), ("c", "fake", "test", 9))
    Image.open(tmp_path / "one/pictures/a.png").resize((120, 90)).save(
        tmp_path / "two/pictures/b.png", quality=60
    )
    chains, _, _ = merged(tmp_path / "out", one, two)
    assert set(chains) == {"b", "c"}
    chains, _, summary = merged(tmp_path / "out", one, two, without_images=True)
    assert set(chains) == {"a", "b", "c"}
    assert "pictures that sets share in another encoding or size were not looked for" in summary.remarks


def test_a_picture_called_real_in_one_set_and_fake_in_the_other_is_nobody_s(tmp_path):
    one = chain_set(tmp_path / "one", ("a", "real", "train", 7), ("x", "real", "train", 1))
    two = chain_set(tmp_path / "two", ("b", "fake", "train", 7))
    chains, rejects, _ = merged(tmp_path / "out", one, two)
    assert set(chains) == {"x"}
    assert set(problems(rejects).values()) == {"the same bytes are labelled both real and fake"}


def test_published_train_groups_stay_train_and_chains_without_a_split_get_one(tmp_path):
    one = chain_set(tmp_path / "one", *((f"a{n}", "real", "train", n) for n in range(60)), images=False)
    two = chain_set(tmp_path / "two", *((f"b{n}", "fake", None, n) for n in range(200)), images=False)
    chains, _, _ = merged(tmp_path / "out", one, two, without_images=True)
    assert {chain.split for id, chain in chains.items() if id.startswith("a")} == {"train"}
    assert {chain.split for id, chain in chains.items() if id.startswith("b")} == {
        "train",
        "validation",
        "test",
    }


def test_a_set_for_evaluation_only_is_refused(tmp_path):
    one = chain_set(tmp_path / "one", ("a", "fake", "train", 1))
    two = chain_set(tmp_path / "two", ("b", "real", "test", 2), evaluation_only="its terms say so")
    with pytest.raises(
        UsageError, match=r"two: may not be trained on, so it is not merged \(its terms say so\)"
    ):
        merged(tmp_path / "out", one, two)
    assert not (tmp_path / "out").exists()


def test_licences_and_notes_are_joined(tmp_path):
    one = chain_set(
        tmp_path / "one",
        ("a", "fake", "train", 1),
        licences={"x": "MIT", "y": "CC0"},
        notes="First.",
        synthetic=True,
    )
    two = chain_set(
        tmp_path / "two", ("b", "real", "test", 2), licences={"x": "CC BY", "y": "CC0"}, notes="Second."
    )
    merged(tmp_path / "out", one, two)
    meta = open_chains(tmp_path / "out").meta
    assert meta.licences == {"x": "MIT", "two: x": "CC BY", "y": "CC0"}
    assert meta.notes == "Merged from one, two with seed 0. one: First. two: Second."
    assert not meta.synthetic


def test_evaluation_items_come_along_under_new_names(tmp_path):
    one = chain_set(tmp_path / "one", ("a", "fake", "train", 1))
    two = chain_set(tmp_path / "two", ("a", "real", "test", 2), ("b", "real", "train", 3))
    for part in (one, two):
        write_items(part.folder, [Item(id="q", chain="a", kind="open", question="Why?")])
    merged(tmp_path / "out", one, two)
    assert [(item.id, item.chain) for item in read_items(tmp_path / "out")] == [
        ("one/q", "one/a"),
        ("two/q", "two/a"),
    ]


def test_bad_records_and_images_are_listed_and_the_rest_is_merged(tmp_path):
    one = chain_set(tmp_path / "one", ("a", "fake", "train", 1), ("b", "fake", "train", 2))
    two = chain_set(tmp_path / "two", ("c", "real", "train", 3))
    (tmp_path / "one/pictures/a.png").write_bytes(b"no image")
    with (tmp_path / "two/chains.jsonl").open("a") as file:
        file.write('{"id": "d"}\nno json\n')
    chains, rejects, _ = merged(tmp_path / "out", one, two)
    assert set(chains) == {"b", "c"}
    assert set(problems(rejects)) == {"a", "2", "3"}


def test_a_link_out_of_its_set_s_images_is_no_way_into_another_s(tmp_path):
    one = chain_set(tmp_path / "one", ("a", "fake", "train", 1), ("b", "fake", "train", 2))
    two = chain_set(tmp_path / "two", ("c", "real", "train", 3))
    (tmp_path / "one/pictures/a.png").unlink()
    (tmp_path / "one/pictures/a.png").symlink_to(tmp_path / "two/pictures/c.png")
    for without_images in (True, False):
        chains, rejects, _ = merged(tmp_path / "out", one, two, without_images=without_images)
        assert set(chains) == {"b", "c"}
        assert "symbolic link that leaves the image root" in problems(rejects)["a"]


@pytest.mark.parametrize(
    ("sets", "out", "message"),
    [
        (["one"], "out", "takes two chain sets or more"),
        (["one", "one"], "out", "one: is given twice"),
        (["one", "two"], "one", "lies in the folder to be written"),
        (["one", "two"], "two/pictures", "lies in the folder to be written"),
        (["one", "two"], ".", "lies in the folder to be written"),
        (["one", "lost"], "out", "the image root is not a folder.*--without-images"),
    ],
)
def test_wrong_usage_is_named(tmp_path, sets, out, message):
    for number, name in enumerate(("one", "two", "lost")):
        chain_set(tmp_path / name, ("a", "fake", "train", number))
    shutil.rmtree(tmp_path / "lost/pictures")
    with pytest.raises(UsageError, match=message):
        merged(tmp_path / out, *(open_chains(tmp_path / name) for name in sets))
    assert (tmp_path / "one/chains.jsonl").is_file()


def test_sets_of_one_name_are_called_by_their_folders(tmp_path):
    one = chain_set(tmp_path / "one", ("a", "fake", "train", 1), name="same")
    two = chain_set(tmp_path / "two", ("a", "real", "train", 2), name="same")
    assert set(merged(tmp_path / "out", one, two)[0]) == {"one/a", "two/a"}
    other = chain_set(tmp_path / "x/one", ("a", "real", "train", 3), name="same")
    with pytest.raises(UsageError, match="two sets have the same name"):
        merged(tmp_path / "out", one, other)


def test_images_without_a_folder_in_common_are_refused(tmp_path):
    one = chain_set(tmp_path / "one", ("a", "fake", "train", 1))
    with pytest.raises(UsageError, match="the images have no folder in common"):
        merged(
            tmp_path / "out",
            one,
            open_chains(chain_set(tmp_path / "two", ("b", "real", "train", 2)).folder, image_root="/"),
        )


def test_nothing_left_is_an_error_and_leaves_what_was_there(tmp_path):
    one = chain_set(tmp_path / "one", ("a", "fake", "train", 1))
    two = chain_set(tmp_path / "two", ("b", "real", "train", 1))
    chain_set(tmp_path / "out", ("old", "real", "train", 5))
    with pytest.raises(FakeInstructError, match=r"no chain is left; the first: .*both real and fake"):
        merged(tmp_path / "out", one, two)
    assert [chain.id for chain in open_chains(tmp_path / "out").read()] == ["old"]


def test_the_same_sets_give_the_same_bytes(tmp_path):
    one = chain_set(tmp_path / "one", *((f"a{n}", "real", None, n) for n in range(10)))
    two = chain_set(tmp_path / "two", *((f"b{n}", "fake", None, n + 50) for n in range(10)))
    for out in ("x", "y"):
        merged(tmp_path / out, one, two)
    assert (tmp_path / "x/chains.jsonl").read_bytes() == (tmp_path / "y/chains.jsonl").read_bytes()


def test_a_merged_set_can_be_merged_again(tmp_path):
    sets = [
        chain_set(tmp_path / name, ("a", "fake", "train", n))
        for n, name in enumerate(("one", "two", "three"))
    ]
    merged(tmp_path / "out", *sets[:2])
    chains, _, _ = merged(tmp_path / "again", open_chains(tmp_path / "out"), sets[2])
    assert set(chains) == {"one/a", "two/a", "a"}
    assert chains["one/a"].image.path == "one/pictures/a.png"


def test_on_the_command_line(tmp_path):
    chain_set(tmp_path / "one", ("a", "fake", "train", 1))
    chain_set(tmp_path / "two", ("b", "fake", "train", 2), ("c", "fake", "test", 1))
    command = ["merge", str(tmp_path / "one"), str(tmp_path / "two"), "--out", str(tmp_path / "out")]
    dry = CliRunner().invoke(app, [*command, "--dry-run"])
    assert "dry run: nothing was written" in dry.output
    assert not (tmp_path / "out").exists()
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 3
    assert "2 chains in" in result.output
    assert "every image is fake" in result.output
    assert json.loads((tmp_path / "out/rejects.jsonl").read_text())["record"] == "a"
