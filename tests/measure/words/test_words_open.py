"""Open questions of a benchmark: counted, compared with annotators' own words and boxes, and absent with a reason."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from drawn import TINY, conversations
from simulated_answers import verdict

from fakeinstruct.base.errors import Rejects
from fakeinstruct.chains.importers import import_chains
from fakeinstruct.chains.schema import Chain, ImageRef, Origin, Region, Trace
from fakeinstruct.chains.store import open_chains
from fakeinstruct.expert.card import ExpertCard, save_card
from fakeinstruct.expert.small import build_small
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.protocol import load_evaluation
from fakeinstruct.measure.evaluate import evaluate
from fakeinstruct.measure.evaluations.needs import open_items
from fakeinstruct.measure.judge.kept import JudgeMeta
from fakeinstruct.measure.judge.marks import Judgement
from fakeinstruct.measure.report.cells import Absent, Interval
from fakeinstruct.measure.report.open import open_tables
from fakeinstruct.measure.words.open import open_figures, open_rows

sys.path.append(str(Path(__file__).parents[2] / "chains"))
from test_import_loki import asked, loki, opened

META = JudgeMeta(server="http://judge", model="judge-7b", prompt="mine", prompt_sha256="ab" * 32, samples=1)
OWN = "The roof is warped and bent."
LEFT = (0.0, 0.0, 0.5, 1.0)


def described(index, *content, words=OWN):
    return Chain(
        id=f"image-{index}",
        image=ImageRef(path=f"{index}.png", width=10, height=10),
        label="fake",
        dataset="loki",
        group=f"group-{index}",
        content=content,
        traces=(Trace(id="t1", points_to="fake", observation=words, regions=(Region(box=LEFT),)),)
        if words
        else (),
        origin=Origin(by="human", name="loki"),
    )


def answer(index, text, *boxes, name="what-is-wrong"):
    known = {"kind": "open", "item": f"open-{index}", "template": name, "position": "scan", "look": 1}
    return verdict(index, True, 0.0, **known) | {
        "text": text,
        "boxes": [list(box) for box in boxes],
        "margin": None,
    }


def figures_of(rows, chains):
    known = {chain.id: chain for chain in chains}
    found = {name: open_figures(some, known, 0) for name, some in open_rows(rows).items()}
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def test_answers_are_counted_and_compared_by_question_and_by_what_images_show():
    chains = [described(n, ("animals", "satellite")[n % 2]) for n in range(12)] + [described(12)]
    rows = [answer(n, OWN if n % 2 else "A cat.", LEFT) for n in range(12)]
    rows += [answer(12, None), answer(0, OWN, name="another"), verdict(0, True, 1.0, text="It is fake.")]
    found = figures_of(rows, chains)
    assert list(found) == ["another", "what-is-wrong"]
    whole = found["what-is-wrong"]
    assert (whole["asked"], whole["answered"]) == (13, 12)
    own = whole["beside"]["by_writer"]["human"]
    assert (own["n"], own["bleu_1"], own["bleu_2"], own["rouge_l"]) == (12, 0.5, 0.5, 0.5)
    assert own["bleu_1_low"] < 0.5 < own["bleu_1_high"]
    assert list(whole["by_content"]) == ["animals", "satellite", "not said"]
    scores = {name: row["beside"]["by_writer"] for name, row in whole["by_content"].items()}
    assert [scores[name]["human"]["rouge_l"] for name in ("animals", "satellite")] == [0, 1]
    assert scores["not said"] == {}
    assert (whole["boxes"]["n"], whole["boxes"]["matched_iou"], whole["boxes"]["recall"]) == (12, 1, 1)
    assert found["another"]["answered"] == 1


def test_a_content_of_which_no_answer_names_a_box_is_missed_and_not_left_out():
    chains = [described(n, ("animals", "satellite")[n % 2]) for n in range(12)]
    rows = [answer(n, OWN, *([LEFT] if n % 2 else [])) for n in range(12)]
    row = figures_of(rows, chains)["what-is-wrong"]
    boxes = {name: each["boxes"] for name, each in row["by_content"].items()}
    assert [boxes[name]["recall"] for name in ("animals", "satellite")] == [0, 1]
    assert row["boxes"]["recall"] == 0.5


def test_the_tables_have_a_row_a_question_and_content_and_say_what_is_missing():
    chains = [described(n, "animals") for n in range(6)] + [described(6, "doc", words="")]
    rows = [answer(n, f"{OWN} {'So' * n}") for n in range(6)] + [answer(6, "Nothing.")]
    words, boxes = open_tables(figures_of(rows, chains))
    assert [row[:4] for row in words.rows] == [
        ("what-is-wrong", 7, 7, 6),
        ("what-is-wrong, animals", 6, 6, 6),
        ("what-is-wrong, doc", 1, 1, 0),
    ]
    assert isinstance(words.rows[0][5], Interval)
    assert words.rows[2][4] == Absent("no words of annotators")
    assert boxes.rows[0][:3] == ("what-is-wrong", 0, Absent("no answer names a box"))


def test_marks_and_similarity_have_columns_where_there_are_some():
    chains = [described(n) for n in range(6)]
    rows = open_rows([answer(n, OWN) for n in range(6)])["what-is-wrong"]
    marks = {f"image-{n}": {"completeness": 2, "preciseness": n % 3, "relevance": 1} for n in range(5)}
    known = {chain.id: chain for chain in chains}
    plain = open_tables({"q": open_figures(rows, known, 0)})
    assert [table.title for table in plain] == [
        "open questions: words beside annotators'",
        "open questions: boxes beside annotators'",
    ]
    assert "similarity in meaning" not in plain[0].head
    judgement = Judgement(META, marks, 5, 6)
    found = open_figures(rows, known, 0, judgement=judgement)
    assert (found["judge"]["model"], found["judge"]["prompt_sha256"]) == ("judge-7b", "ab" * 32)
    _, marked, _ = open_tables({"q": found})
    assert marked.title == "open questions: marks, 0 to 2, of the judge judge-7b (prompt mine, abababababab)"
    assert marked.head[4::2] == ("completeness", "preciseness", "relevance")
    assert marked.rows[0][3:7] == (5, 2, "", 0.8)
    assert isinstance(marked.rows[0][7], Interval)


def test_a_set_that_says_of_no_image_what_it_shows_has_no_rows_by_content():
    assert figures_of([answer(0, OWN)], [described(0)])["what-is-wrong"]["by_content"] == {}


@pytest.fixture
def expert(tmp_path):
    build_small(
        conversations(), TINY.model_copy(update={"max_positions": 4096}), seed=3, out=tmp_path / "expert"
    )
    save_card(tmp_path / "expert", ExpertCard(base="small"))
    return load_expert(tmp_path / "expert")


@pytest.mark.slow
def test_loki_s_open_answers_have_their_table_in_every_file_of_the_report(expert, tmp_path):
    protocol = load_evaluation("loki")
    one, two = (readout.prompt for readout in protocol.readouts)
    names = [f"{letter}{number}" for letter in "fr" for number in range(2)]
    truth = {name: "fake" if name[0] == "f" else "real" for name in names}
    closed = [
        asked(name, ask, "Yes" if ask == truth[name] else "No", question=f"<image>\n{prompt}")
        for name in names
        for ask, prompt in (("fake", one), ("real", two))
    ]
    question = f"<image>\n{protocol.open[0].prompt}"
    opens = [opened(name, [([4, 3, 20, 15], OWN)], question=question) for name in names[:2]]
    source = loki(tmp_path / "loki", opens, closed, names=names)
    import_chains("loki", source, tmp_path / "chains", rejects=Rejects())
    assert {chain.content for chain in open_chains(tmp_path / "chains").read()} == {("animals",)}
    rejects = Rejects(1.0)
    found = evaluate(expert, protocol, open_items([tmp_path / "chains"]), tmp_path / "out", rejects=rejects)
    assert not rejects
    row = found["open"]["what-is-wrong"]
    assert (row["asked"], row["answered"]) == (2, 2)
    own = row["beside"]["by_writer"]["human"]
    assert (own["n"], own["writers"]) == (2, {"loki": 2})
    assert list(row["by_content"]) == ["animals"]
    assert (tmp_path / "out/report.html").read_text().count("what-is-wrong, animals") == 2
    assert "| what-is-wrong, animals | 2 | 2 | 2 |" in (tmp_path / "out/figures.md").read_text()
    assert json.loads((tmp_path / "out/figures.json").read_text())["open"] == found["open"]
