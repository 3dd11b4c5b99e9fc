"""Words and boxes on the page: drawn where there are figures and only there, and the same in every file."""

import re

import pytest
from simulated_answers import verdict

from fakeinstruct.chains.schema import Assessment, Chain, ImageRef, Meta, Origin, Region, Text, Trace
from fakeinstruct.chains.store import open_chains, write_chains
from fakeinstruct.measure.judge.kept import JudgeMeta
from fakeinstruct.measure.judge.marks import Judgement
from fakeinstruct.measure.report.boxes import box_tables
from fakeinstruct.measure.report.cells import Absent, Interval
from fakeinstruct.measure.report.plots_boxes import box_plot
from fakeinstruct.measure.report.plots_words import attribute_bars, word_drawings
from fakeinstruct.measure.report.words import word_tables
from fakeinstruct.measure.run import measure
from fakeinstruct.measure.words.figures import word_figures

BOX = (0.25, 0.25, 0.75, 0.75)
META = JudgeMeta(server="http://judge", model="judge-7b", prompt="mine", prompt_sha256="ab" * 32, samples=1)
GIVEN = {"completeness": [1, 2, 3], "preciseness": [0, 0, 6], "relevance": [6, 0, 0]}


def chain(index, fake):
    trace = Trace(
        id="t1", attribute="texture", points_to="fake", observation="Waxy.", regions=(Region(box=BOX),)
    )
    return Chain(
        id=f"image-{index}",
        image=ImageRef(path=f"{index}.png", width=32, height=32),
        label="fake" if fake else "real",
        dataset="drawn",
        group=f"group-{index}",
        split="test",
        traces=(trace,) if fake and index % 4 else (),
        assessed={"texture": Assessment.ABSENT, "edge": Assessment.PRESENT} if fake and not index % 4 else {},
        texts=(Text(role="explanation", text="The texture is waxy."),),
        origin=Origin(by="human"),
    )


def rows_of(number=24):
    said = {True: "The texture is waxy. It is fake.", False: "It is real."}
    return [
        verdict(
            n,
            n % 2 == 0,
            1.0 - n % 2,
            text="I cannot tell." if n == 1 else said[n % 2 == 0 and n % 3 > 0],
            boxes=[list(BOX)] if n % 3 else [],
        )
        for n in range(number)
    ]


@pytest.fixture
def chains(tmp_path):
    write_chains(tmp_path / "chains", [chain(n, n % 2 == 0) for n in range(24)], Meta(name="drawn"))
    return open_chains(tmp_path / "chains")


def words_of(chains, **options):
    return word_figures(rows_of(), chains, **options)


def test_what_has_no_figure_is_not_drawn(chains):
    assert list(word_drawings(words_of(None))) == ["outcomes"]
    assert list(word_drawings(words_of(chains))) == ["outcomes", "attributes"]
    silent = [row | {"label": None} for row in rows_of()]
    assert word_drawings(word_figures(silent, None)) == {}
    judged = words_of(chains, judgement=Judgement(META, {}, 6, 6, given=GIVEN))
    assert list(word_drawings(judged)) == ["outcomes", "marks", "attributes"]
    claimed = word_figures([verdict(1, False, 0.0, text="The texture is waxy; fake.")], chains)
    assert list(word_drawings(claimed)) == ["outcomes", "claimed"]


def text_of(drawing):
    return re.findall(r">([^<>\n]+)</text>", drawing)


def test_drawings_name_their_axes_and_how_many_they_are_of(chains):
    drawn = word_drawings(words_of(chains, judgement=Judgement(META, {}, 6, 6, given=GIVEN)))
    outcomes, marks, attributes = map(text_of, drawn.values())
    assert {"Verdicts of 24 texts, by truth", "says fake", "no verdict", "reals (12)", "fakes (12)"} <= {
        *outcomes
    }
    assert {"A judge's marks in 6 replies", "mark 2", "completeness (6)", "3"} <= {*marks}
    assert {
        "Flaws claimed of 12 fakes that have some",
        "texture (6)",
        "edge (6)",
        "precision",
        "recall",
        "F1",
    } <= {*attributes}
    assert all("aria-label=" in each for each in drawn.values())


