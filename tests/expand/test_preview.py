"""Preview: one example of each kind of chain, and quickly."""

import re
import subprocess
import sys
import time

import pytest
from conftest import make_chain, make_set

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.chains.schema import Label, Manipulation
from fakeinstruct.chains.taxonomy import load_taxonomy
from fakeinstruct.expand.lint import load_template
from fakeinstruct.expand.preview import FIRST, kind_of, preview

KEYS = "|".join(attribute.name for attribute in load_taxonomy().attributes.values())


def kinds(label, manipulation, name, **given):
    return make_chain(name, label, **given).model_copy(update={"manipulation": manipulation})


@pytest.fixture(scope="module")
def chains(tmp_path_factory):
    """Twenty chains of one kind, then one of each other."""
    made = [kinds(Label.FAKE, Manipulation.GENERATED, f"g{n}") for n in range(20)]
    made += [
        kinds(Label.REAL, None, "bare", traces=0, judged=0),
        kinds(Label.REAL, Manipulation.NONE, "untouched"),
        kinds(Label.REAL, Manipulation.PROCESSED, "processed"),
        kinds(Label.FAKE, Manipulation.EDITED, "edited"),
        kinds(Label.REAL, None, "unknown"),
    ]
    return make_set(tmp_path_factory.mktemp("set"), made)


def shown(chains, name="reasoning/explain", **given):
    return preview(load_template(name), chains, **given)


def test_five_examples_are_one_of_each_kind(chains):
    found = shown(chains)
    assert [kind_of(chain) for chain, _ in found[:4]] == list(FIRST)
    assert [chain.id for chain, _ in found] == ["g0", "edited", "processed", "untouched", "bare"]
    assert all(pair.chain == chain.id for chain, pair in found)
    assert [str(kind_of(chain)) for chain, _ in found] == [
        "fake, generated",
        "fake, edited",
        "real, processed",
        "real, untouched",
        "real, unknown how, no traces",
    ]


def test_more_examples_are_second_ones(chains):
    assert [chain.id for chain, _ in shown(chains, examples=8)][4:] == ["bare", "g1", "g2", "g3"]
    assert len(shown(chains, examples=99)) == 25
    assert [chain.id for chain, _ in shown(chains, examples=1)] == ["g0"]


def test_chains_that_cannot_fill_the_template_are_left_out(chains):
    assert "bare" not in {chain.id for chain, _ in shown(chains, "evidence/not_found", examples=99)}


def test_templates_over_attributes_show_every_case(chains):
    """Flawed, judged absent, speaking for a photograph, and known from the label alone."""
    found = {chain.id: (chain, pair) for chain, pair in shown(chains, "evidence/notice")}
    asked = {name: re.search(KEYS, pair.messages[0].text()).group() for name, (_, pair) in found.items()}
    keys = {name: load_taxonomy().key(words) for name, words in asked.items()}
    for name in ("g0", "processed"):
        assert keys[name] in {trace.attribute for trace in found[name][0].traces}
    for name in ("edited", "untouched"):
        assert found[name][0].assessed[keys[name]] == "absent"
    assert found["bare"][0].label == "real"


def test_without_a_chain_that_fills_it_there_is_an_error(tmp_path):
    bare = make_set(tmp_path, [make_chain("bare", Label.FAKE, traces=0, judged=0)])
    with pytest.raises(FakeInstructError, match="no chain that can fill template 'reasoning/explain'"):
        shown(bare)


def test_the_seed_decides_what_is_shown(chains):
    same, again, other = ([pair for _, pair in shown(chains, seed=seed)] for seed in (1, 1, 2))
    assert same == again != other


def test_the_command_shows_five_examples_in_about_a_second(chains):
    command = [sys.executable, "-m", "fakeinstruct", "preview", "reasoning/explain", "--chains"]
    started = time.perf_counter()
    done = subprocess.run([*command, str(chains.folder)], capture_output=True, text=True, check=False)
    taken = time.perf_counter() - started
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("--- ") == 5
    assert "--- edited (fake, edited)" in done.stdout
    assert taken < 10  # seconds; six tenths on an idle core, more beside other tests


def test_the_command_does_not_print_what_a_terminal_would_obey(tmp_path):
    made = [kinds(label, None, f"{label}\x1b[2J") for label in Label]
    made = [
        chain.model_copy(
            update={
                "traces": tuple(
                    t.model_copy(update={"observation": "a \x1b[31mred\u202e"}) for t in chain.traces
                )
            }
        )
        for chain in made
    ]
    chains = make_set(tmp_path, made)
    command = [
        sys.executable,
        "-m",
        "fakeinstruct",
        "preview",
        "reasoning/explain",
        "--chains",
        str(chains.folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "\\x1b[31mred\\u202e" in done.stdout
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
