"""Options and comparisons: what a chain is asked with, and that both labels are asked alike."""

from itertools import combinations

import pytest
from conftest import make_chain

from fakeinstruct.chains.schema import Assessment, Label
from fakeinstruct.expand.comparison import COMPARED, couples, relation
from fakeinstruct.expand.context import gather
from fakeinstruct.expand.front import OPTION_TEXTS, OptionSpec
from fakeinstruct.expand.options import ASKED, count_options, option_sets, option_texts

SPOT = OptionSpec(kind="attribute", texts={"one": "{{ name }}", "none": "none of these"})
PAIR = OptionSpec(kind="pair", texts=dict.fromkeys(OPTION_TEXTS["pair"], "{{ first }} {{ second }}"))


def facts_of(label, taxonomy, *, traces=3, judged=6, name="c"):
    return gather(make_chain(name, label, traces=traces, judged=judged), taxonomy)


def every_set(spec, facts):
    return [options for sets in option_sets(spec, facts).values() for options in sets]


@pytest.mark.parametrize("label", list(Label))
def test_at_most_one_listed_attribute_is_present_and_the_rest_were_judged_absent(taxonomy, label):
    facts = facts_of(label, taxonomy)
    found = every_set(SPOT, facts)
    assert found
    for options in found:
        assert len(set(options.keys)) == SPOT.count - 1 == count_options(SPOT) - 1
        assert options.keys == tuple(sorted(options.keys))
        present = set(options.keys) & set(facts.flawed)
        assert set(options.present) == present
        assert len(present) <= 1
        assert set(options.keys) - present <= set(facts.absent)
        right = options.keys.index(*present) if present else len(options.keys)
        assert options.right == right
        texts = option_texts(SPOT, options, facts.names)
        assert texts[-1] == ("none", {})
        assert [values["name"] for _, values in texts[:-1]] == [
            taxonomy.attributes[key].name for key in options.keys
        ]


def test_which_of_a_pair_is_present(taxonomy):
    seen = {label: set() for label in Label}
    for label in Label:
        facts = facts_of(label, taxonomy)
        for options in every_set(PAIR, facts):
            first, second = (key in facts.flawed for key in options.keys)
            kind = {(True, True): "both", (True, False): "first", (False, True): "second"}.get(
                (first, second), "neither"
            )
            assert OPTION_TEXTS["pair"][options.right] == kind
            seen[label].add(kind)
    assert seen == {Label.FAKE: {"both", "first", "second"}, Label.REAL: {"neither"}}


def test_none_is_right_of_real_images_alone(taxonomy):
    """Else whoever always says "none" would be right more often than not."""
    for spec in (SPOT, PAIR):
        for label in Label:
            facts = facts_of(label, taxonomy)
            assert all(bool(options.present) is (label is Label.FAKE) for options in every_set(spec, facts))
    assert {options.right for options in every_set(PAIR, facts_of(Label.REAL, taxonomy))} == {3}


def test_of_a_label_only_chain_only_a_real_one_is_asked(taxonomy):
    """No attribute gives a photograph away; of a fake, nobody said which do."""
    fake, real = (facts_of(label, taxonomy, traces=0, judged=0) for label in (Label.FAKE, Label.REAL))
    assert every_set(SPOT, fake) == every_set(PAIR, fake) == []
    assert {options.present for options in every_set(SPOT, real)} == {()}
    assert len(every_set(SPOT, real)) == len(list(combinations(range(ASKED), 3)))


def test_what_was_judged_comes_before_what_only_the_label_says(taxonomy):
    for number in range(20):
        facts = facts_of(Label.REAL, taxonomy, judged=6, name=f"c{number}")
        assert {key for options in every_set(SPOT, facts) for key in options.keys} == set(facts.absent)


@pytest.mark.parametrize("label", list(Label))
def test_couples_are_few_in_order_and_of_a_fake_with_a_flaw(taxonomy, label):
    for number in range(20):
        facts = facts_of(label, taxonomy, name=f"c{number}")
        found = couples(facts)
        assert 0 < len(found) <= COMPARED * (COMPARED - 1) / 2
        assert len({(first.key, second.key) for first, second in found}) == len(found)
        for first, second in found:
            assert first.key < second.key
            statuses = {first.status, second.status}
            assert "flawed" in statuses if label is Label.FAKE else "flawed" not in statuses
            kind = {("flawed", "flawed"): "both"}.get(
                (first.status, second.status),
                "first" if first.status == "flawed" else "second" if second.status == "flawed" else "neither",
            )
            assert relation((first, second)) == kind


def test_label_only_reals_are_compared_in_all_that_fakes_are(taxonomy):
    """Over the groups of chains they are asked about nearly every couple, so that fakes' couples find partners."""
    reals = {
        (first.key, second.key)
        for number in range(60)
        for first, second in couples(facts_of(Label.REAL, taxonomy, traces=0, judged=0, name=f"r{number}"))
    }
    fakes = [
        (first.key, second.key)
        for number in range(60)
        for first, second in couples(facts_of(Label.FAKE, taxonomy, name=f"f{number}"))
    ]
    assert sum(couple in reals for couple in fakes) > 0.3 * len(fakes)
    assert couples(facts_of(Label.FAKE, taxonomy, traces=0, judged=0)) == ()


def test_disputed_attributes_are_neither_options_nor_compared(taxonomy):
    chain = make_chain("c", Label.FAKE)
    disputed = chain.traces[0].attribute
    facts = gather(
        chain.model_copy(update={"assessed": {**chain.assessed, disputed: Assessment.ABSENT}}), taxonomy
    )
    assert not any(disputed in options.keys for options in every_set(SPOT, facts) + every_set(PAIR, facts))
    assert not any(disputed in (first.key, second.key) for first, second in couples(facts))
