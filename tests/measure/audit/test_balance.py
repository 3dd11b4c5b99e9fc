"""Labels, sources, contents and attributes by label and by split."""

from fakeinstruct.chains.schema import Trace
from fakeinstruct.measure.audit.balance import Balance, balance_section

from .looked import chain, finding, table


def section_of(chains):
    balance = Balance()
    chains = list(chains)
    assert list(balance.count(chains)) == chains
    return balance_section(balance)


def trace(attribute, label):
    return Trace(id="t1", attribute=attribute, points_to=label, observation="seen")


def test_an_even_set_gives_no_finding():
    splits = ("train", "train", "test", "test")
    section = section_of(chain(n, split=splits[n % 4]) for n in range(80))
    assert section.findings == ()
    assert table(section, "Labels by split") == {"train": (20, 20, 0.5), "test": (20, 20, 0.5)}


def test_one_label_is_a_problem():
    section = section_of(chain(n, fake=True) for n in range(30))
    assert finding(section, "Every image is fake").level == "problem"
    assert len(section.findings) == 1


def test_uneven_splits_are_told_in_one_finding():
    chains = [chain(n, split="train") for n in range(40)]
    chains += [chain(n, fake=n % 5 == 0, split="test") for n in range(40, 80)]
    found = finding(section_of(chains), "uneven")
    assert found.level == "warning"
    assert "test has 8 fake and 32 real" in found.detail
    assert "train" not in found.detail


def test_an_attribute_of_one_label_only():
    chains = [
        chain(n, traces=(trace("texture" if n % 4 < 2 else "edge", "fake"),))
        if n % 2 == 0
        else chain(n, traces=(trace("texture", "real"),))
        for n in range(160)
    ]
    found = finding(section_of(chains), "'attribute annotated' with one label only")
    assert found.detail.startswith("edge (40 fake).")
    assert table(section_of(chains), "Images by attribute annotated") == {
        "texture": (40, 80),
        "edge": (40, 0),
    }


def test_reals_without_traces_are_one_finding_and_not_one_for_each_attribute():
    chains = [chain(n, traces=(trace("texture", "fake"),) if n % 2 == 0 else ()) for n in range(100)]
    section = section_of(chains)
    assert [each.title for each in section.findings] == ["No real image has traces"]


def test_contents_and_datasets_of_one_label():
    chains = [
        chain(n, content=("cat",) if n % 2 else ("dog",), dataset="a" if n % 2 else "b") for n in range(100)
    ]
    section = section_of(chains)
    assert finding(section, "2 values of 'content'").detail.startswith("cat (50 real), dog (50 fake).")
    assert finding(section, "2 values of 'dataset'")


def test_a_few_of_one_label_may_be_chance():
    chains = [chain(n, content=("cat",) if n in (0, 2, 4, 6) else ()) for n in range(100)]
    assert section_of(chains).findings == ()


def test_unseen_sources_are_noted():
    chains = [
        chain(n, generator=f"gan-{n % 3}" if n % 2 == 0 else None, split="test" if n % 3 == 2 else "train")
        for n in range(120)
    ]
    found = finding(section_of(chains), "1 source in test and not in train")
    assert (found.level, found.detail.split(".")[0]) == ("note", "gan-2")
