import json
import zipfile

import pytest
from published import conversation, data_folder, picture, pictures, problems, take, write

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.chains.schema import Label, Split

WHY = "The image shows a cat. Its texture is odd, suggesting that the image is artificially generated."


def one(tmp_path, record, **options):
    """Import one record about the image a.png."""
    picture(tmp_path / "src/a.png", 0)
    write(tmp_path / "src/captions.json", [record, conversation("b.png", WHY)])
    picture(tmp_path / "src/b.png", 1)
    chains, rejects, items, _ = take("llava", tmp_path / "src", tmp_path / "out", **options)
    return chains.get("a.png"), rejects, items


def test_an_explanation_becomes_a_chain_with_its_words_kept(tmp_path):
    record = conversation(
        "/home/somebody/llm/a.png", f" {WHY}\n", metadata={"generator": "big gan", "object_category": "cat"}
    )
    chain, rejects, _ = one(tmp_path, record, dataset="mine", validation=0.0)
    assert not rejects
    shown = chain.model_dump(mode="json", exclude_defaults=True)
    shown["image"].pop("sha256")
    shown.pop("group")
    shown.pop("split")
    assert shown == {
        "id": "a.png",
        "image": {"path": "a.png", "width": 40, "height": 30},
        "label": "fake",
        "dataset": "mine",
        "generator": "big gan",
        "content": ["cat"],
        "traces": [
            {
                "id": "t1",
                "attribute": "texture",
                "attribute_raw": "texture",
                "mapped_by": "alias",
                "points_to": "fake",
                "observation": "The image shows a cat. Its texture is odd.",
                "inference": "This suggests that the image is artificially generated.",
                "span": {"text": 0, "start": 0, "end": len(WHY)},
            }
        ],
        "texts": [{"role": "explanation", "text": WHY}],
        "origin": {"by": "dataset", "name": "mine", "source_record": "1"},
    }


@pytest.mark.parametrize(
    ("answer", "metadata", "label"),
    [
        (WHY, {}, "fake"),
        ("This is a real image. It is sharp.", {}, "real"),
        ("The hand has six fingers.", {"generator": "glide"}, "fake"),
        ("The light is even.", {"generator": "natural"}, "real"),
        ("This photo seems real.", {"generator": "Nature"}, "real"),
    ],
)
def test_the_label_comes_from_the_text_or_the_generator(tmp_path, answer, metadata, label):
    chain, rejects, _ = one(tmp_path, conversation("a.png", answer, metadata=metadata))
    assert not rejects
    assert chain.label == label
    assert chain.generator == (metadata.get("generator") if label == "fake" else None)
    assert chain.camera_set is None


def turns(*pairs):
    return [{"from": speaker, "value": value} for speaker, value in pairs]


