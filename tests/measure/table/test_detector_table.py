"""Tables of somebody else's detector: read as they were said to be, never guessed, bad rows listed."""

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulated_answers import simulated

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects, UsageError
from fakeinstruct.measure.detection import auc
from fakeinstruct.measure.reading import read_answers
from fakeinstruct.measure.run import measure
from fakeinstruct.measure.table.detector_table import open_table
from fakeinstruct.measure.table.said import rows_line

ROWS = [
    ("a.png", 0.9, "fake", "sdxl"),
    ("b.png", 0.2, "real", ""),
    ("c.png", 0.4, "fake", "flux"),
    ("d.png", 0.1, "real", ""),
]


@pytest.fixture
def table(tmp_path):
    """Write text as a table."""

    def write(text, name="scores.csv"):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / name

    return write


def as_csv(rows, head="id,score,label,generator", comma=","):
    lines = [head.replace(",", comma), *(comma.join(map(str, row)) for row in rows)]
    return "\n".join(lines) + "\n"


def scores_of(path, *said, **options):
    return read_answers([open_table(path, *said, **options)]).scores


def test_a_probability_becomes_its_logit(table):
    scores = scores_of(table(as_csv(ROWS)), "probability")
    assert scores.margin == pytest.approx([math.log(9), math.log(0.25), math.log(2 / 3), math.log(1 / 9)])
    assert list(scores.fake) == [True, False, True, False]
    assert list(scores.generator) == ["sdxl", "", "flux", ""]
    assert list(scores.group) == list(scores.image) == ["a.png", "b.png", "c.png", "d.png"]


@pytest.mark.parametrize("name", ["s.csv", "s.tsv", "s.jsonl", "s.parquet", "semicolons.csv"])
def test_every_format_says_the_same(table, tmp_path, name):
    names = ("id", "score", "label", "generator")
    records = [dict(zip(names, row, strict=True)) for row in ROWS]
    path = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist([{**row, "boxes": [[1.0]]} for row in records]), path)
    elif name.endswith("jsonl"):
        path = table("".join(json.dumps(row) + "\n" for row in records), name)
    else:
        path = table(as_csv(ROWS, comma={"s.csv": ",", "s.tsv": "\t"}.get(name, ";")), name)
    expected = scores_of(table(as_csv(ROWS), "expected.csv"), "probability")
    found = scores_of(path, "probability")
    assert all(
        np.array_equal(getattr(found, each), getattr(expected, each), equal_nan=False)
        for each in ("image", "fake", "margin", "generator")
    )


def test_what_the_scores_are_must_be_said(table):
    with pytest.raises(UsageError, match=r"not said what the scores are; they lie between 0\.1 and 0\.9"):
        open_table(table(as_csv(ROWS)))


def test_logits_said_to_be_probabilities_are_refused(table):
    rows = [(name, 4 * score - 2, *rest) for name, score, *rest in ROWS]
    with pytest.raises(UsageError, match=r"4 of 4 scores are no probabilities.*--scores margin"):
        open_table(table(as_csv(rows)), "probability")


def test_one_stray_number_is_a_bad_row_and_no_other_kind_of_score(table):
    rows = [(f"{index}.png", 0.5, "fake", "") for index in range(40)]
    rejects = Rejects()
    found = open_table(
        table(as_csv([*rows, ("odd.png", 1.0005, "fake", "")])), "probability", rejects=rejects
    )
    assert len(found.rows) == 40
    assert rejects.reasons() == [("the score is no probability", 1)]


def test_high_for_real_turns_the_margins_round(table):
    path = table(as_csv(ROWS))
    assert np.array_equal(
        scores_of(path, "probability", positive="real").margin, -scores_of(path, "probability").margin
    )


@pytest.mark.parametrize(("fake_is", "fakes"), [("1", [True, False]), ("0", [False, True])])
def test_a_bare_number_is_a_label_only_if_it_was_said_which(table, fake_is, fakes):
    path = table("id,score,label\na,1,1\nb,2,0\n")
    with pytest.raises(FakeInstructError, match=r"no usable row.*--fake-is 1 or --fake-is 0"):
        open_table(path, "margin")
    assert list(scores_of(path, "margin", fake_is=fake_is).fake) == fakes


