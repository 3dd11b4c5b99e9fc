"""Rows: what a recipe asks for, checked whole before training; nothing is cut, nothing dropped in silence."""

import json
import shutil
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset
from drawn import make_pairs

from fakeinstruct.base.errors import FakeInstructError, Rejects, UsageError
from fakeinstruct.base.files import sha256_bytes
from fakeinstruct.base.images import load_image
from fakeinstruct.expand.columns import SCHEMA
from fakeinstruct.expand.pair import open_pairs
from fakeinstruct.expert.chosen import choose
from fakeinstruct.expert.collate import Collator
from fakeinstruct.expert.estimate import texts_of
from fakeinstruct.expert.recipe import Data, load_recipe
from fakeinstruct.expert.resolution import constant
from fakeinstruct.expert.rows import RowWriter, index_of, messages_of
from fakeinstruct.expert.sft import encode_conversation


def write(processor, folder, tmp_path, **data):
    rejects = Rejects(1.0)
    pairs, data, file = open_pairs(folder), Data(**data), tmp_path / "rows.arrow"
    tally = RowWriter(processor, pairs, data, rejects).write(file, choose(pairs, data))
    return tally, rejects, Dataset.from_file(str(file)).to_list()


def test_only_the_split_is_learned(processor, pairs_folder, tmp_path):
    tally, rejects, rows = write(processor, pairs_folder, tmp_path)
    assert (tally.rows, tally.images, len(rejects)) == (48, 16, 0)
    assert {row["image"] for row in rows} == {f"images/{number:03d}.png" for number in range(16)}


def test_pairs_per_image_limits_each_task(pairs_folder):
    chosen = list(choose(open_pairs(pairs_folder), Data(pairs_per_image={"verdict": 1})))
    assert len(chosen) == 16
    assert {pair.task for pair in chosen} == {"verdict"}


def test_a_limit_takes_a_sample_over_templates(tmp_path):
    """Not the first template's pairs, although the pairs of an image stand in the order of the templates."""
    folder = make_pairs(tmp_path / "pairs", images=200)
    file = folder / "pairs-0.parquet"
    rows = pq.read_table(file).to_pylist()
    for number, row in enumerate(rows):
        row["id"] = sha256_bytes(str(number).encode())
        row["task"], row["template"] = "verdict", f"verdict/{'abc'[number % 3]}"
    pq.write_table(pa.Table.from_pylist(rows), file)
    chosen = list(choose(open_pairs(folder), Data(pairs_per_image={"verdict": 1})))
    counts = Counter(pair.template for pair in chosen)
    assert counts.total() == len({pair.chain for pair in chosen}) == 133
    assert min(counts[f"verdict/{name}"] for name in "abc") > 25


def test_tokens_are_counted_as_they_will_be_batched(processor, pairs_folder, tmp_path):
    tally, _, rows = write(processor, pairs_folder, tmp_path)
    assert tally.tokens == sum(len(row["input_ids"]) + 15 for row in rows)
    assert tally.supervised == sum(label != -100 for row in rows for label in row["labels"])


def test_a_long_conversation_is_left_out_whole_and_listed(processor, pairs_folder, tmp_path):
    _, _, rows = write(processor, pairs_folder, tmp_path)
    limit = max(len(row["input_ids"]) + 15 for row in rows) - 1
    tally, rejects, kept = write(processor, pairs_folder, tmp_path, max_tokens=limit)
    assert 0 < tally.rows < 48
    assert tally.rows + len(rejects) == 48
    assert "more than data.max_tokens" in str(rejects.errors[0])
    whole = {row["id"]: row["input_ids"] for row in rows}
    assert all(row["input_ids"] == whole[row["id"]] for row in kept)


def test_a_damaged_image_costs_its_own_pairs_only(processor, tmp_path):
    folder = make_pairs(tmp_path / "pairs")
    (folder / "images/001.png").write_bytes((folder / "images/001.png").read_bytes()[:200])
    (folder / "images/002.png").unlink()
    tally, rejects, _ = write(processor, folder, tmp_path)
    assert (tally.rows, len(rejects)) == (42, 6)
    assert {error.record for error in rejects.errors} == {f"{n}/{i}" for n in (1, 2) for i in range(3)}


CROPS = ((0.0, 0.0, 0.5, 0.25), (0.25, 0.5, 1.0, 1.0))


@pytest.fixture
def two_looks(tmp_path):
    """A pair set whose first pair looks at the whole image, then at two crops of it."""
    folder = make_pairs(tmp_path / "pairs")
    file = folder / "pairs-0.parquet"
    rows = pq.read_table(file).to_pylist()
    looks = json.loads(json.dumps(rows[1]))
    path = looks["images"][0]["path"]
    looks["images"] += [{"path": path, "crop": list(crop), "parent": path} for crop in CROPS]
    looks["messages"][2]["content"] = [
        *[{"type": "image", "text": None}] * 2,
        *looks["messages"][2]["content"],
    ]
    schema = SCHEMA.remove(SCHEMA.get_field_index("target"))
    plain = [{name: row[name] for name in schema.names if name in row} for row in (looks, *rows[2:])]
    table = pa.Table.from_pylist(plain, schema=schema)
    target = [{"verdict": row["label"]} for row in plain]
    pq.write_table(table.append_column("target", pa.array(target)), file)
    return folder


