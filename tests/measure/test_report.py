"""The page: whole, safe, and true to the figures."""

import re
from html.parser import HTMLParser

from PIL import Image
from simulated_answers import simulated, verdict

from fakeinstruct.measure.run import measure

HOSTILE = "<script>alert('$x^2$')</script>\" onload=\"x & y"


class Page(HTMLParser):
    """Collects tags, addresses and ids; complains about tags left open."""

    VOID = frozenset({"meta", "img", "br", "path", "use", "rect", "line"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.ids, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "xlink:href", "action")]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


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
    assert found.tags.count("svg") == 3  # ROC, margins, reliability; bars only of several generators
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
    assert "mostly wanted to say something else" in page(tmp_path, answer_set(rows))