@pytest.mark.parametrize("word", ["true", "True", "1.0", "1"])
def test_booleans_and_floats_are_bare_numbers_too(table, word):
    path = table(f"id,score,is_fake\na,1,{word}\n")
    with pytest.raises(FakeInstructError, match="no usable row"):
        open_table(path, "margin")
    assert scores_of(path, "margin", fake_is="1").fake[0]


@pytest.mark.parametrize(
    ("word", "fake"),
    [
        ("AI", True),
        ("nature", False),
        ("0_real", False),
        ("1_fake", True),
        ("AI-generated", True),
        ("Authentic", False),
    ],
)
def test_labels_as_words(table, word, fake):
    assert scores_of(table(f"id,score,label\na,1,{word}\n"), "margin").fake[0] == fake


def test_bad_rows_are_listed_with_their_lines_and_the_others_count(table):
    text = (
        "id,score,label\n"
        "a,0.5,fake\nb,nan,fake\nc,x,real\nd,0.5,perhaps\n,0.5,real\na,0.6,fake\ne,0.5\nf,1_0,fake\ng,inf,real\nh,0.1,real\n"
    )
    rejects = Rejects()
    found = open_table(table(text), "probability", rejects=rejects)
    assert [row["chain"] for row in found.rows] == ["a", "h"]
    assert [(error.record, error.problem.partition(" (")[0]) for error in rejects.errors] == [
        ("3 (b)", "the score is no number"),
        ("4 (c)", "the score is no number"),
        ("5 (d)", "unknown label"),
        ("6", "has no id"),
        ("7 (a)", "the id was used before with another score"),
        ("8", "does not have the 3 columns of the first line"),
        ("9 (f)", "the score is no number"),
        ("10 (g)", "the score is no number"),
    ]
    assert all(error.hint for error in rejects.errors)
    assert "Write fake or real instead, or leave the row out" in rejects.errors[2].hint
    assert found.said["rejected"]["the score is no number"] == 4
    with pytest.raises(RecordError, match="record 3"):
        open_table(table(text), "probability")


def test_file_names_that_stand_for_two_images_are_found_out(table):
    rejects = Rejects()
    open_table(table("filename,score,label\n1.png,1,fake\n1.png,0,real\n"), "margin", rejects=rejects)
    assert rejects.errors[0].problem == "the id was used before with another label"


def test_prompts_are_joined_by_their_mean_margin_unless_they_are_sure_of_opposites(table):
    text = "id,score,label,prompt\na,1,fake,x\na,0,fake,y\nb,1,fake,x\nb,0.5,fake,y\nc,0.8,real,x\nc,0.2,real,y\n"
    rejects = Rejects()
    scores = read_answers([open_table(table(text), "probability", rejects=rejects)]).scores
    assert dict(zip(scores.image, scores.margin, strict=True)) == {
        "b": np.inf,
        "c": pytest.approx(0, abs=1e-6),
    }
    assert [(error.record, error.problem.partition(":")[0]) for error in rejects.errors] == [
        ("a", "one prompt finds it surely fake, another surely real")
    ] * 2


def test_columns_have_usual_names_and_any_that_are_said(table):
    found = open_table(table("Path,p_fake,Target,model\na,0.5,fake,sd\n"), "probability")
    assert found.said["columns"] == {"id": "Path", "score": "p_fake", "label": "Target", "generator": "model"}
    path = table("what,p,label\na,0.5,fake\n")
    with pytest.raises(
        UsageError, match=r"no column is called id or image.*what, p, label.*--column id=NAME"
    ):
        open_table(path, "probability")
    with pytest.raises(UsageError, match="has no column 'pp'"):
        open_table(path, "probability", columns={"id": "what", "score": "pp"})
    assert len(open_table(path, "probability", columns={"id": "what", "score": "p"}).rows) == 1


