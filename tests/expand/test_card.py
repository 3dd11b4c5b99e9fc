"""Cards: counts that add up, words that are counted right, a page that stands alone."""

import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pair_sets import BOXED, LOOKS, QUESTION_ONLY, plain, write_set

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.base.files import sha256_file
from fakeinstruct.chains.schema import Chain, ImageRef, Meta, Origin
from fakeinstruct.chains.store import open_chains, write_chains
from fakeinstruct.expand.card.hub import cell, hub_metadata
from fakeinstruct.expand.card.ngrams import Distinct, WordHashes
from fakeinstruct.expand.card.samples import Samples
from fakeinstruct.expand.card.sources import writer
from fakeinstruct.expand.card.tally import Lengths, Tally, Words
from fakeinstruct.expand.card.write import MARK, write_card

HOSTILE = "<script>alert(1)</script> | [x](javascript:1)\n# heading"


@pytest.fixture
def chains(tmp_path):
    made = [
        Chain(
            id="a",
            image=ImageRef(path="a.png"),
            label="fake",
            manipulation="generated",
            dataset="drawn",
            generator="flux",
            group="a",
            origin=Origin(by="model", model="gpt", label_shown=True, licence="CC0"),
        ),
        Chain(
            id="b",
            image=ImageRef(path="a.png"),
            label="real",
            dataset="drawn",
            camera_set=HOSTILE,
            group="b",
            origin=Origin(by="human"),
        ),
    ]
    write_chains(tmp_path / "chains", made, Meta(name="drawn", licences={"flux": "none known"}))
    return open_chains(tmp_path / "chains")


@pytest.fixture
def pairs(tmp_path, chains):
    real = plain("r", chain="b", label="real", split="test", target={"verdict": "real"})
    made = [plain("p"), BOXED, LOOKS, QUESTION_ONLY, real]
    return write_set(tmp_path / "pairs", made, sha256_file(chains.file))


class Page(HTMLParser):
    """What a page loads, and the text of its tables' rows."""

    def __init__(self):
        super().__init__()
        self.tags, self.loads, self.rows = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.loads += [value for name, value in attributes if name in ("src", "href")]
        if tag == "tr":
            self.rows.append([])

    def handle_data(self, data):
        if self.rows and data.strip():
            self.rows[-1].append(data.strip())


def test_the_page_stands_alone_and_shows_what_there_is(pairs, chains):
    _, file = write_card(pairs, chains=chains)
    text = file.read_text()
    page = Page()
    page.feed(text)
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert page.loads
    assert all(each.startswith("data:image/png;base64,") for each in page.loads)
    assert "url(" not in text
    assert "prefers-color-scheme:dark" in text
    assert "&lt;script&gt;" in text
    assert ["verdict", "2", "1", "3"] in page.rows
    assert ["drawn", "fake", "generated", "flux", "1", "4"] in page.rows
    assert ["model gpt, label shown", "1", "4"] in page.rows
    assert ["CC0", "1", "4"] in page.rows
    assert text.count("<article>") == 4  # grounding, looks, verdict of both labels
    assert text.count('<rect class="over"') == 3  # the target's box is also the question's
    assert 'x="0.25" y="0.25" width="0.5" height="0.5"' in text
    assert text.count('alt="crop"') == 2


def test_the_readme_is_a_card_of_the_hub_that_datasets_obeys(pairs, chains, tmp_path, monkeypatch):
    from datasets import load_dataset

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    readme, _ = write_card(pairs, chains=chains)
    _, header, text = readme.read_text().split("---\n", 2)
    assert yaml.safe_load(header) == hub_metadata("drawn", pairs.manifest)
    assert "| verdict | 2 | 1 | 3 |" in text
    assert "| drawn | fake | generated | flux | 1 | 4 |" in text
    assert "| none known |" in text
    assert "<script>" not in text
    assert "\n# heading" not in text
    assert load_dataset(str(pairs.folder), split="pairs").num_rows == 5
    test = load_dataset(str(pairs.folder), "test", split="test")
    assert sorted(test["id"]) == ["item", "r"]
    assert load_dataset(str(pairs.folder), "train", split="train").num_rows == 3


def test_the_same_bytes_again_and_no_date(pairs, chains):
    files = write_card(pairs, chains=chains)
    before = [file.read_bytes() for file in files]
    assert [file.read_bytes() for file in write_card(pairs, chains=chains)] == before
    assert not re.search(rb"\b20\d\d-\d\d-\d\d\b", before[0])


def test_without_chains_the_card_says_what_it_lacks(pairs):
    readme, page = write_card(pairs)
    assert "Not stated: the card was written without the chain set" in readme.read_text()
    assert "Not stated" in page.read_text()


