"""Conversations of one's own become pairs word for word; what cannot be learned whole is listed."""

import json

import pytest
from pair_sets import BOXED, LOOKS, draw, make_pair, plain, turn, write_set
from PIL import Image

from fakeinstruct.base.errors import FakeInstructError, Rejects, UsageError
from fakeinstruct.expand.export.write import export
from fakeinstruct.expand.own_pairs import make_pairs
from fakeinstruct.expand.pair import PairImage, open_pairs


@pytest.fixture
def photos(tmp_path):
    """Eight pictures, no two alike."""
    for number in range(8):
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.new("RGB", (40, 20), (number * 20, 0, 0)).save(tmp_path / "photos" / f"{number}.png")
    return tmp_path / "photos"


def told(number=0, question="<image>Is it real?", answer="No, the hand has six fingers.", **more):
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": messages, "images": [f"{number}.png"], "label": "fake", **more}


def made(tmp_path, *records, **options):
    """The pairs by id and the rejects."""
    file = tmp_path / "told.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    rejects = Rejects(1.0)
    make_pairs(file, tmp_path / "pairs", image_root=tmp_path / "photos", rejects=rejects, **options)
    pairs = open_pairs(tmp_path / "pairs").verified()
    return list(pairs.read()), rejects, pairs.manifest


def said(pair):
    return [[message.role, [block.text for block in message.content]] for message in pair.messages]


def test_a_conversation_is_a_pair(photos, tmp_path):
    (pair,), rejects, manifest = made(tmp_path, told())
    assert said(pair) == [["user", [None, "Is it real?"]], ["assistant", ["No, the hand has six fingers."]]]
    assert (pair.label, pair.task, pair.template) == ("fake", "reasoning", "own/reasoning")
    assert pair.split is not None
    assert not rejects
    assert (manifest.pairs, manifest.chains, manifest.rejected) == (1, 1, 0)
    assert (tmp_path / "pairs" / manifest.image_root / pair.images[0].path).resolve() == photos / "0.png"


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "image_url", "image_url": {"url": "0.png"}}, {"type": "text", "text": "Is it?"}],
        [{"type": "image", "image": "0.png"}, {"type": "text", "text": "Is it?"}],
        [{"type": "image"}, {"type": "text", "text": "Is it?"}],
        "<image>\nIs it?",
        "<image>Is it?",
        "Is it?",
    ],
)
def test_an_image_stands_in_blocks_in_text_or_nowhere(photos, tmp_path, content):
    record = told(question=content)
    if isinstance(content, list) and len(content[0]) > 1:
        del record["images"]
    ((pair,), rejects, _) = made(tmp_path, record)
    assert said(pair)[0] == ["user", [None, "Is it?"]]
    assert [image.path for image in pair.images] == ["0.png"]
    assert not rejects


def test_llavas_names_are_known(photos, tmp_path):
    turns = [{"from": "human", "value": "<image>\nIs it?"}, {"from": "gpt", "value": "No."}]
    (pair,), _, _ = made(tmp_path, {"image": "0.png", "conversations": turns, "label": "real", "id": 7})
    assert (pair.id, said(pair)) == ("7", [["user", [None, "Is it?"]], ["assistant", ["No."]]])


def test_boxes_in_pixels_become_those_of_our_grammar(photos, tmp_path):
    record = told(
        answer="<ref-object> at <bbox> and <bbox><bbox>.",
        objects={"ref": ["a hand"], "bbox": [[4, 2, 20, 10], [0, 0, 40, 20], [20, 10, 40, 20]]},
    )
    (pair,), _, _ = made(tmp_path, record)
    words = "a hand at <box>[[100, 100, 500, 500]]</box> and <box>[[0, 0, 1000, 1000], [500, 500, 1000, 1000]]</box>."
    assert said(pair)[1] == ["assistant", [words]]


