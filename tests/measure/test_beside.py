"""What stands beside an expert stands on its images, with its truth."""

import pytest
from simulated_answers import simulated, verdict

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.card import ExpertCard, Readout, save_card
from fakeinstruct.measure.beside import Company, _clean, named_paths
from fakeinstruct.measure.figures import split_figures
from fakeinstruct.measure.fitting import Fit
from fakeinstruct.measure.reading import read_answers
from fakeinstruct.measure.run import measure
from fakeinstruct.measure.table.detector_table import open_table


def beside(expert, **others):
    """The figures of others beside an expert."""
    return Company(others=others).figures([expert], read_answers([expert]).scores)[1]


def test_another_experts_answers_are_measured_on_the_same_images(answer_set):
    others = simulated(260, seed=1)
    base = answer_set(others, "base", expert="the base")
    found = beside(answer_set(simulated(200)), base=base)["base"]
    alone = split_figures(
        _clean(read_answers([answer_set(others[:200], "cut")]).scores, "test"), Fit(), 0
    ).json()
    assert found["overall"]["test"]["n"] == 150
    for name in ("auc", "auc_low", "auc_high", "brier", "ece"):
        assert found["overall"]["test"][name] == alone[name]
    assert (found["note"], found["lacking"]) == ("scores of the base", 0)
    assert found["fit"]["n"] > 50  # it is calibrated on all of its own validation images


def test_images_that_the_others_bias_was_fitted_on_are_no_test_of_it(answer_set):
    rows = [row for row in simulated(200, seed=1) if row["split"] == "test"]
    spent = tuple(row["chain"] for row in rows[:30])
    fitted = Readout(
        name=rows[0]["template"],
        prompt=rows[0]["prompt"],
        fake=("fake",),
        real=("real",),
        scale=1.0,
        bias=0.3,
        fitted_items=spent,
    )
    found = beside(answer_set(simulated(200)), other=answer_set(rows, "other", readouts=(fitted,)))["other"]
    assert found["overall"]["test"]["calibrated"]["ece"] is not None
    assert found["overall"]["test"]["n"] == len(rows) - 30
    assert found["lacking"] == 30


def test_images_that_the_other_lacks_are_counted(answer_set):
    other = answer_set([row for row in simulated(200, seed=1) if row["item"] != "image-0"], "other")
    found = beside(answer_set(simulated(200)), other=other)["other"]
    assert found["overall"]["test"]["n"] == 149
    assert found["lacking"] == 1


def test_a_table_takes_split_generator_and_group_from_the_experts_answers(answer_set, tmp_path):
    rows = [row | {"group": f"g{index // 4}"} for index, row in enumerate(simulated(200))]
    csv = tmp_path / "other.csv"
    csv.write_text("id,score,label\n" + "".join(f"{r['item']},{r['margin']},{r['label']}\n" for r in rows))
    table = open_table(csv, "margin")
    figures = measure([answer_set(rows)], tmp_path / "out", beside={"detector": table})
    found = figures["baselines"]["detector"]
    assert found["overall"]["validation"]["n"] == 50
    assert found["per_generator"] == figures["per_generator"]
    for name in ("n_groups", "auc", "auc_low", "auc_high", "nll", "calibrated"):
        assert found["overall"]["test"][name] == figures["overall"]["test"][name]
    assert "detector" in (tmp_path / "out/report.html").read_text()


def test_labels_the_other_way_round_are_refused(answer_set):
    other = answer_set([verdict(n, n % 2 == 1, 1.0) for n in range(8)], "other")
    with pytest.raises(UsageError, match="8 images have the other label in runs/expert"):
        beside(answer_set(simulated(200)), other=other)


def test_answers_about_other_images_are_refused(answer_set):
    other = answer_set([verdict(n, n % 2 == 0, 1.0) for n in range(900, 920)], "other")
    with pytest.raises(UsageError, match="none of the test images that were answered"):
        beside(answer_set(simulated(200)), other=other)


def test_names_are_checked_before_anything_is_done(answer_set, tmp_path):
    answers = answer_set(simulated(40), expert=str(tmp_path / "expert"))
    for card, hint in (
        ("small", "it has no untuned base"),
        ("llava-hf/llava-1.5-7b-hf", "score llava-hf/llava-1.5-7b-hf ITEMS --out ANSWERS"),
    ):
        save_card(tmp_path / "expert", ExpertCard(base=card))
        with pytest.raises(UsageError) as error:
            Company(("base",)).check([answers])
        assert hint in (error.value.hint or "")
    with pytest.raises(UsageError, match="the name 'question' is taken"):
        Company(("question",), {"question": answers}).check([answers])
    with pytest.raises(UsageError, match="Name it with --chains"):
        Company(("probe",)).check([answers])
    Company(("question",)).check([answers])


def test_names_and_paths():
    found = named_paths(["base=runs/base", "other=a=b"])
    assert {name: str(path) for name, path in found.items()} == {"base": "runs/base", "other": "a=b"}
    for wrong in ("base", "=x", "base="):
        with pytest.raises(UsageError, match="is not NAME=ANSWERS"):
            named_paths([wrong])
    with pytest.raises(UsageError, match="given twice"):
        named_paths(["a=x", "a=y"])