def test_other_chains_are_refused(pairs, chains):
    with chains.file.open("a") as file:
        file.write("\n")
    with pytest.raises(FakeInstructError, match="not the chain file that the pairs were made of"):
        write_card(pairs, chains=chains)


def test_a_readme_of_somebody_elses_is_kept(pairs):
    (pairs.folder / "README.md").write_text("my notes")
    with pytest.raises(FakeInstructError, match="Move it away first"):
        write_card(pairs)
    assert (pairs.folder / "README.md").read_text() == "my notes"
    (pairs.folder / "README.md").write_text(f"x {MARK}")
    write_card(pairs)


def test_a_missing_picture_is_said_and_ends_nothing(pairs):
    (pairs.image_root / "a.png").unlink()
    _, page = write_card(pairs)
    assert "image file is missing" in page.read_text()


def test_counts():
    tally = Tally({})
    for pair in (plain("p"), BOXED, LOOKS, QUESTION_ONLY):
        tally.add(pair)
    assert tally.by("task")["grounding"] == {"fake": 1, "real": 0}
    assert tally.by("split") == {"test": {"fake": 1, "real": 0}, "train": {"fake": 3, "real": 0}}
    assert tally.by("attribute") == {"edge": {"fake": 1, "real": 0}}
    assert dict(tally.features) == {
        "of several turns": 1,
        "of several images": 1,
        "with boxes in their words": 1,
        "with boxes in their target": 1,
        "without an answer (evaluation items)": 1,
    }


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60))
def test_lengths_are_nearest_ranks(lengths):
    spread = Lengths()
    for length in lengths:
        spread.add(length)
    ranked = sorted(lengths)
    assert spread.spread() == (
        ranked[math.ceil(0.5 * len(ranked)) - 1],
        ranked[math.ceil(0.9 * len(ranked) - 1e-9) - 1],
        ranked[-1],
    )


@given(st.lists(st.text(st.sampled_from("ab C"), max_size=20), max_size=12))
def test_distinct_n_is_that_of_the_plain_sets(texts):
    words = Words()
    for text in texts:
        words.add(text)
    for counted in words.distinct():
        n = counted.n
        grams = [
            tuple(said[start : start + n])
            for said in (text.lower().split() for text in texts)
            for start in range(len(said) - n + 1)
        ]
        assert (counted.total, counted.distinct()) == (len(grams), len(set(grams)))
        assert counted.exact


def test_distinct_n_stays_bounded_and_near_the_truth():
    counted = Distinct(1, limit=4096)
    rng = np.random.default_rng(0)
    for start in range(0, 200_000, 10_000):
        words = np.arange(start, start + 10_000, dtype=np.uint64)
        counted.add(np.concatenate([words, rng.permutation(words)]), np.zeros(20_000, np.int64))
    assert counted.total == 400_000
    assert not counted.exact
    assert len(counted._kept) <= 4096
    assert counted.distinct() == pytest.approx(200_000, rel=0.06)
    assert counted.ratio() == pytest.approx(0.5, rel=0.06)


def test_hashes_of_words_are_the_same_in_every_process():
    assert WordHashes().of("Fake fake") == [3560299791184545873] * 2


def test_samples_do_not_depend_on_the_order():
    made = [plain(f"p{number}") for number in range(50)]
    first, second = Samples(), Samples()
    for pair in made:
        first.add(pair)
    for pair in reversed(made):
        second.add(pair)
    assert first.by_task() == second.by_task()
    assert [len(found) for found in first.by_task().values()] == [1]


def test_what_is_said_of_a_writer():
    origin = Origin(by="human", name="six experts", label_shown=False, human_reviewed=True)
    assert writer(origin) == "human six experts, label not shown, reviewed by people"
    assert writer(Origin(by="program", synthetic=True)) == "program, true by construction"


def test_a_cell_of_markdown_holds_one_line_without_marks():
    assert cell(HOSTILE) == "&lt;script>alert(1)&lt;/script> \\| \\[x](javascript:1) # heading"
    assert cell("a \x1b[31mred\u202e") == "a \\[31mred"
    assert cell("") == "not said"


@pytest.mark.parametrize(
    ("count", "size"),
    [(1, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (30_000, "10K<n<100K"), (2_000_000, "1M<n<10M")],
)
def test_size_category(tmp_path, count, size):
    pairs = write_set(tmp_path / "pairs", [plain("p")])
    manifest = pairs.manifest.model_copy(update={"pairs": count})
    assert hub_metadata("x", manifest)["size_categories"] == [size]