def test_several_likely_columns_are_not_chosen_between(table):
    with pytest.raises(UsageError, match=r"several columns may hold the score: prob, logit"):
        open_table(table("id,prob,logit,label\na,0.5,0,fake\n"), "margin")


@pytest.mark.parametrize("head", ["id,score,prediction,label", "id,score,label,ground_truth"])
def test_a_column_called_score_or_label_is_not_chosen_before_another(table, head):
    path = table(f"{head}\na,0.5,fake,real\n")
    with pytest.raises(
        UsageError, match=r"several columns may hold the (score: score, pred|label: label, ground)"
    ):
        open_table(path, "margin")
    assert open_table(table("id,file,score,label\na,b,1,fake\n"), "margin").said["columns"]["id"] == "id"


def test_a_path_of_a_file_is_an_id(table):
    assert (
        open_table(table("file_path,score,label\na/b.png,1,fake\n"), "margin").rows[0]["chain"] == "a/b.png"
    )


def processed(conditions, n=20, extra=""):
    rows = [
        (f"{i}.png", f"0.{5 + place}{i:02}", ("fake", "real")[i % 2], condition)
        for i in range(n)
        for place, condition in enumerate(conditions)
    ]
    return as_csv(rows, f"id,score,label,aug{extra}")


def test_conditions_of_which_none_is_clean_are_refused_by_name(table, tmp_path):
    path = table(processed(["none", "jpeg50"]))
    with pytest.raises(UsageError) as error:
        open_table(path, "probability", columns={"condition": "aug"})
    assert "no row has the condition 'clean' in column 'aug'; there are: none, jpeg50" in str(error.value)
    assert "table['aug'] = table['aug'].replace('none', 'clean')" in str(error.value)
    for name in ("clean", ""):
        path = table(processed([name, "jpeg50"]))
        figures = measure([open_table(path, "probability", columns={"condition": "aug"})], tmp_path / "out")
        assert figures["overall"]["test"]["n"] == figures["per_condition"]["jpeg50"]["n"] == 20


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_column_that_tells_repeated_ids_apart_is_pointed_out(table, tmp_path, kind):
    head, *lines = processed(["none", "jpeg50"]).splitlines()
    records = [
        dict(zip([*head.split(","), "row", "same"], [*line.split(","), str(i), "x"], strict=True))
        for i, line in enumerate([*lines, lines[0]])  # one row twice, by mistake
    ]
    path = tmp_path / f"t.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    elif kind == "jsonl":
        table("".join(json.dumps(row) + "\n" for row in records), path.name)
    else:
        table(as_csv([row.values() for row in records], ",".join(records[0])), path.name)
    (remark,) = open_table(path, "probability", rejects=Rejects()).said["remarks"]
    assert remark.startswith(
        "21 of 41 rows have an id that was used before and are rejected, but column 'aug' tells"
    )
    assert "--column condition=aug; if it says how it was asked, --column prompt=aug" in remark
    with pytest.raises(RecordError, match="--column condition=NAME or prompt=NAME"):
        open_table(path, "probability")


def test_no_column_is_pointed_out_that_does_not_tell_rows_apart(table):
    lines = "".join(f"{i // 2},{i / 100},fake,{i},{i // 2}\n" for i in range(60))
    found = open_table(table(f"id,score,label,row,other\n{lines}"), "margin", rejects=Rejects())
    assert not any("tells" in remark for remark in found.said["remarks"])
    one = processed(["clean"]) + "3.png,0.9,fake,jpeg50\n"
    assert not any(
        "tells" in each for each in open_table(table(one), "margin", rejects=Rejects()).said["remarks"]
    )


