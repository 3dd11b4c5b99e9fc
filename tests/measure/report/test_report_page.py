"""The page: whole, safe, and true to the figures."""

import json
import re

import pytest
from pages import HOSTILE, Page
from PIL import Image
from simulated_answers import simulated, verdict

from fakeinstruct.measure.report import gallery as report_gallery
from fakeinstruct.measure.report.gallery import Pictures, gallery
from fakeinstruct.measure.run import measure
from fakeinstruct.measure.scores import Scores


def page(tmp_path, answers, **options):
    measure([answers], tmp_path / "out", **options)
    return (tmp_path / "out/report.html").read_text()


def test_the_page_stands_on_its_own(answer_set, tmp_path):
    text = page(tmp_path, answer_set(simulated()))
    assert " object at 0x" not in text
    found = Page(text)
    assert found.open == []
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in found.addresses)
    assert not {"script", "link", "iframe", "object"} & set(found.tags)
    assert not re.search(r"@import|url\((?!#)", text)
    # ROC, margins, reliability unfitted and calibrated; bars only of several generators
    assert found.tags.count("svg") == 4
    assert len(set(found.ids)) == len(found.ids)


def test_whatever_comes_from_data_is_escaped(answer_set, tmp_path):
    rows = simulated(100)
    for index, row in enumerate(rows):
        row |= {"text": HOSTILE, "prompt": HOSTILE, "group": HOSTILE}
        if row["label"] == "fake":
            row["generator"] = f"{HOSTILE} {index % 3}"
    rows[0] |= {"error": HOSTILE, "margin": None}
    rows.append(
        {"item": "q", "kind": "choice", "template": HOSTILE, "words": ["A"], "choice": "A", "target": "A"}
    )
    text = page(tmp_path, answer_set(rows, expert=HOSTILE, items=HOSTILE, versions={HOSTILE: HOSTILE}))
    found = Page(text)
    assert "script" not in found.tags
    assert "<script" not in text
    assert 'onload="' not in text
    assert "&lt;script&gt;" in text


def test_headline_figures_are_on_the_page_with_their_interval(answer_set, tmp_path):
    answers = answer_set(simulated())
    test = measure([answers], tmp_path / "out")["overall"]["test"]
    text = (tmp_path / "out/report.html").read_text()
    for value in (test["auc"], test["ece"], test["calibrated"]["brier"], test["nll"]):
        assert f"{value:.3f}" in text
    assert f"{test['auc_low']:.3f} – {test['auc_high']:.3f}" in text


def test_no_interval_is_claimed_for_a_handful_of_photographs(answer_set, tmp_path):
    rows = [row | {"group": f"photo {index // 10}"} for index, row in enumerate(simulated(100))]
    text = page(tmp_path, answer_set(rows))
    assert "95 % interval 0" not in text
    assert "only 10 photographs" in text


def test_surest_mistakes_come_first_with_picture_and_explanation(answer_set, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (32, 24), "red").save(images / "1.png")
    rows = [row | {"split": "test"} for row in simulated(40)]
    rows[1] |= {"margin": 9.0, "text": "The shadow falls upward."}  # a real, called fake with certainty
    rows[3] |= {"margin": 8.0, "image": "../../secret.png"}
    rows[5] |= {"margin": 7.0}
    text = page(tmp_path, answer_set(rows, image_root=str(images)))
    part = text[text.index("Reals taken for fake") :]
    assert part.index("image-1<") < part.index("image-3<") < part.index("image-5<")
    assert part.count("data:image/png;base64,") == 1
    assert "The shadow falls upward." in part
    assert "0.9999 " in part.replace("</strong>", " ")
    assert "leaves the image root" in part
    assert "image file is missing" in part


def test_mass_that_lies_elsewhere_is_warned_of(answer_set, tmp_path):
    rows = [verdict(index, index % 2 == 0, 1.0 - index % 2, label_mass=0.05) for index in range(20)]
    assert "rather says something else than a label word" in page(tmp_path, answer_set(rows))