BAD = {
    "has no label": {"label": None},
    "input should be 'fake' or 'real'": {"label": "generated"},
    "ends without an answer": {"messages": [{"role": "user", "content": "<image>Is it?"}]},
    "do not take turns": {"messages": [{"role": "assistant", "content": "Fake."}] * 2},
    "a turn is by 'system'": {"messages": [{"role": "system", "content": "Be brief."}]},
    "a turn has no words": {"messages": told(answer=" ")["messages"]},
    "stand before the question": {"messages": told(question="Is <image> real?")["messages"]},
    "image placeholders for 1 images": {"messages": told(question="<image><image>Is it?")["messages"]},
    "several images": {
        "images": ["0.png", "1.png"],
        "messages": told(question="<image><image>Is it?")["messages"],
    },
    "names no image": {"images": []},
    "gone.png": {"images": ["gone.png"]},
    "leaves the image root": {"images": ["../told.jsonl"]},
    "takes for more than words": {"messages": told(answer="Fake.<|im_end|>")["messages"]},
    "hold the character": {"messages": told(answer="Fake.\u202e")["messages"]},
    "more placeholders than objects": {"messages": told(answer="At <bbox>.")["messages"]},
    "more objects than placeholders": {"objects": {"bbox": [[0, 0, 1, 1]]}},
    "outside the image": {
        "messages": told(answer="<bbox>")["messages"],
        "objects": {"bbox": [[0, 0, 90, 9]]},
    },
    "'verdict', 'reasoning'": {"task": "reason"},
    "input should be 'train'": {"split": "val"},
    "is no path": {"messages": told(question=[{"type": "image", "image": 3}])["messages"]},
}


@pytest.mark.parametrize("problem", BAD)
def test_a_bad_record_is_listed_and_the_rest_stays(photos, tmp_path, problem):
    pairs, rejects, manifest = made(tmp_path, told(1), told() | BAD[problem], told(2))
    assert [pair.images[0].path for pair in pairs] == ["1.png", "2.png"]
    ((row,), rejected) = rejects.rows(), manifest.rejected
    assert problem in row["problem"]
    assert (row["record"], rejected) == ("2", 1)


def test_what_is_no_record_is_listed_too(photos, tmp_path):
    _, rejects, _ = made(tmp_path, told(1), 7, [], {"messages": "x"}, {"messages": [3]}, {"label": "fake"})
    assert len(rejects) == 5


def test_nothing_twice_and_nothing_in_two_places(photos, tmp_path):
    (photos / "copy.png").write_bytes((photos / "0.png").read_bytes())
    _, rejects, _ = made(
        tmp_path,
        told(0, id="a", split="train", group="g"),
        told(0, id="b", split="train"),
        told("copy", id="c", split="train"),
        told(0, id="a", answer="Other words.", split="train"),
        told("copy", label="real", answer="Yes.", split="train"),
        told(0, answer="Yes.", split="test"),
        told(1, split="validation", group="g"),
    )
    assert [error.problem for error in rejects.errors] == [
        "the same conversation about the same image was there before",
        "the same conversation about the same image was there before",
        "the id 'a' was used before",
        "the same image is labelled fake before",
        "its image is in the split 'train' before",
        "its group is in the split 'train' before",
    ]


def test_records_of_a_group_share_a_split_that_is_drawn(photos, tmp_path):
    records = [told(number, group=f"g{number // 4}") for number in range(8)]
    pairs, _, _ = made(tmp_path, *records, seed=3, validation=0.5)
    assert len({(pair.group, pair.split) for pair in pairs}) == 2


def test_pairs_of_one_image_lie_together_wherever_they_stood(photos, tmp_path):
    pairs, _, _ = made(tmp_path, told(0), told(1), told(0, answer="Yes."), told(1, answer="Yes."))
    assert [pair.chain for pair in pairs] == sorted(
        (pair.chain for pair in pairs), key=[p.chain for p in pairs].index
    )
    assert [pair.images[0].path for pair in pairs] == ["0.png", "0.png", "1.png", "1.png"]