def test_saturated_probabilities_tie_and_are_told_of(table):
    rng = np.random.default_rng(0)
    fake = np.arange(4000) % 2 == 0
    margin = rng.normal(np.where(fake, 12, 4), 4)
    half = (1 / (1 + np.exp(-margin))).astype(np.float16).astype(float)
    rows = [
        (index, value, "fake" if each else "real", "")
        for index, (value, each) in enumerate(zip(half, fake, strict=True))
    ]
    found = open_table(table(as_csv(rows)), "probability")
    sure = int((half == 1).sum())
    assert sure > 400
    assert any(remark.startswith(f"{sure:,} of 4,000 probabilities") for remark in found.said["remarks"])
    scores = read_answers([found]).scores
    assert auc(scores.fake, scores.margin) == pytest.approx(auc(fake, half.astype(np.float32)))
    assert auc(scores.fake, scores.margin) < auc(fake, margin) - 0.002  # what was lost


def test_exact_0_and_1_land_in_a_bin_and_a_wrong_one_has_no_log_loss(table, tmp_path):
    rng = np.random.default_rng(0)
    fake = np.arange(600) % 2 == 0
    p = np.clip(np.round(rng.normal(np.where(fake, 0.8, 0.2), 0.3), 2), 0, 1)
    rows = [
        (index, value, "fake" if each else "real", "")
        for index, (value, each) in enumerate(zip(p, fake, strict=True))
    ]
    test = measure([open_table(table(as_csv(rows)), "probability")], tmp_path / "out")["overall"]["test"]
    assert test["n"] == 600
    assert test["brier"] == pytest.approx(np.mean((p - fake) ** 2), abs=1e-6)
    assert test["auc"] == pytest.approx(auc(fake, p), abs=1e-6)
    assert test["ece"] is not None
    wrong = int(((p == 1) & ~fake).sum() + ((p == 0) & fake).sum())
    assert wrong > 0
    assert test["nll"] is None
    assert f"{wrong} wrong verdicts" in test["unavailable"]["nll"]


def test_a_score_of_order_alone_has_no_probability_until_one_is_fitted(table, tmp_path):
    rows = [
        (row["item"], 1000 + 50 * row["margin"], row["label"], row["generator"] or "", row["split"])
        for row in simulated(200)
    ]
    path = table(as_csv(rows, "id,score,label,generator,split"))
    test = measure([open_table(path, "score")], tmp_path / "out")["overall"]["test"]
    assert test["auc"] == pytest.approx(
        measure([open_table(path, "margin")], tmp_path / "m")["overall"]["test"]["auc"]
    )
    for name in ("accuracy_half", "brier", "nll", "ece"):
        assert test[name] is None
        assert "only their order is known" in test["unavailable"][name]
    assert test["calibrated"]["brier"] < 0.15
    assert test["accuracy_validation_threshold"] > 0.75


def test_margins_give_the_figures_of_an_answer_set(table, tmp_path, answer_set):
    rows = simulated(120)
    cells = [
        (row["item"], repr(row["margin"]), row["label"], row["generator"] or "", row["split"]) for row in rows
    ]
    path = table(as_csv(cells, "id,score,label,generator,split"))
    theirs = measure([open_table(path, "margin")], tmp_path / "theirs")
    ours = measure([answer_set(rows)], tmp_path / "ours")
    for name in ("auc", "auc_low", "auc_high"):
        assert theirs["per_generator"]["diffusion"][name] == ours["per_generator"]["diffusion"][name]
    for name in ("n", "auc", "auc_low", "brier", "nll", "ece", "accuracy_half"):
        assert theirs["overall"]["test"][name] == ours["overall"]["test"][name]
        if name in ("brier", "nll", "ece"):
            assert (
                theirs["overall"]["test"]["calibrated"][name] == ours["overall"]["test"]["calibrated"][name]
            )
    assert "only their order" not in (tmp_path / "theirs/report.html").read_text()


def test_chains_bring_what_the_table_lacks(table, striped_chains):
    chains = striped_chains(24)
    known = {chain.id: chain for chain in chains.read()}
    names = {
        "id": lambda chain: chain.id,
        "path": lambda chain: f"/data/{chain.image.path}",
        "file": lambda chain: chain.image.path.rpartition("/")[2],
    }
    for name, call in names.items():
        text = "image,score\n" + "".join(f"{call(chain)},0.5\n" for chain in known.values())
        scores = scores_of(table(text, f"{name}.csv"), "probability", chains=chains)
        assert list(scores.image) == list(known)
        assert list(scores.group) == [chain.group for chain in known.values()]
        assert list(scores.split) == [str(chain.split) for chain in known.values()]
        assert list(scores.fake) == [chain.label == "fake" for chain in known.values()]
        assert set(scores.generator[scores.fake]) == {"stripes"}