def numbers_of(value):
    """Every number of a JSON document."""
    if isinstance(value, dict):
        return [number for inner in value.values() for number in numbers_of(inner)]
    if isinstance(value, list):
        return [number for inner in value for number in numbers_of(inner)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


def strangers(text, figures):
    """Numbers in a text that no number of the figures is, rounded as it is written."""
    known = numbers_of(figures)
    written = {digits: {f"{value:,.{digits}f}" for value in known} for digits in range(5)}
    found = re.findall(r"(?<![\w.,-])-?\d[\d,]*(?:\.\d+)?(?![\w.])", text)
    return [each for each in found if each not in written[len(each.partition(".")[2])]]


def test_every_number_of_the_tables_stands_in_the_json(rich_report):
    figures = json.loads((rich_report / "figures.json").read_text())
    page = (rich_report / "report.html").read_text()
    body = page[: page.index("Where these figures come from")]
    body = re.sub(r'<small class="why">.*?</small>', "", body)  # reasons, not figures
    cells = re.findall(r"<td[^>]*>(.*?)</td>", body, re.DOTALL)
    assert len(cells) > 300
    assert strangers(" | ".join(re.sub("<[^>]+>", " ", cell) for cell in cells), figures) == []
    assert strangers("0.4242 | 12,345", figures) == ["0.4242", "12,345"]
    text = re.sub(r" \(.*?\)", "", (rich_report / "figures.md").read_text())
    rows = [line.split(" | ", 1)[1] for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) > 80
    rows = [row for row in rows if "95 %" not in row and "IoU" not in row]  # heads, and rules in words
    assert strangers("\n".join(rows).replace("–", " | "), figures) == []


def test_page_and_markdown_name_seed_prompts_versions_and_what_is_missing(answer_set, tmp_path):
    text = page(tmp_path, answer_set(simulated(), expert="a|b *c* <d>"), seed=7)
    plain = (tmp_path / "out/figures.md").read_text()
    for each in (text, plain):
        assert "matplotlib" in each
        assert "Is this image real or fake?" in each
        assert "score --condition" in each.replace("\\", "")
        assert "fewer than two wordings were asked" in each
    assert "- seed 7; Python 3" in plain
    assert "# Figures of a\\|b \\*c\\* \\<d\\>" in plain


def test_verdicts_of_pairs_stay_out_of_the_headline_where_chains_were_asked(answer_set, tmp_path):
    chains = simulated(100)
    pairs = [
        row
        | {"item": f"pair-{n}", "prompt": f"Wording {n % 60}?", "template": "pair", "margin": -row["margin"]}
        for n, row in enumerate(chains)
    ]
    alone = measure([answer_set(chains)], tmp_path / "alone")
    both = measure([answer_set(chains, "a"), answer_set(pairs, "b")], tmp_path / "both")
    for part in ("overall", "per_generator", "prompts"):
        assert both[part] == alone[part]
    found = both["pair_verdicts"]
    test = [row for row in pairs if row["split"] == "test"]
    wordings = len({row["prompt"] for row in test})
    assert (found["answers"], found["n"], found["wordings"]) == (len(test), len(test), wordings)
    assert found["auc"] == pytest.approx(1 - alone["overall"]["test"]["auc"], abs=1e-6)
    assert "Verdicts asked as pairs" in (tmp_path / "both/report.html").read_text()
    assert alone["pair_verdicts"] == {}
    # alone, they are the only verdicts there are
    assert measure([answer_set(pairs, "c")], tmp_path / "pairs")["overall"]["test"]["n"] == len(test)


def test_boxes_of_answer_and_chain_lie_on_the_picture(rich_report):
    text = (rich_report / "report.html").read_text()
    assert 'class="named" x="0.2' in text.replace("0.20000000298023224", "0.2")
    assert 'class="cited" x="0.2"' in text
    assert "regions that the chain cites" in text
    part = text[text.index("Reals taken for fake") :]
    assert 'class="cited"' not in part


def test_a_page_has_no_more_pictures_than_it_has_room_for(tmp_path, monkeypatch):
    for name in range(4):
        Image.effect_noise((224, 224), 90).convert("RGB").save(tmp_path / f"{name}.png")
    rows = [verdict(index, False, 9.0 - index) for index in range(4)]
    pictures = Pictures(tmp_path, {row["chain"]: row["image"] for row in rows})
    whole = gallery(Scores.of(rows), False, pictures)
    assert whole["left_out"] == 0
    monkeypatch.setattr(report_gallery, "PICTURES_LIMIT", len(whole["real"][0]["picture"]) + 1000)
    some = gallery(Scores.of(rows), False, pictures)
    assert some["left_out"] == 3
    assert [bool(card["picture"]) for card in some["real"]] == [True, False, False, False]
    assert "no room" in some["real"][1]["missing"]


def test_tables_have_heads_and_pictures_have_words(rich_report):
    text = (rich_report / "report.html").read_text()
    assert "<th>" not in text
    assert all("scope=" in tag for tag in re.findall(r"<th[ >][^>]*>?", text))
    assert all(re.search(r'alt="[^"]{20,}"', tag) for tag in re.findall(r"<img[^>]*>", text))
    assert all("aria-label=" in tag for tag in re.findall(r"<svg[^>]*>", text))


def test_scores_of_which_only_the_order_is_known_get_a_page(tmp_path):
    from fakeinstruct.measure.table.detector_table import open_table

    rows = ["id,score,label"] + [f"i{n},{n % 37 + 20 * (n % 2)},{['real', 'fake'][n % 2]}" for n in range(80)]
    (tmp_path / "scores.csv").write_text("\n".join(rows))
    figures = measure([open_table(tmp_path / "scores.csv", "score")], tmp_path / "out")
    text = (tmp_path / "out/report.html").read_text()
    assert figures["overall"]["test"]["auc"] > 0.5
    assert "only their order is known" in text
    assert "read from a table" in text


def test_what_stands_beside_the_expert_is_named_with_its_note(answer_set, tmp_path):
    other = answer_set(simulated(60, seed=1)[:50], "other", expert="runs/other", expert_sha256="ee" * 32)
    text = page(tmp_path, answer_set(simulated(60)), beside={"rival": other})
    assert re.search(r"<p class=\"note\">rival: .*; it has no figure of \d+ of the images", text)
    assert "ROC curves of the expert and rival" in text


def test_who_stands_beside_the_expert_has_a_row_of_the_headline(answer_set, tmp_path):
    other = answer_set(simulated(60, seed=1), "other", expert="runs/other", expert_sha256="ee" * 32)
    text = page(tmp_path, answer_set(simulated(60)), beside={"rival": other})
    figures = json.loads((tmp_path / "out/figures.json").read_text())
    headline = text.split("<h2>Headline figures</h2>")[1].split("<h2>")[0]
    rows = dict(re.findall(r'<th scope="row">(\w+)</th>(.*?)</tr>', headline, re.S))
    assert rows.keys() >= {"expert", "rival"}
    for name, each in (("expert", figures), ("rival", figures["baselines"]["rival"])):
        assert f"{each['overall']['test']['auc']:.3f}" in rows[name]


def split(rows, fakes, of=60):
    """Half of the rows as validation images, as many of them fake as said."""
    kept = [row | {"split": "validation"} for row in rows[:of]]
    some = [row for row in kept if row["label"] == "fake"][:fakes]
    return [
        *some,
        *(row for row in kept if row["label"] == "real"),
        *({**r, "split": "test"} for r in rows[of:]),
    ]


def test_calibration_names_the_share_it_was_fitted_at_and_not_that_of_the_test(answer_set, tmp_path):
    rows = split(simulated(400), fakes=10)  # 10 of 40 validation images are fake, half of the test images
    figures = measure([answer_set(rows)], tmp_path / "out")
    fit = figures["provenance"]["fit"]
    assert (fit["n"], fit["share_of_fakes"]) == (40, 0.25)
    text = (tmp_path / "out/report.html").read_text()
    assert (
        "the share of fakes that it was fitted at (25 %) and no other; of these test images 50 % are fake"
        in text
    )
    assert "the calibrated ones stand beside them" in text


def test_nothing_calibrated_stands_beside_anything_where_there_is_no_fit(answer_set, tmp_path):
    text = page(tmp_path, answer_set([row | {"split": "test"} for row in simulated(100)]))
    assert "stand beside them" not in text
    assert "there are no calibrated ones: no validation images to fit on" in text
    assert "holds for the share" not in text


def test_pictures_of_which_nobody_knows_where_they_lie_are_one_sentence_and_no_tiles(answer_set, tmp_path):
    rows = [row | {"split": "test", "generator": "flux.1"} for row in simulated(100)]
    text = page(tmp_path, answer_set(rows))
    assert text.count("it is not known where they lie: --image-root") == 1
    assert 'class="blank"' not in text
    assert re.search(r"flux\.1\s*<div class=\"id\">", text)


def test_a_long_text_in_a_table_stands_left_and_on_one_line(answer_set, tmp_path):
    rows = [
        verdict(
            n, n % 2 == 0, 1.0 - n % 2, text="I cannot tell.\n- I really cannot, not from this picture alone."
        )
        for n in range(24)
    ]
    text = page(tmp_path, answer_set(rows))
    assert '<td class="said">I cannot tell. - I really cannot' in text
    assert "\\n" not in text[text.index("<h2>Words") : text.index("<h2>The surest")]
    assert "There are no words of annotators to compare it with" in text
    assert "none of the 24 texts names a box" in text
