"""Figures of words: whose words they are compared with, what counts as a flaw claimed, what a verdict in words is."""

import json

import numpy as np
import pytest
from simulated_answers import verdict

from fakeinstruct.base.errors import FakeInstructError, Rejects
from fakeinstruct.chains.schema import Chain, ImageRef, Meta, Origin, Span, Text, Trace
from fakeinstruct.chains.store import open_chains, write_chains
from fakeinstruct.measure.judge.kept import JudgeMeta
from fakeinstruct.measure.judge.marks import Judgement
from fakeinstruct.measure.words.figures import word_figures
from fakeinstruct.measure.words.own import own_words

HUMAN = Origin(by="human")
SAID = "The left hand has six fingers, two of which are fused."


def chain(index, *, fake=True, said=SAID, origin=HUMAN, **other):
    known = {
        "id": f"image-{index}",
        "image": ImageRef(path=f"{index}.png"),
        "label": "fake" if fake else "real",
        "dataset": "hands",
        "group": f"group-{index}",
        "split": "test",
        "texts": (Text(role="explanation", text=said),) if said else (),
        "origin": origin,
    }
    return Chain(**(known | other))


def trace(attribute, points_to="fake", number=1, **other):
    known = {"id": f"t{number}", "attribute": attribute, "points_to": points_to, "observation": "Something."}
    return Trace(**(known | other))


@pytest.fixture
def chain_set(tmp_path):
    def write(*chains, synthetic=False):
        write_chains(tmp_path / "chains", chains, Meta(name="hands", synthetic=synthetic))
        return open_chains(tmp_path / "chains")

    return write


def answer(index, text, *, fake=True, margin=1.0, **other):
    return verdict(index, fake, margin, **({"text": text, "boxes": None, "verdict": None} | other))


def plain(figures):
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    return figures


# verdicts


def test_a_text_without_a_verdict_is_wrong_and_counted_and_shown():
    rows = [answer(i, "It is fake.") for i in range(6)]
    rows += [
        answer(6, "I cannot tell.\x1b[2J"),
        answer(7, "Odd.", fake=False),
        answer(8, "It is real.", fake=False),
    ]
    found = plain(word_figures(rows, None))["verdict"]
    assert found["accuracy"] == pytest.approx(7 / 9, abs=1e-6)
    assert found["parsed"] == pytest.approx(7 / 9, abs=1e-6)
    assert (found["accuracy_fake"], found["accuracy_real"]) == (pytest.approx(6 / 7, abs=1e-6), 0.5)
    assert found["accuracy_low"] < found["accuracy"] < found["accuracy_high"]
    assert {**found["unparsed"], "examples": None} == {"n": 2, "of_fakes": 1, "of_reals": 1, "examples": None}
    assert found["unparsed"]["examples"][0] == {"chain": "image-6", "text": "I cannot tell.\\x1b[2J"}


def test_the_verdict_of_the_questions_own_words_leads():
    rows = [answer(0, "No.", verdict="fake"), answer(1, "This is not a real photograph.")]
    assert word_figures(rows, None)["verdict"]["accuracy"] == 1


def test_agreement_is_with_margins_that_were_read_elsewhere():
    rows = [
        answer(0, "It is fake.", margin=2.0),
        answer(1, "It is fake.", margin=-2.0),
        answer(2, "It is real.", margin=0.0),
        answer(3, "It is real.", margin=2.0, position="scan"),  # read in this very text
        answer(4, "No idea.", margin=2.0),
        answer(5, "It is fake.", margin=None),
    ]
    found = word_figures(rows, None)["verdict"]
    assert found["agreement"] == pytest.approx(2 / 3, abs=1e-6)
    assert found["unavailable"]["agreement_low"] == "only 3 sources to draw from"


def test_several_texts_of_an_image_count_as_one_image():
    rows = [answer(0, "fake", sample=s) for s in range(9)] + [answer(1, "real")]
    found = word_figures(rows, None)
    assert (found["n"], found["texts"], found["verdict"]["accuracy"]) == (2, 10, 0.5)


def test_only_clean_whole_test_images_count():
    others = [
        {"split": "train"},
        {"condition": "jpeg-50"},
        {"kind": "prior"},
        {"kind": "choice"},
        {"look": 2},
        {"condition": "repair", "trace": "t1"},
        {"text": None},
    ]
    rows = [answer(i, "real") | other for i, other in enumerate(others)]
    figures = plain(word_figures([*rows, answer(10, "fake", split=None)], None))
    assert (figures["n"], figures["verdict"]["accuracy"]) == (1, 1)
    nothing = plain(word_figures(rows, None))
    assert (nothing["n"], nothing["verdict"]["accuracy"]) == (0, None)
    assert nothing["verdict"]["unavailable"]["accuracy"] == "no text about a labelled test image"


