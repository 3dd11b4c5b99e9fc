"""Two detectors on the same images: the same images, the right sign, and refusals that name what differs."""

import json
import re

import numpy as np
import pytest
from pages import HOSTILE, Page
from PIL import Image
from simulated_answers import simulated

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.measure.comparison.paired import holm, paired_accuracy, paired_auc
from fakeinstruct.measure.comparison.run import TRAINING, compare
from fakeinstruct.measure.detection import auc
from fakeinstruct.measure.table.detector_table import open_table


def worse(rows, noise=1.5, seed=1):
    """Answers of a detector that sees less."""
    rng = np.random.default_rng(seed)
    return [row | {"margin": row["margin"] + float(rng.normal(0, noise))} for row in rows]


@pytest.fixture
def two(answer_set):
    """Two answer sets of the same images by two experts, the second the worse one."""

    def write(change=lambda rows: rows, n=400, **meta):
        rows = simulated(n)
        other = {"expert": "runs/other", "expert_sha256": "ef" * 32} | meta
        return answer_set(rows, "one"), answer_set(change(worse(rows)), "other", **other)

    return write


def test_the_figures_are_those_of_the_images_that_both_scored(two, tmp_path):
    a, b = two(lambda rows: rows[40:])
    figures = compare(a, b, tmp_path / "out")
    rows = [row for row in simulated(400)[40:] if row["split"] == "test"]
    fake = np.array([row["label"] == "fake" for row in rows])
    one = np.float32([row["margin"] for row in rows])
    other = np.float32([row["margin"] for row in worse(simulated(400))[40:] if row["split"] == "test"])
    found = figures["overall"]
    assert found["n"] == len(rows)
    assert figures["provenance"]["a"]["left_out"] == 40
    assert figures["provenance"]["b"]["left_out"] == 0
    test = paired_auc(fake, one, other)
    for name, value in zip(("difference", "low", "high", "z", "p"), test, strict=True):
        assert found["auc"][name] == pytest.approx(value, abs=1e-6)
    assert found["auc"]["a"] == pytest.approx(auc(fake, one), abs=1e-6)
    assert found["auc"]["difference"] > 0
    right = [(each > 0) == fake for each in (one, other)]
    assert found["unfitted"]["accuracy"]["difference"] == pytest.approx(
        right[0].mean() - right[1].mean(), abs=1e-6
    )
    p = figures["overall"]["unfitted"]["accuracy"]["p"]
    assert p == pytest.approx(paired_accuracy(fake, (one > 0, other > 0), np.arange(len(fake))), abs=1e-6)
    assert f"{p:.4f}" in (tmp_path / "out/compare.md").read_text() or p < 1e-4
    assert figures["verdicts"]["only_a_right"] == int((right[0] & ~right[1]).sum())
    assert found["unfitted"]["nll"]["high"] < 0 < found["unfitted"]["accuracy"]["difference"]
    assert found["calibrated"]["brier"]["a"] is not None
    assert found["validation_threshold"]["accuracy"]["a"] > 0.7


