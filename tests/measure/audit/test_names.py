"""Names that mean one source, and names that do not."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from fakeinstruct.measure.audit.names import FIELDS, fold, names_section, slips, spellings

from .looked import finding


def counts(**fields):
    return {field: Counter(fields.get(field, {})) for field in FIELDS}


def test_one_generator_under_two_spellings():
    section = names_section(counts(generator={"big gan": 3, "Big_GAN": 20, "BigGAN": 1, "ADM": 5}))
    found = finding(section, "one name in 3 spellings")
    assert found.level == "warning"
    assert found.title == "'generator' has one name in 3 spellings: 'Big_GAN', 'big gan', 'BigGAN'"
    assert "'Big_GAN' 20, 'big gan' 3, 'BigGAN' 1" in found.detail
    assert len(section.findings) == 1


def test_one_letter_off_is_a_note():
    section = names_section(
        counts(camera_set={"raise-1k": 9, "riase-1k": 1}, content={"scenery": 4, "scenary": 1})
    )
    assert [each.level for each in section.findings] == ["note", "note"]
    assert finding(section, "'raise-1k' and 'riase-1k'").detail.endswith("'raise-1k' 9, 'riase-1k' 1.")


def test_versions_and_short_names_are_different_things():
    different = Counter(
        ["sd1.4", "sd1.5", "sdv14", "ADM", "ADT", "midjourney v5", "midjourney v6", "flux", "flax"]
    )
    assert slips(different) == []
    assert spellings(different) == []


def test_a_slip_of_each_kind_is_found():
    for slip in ("midjorney", "middjourney", "midjourmey", "midjuorney"):
        assert slips(Counter({"midjourney": 2, slip: 1})) == [("midjourney", slip)]
    assert slips(Counter({"midjourney": 2, "midjuorneyx": 1, "mijdoruney": 1})) == []


def test_names_of_marks_alone_are_left_apart():
    assert spellings(Counter(["?", "!", "-"])) == []


@given(st.text())
def test_folding_twice_is_folding_once(name):
    assert fold(fold(name)) == fold(name)


@given(st.lists(st.text("abcde 1", min_size=1, max_size=8), max_size=12))
def test_slips_do_not_depend_on_the_order_and_are_found_once(names):
    once = {frozenset(pair) for pair in slips(Counter(sorted(set(names))))}
    again = {frozenset(map(fold, pair)) for pair in slips(Counter(sorted(set(names), reverse=True)))}
    assert {frozenset(map(fold, pair)) for pair in once} == again