def test_intervals_draw_groups_not_images():
    rng = np.random.default_rng(0)
    right = rng.random(40) < 0.6
    rows = [
        answer(f"{g}-{i}", "fake" if right[g] else "real", group=f"g{g}") for g in range(40) for i in range(8)
    ]
    alone = [{**row, "group": row["chain"]} for row in rows]
    clustered, naive = (word_figures(each, None)["verdict"] for each in (rows, alone))
    width, narrow = (each["accuracy_high"] - each["accuracy_low"] for each in (clustered, naive))
    assert 2.2 < width / narrow < 3.5  # sqrt(8) is 2.83
    assert word_figures(rows, None) == word_figures(rows, None)


def test_figures_that_are_the_same_for_all_have_no_interval():
    found = word_figures([answer(i, "fake") for i in range(20)], None)["verdict"]
    assert (found["accuracy"], found["accuracy_low"]) == (1, None)
    assert "no certainty" in found["unavailable"]["accuracy_low"]


# annotators' own words


def test_words_are_compared_with_annotators_own_only(chain_set):
    model = Origin(by="model", model="teacher-7b")
    chains = chain_set(
        *(chain(i) for i in range(6)),
        chain(6, origin=model),
        chain(7, origin=Origin(by="dataset")),
        chain(8, origin=Origin(by="program", synthetic=True)),
        chain(9, said=None),
        chain(10, texts=(Text(role="explanation", text=SAID, lang="zh"),)),
        chain(11, said=None, texts=(Text(role="caption", text=SAID),)),
    )
    figures = plain(word_figures([answer(i, SAID) for i in range(13)], chains))["beside"]
    found = figures["by_writer"]
    assert list(found) == ["human", "model", "dataset"]
    assert [found[by]["n"] for by in found] == [6, 1, 1]
    assert (found["model"]["writers"], found["model"]["words_of"]) == (
        {"teacher-7b": 1},
        "a model, not annotators",
    )
    assert found["human"]["bleu_2"] == found["human"]["rouge_l"] == 1
    assert found["human"]["unavailable"]["similarity"] == "no sentence encoder was given"
    assert found["human"]["unavailable"]["completeness"] == "no judge was asked"
    assert found["human"]["overall"] is None
    assert figures["left_out"] == {
        "in another language than 'en'": 1,
        "no chain": 1,
        "no words of annotators": 2,
        "written by a program": 1,
    }


def test_words_of_a_chain():
    span = Span(text=0, start=0, end=13)
    caption = Text(role="caption", text="The left hand has six fingers.")
    assert own_words(chain(0)).references == (SAID,)
    both = (Text(role="conclusion", text="So it is fake."), caption)
    assert own_words(chain(0, texts=both)).references == ("So it is fake.",)
    taken = chain(0, texts=(caption,), traces=(trace("anatomy", span=span), trace("edge", "real", 2)))
    assert own_words(taken).references == ("The left hand",)
    told = chain(
        0, said=None, traces=(trace("anatomy", inference="So it is generated."), trace("text", number=2))
    )
    assert own_words(told).references == ("Something. So it is generated. Something.",)
    # a sentence that an importer wrote for a category
    filed = chain(0, said=None, traces=(trace("anatomy", mapped_by="format"),))
    assert own_words(filed) == "no words of annotators"
    modelled = chain(0, said=None, traces=(trace("anatomy"),), origin=Origin(by="model"))
    assert own_words(modelled) == "no words of annotators"


def test_fakebenchs_overall_figure(chain_set):
    class Alike:
        """Finds everything alike by 0.5; what an encoder does is tested with one."""

        def similarity(self, pairs):
            return np.array([0.5 if references else np.nan for _, references in pairs])

        def json(self):
            return {"name": "alike"}

    meta = JudgeMeta(server="http://localhost/v1", model="j", prompt="p", prompt_sha256="ab", samples=1)
    marks = {
        f"image-{i}": {"completeness": 2.0, "preciseness": 1.0, "relevance": i % 2 * 2.0} for i in range(8)
    }
    said = Judgement(meta, marks, 8, 8)
    rows = [answer(i, SAID) for i in range(10)]
    figures = plain(word_figures(rows, chain_set(*map(chain, range(10))), encoder=Alike(), judgement=said))
    found = figures["beside"]["by_writer"]["human"]
    # eight images: ((1 + 1 + 1 + .5) / 4 + ((2 + 1 + 1) / 3) / 2) / 2
    assert found["overall"] == pytest.approx((3.5 / 4 + 4 / 3 / 2) / 2, abs=1e-6)
    assert found["relevance"] == 1
    assert found["overall_low"] < found["overall"] < found["overall_high"]
    assert figures["judge"]["prompt_sha256"] == "ab"


def test_what_texts_say_is_counted_by_truth_and_none_is_an_outcome():
    said = ["It is fake.", "It is fake.", "It is real.", "I cannot tell."]
    rows = [answer(i, text) for i, text in enumerate(said)]
    rows += [answer(9, "It is fake.", fake=False), answer(10, "Who knows.", label=None)]
    found = plain(word_figures(rows, None))["verdict"]
    assert found["outcomes"] == {
        "real": {"real": 0, "fake": 1, "nothing": 0},
        "fake": {"real": 1, "fake": 2, "nothing": 1},
    }
    assert (found["n"], found["n_fake"], found["n_real"], found["n_agreement"]) == (5, 4, 1, 4)


