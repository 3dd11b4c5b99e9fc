"""Protocols: those that come with the project as they stand, files of one's own, and what is refused."""

from __future__ import annotations

import pytest
import yaml
from foreign import draw_pictures
from spelling import CHATML, Chat, byte_level

from fakeinstruct.base.errors import UsageError
from fakeinstruct.base.surfaces import surface
from fakeinstruct.expert.card import Readout
from fakeinstruct.forensics.protocol import (
    OpenPrompt,
    Protocol,
    chosen_readouts,
    load_evaluation,
    load_protocol,
    prompts_sha256,
)
from fakeinstruct.forensics.readout import resolve_prompt, user_turn

BUILT_IN = sorted(file.stem for file in (surface("eval") / "protocols").glob("*.yaml"))
OWN = [name for name in BUILT_IN if not load_protocol(name).readouts]  # ask what an expert learned
PINNED = [name for name in BUILT_IN if name not in OWN]
READOUT = "readouts: [{name: a, prompt: p, fake: [f], real: [r]}]\n"


def worded(protocol):
    """All that is asked and read, a line each."""
    if not protocol.readouts:
        return f"the expert's own: {protocol.prompts} prompts, {protocol.held_out} of them never trained on\n"
    lines = [f"sha256 {protocol.prompts_sha256}"]
    for each in chosen_readouts((), protocol):
        lines.append(f"{each.name}: {each.prompt}")
        where = [each.position, *(repr(text) for text in (each.prefix, each.after) if text)]
        lines.append(f"  {' '.join(where)}  fake {', '.join(each.fake)}  real {', '.join(each.real)}")
    lines += [f"{each.name}, {each.kind}: {each.prompt}" for each in protocol.open]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_exact_prompts_of_a_protocol(name, snapshot):
    """Figures are compared by them: a change is a change of the measurement."""
    snapshot(f"protocols/{name}.txt", worded(load_protocol(name)))


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_protocol_is_called_by_its_file(name):
    assert load_protocol(name).name == name


@pytest.mark.parametrize("name", PINNED)
def test_a_protocol_pins_its_prompts_and_asks_all_it_holds(name):
    protocol = load_protocol(name)
    assert protocol.prompts_sha256 == prompts_sha256(protocol.readouts, protocol.open)
    assert len(chosen_readouts((), protocol)) == len(protocol.readouts)
    assert not any(readout.trained for readout in protocol.readouts)


def test_zero_shot_has_both_polarities_and_both_orders():
    readouts = {readout.name: readout for readout in load_protocol("zero-shot").readouts}
    assert readouts["is-it-fake"].fake == readouts["is-it-real"].real == ("yes", "Yes")
    assert readouts["is-it-fake"].real == readouts["is-it-real"].fake == ("no", "No")
    one, two = readouts["real-or-fake"], readouts["fake-or-real"]
    assert one.prompt.index("real") < one.prompt.index("fake")
    assert two.prompt.index("fake") < two.prompt.index("real")
    assert one.words() == two.words()


@pytest.mark.parametrize("name", PINNED)
def test_the_labels_have_as_many_words_so_that_sums_can_be_formed(name):
    assert all(len(readout.fake) == len(readout.real) for readout in load_protocol(name).readouts)


def test_cifake_is_never_shown_without_what_makes_its_figures_small():
    """Its classes are told apart by any small network: what stands beside an AUC there is part of the protocol."""
    protocol = load_evaluation("cifake")
    assert "jpeg-50" in protocol.conditions
    assert {"metadata", "statistics", "cnn", "probe"} <= set(protocol.measure.baselines)
    assert protocol.measure.by_content
    assert protocol.held_out > 0


def test_the_words_can_be_told_apart():
    chat = Chat(byte_level(), CHATML)
    for name in PINNED:
        for readout in load_protocol(name).readouts:
            resolved = resolve_prompt(chat, user_turn(readout.prompt), readout.words(), readout.prefix or "")
            assert {word.label for word in resolved.words} == {"fake", "real"}


