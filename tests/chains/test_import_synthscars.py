import re
import zipfile

import pytest
from published import picture, problems, take, write

from fakeinstruct.base.errors import UsageError

SIZE = (200, 100)
CAPTION = "The hand on the left has six fingers. The sign holds letters of no alphabet."


def scar(name="a.jpg", refs=None, caption=CAPTION):
    if refs is None:
        refs = [
            {
                "sentence": "hand on the left has six fingers",
                "segmentation": [[20, 10, 100, 10, 100, 50, 20, 50], [120, 60, 140, 60, 130, 90]],
                "explanation": "A human hand has five fingers.",
            },
            {"sentence": "The sign holds letters", "segmentation": [[0, 0, 10, 0, 5, 9]], "explanation": ""},
        ]
    return {"img_file_name": name, "caption": caption, "refs": refs}


def published(root, *records, split="train"):
    """The folders as the authors' README spells them."""
    for number, record in enumerate(records):
        picture(root / split / "images" / record["img_file_name"], (split == "test") * 50 + number, SIZE)
    write(
        root / split / "annoations" / f"{split}.json",
        [{str(317 + n): record} for n, record in enumerate(records)],
    )
    return root


def test_polygons_explanations_and_places_in_the_caption(tmp_path):
    src = published(tmp_path / "src", scar())
    chains, rejects, _, _ = take("synthscars", src, tmp_path / "out", validation=0.0)
    chain = chains["train/images/a.jpg"]
    assert not rejects
    assert (chain.label, chain.manipulation, chain.split) == ("fake", "generated", "train")
    assert chain.origin.source_record == "317"
    assert chain.texts[0].text == CAPTION
    hand, sign = chain.traces
    assert hand.observation == "A human hand has five fingers."
    assert (hand.points_to, CAPTION[hand.span.start : hand.span.end]) == (
        "fake",
        "hand on the left has six fingers",
    )
    assert [region.box for region in hand.regions] == [(0.1, 0.1, 0.5, 0.5), (0.6, 0.6, 0.7, 0.9)]
    assert hand.regions[0].polygon == ((0.1, 0.1), (0.5, 0.1), (0.5, 0.5), (0.1, 0.5))
    assert sign.observation == "The sign holds letters."


def test_published_splits_come_from_the_two_files(tmp_path):
    src = published(tmp_path / "src", scar("a.png"), scar("b.png"))
    published(src, scar("a.png"), split="test")
    chains, _, _, _ = take("synthscars", src, tmp_path / "out", validation=0.0)
    assert {id: chain.split for id, chain in chains.items()} == {
        "train/images/a.png": "train",
        "train/images/b.png": "train",
        "test/images/a.png": "test",
    }


def test_every_image_is_a_fake_and_the_import_says_so(tmp_path):
    src = published(tmp_path / "src", scar())
    _, _, _, summary = take("synthscars", src, tmp_path / "out")
    assert "no image has the label 'real'" in summary.remarks


def test_a_sentence_that_is_no_part_of_its_caption_is_kept_without_a_place_and_counted(tmp_path):
    refs = [{"sentence": "The Hand", "segmentation": [[0, 0, 9, 0, 9, 9]], "explanation": "Six fingers."}]
    src = published(tmp_path / "src", scar(refs=refs))
    chains, rejects, _, summary = take("synthscars", src, tmp_path / "out")
    (trace,) = chains["train/images/a.jpg"].traces
    assert (trace.span, trace.observation) == (None, "Six fingers.")
    assert len(trace.regions) == 1
    assert "sentences that are no part of their caption: 1" in summary.remarks
    assert not rejects


def test_quotes_around_a_caption_are_no_part_of_it(tmp_path):
    src = published(tmp_path / "src", scar(caption=f'"{CAPTION}" '))
    chains, _, _, _ = take("synthscars", src, tmp_path / "out")
    assert chains["train/images/a.jpg"].texts[0].text == CAPTION