def test_an_image_in_no_chain_or_of_another_label_is_rejected(table, striped_chains):
    rejects = Rejects()
    text = "id,score,label\nimage-0,1,real\nimage-1,1,real\nelse,1,fake\n"
    found = open_table(table(text), "margin", chains=striped_chains(4), rejects=rejects)
    assert [row["chain"] for row in found.rows] == ["image-1"]
    assert [error.problem for error in rejects.errors] == [
        "is labelled real, its chain fake (image-0)",
        "is in no chain (else)",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", r"is empty\. A table names its columns"),
        ("\n \n", "is empty"),
        ("id,score,label\n", "names its columns and has no row"),
        ("id,score,label\nx,y,z\n", "has no usable row"),
        ("id,id,score,label\n", "names a column twice"),
        ('"id,score,label\n', "no line that names its columns"),
    ],
)
def test_a_table_of_nothing_is_one_clear_error(table, text, problem):
    with pytest.raises(FakeInstructError, match=problem):
        open_table(table(text), "margin")


def test_an_empty_table_is_empty_before_anything_is_asked_of_it(table):
    for name, text in (("s.jsonl", ""), ("s.tsv", "id\tscore\tlabel\n")):
        with pytest.raises(FakeInstructError, match=r"is empty|has no row"):
            open_table(table(text, name))


def test_lines_without_anything_before_the_names_are_passed_over(table):
    assert list(scores_of(table("\n\nid;score;label\na;1;fake\n"), "margin").image) == ["a"]


def test_per_cent_is_told_from_other_scores(table):
    rows = [(name, 100 * score, *rest) for name, score, *rest in ROWS]
    with pytest.raises(
        UsageError, match=r"between 10 and 90\. They look like per cent: divide them by 100\."
    ):
        open_table(table(as_csv(rows)), "probability")
    signed = [(name, f"{100 * score:.0f} %", *rest) for name, score, *rest in ROWS]
    with pytest.raises(UsageError, match=r"are per cent \('90 %'\).*divided by 100: 0\.93"):
        open_table(table(as_csv(signed)), "probability")
    logits = [(name, score - 300, *rest) for name, score, *rest in ROWS]
    with pytest.raises(UsageError) as error:
        open_table(table(as_csv(logits)), "probability")
    assert "per cent" not in str(error.value)


@pytest.mark.parametrize("said", ["probability", "margin", "score", None])
def test_a_decimal_comma_is_named_with_what_to_do(table, said):
    rows = [(name, f"{score:.2f}".replace(".", ","), *rest) for name, score, *rest in ROWS]
    with pytest.raises(
        UsageError, match=r"have a decimal comma \('0,90'\).*decimal points \(0\.93\).*decimal=','"
    ):
        open_table(table(as_csv(rows, comma=";")), said)
    with pytest.raises(FakeInstructError, match=r"does not have the 4 columns.*A decimal comma \(0,93\)"):
        open_table(table(as_csv(rows), "cut.csv"), said or "score")


def test_one_decimal_comma_is_a_bad_row(table):
    rejects = Rejects()
    rows = [*ROWS, ("e.png", '"0,5"', "fake", "")]
    assert len(open_table(table(as_csv(rows)), "probability", rejects=rejects).rows) == 4
    assert rejects.reasons() == [("the score is no number", 1)]


@pytest.mark.parametrize("name", ["source model", "generator_name", "GAN"])
def test_a_column_that_may_hold_the_generators_is_pointed_out(table, name):
    path = table(as_csv(ROWS, f"id,score,label,{name}"))
    (remark,) = open_table(path, "probability").said["remarks"]
    quoted = "'source model'" if " " in name else name
    assert f"if '{name}' holds it, --column generator={quoted} gives figures by generator" in remark
    assert open_table(path, "probability", columns={"generator": name}).said["remarks"] == []