def test_what_is_said_on_the_command_line_goes_before_the_file(tmp_path):
    assert load_protocol("zero-shot", prompts=2, aggregation=None).prompts == 2
    assert load_protocol("zero-shot").prompts == 5
    assert load_protocol() == Protocol()
    file = tmp_path / "mine.yaml"
    file.write_text(READOUT + "splits: [test]\nseed: 3\n")
    protocol = load_protocol(file, seed=4)
    assert (protocol.splits, protocol.seed, protocol.readouts[0].fake) == (("test",), 4, ("f",))


PIN = "a" * 64


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ("prompt: p,", False),
        ("fake: [f]", False),
        ("real: [r]", False),
        ("name: a", True),
        ("trained: true", True),
    ],
)
def test_a_pin_holds_the_words_and_nothing_else(change, same):
    """Another name or another training is no other prompt; a full stop more is one."""
    text = {
        "prompt: p,": "prompt: p.,",
        "fake: [f]": "fake: [F]",
        "real: [r]": "real: [r, s]",
        "name: a": "name: b",
    }
    first = "{name: a, prompt: p, fake: [f], real: [r], trained: true}"
    other = first.replace(change, text.get(change, "trained: false"))
    assert other != first
    one, two = ([Readout.model_validate(yaml.safe_load(each))] for each in (first, other))
    assert (prompts_sha256(one) == prompts_sha256(two)) == same


def test_a_pin_depends_on_the_order_and_on_the_open_prompts():
    one, two = (Readout(name=name, prompt=name, fake=("f",), real=("r",)) for name in "ab")
    said = OpenPrompt(name="why", prompt="Why?")
    assert len({prompts_sha256(each) for each in ((one, two), (two, one), (one,))}) == 3
    assert prompts_sha256((one,), (said,)) != prompts_sha256((one,))