def test_two_looks_are_learned_with_their_crops(processor, two_looks, tmp_path):
    tally, rejects, rows = write(processor, two_looks, tmp_path)
    assert not rejects
    (row,) = [row for row in rows if row["crops"]]
    pair = next(open_pairs(two_looks).read("train"))
    assert [tuple(crop) for crop in row["crops"]] == list(CROPS)

    image = load_image(two_looks / row["image"])
    whole = processor(
        text=[encode_conversation(processor, messages_of(pair)).text],
        images=[image, image.crop((0, 0, 8, 4)), image.crop((4, 8, 16, 16))],
        add_special_tokens=False,
        return_tensors="pt",
    )
    batch = Collator(processor, two_looks, mirror=True)([row | {"tree": 0, "epoch": 0}])
    assert batch["input_ids"].tolist() == whole["input_ids"].tolist()
    assert (batch["pixel_values"] == whole["pixel_values"]).all()
    assert batch["targets"].ids.tolist() == [label for label in row["labels"] if label != -100]
    assert tally.longest == batch["input_ids"].shape[1]


def test_a_pair_about_two_images_is_listed(processor, two_looks, tmp_path):
    file = two_looks / "pairs-0.parquet"
    rows = pq.read_table(file).to_pylist()
    rows[0]["images"][1]["path"] = "images/001.png"
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(file)), file)
    _, rejects, _ = write(processor, two_looks, tmp_path)
    assert [error.record for error in rejects.errors] == [rows[0]["id"]]
    assert "is about several images" in str(rejects.errors[0])


def test_an_image_outside_its_root_is_never_opened(processor, tmp_path):
    folder = make_pairs(tmp_path / "pairs")
    outside = tmp_path / "secret.png"
    shutil.copy(folder / "images/000.png", outside)
    (folder / "images/000.png").unlink()
    (folder / "images/000.png").symlink_to(outside)
    _, rejects, _ = write(processor, folder, tmp_path)
    assert "symbolic link that leaves the image root" in str(rejects.errors[0])


def test_nothing_to_learn_is_an_error_and_leaves_no_file(processor, pairs_folder, tmp_path):
    with pytest.raises(FakeInstructError, match="no pair of the split 'validation'"):
        write(processor, pairs_folder, tmp_path, split="validation")
    assert not (tmp_path / "rows.arrow").exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"templates": ["verdict/one_word", "verdict/one_wrod"]},
            "field data.templates: the pair set has no template 'verdict/one_wrod'. "
            "Did you mean 'verdict/one_word'?",
        ),
        (
            {"templates": ["verdict/one_word"], "pairs_per_image": {"verdict": 1, "reasoning": 1}},
            "field data.pairs_per_image: the split 'train' has no pair of these templates of the task "
            "'reasoning'. There are: verdict",
        ),
        (
            {"pairs_per_image": {"advice": 1}, "split": "test"},
            "field data.pairs_per_image: the split 'test' has no pair of the task 'advice'. "
            "There are: reasoning, verdict",
        ),
    ],
)
def test_what_the_pairs_do_not_have_is_named(pairs_folder, tmp_path, data, message):
    folder = tmp_path / "pairs"
    shutil.copytree(pairs_folder, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["per_template"] = {"verdict/one_word": {"fake": 24}, "reasoning/turns": {"fake": 24}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UsageError) as caught:
        list(choose(open_pairs(folder), Data(**data)))
    assert str(caught.value).rstrip(".") == f"{folder}, {message}"
    recipe = load_recipe("cifake", [f"pairs={folder}", f"data={json.dumps(data)}"])
    with pytest.raises(UsageError, match=message.partition(":")[0]):
        texts_of(recipe, constant(16))


def test_an_unfinished_pair_set_is_refused(tmp_path):
    folder = make_pairs(tmp_path / "pairs", images=4)
    (folder / "manifest.json").unlink()
    with pytest.raises(FakeInstructError, match=r"no manifest\.json"):
        open_pairs(folder)


def test_a_manifest_of_another_schema_is_refused_by_field(tmp_path):
    folder = make_pairs(tmp_path / "pairs", images=4)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"seed": "x"}))
    with pytest.raises(FakeInstructError, match="field seed"):
        open_pairs(folder)


def test_several_epochs_take_as_many_different_pairs(pairs_folder):
    data = Data(pairs_per_image={"verdict": 1})
    chosen = list(choose(open_pairs(pairs_folder), data, epochs=1.5))
    assert len({pair.id for pair in chosen}) == 32


def test_the_prefix_ends_with_the_image(processor, pairs_folder, tmp_path):
    _, _, rows = write(processor, pairs_folder, tmp_path)
    places = [row["input_ids"].index(processor.image_token_id) for row in rows]
    assert [row["prefix"] for row in rows] == [place + 16 for place in places]
    assert all(row["tokens"] == len(row["input_ids"]) + 15 for row in rows)


def test_the_index_numbers_images_in_turn(processor, pairs_folder, tmp_path):
    _, _, rows = write(processor, pairs_folder, tmp_path)
    index = index_of(Dataset.from_file(str(tmp_path / "rows.arrow")))
    assert index.image.tolist() == [number // 3 for number in range(48)]
    assert [index.tasks[task] for task in index.task] == [row["task"] for row in rows]
    assert index.tokens.tolist() == [row["tokens"] for row in rows]
