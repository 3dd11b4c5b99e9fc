"""Tables of the report as rows: intervals beside their figures, reasons where there are none."""

from simulated_answers import simulated, verdict

from fakeinstruct.measure.figures import split_figures
from fakeinstruct.measure.fitting import Fit
from fakeinstruct.measure.report.cells import Absent, Interval, Table, interval, named, part, shown
from fakeinstruct.measure.report.every import every_figure
from fakeinstruct.measure.report.missing import missing_sections, no_transfer
from fakeinstruct.measure.report.tables import headline, means
from fakeinstruct.measure.run import measure
from fakeinstruct.measure.scores import Scores


def test_a_cell_shows_four_decimals_or_why_not():
    assert [shown(cell) for cell in (0.5, 12345, None, True, "gan", Interval(0.1, 0.25))] == [
        *("0.5000", "12,345", "-", "yes", "gan", "0.1000–0.2500")
    ]
    assert shown(Absent("too few"), "–") == "– (too few)"


def test_an_interval_stands_under_low_and_high_or_under_intervals():
    assert interval({"auc_low": 0.1, "auc_high": 0.2, "intervals": {"auc": [0.3, 0.4]}}) == Interval(0.1, 0.2)
    assert interval({"auc_low": None, "auc_high": None, "intervals": {"auc": [0.3, 0.4]}}) == Interval(
        0.3, 0.4
    )
    assert interval({"difference": 1.0, "low": 0.5, "high": 1.5}, "difference") == Interval(0.5, 1.5)
    assert interval({"ece": 0.1, "intervals": None}, "ece") is None
    assert interval({"ece": 0.1}, "ece") is None


def test_what_no_detector_knows_is_called_the_oracle_and_nothing_else_is():
    rows = [verdict(i, i % 2 == 0, float(i % 7 - i % 2)) for i in range(40)]
    row = split_figures(Scores.of(rows), Fit(threshold=-5.0), 0).json()  # takes all for fake
    shown_as = {line[0]: line[1] for line in every_figure(row).rows}
    (name,) = (label for label in shown_as if "oracle" in label)
    assert "on these very images" in name
    assert shown_as[name] == row["accuracy_oracle_threshold"] > row["accuracy_validation_threshold"]
    assert shown_as["accuracy at the validation threshold"] == row["accuracy_validation_threshold"]


def test_what_a_perfect_scorer_stays_under_stands_beside_every_calibration_error():
    rows = [verdict(i, i % 2 == 0, float(i % 7 - i % 2)) for i in range(40)]
    scores = Scores.of(rows).scaled(0.5, 0.1)
    row = split_figures(scores, Fit(0.5, 0.1, source="validation"), 0).json()
    bands = {line[0]: line[3] for line in every_figure(row).rows if line[3] != ""}
    names = {"ece": "ECE, 15 bins of equal mass", "smooth_ece": "smooth ECE"}
    expected = {}
    for title, each in (("{}", row), ("{}, calibrated", row["calibrated"])):
        for name, label in names.items():
            expected[title.format(label)] = each[f"{name}_band"]["perfectly_calibrated"]["percentile_95"]
    assert bands == expected
    assert min(bands.values()) > 0


def test_nested_figures_become_rows_and_rows_that_are_alike_a_table():
    found = {
        "n": 3,
        "recall": 0.5,
        "recall_low": 0.25,
        "recall_high": 0.75,
        "inner": {"f1": None, "unavailable": {"f1": "nobody judged"}},
        "per_attribute": {"edge": {"found": 1, "missed": 2}, "texture": {"found": 0, "missed": 4}},
        "examples": ["a text"],
    }
    assert named("words", found) == [
        Table(
            "words",
            ("figure", "value", "95 % interval"),
            (
                ("n", 3, ""),
                ("recall", 0.5, Interval(0.25, 0.75)),
                ("inner, f1", Absent("nobody judged"), ""),
            ),
        ),
        Table("words: per_attribute", ("name", "found", "missed"), (("edge", 1, 2), ("texture", 0, 4))),
    ]


def test_a_part_that_is_empty_is_no_part():
    figures = {"transfer": {"fitted_on": None, "unavailable": {"fitted_on": "one generator"}}, "words": {}}
    assert part(figures, "transfer.unavailable.fitted_on") == "one generator"
    assert part(figures, "words") is None
    assert part(figures, "transfer.fitted_on.nothing") is None


def test_a_matrix_without_a_figure_is_missing_for_its_reason():
    cell = {"ece": None, "unavailable": {"ece": "a half has 3 fakes"}}
    figures = {
        "provenance": {"tables": []},
        "per_generator": {"gan": {}},
        "transfer": {"fitted_on": {"nothing": {"gan": cell}}},
        "prompts": {"prompts": 60, "per_prompt": []},
    }
    assert no_transfer(figures) == "a half has 3 fakes"
    found = missing_sections(figures)
    assert found["calibration transfer"] == "a half has 3 fakes"
    assert found["prompt spread"] == "60 wordings are too many for a row each"
    assert "score --condition" in found["robustness curves"]
    known = {"transfer": {"fitted_on": {"nothing": {"gan": cell, "vae": {"ece": 0.1}}}}}
    assert no_transfer(known) is None


def test_a_fitted_band_that_is_not_there_has_its_reason(answer_set, tmp_path):
    figures = measure([answer_set(simulated(400))], tmp_path / "out")
    lines = {line[0]: line[4] for line in every_figure(figures["overall"]["test"]).rows}
    assert lines["smooth ECE, calibrated"] == Absent("simulated for the ECE alone")
    assert lines["ECE, 15 bins of equal mass, calibrated"] > 0
    assert lines["smooth ECE"] == ""  # nothing was fitted for it
    unfitted = measure(
        [answer_set([row | {"split": "test"} for row in simulated(100)], name="b")], tmp_path / "other"
    )
    shown_as = {line[0]: line[1] for line in every_figure(unfitted["overall"]["test"]).rows}
    assert shown_as["smooth ECE, calibrated"] == Absent("no validation images to fit on")


def test_the_mean_over_generators_stands_in_the_tables_with_its_interval(answer_set, tmp_path):
    rows = simulated(400)
    for index, row in enumerate(rows):
        row |= {"generator": f"gan-{index // 2 % 2}"} if row["label"] == "fake" else {}
    figures = measure([answer_set(rows)], tmp_path / "out")
    mean = figures["generators"]["macro_auc"]
    assert ("auc, mean over generators", mean) in headline(figures).rows
    lines = {line[0]: line[1:] for line in means(figures).rows}
    assert lines["AUC"] == (mean, Interval(*figures["generators"]["intervals"]["macro_auc"]))
    assert lines[f"worst AUC ({figures['generators']['worst']})"][0] == figures["generators"]["worst_auc"]
    text = (tmp_path / "out/figures.md").read_text()
    assert f"| AUC | {mean:.4f} |" in text.split("## mean over generators")[1]
    alone = measure([answer_set(simulated(100), name="b")], tmp_path / "alone")
    assert "mean over generators" not in (tmp_path / "alone/figures.md").read_text()
    assert not any("mean over" in row[0] for row in headline(alone).rows)