BAD = {
    "swapped roles": (
        {"image": "a.png", "conversations": turns(("gpt", WHY), ("human", "<image>\nReal?"))},
        "turn 1 is by 'gpt'",
    ),
    "swapped contents": (
        {"image": "a.png", "conversations": turns(("human", WHY), ("gpt", "<image>\nIs it real?"))},
        "the roles are swapped",
    ),
    "swapped contents without a placeholder": (
        {"image": "a.png", "conversations": turns(("human", WHY), ("gpt", "Is this image real or fake?"))},
        "the roles are swapped",
    ),
    "a refusal": (conversation("a.png", "I'm sorry, but I can't assist."), "the answer is a refusal"),
    "an empty answer": (conversation("a.png", " "), "the answer is empty"),
    "no answer": ({"image": "a.png", "conversations": turns(("human", "?"))}, "has no answer"),
    "no verdict": (conversation("a.png", "A cat."), "neither its text nor metadata.generator says"),
    "a contradiction": (
        conversation("a.png", WHY, metadata={"generator": "natural"}),
        "is called fake and its generator is 'natural'",
    ),
    "no image": ({"conversations": conversation("a.png", WHY)["conversations"]}, "field required"),
    "a missing image": (conversation("none.png", WHY), "image file is missing"),
    "a path that climbs out": (conversation("../a.png", WHY), "leaves the image root"),
    "not an object": (["a.png", WHY], "is a list, not an object"),
    "null": (None, "is null, not an object"),
    "a number for an image": (conversation(3, WHY), "should be a valid string"),
    "several images": (conversation(["a.png"], WHY), "should be a valid string"),
    "a huge text": (conversation("a.png", WHY + "x" * 30_000), "the answer is too long"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_record_is_rejected_and_the_rest_is_imported(tmp_path, case):
    record, problem = BAD[case]
    chain, rejects, _ = one(tmp_path, record)
    assert chain is None
    assert problem in problems(rejects)["1"]
    assert rejects.errors[0].file == str(tmp_path / "src/captions.json")
    assert len(rejects) == 1


def test_two_records_of_one_image_are_two_chains_of_one_group(tmp_path):
    picture(tmp_path / "a.png", 0)
    file = write(
        tmp_path / "x.json", [conversation("a.png", WHY), conversation("a.png", "This is a fake image.")]
    )
    chains, rejects, _, summary = take("llava", file, tmp_path / "out")
    assert not rejects
    assert set(chains) == {"a.png", "a.png#2"}
    assert len({(chain.group, chain.split) for chain in chains.values()}) == 1
    assert "texts that are only a verdict: 1" in summary.remarks


def test_one_image_under_both_labels_is_nobody_s(tmp_path):
    pictures(tmp_path, "a.png", "b.png")
    records = [
        conversation("a.png", WHY),
        conversation("a.png", "This is a real image."),
        conversation("b.png", WHY),
    ]
    chains, rejects, _, _ = take("llava", write(tmp_path / "x.json", records), tmp_path / "out")
    assert set(chains) == {"b.png"}
    assert rejects.reasons() == [("the same bytes are labelled both real and fake", 2)]


@pytest.mark.parametrize("name", ["train.json", "mine_val.jsonl", "test.json"])
def test_a_file_s_name_says_the_split(tmp_path, name):
    picture(tmp_path / "a.png", 0)
    record = conversation("a.png", WHY)
    file = write(tmp_path / name, json.dumps(record) if name.endswith("l") else [record])
    chains, *_ = take("llava", file, tmp_path / "out", validation=0.0)
    assert chains["a.png"].split == {"train": "train", "mine_val": "validation", "test": "test"}[file.stem]


def test_a_benchmark_gives_chains_and_items(tmp_path):
    pictures(tmp_path, "a.png", "b.png", "c.png")
    question = {"question": "<image>\nReal or Fake?", "answer": ""}
    records = [
        {
            "id": "q1",
            "image": "/x/a.png",
            "ground_truth": "Real",
            "metadata": {"generator": "natural"},
            **question,
        },
        {
            "id": "q2",
            "image": "/x/b.png",
            "ground_truth": "Fake",
            "metadata": {"generator": "adm"},
            **question,
        },
        {"id": "q3", "image": "/x/c.png", "ground_truth": "B", **question},
        {
            "id": "q4",
            "image": "/x/c.png",
            "ground_truth": "Real",
            "metadata": {"generator": "adm"},
            **question,
        },
    ]
    chains, rejects, items, _ = take("llava", write(tmp_path / "x.json", records), tmp_path / "out")
    assert {id: (chain.label, chain.split) for id, chain in chains.items()} == {
        "a.png": (Label.REAL, Split.TEST),
        "b.png": (Label.FAKE, Split.TEST),
    }
    assert [(item.chain, item.question, item.answer, item.yes, item.source_record) for item in items] == [
        ("a.png", "Real or Fake?", "real", None, "q1"),
        ("b.png", "Real or Fake?", "fake", None, "q2"),
    ]
    assert problems(rejects)["3"] == "must be Real or Fake, not 'B'"
    assert "is called real and its generator is 'adm'" in problems(rejects)["4"]


def test_without_images_texts_and_names_are_imported(tmp_path):
    file = write(tmp_path / "x.json", [conversation("/home/x/a.png", WHY)])
    chains, rejects, _, _ = take("llava", file, tmp_path / "out", without_images=True)
    assert not rejects
    image = chains["home/x/a.png"].image
    assert (image.width, image.sha256) == (None, None)


def test_a_zip_file_is_read_like_its_folder(tmp_path):
    picture(tmp_path / "src/deep/a.png", 0)
    write(
        tmp_path / "src/deep/captions.json",
        [conversation("/home/x/deep/a.png", WHY), conversation("b.png", WHY)],
    )
    with zipfile.ZipFile(tmp_path / "src.zip", "w") as file:
        for path in (tmp_path / "src").rglob("*.*"):
            file.write(path, path.relative_to(tmp_path))
    chains, rejects, _, _ = take("llava", tmp_path / "src.zip", tmp_path / "out")
    assert set(chains) == {"src/deep/a.png"}
    assert (tmp_path / "out/images/src/deep/a.png").is_file()
    assert rejects.errors[0].file == f"{tmp_path}/src.zip/src/deep/captions.json"


def test_images_may_lie_elsewhere(tmp_path):
    picture(tmp_path / "pictures/a.png", 0)
    file = write(tmp_path / "labels/x.json", [conversation("a.png", WHY)])
    chains, *_ = take("llava", file, tmp_path / "out", image_root=tmp_path / "pictures")
    assert set(chains) == {"a.png"}
    meta = json.loads((tmp_path / "out/meta.json").read_text())
    assert meta["image_root"] == "../pictures"
    with pytest.raises(UsageError, match="the image root is not a folder"):
        take("llava", file, tmp_path / "out", image_root=tmp_path / "none")
    with pytest.raises(FakeInstructError, match=r"no image could be taken.*--image-root"):
        take("llava", file, tmp_path / "out")


def test_a_folder_without_annotations_is_wrong_usage(tmp_path):
    picture(tmp_path / "src/a.png", 0)
    with pytest.raises(UsageError, match="holds no JSON or JSON Lines file"):
        take("llava", tmp_path / "src", tmp_path / "out")


@pytest.mark.parametrize("text", ["[{", "[NaN]", "", '{"a": 1, "a": 2}', "[" * 10_000])
def test_garbage_is_one_message_and_leaves_nothing(tmp_path, text):
    with pytest.raises(FakeInstructError, match=r"x\.json: is not JSON"):
        take("llava", write(tmp_path / "x.json", text), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.data
def test_the_explanations_of_genimage_are_imported_in_full(tmp_path):
    archive = data_folder() / "genimage-explained.zip"
    if not archive.is_file():
        pytest.skip("set FAKEINSTRUCT_DATA to the folder that holds genimage-explained.zip")
    chains, rejects, items, summary = take("llava", archive, tmp_path / "out")
    assert (len(chains), len(rejects), len(items), summary.items) == (149, 0, 50, 50)
    explained = [chain for chain in chains.values() if chain.texts]
    assert len(explained) == 99
    assert sum(chain.label is Label.FAKE for chain in explained) == 89
    assert all(chain.traces for chain in explained)
    assert {"big_gan", "stable diffusion 1.5", "stable_diffusion_1_5"} <= {
        c.generator for c in chains.values()
    }
    snake = next(chain for chain in explained if chain.content == ("salamander",))
    assert [(trace.observation, trace.inference) for trace in snake.traces] == [
        (
            "The back legs of the salamander are fused together with its tail.",
            "This suggests that the image is artificially generated.",
        )
    ]
    observations = [trace.observation for chain in explained for trace in chain.traces]
    assert len(observations) > 150
    assert all(text.endswith((".", "!", "?")) and text[0].isupper() for text in observations)


def test_a_second_import_into_the_source_reads_no_result_of_the_first(tmp_path):
    src = pictures(tmp_path / "set", "a.png", "b.png")
    rows = [
        conversation(name, "This is a fake image. The hand is odd.") for name in ("a.png", "b.png", "c.png")
    ]
    write(src / "train.json", rows)
    for _ in range(2):
        chains, rejects, *_ = take("llava", src, src / "chains")
        assert (len(chains), len(rejects)) == (2, 1)
