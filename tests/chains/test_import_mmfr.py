import pytest
from published import conversation, pictures, problems, take, write

from fakeinstruct.chains.importers.mmfr import FLAWS, VIRTUES, path_label
from fakeinstruct.chains.taxonomy import load_taxonomy

CHAIN = "<REASONING> The face is odd. </REASONING><CONCLUSION> This image is fake. </CONCLUSION>"


def attributes(path):
    return {
        path: {
            "Semantic Irrationality": None,
            "Inconsistent Lighting and Shadows": "The shadow falls towards the lamp.",
            "Irregular Image Edges": None,
            "Anomalous Image Texture": "The fur is waxy.",
            "Low Image Quality": None,
        }
    }


def test_attributes_of_a_fake_become_traces_and_null_says_nothing(tmp_path):
    pictures(tmp_path, "sd/1_fake/a.png")
    file = write(tmp_path / "attributes.json", attributes("sd/1_fake/a.png"))
    chains, rejects, _, _ = take("mmfr", file, tmp_path / "out")
    assert not rejects
    (chain,) = chains.values()
    assert (chain.label, chain.generator) == ("fake", "sd")
    assert [(t.attribute, t.attribute_raw, t.points_to, t.observation) for t in chain.traces] == [
        (
            "light_shadow",
            "Inconsistent Lighting and Shadows",
            "fake",
            "The shadow falls towards the lamp.",
        ),
        ("texture", "Anomalous Image Texture", "fake", "The fur is waxy."),
    ]
    assert chain.assessed == {"light_shadow": "present", "texture": "present"}
    assert [text.text for text in chain.texts] == ["The shadow falls towards the lamp.", "The fur is waxy."]
    assert [trace.span.text for trace in chain.traces] == [0, 1]


def test_positive_names_of_a_real_image_are_a_judged_absence(tmp_path):
    pictures(tmp_path, "coco/0_real/a.png")
    said = {"Consistent Lighting and Shadows": "One sun.", "High Image Quality": None}
    file = write(tmp_path / "x.json", {"coco/0_real/a.png": said})
    chains, rejects, _, _ = take("mmfr", file, tmp_path / "out")
    assert not rejects
    (chain,) = chains.values()
    assert (chain.label, chain.generator, chain.assessed) == ("real", None, {"light_shadow": "absent"})
    assert [(trace.attribute, trace.points_to) for trace in chain.traces] == [("light_shadow", "real")]


def test_every_name_is_an_attribute_of_the_taxonomy():
    assert set(FLAWS.values()) == set(VIRTUES.values()) <= set(load_taxonomy().attributes)
    assert not set(FLAWS) & set(VIRTUES)


def test_a_chain_of_reasoning_is_taken_apart(tmp_path):
    pictures(tmp_path, "sd/train/1_fake/a.png")
    file = write(tmp_path / "x.json", [conversation("sd/train/1_fake/a.png", CHAIN)])
    chains, rejects, _, _ = take("mmfr", file, tmp_path / "out", validation=0.0)
    assert not rejects
    (chain,) = chains.values()
    assert (chain.label, chain.split, chain.generator) == ("fake", "train", "sd")
    assert [(text.role, text.text) for text in chain.texts] == [
        ("explanation", "The face is odd."),
        ("conclusion", "This image is fake."),
    ]
    assert [trace.observation for trace in chain.traces] == ["The face is odd."]


def test_attributes_and_chain_of_one_image_become_one_chain(tmp_path):
    pictures(tmp_path, "sd/1_fake/a.png")
    write(tmp_path / "attributes.json", attributes("sd/1_fake/a.png"))
    write(tmp_path / "chains.json", [conversation("sd/1_fake/a.png", CHAIN)])
    chains, rejects, _, _ = take("mmfr", tmp_path, tmp_path / "out")
    assert not rejects
    (chain,) = chains.values()
    assert [trace.id for trace in chain.traces] == ["t1", "t2", "t3"]
    assert [chain.texts[trace.span.text].text for trace in chain.traces] == [
        t.observation for t in chain.traces
    ]


@pytest.mark.parametrize(
    ("path", "said", "problem"),
    [
        ("sd/1_fake/a.png", {"High Image Quality": "Sharp."}, "is a name that the other label has"),
        ("sd/0_real/a.png", {"Low Image Quality": "Blurred."}, "is a name that the other label has"),
        ("sd/1_fake/a.png", {"Glow": "It glows."}, "is a name that no attribute has"),
        ("sd/1_fake/a.png", {"Low Image Quality": 3}, "must be text or null, not '3'"),
        ("sd/1_fake/a.png", {"Low Image Quality": " "}, "must be text or null"),
        ("sd/1_fake/a.png", {"Low Image Quality": "I'm sorry, I can't."}, "the text is a refusal"),
        ("sd/1_fake/a.png", {"Low Image Quality": "x" * 30_000}, "at most 20000 characters"),
        ("sd/1_fake/a.png", None, "is not an object of attributes but 'None'"),
        ("sd/a.png", {}, "its path does not say whether it is real or fake"),
        ("sd/0_fake/a.png", {}, "its path contradicts itself (0_fake)"),
        ("0_real/1_fake/a.png", {}, "its path contradicts itself (0_real, 1_fake)"),
        ("../1_fake/a.png", {}, "leaves the image root"),
        ("sd/1_fake/none.png", {}, "image file is missing"),
    ],
)
def test_a_bad_record_is_rejected(tmp_path, path, said, problem):
    pictures(tmp_path, "sd/1_fake/a.png", "sd/0_real/a.png", "sd/1_fake/b.png")
    file = write(tmp_path / "x.json", {path: said, **attributes("sd/1_fake/b.png")})
    chains, rejects, _, _ = take("mmfr", file, tmp_path / "out")
    assert set(chains) == {"sd/1_fake/b.png"}
    assert problem in problems(rejects)[path]


@pytest.mark.parametrize(
    ("image", "answer", "problem"),
    [
        ("a.png", "This image is fake.", "the answer has no <REASONING> and <CONCLUSION>"),
        ("a.png", CHAIN.replace("fake", "odd"), "the conclusion states no verdict ('This image is odd.')"),
        ("sd/0_real/a.png", CHAIN, "its conclusion says fake, and its path the opposite"),
    ],
)
def test_a_bad_chain_is_rejected(tmp_path, image, answer, problem):
    pictures(tmp_path, "a.png", "b.png", "sd/0_real/a.png")
    file = write(tmp_path / "x.json", [conversation(image, answer), conversation("b.png", CHAIN)])
    chains, rejects, _, _ = take("mmfr", file, tmp_path / "out")
    assert set(chains) == {"b.png"}
    assert problems(rejects)["1"] == problem


@pytest.mark.parametrize(
    ("path", "label"),
    [("x/1_fake/a", "fake"), ("0_real/a", "real"), ("x/1_FAKE/a", "fake"), ("x/a", None), ("x/1_fake", None)],
)
def test_a_folder_of_the_path_is_the_label(path, label):
    assert path_label(path) == label