def test_what_is_measured_is_no_part_of_how_is_asked(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(READOUT + "measure: {calibrate: true, baselines: [metadata], reals: {dalle: laion}}\n")
    assert load_evaluation(file).measure.reals == {"dalle": "laion"}
    plain = tmp_path / "plain.yaml"
    plain.write_text(READOUT)
    assert load_protocol(file) == load_protocol(plain)
    assert "measure" not in load_protocol(file).model_dump()


BOMB = "a: &a [x, x]\n" + "\n".join(
    f"{b}: &{b} [*{a}, *{a}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
BAD = {
    "misspelt": ("propmts: 2\n", r"field propmts: there is no 'propmts' here\. Did you mean 'prompts'\?"),
    "misspelt inside": (
        "readouts: [{name: a, prompt: p, fake: [f], real: [r], prefiks: x}]\n",
        r"readouts\.0\.prefiks: .*Did you mean 'prefix'\?",
    ),
    "no word": (
        "readouts: [{name: a, prompt: p, fake: [], real: [r]}]\n",
        r"readouts\.0\.fake: needs 1 or more",
    ),
    "empty prompt": (
        "readouts: [{name: a, prompt: ' ', fake: [f], real: [r]}]\n",
        r"readouts\.0\.prompt: is empty",
    ),
    "empty word": ("readouts: [{name: a, prompt: p, fake: ['', f], real: [r]}]\n", r"readouts\.0\.fake\.0"),
    "a word for both": ("readouts: [{name: a, prompt: p, fake: [f], real: [f]}]\n", "stand for both labels"),
    "a word twice": ("readouts: [{name: a, prompt: p, fake: [f, f], real: [r]}]\n", "holds a word twice"),
    "a truth value": (
        "readouts: [{name: a, prompt: p, fake: [yes], real: [no]}]\n",
        r"fake\.0: .*string, not True",
    ),
    "a prompt twice": (
        "readouts: [{name: a, prompt: p, fake: [f], real: [r]}, {name: b, prompt: p, fake: [g], real: [s]}]\n",
        "2 readouts ask 'p'",
    ),
    "prefix without position": (
        "readouts: [{name: a, prompt: p, fake: [f], real: [r], prefix: So}]\n",
        "'prefix' belongs to position 'prefix'",
    ),
    "NaN": ("readouts: [{name: a, prompt: p, fake: [f], real: [r], scale: .nan}]\n", r"scale: .*finite"),
    "no prompt": ("prompts: 0\n", "field prompts: .*greater than or equal to 1"),
    "pin of other prompts": (
        READOUT + f"prompts_sha256: {PIN}\n",
        f"its prompts are not those that prompts_sha256 pins \\({PIN}\\): theirs is [0-9a-f]{{64}}",
    ),
    "pin that is no hash": (READOUT + "prompts_sha256: abc\n", "prompts_sha256: .*pattern"),
    "misspelt measure": (
        READOUT + "measure: {baseline: [cnn]}\n",
        r"measure\.baseline: there is no 'baseline' here\. Did you mean 'baselines'",
    ),
    "unknown need": (READOUT + "measure: {needs: [boxes]}\n", r"measure\.needs"),
    "reals of nobody": (READOUT + "measure: {reals: mine}\n", r"measure\.reals"),
    "list": ("- prompts\n", "is not a mapping"),
    "bomb": (BOMB, "found the alias"),
    "key twice": ("seed: 1\nseed: 2\n", "found the key 'seed' twice"),
    "tag": ("seed: !!python/object/apply:os.system [id]\n", "is not YAML"),
    "binary": ("\0", "is not YAML"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_message(name, tmp_path):
    text, message = BAD[name]
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        load_protocol(file)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_a_bad_setting_is_not_said_of_the_file():
    with pytest.raises(UsageError, match=r"^field aggregation: .*Did you mean 'sum'"):
        load_protocol("zero-shot", aggregation="summ")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("zeroshot", "no protocol named 'zeroshot'. Did you mean 'zero-shot'?"),
        ("none.yaml", "none.yaml: no such file"),
        ("../zero-shot", "no protocol named"),
    ],
)
def test_a_protocol_that_is_not_there_is_one_message(name, message):
    with pytest.raises(UsageError) as caught:
        load_protocol(name)
    assert message in str(caught.value)


def test_a_folder_is_no_protocol(tmp_path):
    with pytest.raises(Exception, match="cannot be read"):
        load_protocol(draw_pictures(tmp_path / "pictures"))


def own(name, prompt, *, trained):
    return Readout(name=name, prompt=prompt, fake=("f",), real=("r",), trained=trained)


def test_of_an_expert_that_learned_some_wordings_the_others_are_held_out():
    known = [own("a", "1", trained=True), own("a", "2", trained=True), own("b", "3", trained=False)]
    chosen = chosen_readouts(known, Protocol(prompts=2, held_out=1))
    assert [each.prompt for each in chosen] == ["1", "3"]
    with pytest.raises(UsageError, match="asks for 3 prompts and 0 held-out"):
        chosen_readouts(known, Protocol(prompts=3))


def test_a_model_that_learned_none_has_none_to_hold_out():
    known = [own("a", str(n), trained=False) for n in range(3)]
    assert len(chosen_readouts(known, Protocol(prompts=3))) == 3
    with pytest.raises(UsageError, match="1 held-out ones"):
        chosen_readouts(known, Protocol(prompts=2, held_out=1))


def test_a_model_without_readouts_is_told_of_protocols():
    with pytest.raises(UsageError, match="--protocol zero-shot"):
        chosen_readouts((), Protocol())


def test_another_aggregation_does_without_what_was_fitted_for_its_own():
    readout = Readout(
        name="v", prompt="Fake?", fake=("yes",), real=("no",), scale=0.5, bias=0.1, fitted_on="x"
    )
    (same,) = chosen_readouts((readout,), Protocol(aggregation="logsumexp"))
    assert same == readout
    (other,) = chosen_readouts((readout,), Protocol(aggregation="mean"))
    assert (other.aggregation, other.scale, other.bias, other.fitted_on) == ("mean", None, None, None)