def test_where_nobody_judged_an_attribute_absent_the_bars_are_of_recall():
    ends = {f"recall_{end}": None for end in ("low", "high")}
    row = {"annotated": 3, "recall": 0.5, "precision": None, "f1": None, **ends}
    found = text_of(attribute_bars({"edge": row}, 3))
    assert "recall" in found
    assert not {"F1", "precision"} & {*found}


def test_boxes_are_drawn_with_their_mean_and_without_intervals_where_there_are_none(
    chains, answer_set, tmp_path
):
    figures = measure([answer_set(rows_of())], tmp_path / "out", chains=chains)
    page = (tmp_path / "out/report.html").read_text()
    row = figures["boxes"]
    assert f"{row['n']:,} images, mean {row['matched_iou']:.3f}" in page
    assert {"precision", "recall", "matched IoU", "reals with a box"} <= {*text_of(box_plot(row))}
    bare = row | {f"{name}_{end}": None for name in ("matched_iou", "precision") for end in ("low", "high")}
    assert box_plot(bare) != box_plot(row)
    for name in ("words: flaws by attribute, shares", "boxes: images by matched IoU"):
        assert name in page
        assert f"## {name}" in (tmp_path / "out/figures.md").read_text()


def test_figures_stand_with_their_number_of_images_and_interval_or_why_not(chains):
    tables = {table.title: table for table in word_tables(words_of(chains))}
    rows = {row[0]: row[1:] for row in tables["words: verdicts"].rows}
    assert rows["verdict is right, of fakes"][0] == 12
    assert isinstance(rows["verdict is right, of fakes"][2], Interval)
    assert rows["texts with a verdict"][:2] == (24, pytest.approx(23 / 24, abs=1e-6))
    beside = {row[0]: row[1:] for row in tables["words beside those of annotators (drawn)"].rows}
    assert beside["similarity in meaning"] == (24, Absent("no sentence encoder was given"), "")
    assert beside["relevance, 0 to 2"][:2] == (0, Absent("no judge was asked"))
    alone = {table.title: table for table in word_tables(words_of(None))}
    assert alone["words: claimed flaws"].rows[0][2] == Absent("no chain set was given")
    assert alone["words: images with nothing to compare with"].rows == (("no chain", 24),)


def test_a_figure_without_an_interval_says_why(chains):
    few = word_figures(rows_of()[:4], chains)
    rows = {row[0]: row[1:] for row in word_tables(few)[0].rows}
    assert rows["verdict is right (a text without one is wrong)"][2] == Absent("only 4 sources to draw from")


def test_the_judge_is_named_with_its_prompt_and_what_it_did_not_mark(chains):
    judgement = Judgement(META, {}, 7, 6, unparsed=("Hm.",), given=GIVEN, deviation={"relevance": 0.25})
    *_, marks, asked = word_tables(words_of(chains, judgement=judgement))
    assert "judge-7b" in marks.title
    assert "prompt mine, abababababab" in marks.title
    assert marks.rows == tuple((name, *counts) for name, counts in GIVEN.items())
    assert ("replies without marks", 1) in asked.rows
    assert ("deviation of relevance within a text", 0.25) in asked.rows


def test_boxes_without_an_annotated_region_have_no_histogram(chains, answer_set, tmp_path):
    rows = [row for row in rows_of() if row["label"] == "real"]
    figures = measure([answer_set(rows)], tmp_path / "out", chains=chains)
    assert figures["boxes"]["n"] == 0
    assert [table.title for table in box_tables(figures["boxes"])] == [
        "boxes",
        "boxes: passed over",
        "boxes: rules",
    ]
    assert "mean over images" not in (tmp_path / "out/report.html").read_text()


def test_the_title_of_a_drawing_fits_beside_long_names():
    row = dict.fromkeys(("f1", "precision", "recall", "f1_low", "f1_high"), 0.5)
    drawn = attribute_bars({"a name of no less than 26 letters": {**row, "annotated": 1234}}, 240)
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', drawn)[1])
    x, text = re.search(r'<text[^>]* x="([\d.]+)"[^>]*>(Flaws claimed[^<]*)<', drawn).groups()
    assert text == "Flaws claimed of 240 fakes that have some"
    assert float(x) + 6.5 * len(text) < width