def test_polygons_past_the_edge_by_rounding_are_clipped_and_more_is_rejected(tmp_path):
    def with_polygon(name, points):
        return scar(name, [{"sentence": "", "segmentation": [points], "explanation": "Odd."}])

    src = published(
        tmp_path / "src",
        with_polygon("a.png", [0, 0, 201, 0, 100, 101]),
        with_polygon("b.png", [0, 0, 260, 0, 100, 100]),
        with_polygon("c.png", [0, 0, 100]),
    )
    chains, rejects, _, summary = take("synthscars", src, tmp_path / "out")
    assert chains["train/images/a.png"].traces[0].regions[0].box == (0, 0, 1, 1)
    assert "polygons clipped at the edge, which they passed by a hair: 1" in summary.remarks
    assert set(chains) == {"train/images/a.png"}
    assert "leaves the image" in problems(rejects)["2"]
    assert "3 numbers" in problems(rejects)["3"]


def test_an_image_without_artefacts_is_a_fake_without_traces(tmp_path):
    src = published(tmp_path / "src", scar(refs=[]))
    chains, _, _, summary = take("synthscars", src, tmp_path / "out")
    assert chains["train/images/a.jpg"].traces == ()
    assert "images without an annotated artefact: 1" in summary.remarks


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (scar("a.jpg"), "is not an object of one key"),
        ({"1": scar("a.jpg"), "2": scar("a.jpg")}, "is not an object of one key"),
        ({"1": {"img_file_name": "a.jpg", "refs": []}}, "required|missing"),
        ({"1": scar("a.jpg", [{"sentence": 5, "segmentation": []}])}, "string"),
        (
            {"1": scar("a.jpg", [{"sentence": " ", "segmentation": []}])},
            "neither a sentence nor an explanation",
        ),
        ({"1": scar("../../secret.jpg")}, "leaves the image root"),
        ({"1": scar("b.jpg")}, "missing"),
        (["a.jpg"], "is not an object"),
    ],
)
def test_a_record_of_another_form_is_rejected_with_what_was_expected(tmp_path, record, problem):
    src = published(tmp_path / "src", scar("z.jpg"), scar("a.jpg"))
    picture(tmp_path / "secret.jpg", 9)
    write(src / "train/annoations/train.json", [{"0": scar("z.jpg")}, record])
    chains, rejects, _, _ = take("synthscars", src, tmp_path / "out")
    assert set(chains) == {"train/images/z.jpg"}
    assert re.search(problem, str(rejects.errors[0]), re.IGNORECASE)
    assert rejects.errors[0].record == "2"


def test_the_annotation_file_alone_needs_the_image_root(tmp_path):
    src = published(tmp_path / "src", scar())
    file = src / "train/annoations/train.json"
    for root in (src / "train", src / "train/images"):
        chains, rejects, _, _ = take("synthscars", file, tmp_path / "out", image_root=root)
        assert len(chains) == 1
        assert not rejects


def test_without_images_polygons_cannot_be_taken(tmp_path):
    src = published(tmp_path / "src", scar("a.jpg", refs=[]), scar("b.jpg"))
    chains, rejects, _, _ = take("synthscars", src, tmp_path / "out", without_images=True)
    assert len(chains) == 1
    assert "need the image's size" in problems(rejects)["2"]


def test_a_zip_file_gives_the_same_chains(tmp_path):
    src = published(tmp_path / "src", scar())
    with zipfile.ZipFile(tmp_path / "src.zip", "w") as archive:
        for path in src.rglob("*.*"):
            archive.write(path, path.relative_to(src))
    folder, _, _, _ = take("synthscars", src, tmp_path / "a")
    zipped, _, _, _ = take("synthscars", tmp_path / "src.zip", tmp_path / "b")
    assert folder == zipped


def test_a_folder_without_its_files_is_wrong_usage(tmp_path):
    write(tmp_path / "src/other.json", [])
    with pytest.raises(UsageError, match=r"holds no train\.json or test\.json"):
        take("synthscars", tmp_path / "src", tmp_path / "out")
