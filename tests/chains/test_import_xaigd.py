import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from published import picture, problems, take, write

from fakeinstruct.base.errors import FakeInstructError, UsageError

SIZE = (200, 100)
TEXTURE = {"label": "low-level-texture", "points": [[20.0, 10.0], [100.0, 10.0], [60.0, 50.5]]}
SYMBOL = {"label": "low-level-symbol", "points": [[0, 0], [20, 0], [20, 30]]}


def row(generator="FLUX.1-dev", uid="0001", labels=(TEXTURE,), **more):
    size = {"width": SIZE[0], "height": SIZE[1]}
    return {
        "generator": generator,
        "uid": uid,
        **size,
        "labels": None if labels is None else list(labels),
        **more,
    }


def run(tmp_path, *rows, name="labeled_train.json", **options):
    src = tmp_path / "src"
    for number, one in enumerate(rows):
        picture(src / f"{one.get('generator', 'x')}/{one.get('uid', 'x')}.png", number, SIZE)
    write(src / name, list(rows))
    return take("xaigd", src, tmp_path / "out", **options)


def test_polygons_of_one_category_are_one_trace(tmp_path):
    chains, rejects, _, _ = run(tmp_path, row(labels=[TEXTURE, SYMBOL, TEXTURE]), validation=0.0)
    chain = chains["FLUX.1-dev/0001.png"]
    assert not rejects
    assert (chain.label, chain.manipulation, chain.generator, chain.split) == (
        "fake",
        "generated",
        "FLUX.1-dev",
        "train",
    )
    symbol, texture = chain.traces
    assert (texture.attribute, texture.attribute_raw, texture.mapped_by) == (
        "texture",
        "low-level-texture",
        "format",
    )
    assert [region.box for region in texture.regions] == [(0.1, 0.1, 0.5, 0.505)] * 2
    assert texture.regions[0].polygon == ((0.1, 0.1), (0.5, 0.1), (0.3, 0.505))
    assert symbol.attribute == "text"
    assert "CC BY 4.0" in chain.origin.licence


def test_rows_of_one_uid_are_one_group_and_the_real_one_is_the_twin(tmp_path):
    rows = [row("flux"), row("sd35"), row("real", labels=None), row("flux", uid="0002")]
    chains, rejects, _, _ = run(tmp_path, *rows)
    assert not rejects
    assert chains["real/0001.png"].label == "real"
    assert chains["real/0001.png"].generator is None
    assert {id: chain.twin for id, chain in chains.items()} == {
        "flux/0001.png": "real/0001.png",
        "sd35/0001.png": "real/0001.png",
        "real/0001.png": None,
        "flux/0002.png": None,
    }
    assert len({chain.group for id, chain in chains.items() if "0001" in id}) == 1
    assert len({chain.split for id, chain in chains.items() if "0001" in id}) == 1
    assert len({chain.group for chain in chains.values()}) == 2


def test_real_images_under_another_name_are_named_by_the_user(tmp_path):
    chains, _, _, _ = run(tmp_path, row("coco", labels=None), row("flux"))
    assert chains["coco/0001.png"].label == "fake"
    chains, _, _, _ = run(tmp_path, row("coco", labels=None), row("flux"), real=["COCO"])
    assert chains["coco/0001.png"].label == "real"


def test_generators_are_kept_as_they_are_spelt(tmp_path):
    chains, _, _, _ = run(tmp_path, row("big gan"), row("big_gan", uid="2"))
    assert {chain.generator for chain in chains.values()} == {"big gan", "big_gan"}


def test_a_pair_across_published_splits_stays_in_test(tmp_path):
    src = tmp_path / "src"
    for number, name in enumerate(("flux", "real")):
        picture(src / f"{name}/0001.png", number, SIZE)
    write(src / "labeled_train.json", [row("flux")])
    write(src / "labeled_test.json", [row("real", labels=None)])
    chains, rejects, _, _ = take("xaigd", src, tmp_path / "out")
    assert {id: chain.split for id, chain in chains.items()} == {"real/0001.png": "test"}
    assert "test split" in problems(rejects)["flux/0001.png"]


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (row(uid="9", labels=[{"label": "texture", "points": TEXTURE["points"]}]), "an unknown category"),
        (row(uid="9", labels=[TEXTURE | {"points": [[0, 0], [1, 1]]}]), "4 numbers"),
        (row(uid="9", labels=[TEXTURE | {"points": [[0, 0], [250, 1], [9, 50]]}]), "leaves the image"),
        (row(uid="9", labels=[TEXTURE | {"points": {"x": 1}}]), "list"),
        (
            row(uid="9") | {"width": 400, "height": 200},
            "the image has another size (200 x 100, not 400 x 200)",
        ),
        (row("real", uid="9"), "a real image has artefacts"),
        (row(uid="../../x"), "leaves the image root"),
        (row(uid="../../missing"), "leaves the image root"),
        (row(uid=9), "string"),
        (row(uid="9", image={"bytes": "abc", "path": None}), "holds the image itself"),
        (row(uid="9", image="nowhere.png"), "missing"),
        ({"generator": "flux"}, "uid"),
        ([], "not an object"),
    ],
)
def test_a_row_that_does_not_fit_is_rejected_with_its_reason(tmp_path, bad, problem):
    picture(tmp_path / "src/FLUX.1-dev/9.png", 5, SIZE)
    picture(tmp_path / "src/real/9.png", 6, SIZE)
    picture(tmp_path / "src/FLUX.1-dev/0001.png", 7, SIZE)
    write(tmp_path / "src/rows.json", [row(), bad])
    chains, rejects, _, _ = take("xaigd", tmp_path / "src", tmp_path / "out")
    assert set(chains) == {"FLUX.1-dev/0001.png"}
    assert problem in str(rejects.errors[0])
    assert rejects.errors[0].record == "2"


