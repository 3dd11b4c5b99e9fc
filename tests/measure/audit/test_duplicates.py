"""The same picture under two labels, in two splits, in two groups; and versions that are said to be alike."""

import numpy as np
import pytest
from PIL import Image

from fakeinstruct.measure.audit.duplicates import duplicates_section
from fakeinstruct.measure.audit.facts import name_facts
from fakeinstruct.measure.audit.look import Look, look_at

from .looked import chain, chain_set, finding, patches, table


@pytest.fixture
def audited(tmp_path):
    """Save pictures under paths, make chains of them, and look for duplicates."""

    def run(files, **of_chains):
        chains = []
        for number, (path, image, options) in enumerate(files):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            image.save(tmp_path / path, **options)
            more = {name: values[number] for name, values in of_chains.items()}
            chains.append(chain(number, path=path, **more))
        found = chain_set(tmp_path, chains)
        return duplicates_section(look_at(found, list(found.read())))

    return run


def counts(section):
    return table(section, "Duplicates")


def test_pictures_of_their_own_are_no_duplicates(audited):
    section = audited([(f"{n}.png", patches(n), {}) for n in range(30)])
    assert section.findings == section.tables == ()
    assert section.summary == "30 files compared by their bytes, 30 pictures by their pixels."


def test_the_same_bytes_under_both_labels(audited):
    section = audited([("a/1.png", patches(1), {}), ("b/2.png", patches(1), {}), ("c.png", patches(2), {})])
    found = finding(section, "the very same pixels under both labels")
    assert found.level == "problem"
    assert found.title.startswith("2 images")
    assert [(each.label, each.image) for each in found.examples] == [("fake", "a/1.png"), ("real", "b/2.png")]
    assert counts(section)["same bytes"] == (2, 0, 0, 0)
    assert counts(section)["near"] == (0, 0, 0, 0)  # one representative of a picture is compared further


def test_the_same_pixels_in_other_files_across_splits(audited):
    files = [
        ("1.png", patches(1), {}),
        ("2.bmp", patches(1), {}),
        ("3.png", patches(1), {"compress_level": 0}),
    ]
    section = audited(files, fake=[True] * 3, split=["train", "test", "test"])
    assert finding(section, "in another split").level == "problem"
    assert counts(section)["same pixels"] == (0, 3, 2, 0)


def test_a_picture_saved_again_is_near(audited):
    files = [("1.png", patches(1, (64, 64)), {}), ("2.jpg", patches(1, (64, 64)), {"quality": 60})]
    section = audited(files, fake=[True, True], split=["train", "test"])
    assert finding(section, "in another split").title.startswith("2 images")
    assert counts(section)["near"] == (0, 2, 0, 0)


def edited(seed):
    """A picture and the same with a small change."""
    image = patches(seed, (64, 64))
    pixels = np.asarray(image).copy()
    pixels[:4, :4] = 255 - pixels[:4, :4]
    return image, Image.fromarray(pixels)


@pytest.mark.parametrize("said", [{"group": ["g", "g"]}, {"twin": [None, "c0"]}])
def test_an_edit_that_is_said_to_be_one_is_no_finding(audited, said):
    image, edit = edited(3)
    section = audited([("1.png", image, {}), ("2.png", edit, {})], **said)
    assert section.findings == ()
    assert counts(section)["near"] == (0, 0, 0, 2)


def test_an_edit_that_nobody_said_is_a_warning(audited):
    image, edit = edited(3)
    section = audited([("1.png", image, {}), ("2.png", edit, {})])
    assert finding(section, "under the other label").level == "warning"


def test_twins_across_splits_are_a_problem_still(audited):
    image, edit = edited(3)
    section = audited([("1.png", image, {}), ("2.png", edit, {})], twin=[None, "c0"], split=["train", "test"])
    assert finding(section, "in another split").level == "problem"


def test_the_same_picture_in_two_groups_of_one_split(audited):
    section = audited([("1.png", patches(1), {}), ("2.png", patches(1), {})], fake=[True, True])
    assert finding(section, "in another group").level == "warning"


def test_without_files_the_stated_hashes_are_compared():
    twice = {"image": {"sha256": "ab" * 32}}
    looks = [
        Look(chain(n, **twice), name_facts(f"{n}.png"), problem="image file is missing") for n in range(2)
    ]
    assert finding(duplicates_section(looks), "under both labels").title.startswith("2 images")
    looks = [Look(chain(n), name_facts(f"{n}.png")) for n in range(2)]
    assert "no chain states a hash" in duplicates_section(looks).skipped


def test_a_thousand_copies_are_one_finding_with_few_examples():
    looks = [
        Look(chain(n, split="train", image={"sha256": "ab" * 32}), name_facts(f"{n}.png"), sha256="ab" * 32)
        for n in range(1000)
    ]
    found = finding(duplicates_section(looks), "under both labels")
    assert found.title.startswith("1,000 images")
    assert len(found.examples) <= 6