def test_no_column_is_pointed_out_that_is_used_or_says_something_else(table):
    for head in ("id,score,label,model", "id,score,label,resource", "model,score,label,generator"):
        said = {"id": "model"} if head.startswith("model") else {}
        path = table(as_csv(ROWS, head))
        assert open_table(path, "probability", columns=said).said["remarks"] == []


def test_rows_and_images_of_several_prompts_are_counted_apart(table):
    rows = [
        f"{index},{'x' if index == 3 else 0.5},fake,ask {prompt}\n"
        for index in range(6)
        for prompt in range(5)
    ]
    found = open_table(table("id,score,label,prompt\n" + "".join(rows)), "probability", rejects=Rejects())
    said = {name: found.said[name] for name in ("rows", "used", "images", "images_used", "rejected")}
    assert said == {
        "rows": 30,
        "used": 25,
        "images": 6,
        "images_used": 5,
        "rejected": {"the score is no number": 5},
    }
    assert rows_line(found.said) == (
        "25 of 30 rows used (5 of 6 images); 5 rejected, listed in rejects.jsonl: the score is no number (5)"
    )


def test_a_line_names_the_commonest_reasons(table):
    bad = [("a", "x", "fake"), ("b", "x", "fake"), ("c", 0.5, "?"), ("d", 0.5, ""), ("", 0.5, "fake")]
    rows = [*bad, *((f"{index}.png", 0.5, "fake") for index in range(3))]
    found = open_table(table(as_csv(rows, "id,score,label")), "probability", rejects=Rejects())
    assert rows_line(found.said) == (
        "3 of 8 rows used; 5 rejected, listed in rejects.jsonl: the score is no number (2), unknown label (1), "
        "has no label (1), other reasons (1)"
    )
    assert rows_line(open_table(table(as_csv(ROWS)), "probability").said) == "all 4 rows used"


def test_chains_that_cannot_be_read_are_no_rejected_rows(table, striped_chains):
    chains = striped_chains(4)
    with chains.file.open("ab") as file:
        file.write(b"{}\n")
    rejects = Rejects()
    found = open_table(table("id,score\nimage-0,1\n"), "margin", chains=chains, rejects=rejects)
    assert (found.said["rows"], found.said["used"], found.said["rejected"]) == (1, 1, {})
    assert len(rejects) == 1


def test_what_is_no_table_is_wrong_usage(table, tmp_path):
    with pytest.raises(UsageError, match="none of the tables that are read"):
        open_table(table("x", "scores.xlsx"), "margin")
    with pytest.raises(UsageError, match="no such table"):
        open_table(tmp_path / "no.csv", "margin")
    with pytest.raises(FakeInstructError, match="not a readable Parquet file"):
        open_table(table("PAR1", "s.parquet"), "margin")


CELL = st.one_of(
    st.text(max_size=8),
    st.floats(width=32).map(str),
    st.sampled_from(["fake", "real", "1", "0", "", "\udcff", '"', "\x00"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(CELL, max_size=5), max_size=12),
    scale=st.sampled_from(["probability", "margin", "score"]),
)
def test_no_table_is_fatal_in_another_way_than_a_clear_error(tmp_path, rows, scale):
    path = tmp_path / "hostile.csv"
    lines = ["id,score,label", *(",".join(row) for row in rows)]
    path.write_bytes(
        "\n".join(lines).encode("utf-8", "surrogateescape") if all_encodable(lines) else b"id,score,label\n"
    )
    rejects = Rejects()
    try:
        found = open_table(path, scale, fake_is="1", rejects=rejects)
    except FakeInstructError:
        return
    assert found.said["used"] + len(rejects) == found.said["rows"]
    scores = read_answers([found]).scores
    assert len(scores) == found.said["used"]
    assert not np.isnan(scores.margin).any()


def all_encodable(lines):
    try:
        "\n".join(lines).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