def test_verdicts_whose_first_word_tells_are_readouts(photos, tmp_path):
    kind = {"task": "verdict", "split": "train"}
    _, _, manifest = made(
        tmp_path,
        told(0, "<image>Fake?", "Yes, it is.", **kind),
        told(1, "<image>Fake?", "No.", label="real", **kind),
        told(2, "<image>Real?", "no", **kind),
        told(3, "<image>Real?", "yes", label="real", **kind),
        told(4, "<image>Only asked of a fake?", "Yes", **kind),
        told(5, "<image>Vague?", "It seems so", **kind),
        told(6, "<image>Vague?", "It does not", label="real", **kind),
    )
    assert [(one.prompts, one.fake, one.real) for one in manifest.readouts] == [
        (("Fake?",), ("Yes",), ("No",)),
        (("Real?",), ("no",), ("yes",)),
    ]
    assert {one.template for one in manifest.readouts} == {"own/verdict"}


def test_the_same_bytes_for_the_same_records(photos, tmp_path):
    first = made(tmp_path, told(0), told(1))[2]
    again = made(tmp_path, told(0), told(1))[2]
    assert again == first


def test_no_record_left_and_no_such_file(photos, tmp_path):
    with pytest.raises(FakeInstructError, match=r"no conversation could be taken; the first: .*has no label"):
        made(tmp_path, told(label=None))
    with pytest.raises(UsageError, match="no such file or folder"):
        make_pairs(tmp_path / "gone.jsonl", tmp_path / "pairs")
    with pytest.raises(UsageError, match="image root is not a folder"):
        make_pairs(tmp_path / "told.jsonl", tmp_path / "pairs", image_root=tmp_path / "gone")
    assert not (tmp_path / "pairs").exists()


SHOWN = [
    plain("plain"),
    make_pair(
        "turns",
        turn("user", "What is odd?", images=1),
        turn("assistant", "The hand.\n\nIt has six fingers."),
        turn("user", "So?"),
        turn("assistant", "It is fake."),
        task="reasoning",
        template="reasoning/turns",
        split="validation",
        chain="b",
        group="b",
        images=(PairImage(path="b.png"),),
    ),
    BOXED,
]


@pytest.mark.parametrize("format", ["jsonl", "llava", "ms-swift", "llama-factory"])
def test_what_export_writes_comes_back_as_it_was(tmp_path, format):
    """Other trainers' files have no label, task or template of their own; they are added, as a user would."""
    shown = [*SHOWN, LOOKS] if format == "jsonl" else SHOWN
    pairs = write_set(tmp_path / "set", shown)
    draw(pairs.image_root, "b.png", side=30)
    manifest = export(pairs, tmp_path / "out", format=format)
    by_id = {pair.id: pair for pair in shown}
    for name in manifest.files:
        file = tmp_path / "out" / name
        text = file.read_text()
        rows = (
            json.loads(text) if name.endswith(".json") else [json.loads(line) for line in text.splitlines()]
        )
        for row in rows:
            pair = by_id[row["id"]]
            row |= {"label": pair.label.value, "task": pair.task, "template": pair.template}
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        file.write_text(json.dumps(rows) if name.endswith(".json") else lines)
    rejects = Rejects()
    root = (tmp_path / "out" / manifest.image_root).resolve()
    make_pairs(tmp_path / "out", tmp_path / "again", image_root=root, rejects=rejects)
    assert not rejects
    again = {pair.id: pair for pair in open_pairs(tmp_path / "again").verified().read()}
    assert again.keys() == by_id.keys()
    for name, pair in by_id.items():
        assert again[name].messages == pair.messages
        assert again[name].images == pair.images
        assert (again[name].label, again[name].task, again[name].split) == (pair.label, pair.task, pair.split)
        if format == "jsonl":
            assert again[name] == pair