def test_the_same_sets_and_seed_give_the_same_bytes(two, tmp_path):
    a, b = two()
    for name in ("first", "second"):
        compare(a, b, tmp_path / name)
    for name in ("compare.json", "compare.md", "compare.html"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_every_file_has_the_figures_and_what_they_leave_out(two, tmp_path):
    figures = compare(*two(), tmp_path / "out")
    assert json.loads((tmp_path / "out/compare.json").read_bytes()) == figures
    assert figures["remarks"][-1] == TRAINING
    value = f"{figures['overall']['auc']['difference']:+.3f}"
    for name in ("compare.html", "compare.md"):
        text = (tmp_path / "out" / name).read_text()
        assert value in text
        assert "How much another training run" in text
        assert f"{figures['overall']['unfitted']['nll']['a']:.3f}" in text


def test_labels_that_disagree_name_the_first_image(two, tmp_path):
    def turned(rows):
        rows[6] |= {"label": "real"}
        return rows

    with pytest.raises(
        FakeInstructError, match=r"record image-6: the first says that the image is fake, the second real"
    ):
        compare(*two(turned), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_answers_to_different_prompts_are_refused_by_name(two, tmp_path):
    pair = two(lambda rows: [row | {"prompt": "Genuine?"} for row in rows])
    with pytest.raises(
        UsageError,
        match=r"asked differently; only runs/expert: “Is this image real or fake\?”.*only runs/other: “Genuine\?”",
    ):
        compare(*pair, tmp_path / "out")


def test_an_unfinished_set_is_refused(two, tmp_path):
    with pytest.raises(FakeInstructError, match="is not complete"):
        compare(*two(complete=False), tmp_path / "out")


def test_a_set_against_itself_is_told_of(two, tmp_path):
    a, _ = two()
    figures = compare(a, a, tmp_path / "out")
    assert "identical" in figures["remarks"][0]
    assert figures["overall"]["auc"]["difference"] == 0
    assert figures["overall"]["auc"]["p"] is None
    assert "no difference to test" in figures["overall"]["unavailable"]["auc.p"]
    assert "identical" in (tmp_path / "out/compare.html").read_text()
    assert figures["most_different"]["a_nearer"] == figures["most_different"]["b_nearer"] == []


def test_no_image_in_common_is_an_error_with_examples(two, tmp_path):
    pair = two(lambda rows: [row | {"item": f"x{row['item']}", "chain": f"x{row['chain']}"} for row in rows])
    with pytest.raises(
        FakeInstructError, match=r"no image in common \(the first of each: 'image-0', 'ximage-0'\)"
    ):
        compare(*pair, tmp_path / "out")


def test_an_image_that_either_was_fitted_on_is_no_test_image(two, tmp_path):
    pair = two(
        lambda rows: [
            row | {"split": "train" if index < 100 else row["split"]} for index, row in enumerate(rows)
        ]
    )
    figures = compare(*pair, tmp_path / "out")
    assert figures["overall"]["n"] == sum(row["split"] == "test" for row in simulated(400)[100:])


def test_generators_are_called_what_the_first_calls_them(two, tmp_path):
    def named(rows):
        return [
            row | {"generator": f"g{index % 3}"} if row["label"] == "fake" else row
            for index, row in enumerate(rows)
        ]

    assert list(compare(*two(named), tmp_path / "out")["per_generator"]) == ["diffusion"]


def test_holm_beside_the_plain_p(answer_set, tmp_path):
    rows = [
        row | {"generator": f"g{index // 2 % 3}"} if row["label"] == "fake" else row
        for index, row in enumerate(simulated(400))
    ]
    figures = compare(
        answer_set(rows, "one"), answer_set(worse(rows), "two", expert_sha256="12" * 32), tmp_path / "out"
    )
    table = [row["auc"] for row in figures["per_generator"].values()]
    assert len(table) == 3
    assert [row["p_holm"] for row in table] == pytest.approx(holm([row["p"] for row in table]), abs=1e-5)
    assert max(row["p_holm"] for row in table) >= max(row["p"] for row in table)
    assert "differences" in (tmp_path / "out/compare.html").read_text()


def test_conditions_are_compared_apart(answer_set, tmp_path):
    rows = simulated(200)
    both = [
        rows + [row | {"condition": "jpeg-50", "margin": row["margin"] * 0.5 + 1} for row in rows],
        worse(rows),
    ]
    both[1] = both[1] + [row | {"condition": "jpeg-50"} for row in worse(rows, 3, 5)]
    figures = compare(
        answer_set(both[0], "one"), answer_set(both[1], "two", expert_sha256="12" * 32), tmp_path / "out"
    )
    assert list(figures["per_condition"]) == ["jpeg-50"]
    assert figures["per_condition"]["jpeg-50"]["n"] == figures["overall"]["n"]
    assert figures["per_condition"]["jpeg-50"]["auc"]["difference"] > figures["overall"]["auc"]["difference"]


def test_a_few_photographs_allow_no_test(answer_set, tmp_path):
    rows = [row | {"group": f"photo {index // 20}"} for index, row in enumerate(simulated(200))]
    figures = compare(
        answer_set(rows, "one"), answer_set(worse(rows), "two", expert_sha256="12" * 32), tmp_path / "out"
    )
    assert figures["overall"]["auc"]["difference"] is not None
    assert figures["overall"]["auc"]["p"] is None
    assert "only 10 photographs" in figures["overall"]["unavailable"]["auc.p"]
    assert figures["overall"]["unfitted"]["brier"]["low"] is None
    assert "only 10 photographs" in (tmp_path / "out/compare.html").read_text()


def test_one_label_alone_gives_what_can_be_given(answer_set, tmp_path):
    rows = [row for row in simulated(200) if row["label"] == "fake"]
    figures = compare(
        answer_set(rows, "one"), answer_set(worse(rows), "two", expert_sha256="12" * 32), tmp_path / "out"
    )
    assert figures["overall"]["auc"]["a"] is None
    assert figures["overall"]["unfitted"]["accuracy"]["difference"] is not None
    assert Page((tmp_path / "out/compare.html").read_text()).open == []


def test_no_test_image_gives_a_page_without_figures(answer_set, tmp_path):
    rows = [row | {"split": "validation"} for row in simulated(60)]
    figures = compare(answer_set(rows, "one"), answer_set(worse(rows), "two"), tmp_path / "out")
    assert figures["overall"]["n"] == 0
    assert Page((tmp_path / "out/compare.html").read_text()).open == []


def test_a_table_goes_with_an_answer_set(answer_set, tmp_path):
    rows = simulated(300)
    text = "id,score,label\n" + "".join(
        f"{row['item']},{10 * row['margin'] - 3},{row['label']}\n" for row in worse(rows)
    )
    (tmp_path / "theirs.csv").write_text(text)
    figures = compare(answer_set(rows), open_table(tmp_path / "theirs.csv", "score"), tmp_path / "out")
    assert figures["overall"]["auc"]["difference"] > 0
    assert figures["overall"]["unfitted"]["brier"] is None
    assert "only their order" in figures["overall"]["unavailable"]["unfitted.brier"]
    assert (
        figures["overall"]["calibrated"]["brier"]["difference"] < 0
    )  # the answers' validation split is the table's too
    assert figures["most_different"]["by"] == "rank"
    assert figures["verdicts"]["both_right"] is None


def test_the_images_they_differ_on_most_come_first_with_their_pictures(answer_set, tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("RGB", (32, 24), "red").save(tmp_path / "images/0.png")
    rows = [row | {"split": "test"} for row in simulated(60)]
    rows[0] |= {"margin": 6.0, "text": "The shadow falls upward."}  # a fake
    other = [dict(row) for row in rows]
    other[0] |= {"margin": -6.0, "text": "All is as it should be."}
    rows[3] |= {"margin": 3.0}  # a real
    other[3] |= {"margin": -3.0}
    sets = answer_set(rows, "one", image_root=str(tmp_path / "images")), answer_set(other, "two")
    figures = compare(*sets, tmp_path / "out")["most_different"]
    assert [row["image"] for row in figures["a_nearer"]] == ["image-0"]
    assert [row["image"] for row in figures["b_nearer"]] == ["image-3"]
    text = (tmp_path / "out/compare.html").read_text()
    assert text.count("data:image/png;base64,") == 1
    assert "The shadow falls upward." in text
    assert "All is as it should be." in text
    assert "image file is missing" in text


def test_the_page_stands_on_its_own_and_escapes_what_comes_from_data(answer_set, tmp_path):
    rows = [
        row
        | {
            "text": HOSTILE,
            "prompt": HOSTILE,
            "generator": f"{HOSTILE}{index % 4}" if row["label"] == "fake" else None,
        }
        for index, row in enumerate(simulated(200))
    ]
    compare(
        answer_set(rows, "one", expert=HOSTILE),
        answer_set(worse(rows), "two", expert=HOSTILE),
        tmp_path / "out",
    )
    text = (tmp_path / "out/compare.html").read_text()
    page = Page(text)
    assert page.open == []
    assert "script" not in page.tags
    assert 'onload="' not in text
    assert all(address.startswith(("#", "data:image/")) for address in page.addresses)
    assert len(set(page.ids)) == len(page.ids)
    assert not re.search(r"(?<!\\)<script", (tmp_path / "out/compare.md").read_text())