def test_a_hair_past_the_edge_is_clipped_and_counted(tmp_path):
    over = TEXTURE | {"points": [[-0.3, 0], [200.4, 0], [100, 100.2]]}
    chains, _, _, summary = run(tmp_path, row(labels=[over]))
    assert chains["FLUX.1-dev/0001.png"].traces[0].regions[0].box == (0, 0, 1, 1)
    assert "polygons clipped at the edge, which they passed by a hair: 1" in summary.remarks


def test_an_image_that_nobody_labelled_is_no_clean_one(tmp_path):
    chains, _, _, _ = run(tmp_path, row(labels=None), name="unlabeled_test.jsonl.json")
    chain = chains["FLUX.1-dev/0001.png"]
    assert (chain.traces, chain.assessed, chain.origin.by, chain.split) == ((), {}, "dataset", "test")


def test_a_parquet_file_with_paths_is_read(tmp_path):
    src = tmp_path / "src"
    picture(src / "img/a.png", 0, SIZE)
    pq.write_table(
        pa.Table.from_pylist([row(image="img/a.png", seed=1)]), src / "labeled_test-00000-of-00001.parquet"
    )
    for source in (src, src / "labeled_test-00000-of-00001.parquet"):
        chains, rejects, _, _ = take("xaigd", source, tmp_path / "out")
        assert not rejects
        assert (chains["img/a.png"].split, len(chains["img/a.png"].traces)) == ("test", 1)


def test_hidden_parquet_files_and_a_mac_s_copies_are_passed_over(tmp_path):
    src = tmp_path / "src"
    picture(src / "img/a.png", 0, SIZE)
    pq.write_table(pa.Table.from_pylist([row(image="img/a.png")]), src / "train.PARQUET")
    for copy in ("._train.parquet", "__MACOSX/train.parquet", ".cache/train.parquet"):
        write(src / copy, "no parquet")
    chains, rejects, _, _ = take("xaigd", src, tmp_path / "out")
    assert (set(chains), len(rejects)) == ({"img/a.png"}, 0)


def test_bad_rows_of_a_parquet_file_are_rejected_by_number(tmp_path):
    src = tmp_path / "src"
    picture(src / "img/a.png", 0, SIZE)
    rows = [row(image="nowhere.png"), row(image="img/a.png")]
    pq.write_table(pa.Table.from_pylist(rows), src / "train.parquet")
    chains, rejects, _, _ = take("xaigd", src, tmp_path / "out")
    assert set(chains) == {"img/a.png"}
    assert problems(rejects) == {"1": "image file is missing ('nowhere.png')"}


def test_a_folder_without_rows_says_what_was_looked_for(tmp_path):
    picture(tmp_path / "src/a.png", 0)
    with pytest.raises(UsageError, match="holds no JSON or JSON Lines or Parquet file"):
        take("xaigd", tmp_path / "src", tmp_path / "out")


def test_a_parquet_file_with_images_says_what_to_do(tmp_path):
    (tmp_path / "src").mkdir()
    table = pa.Table.from_pylist([row(image={"bytes": b"png", "path": "a.png"})])
    pq.write_table(table, tmp_path / "src/train.parquet")
    with pytest.raises(FakeInstructError, match=r"holds the images themselves.*Save them as files"):
        take("xaigd", tmp_path / "src", tmp_path / "out")
    (tmp_path / "src/train.parquet").write_bytes(b"no parquet")
    with pytest.raises(FakeInstructError, match="not a readable Parquet file"):
        take("xaigd", tmp_path / "src", tmp_path / "out")


def test_without_images_rows_state_their_size(tmp_path):
    chains, rejects, _, _ = run(tmp_path, row(image="flux/a.png"), without_images=True)
    assert not rejects
    assert chains["flux/a.png"].traces[0].regions[0].box == (0.1, 0.1, 0.5, 0.505)