# flaws


def test_claims_are_wrong_only_where_something_was_judged_absent(chain_set):
    one = chain(0, traces=(trace("anatomy"), trace("edge", number=2)), assessed={"texture": "absent"})
    unassessed = chain(1, traces=(trace("anatomy"),))
    text = "The fingers are fused, the texture is waxy, the shadows are wrong. It is fake."
    rows = [answer(0, text), answer(1, text)]
    found = plain(word_figures(rows, chain_set(one, unassessed)))["attributes"]
    assert (found["n"], found["n_judged"]) == (2, 1)
    assert found["recall"] == pytest.approx(2 / 3, abs=1e-6)  # anatomy twice, of three
    assert found["precision"] == 0.5  # of the first image: anatomy right, texture wrong, shadows unjudged
    assert found["f1"] == 0.5  # 2 / (2 + 1 wrong + 1 missed)
    assert found["unjudged"] == 1.5
    texture = found["per_attribute"]["texture"]
    counts = {"annotated": 0, "absent": 1, "found": 0, "wrong": 1, "unjudged": 1, "on_real": 0}
    assert {name: texture[name] for name in counts} == counts
    alone = word_figures(rows[1:], chain_set(unassessed))["attributes"]
    assert (alone["precision"], alone["f1"], alone["recall"]) == (None, None, 1)
    assert "judged absent" in alone["unavailable"]["precision"]


def test_each_attribute_has_its_own_figures_over_the_fakes_of_which_it_was_judged(chain_set):
    """Texture: 4 of 6 fakes have it and 2 were judged free of it; edges were never judged absent."""
    has = (trace("texture"), trace("edge", number=2))
    flawed = [chain(i, traces=has) for i in range(4)]
    without = [chain(i, traces=(trace("edge"),), assessed={"texture": "absent"}) for i in (4, 5)]
    unjudged = chain(6, traces=(trace("edge"),))
    reals = [chain(i, fake=False) for i in range(10, 18)]
    waxy, none = "The texture is waxy. It is fake.", "It is fake."
    said = {0: waxy, 1: waxy, 2: waxy, 3: none, 4: waxy, 5: none, 6: waxy}
    rows = [answer(i, text) for i, text in said.items()]
    rows += [answer(3, waxy)]  # a second text about the same image: half of it finds the flaw
    rows += [answer(i, waxy if i == 10 else "It is real.", fake=False) for i in range(10, 18)]
    found = plain(word_figures(rows, chain_set(*flawed, *without, unjudged, *reals)))["attributes"]
    texture, edge = (found["per_attribute"][key] for key in ("texture", "edge"))
    assert texture["recall"] == 3.5 / 4
    assert texture["precision"] == pytest.approx(3.5 / 4.5, abs=1e-6)
    assert texture["f1"] == pytest.approx(7 / (7 + 1 + 0.5), abs=1e-6)
    assert texture["f1_low"] < texture["f1"] < texture["f1_high"]
    assert texture["claimed_on_real"] == 1 / 8
    assert (texture["annotated"], texture["found"], texture["wrong"], texture["unjudged"]) == (5, 4, 1, 1)
    assert (edge["recall"], edge["precision"], edge["f1"]) == (0, None, None)
    assert "no annotator judged it absent" in edge["unavailable"]["f1"]
    assert "anatomy" not in found["per_attribute"]


def test_how_often_a_flaw_is_claimed_of_a_real_image(chain_set):
    texts = [
        "No unnatural shadows; real.",
        "The fingers look natural: real.",
        "The texture is waxy. It is fake.",
    ]
    reals = [chain(i, fake=False, traces=(trace("edge", "real"),)) for i in range(9)]
    rows = [answer(i, texts[i % 3], fake=False) for i in range(9)]
    fake = chain(20, traces=(trace("texture"),))
    found = plain(word_figures([*rows, answer(20, texts[2])], chain_set(*reals, fake)))["attributes"]
    assert (found["n_real"], found["on_real"]) == (9, {"texture": 3})
    assert found["claimed_on_real"] == pytest.approx(1 / 3, abs=1e-6)
    assert found["claimed_on_real_low"] < 1 / 3 < found["claimed_on_real_high"]
    assert (found["n"], found["recall"]) == (1, 1)


def test_without_chains_flaws_and_overlap_are_absent_with_their_reason():
    figures = plain(word_figures([answer(0, "It is fake.")], None))
    assert figures["attributes"]["unavailable"] == {"attributes": "no chain set was given"}
    assert figures["beside"]["left_out"] == {"no chain": 1}


def test_a_bad_chain_is_counted(tmp_path, chain_set):
    chains = chain_set(chain(0), chain(1))
    with chains.file.open("a") as file:
        file.write('{"id": 5}\n')
    rejects = Rejects()
    assert word_figures([answer(0, SAID)], chains, rejects=rejects)["beside"]["by_writer"]["human"]["n"] == 1
    assert len(rejects) == 1
    with pytest.raises(FakeInstructError, match="record 3"):
        word_figures([answer(0, SAID)], chains)
