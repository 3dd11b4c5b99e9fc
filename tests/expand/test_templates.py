"""The project's own templates: how many there are, what they say, and what no pair may say."""

import re
from itertools import islice
from pathlib import Path

import pytest
from conftest import make_chain, mixed

from fakeinstruct.base.boxes import place
from fakeinstruct.chains.schema import Chain, Label, Manipulation
from fakeinstruct.expand.context import gather
from fakeinstruct.expand.pair import parse_pair
from fakeinstruct.expand.readouts import readouts
from fakeinstruct.expand.render import draw, render_chain, render_variant, row_of
from fakeinstruct.expand.space import spaces
from fakeinstruct.expand.trial import plain

TASKS = ("verdict", "reasoning", "evidence", "choice", "advice", "knowledge", "grounding", "looks")


def golden(label: Label) -> list[Chain]:
    """Chains that snapshots are made of: all that a chain can hold, and a label alone."""
    rich = make_chain(f"golden-{label}", label, traces=4)
    made = Manipulation.EDITED if label is Label.FAKE else Manipulation.NONE
    grave = rich.traces[0].model_copy(update={"severity": "severe"})
    others = [trace.model_copy(update={"severity": "slight"}) for trace in rich.traces[1:]]
    rich = rich.model_copy(
        update={"manipulation": made, "traces": (grave, *others), "tags": {"style": "street scene"}}
    )
    return [rich, make_chain(f"bare-{label}", label, traces=0, judged=0)]


@pytest.fixture(scope="module")
def rendered(templates, taxonomy):
    """Pairs of a chain with four traces of each label: their template, label and turns."""
    found = []
    for chain in mixed(6):
        facts = gather(chain, taxonomy)
        quotas = {(t.id, topic): 20 for t in templates.templates for topic in spaces(t, facts)}
        found += [
            (p.template, chain.label, p.texts) for p in render_chain(templates.templates, facts, quotas, 0)
        ]
    return found


def test_there_are_sixty_templates_and_three_for_each_task(templates):
    tasks = [template.front.task for template in templates.templates]
    assert len(tasks) >= 60
    assert {task: tasks.count(task) >= 3 for task in tasks} == dict.fromkeys(TASKS, True)
    guide = (Path(__file__).parents[2] / "docs/templates.md").read_text()
    assert int(re.search(r"There are (\d+), in eight tasks", guide).group(1)) == len(tasks)


def test_a_chain_with_four_traces_gives_more_than_150_pairs_by_wordings_and_by_contents(templates, taxonomy):
    for label in Label:
        facts = gather(make_chain("rich", label, traces=4), taxonomy)
        found = {t.id: spaces(t, facts) for t in templates.templates}
        contents = [
            (name, topic, n)
            for name, by in found.items()
            for topic, s in by.items()
            for n, _ in enumerate(s.items)
        ]
        assert len(contents) > 150
        quotas = {(name, topic): 3 for name, by in found.items() for topic in by}
        pairs = list(render_chain(templates.templates, facts, quotas, 0))
        assert len({pair.texts for pair in pairs}) == len(pairs) > 150
        questions = {pair.texts[0] for pair in pairs}
        assert len(questions) > 150


def test_every_template_serves_both_labels_and_asks_both_the_same(rendered, templates):
    asked = {}
    for template, label, texts in rendered:
        asked.setdefault(template.id, {}).setdefault(label, set()).update(map(shape, texts[0::2]))
    assert set(asked) == {template.id for template in templates.templates}
    for name, by_label in asked.items():
        assert set(by_label) == set(Label), name
        wanted = templates[name].front.over in ("chain", "attribute") and not templates[name].front.options
        if wanted:
            fake, real = by_label[Label.FAKE], by_label[Label.REAL]
            assert len(fake ^ real) <= 0.2 * len(fake | real), (name, fake ^ real)


def shape(question: str) -> str:
    """A question without what it is about."""
    question = re.sub(r"<box>.*?</box>", "#", question)
    names = (
        "completeness of content|light and shadow|written text|overall tone|texture|edges|clarity|layout|symmetry|"
        "reflections|perspective|shape|theme|distortion|realism|anatomy"
    )
    return re.sub(rf"\b({names})\b", "#", question)


def test_every_template_has_four_wordings_of_its_question(templates):
    for template in templates.templates:
        lists = [
            phrases[""] for name, phrases in template.variants.items() if name in template.question_names
        ]
        assert max(map(len, lists)) >= 4, template.id


def test_verdict_readouts_have_two_held_out_wordings_that_no_pair_has(rendered, templates):
    asked = {plain(text) for _, _, texts in rendered for text in texts[0::2]}
    found = readouts(templates)
    assert len(found) >= 6
    assert {label for readout in found for label in (*readout.fake, *readout.real)} >= {"fake", "Yes", "Fake"}
    for readout in found:
        if readout.template.startswith("verdict/"):
            assert len(readout.held_out) >= 2
        assert not {plain(text) for text in readout.held_out} & asked
    assert found[0].template == "verdict/one_word"  # the one that recipes train first, and that is calibrated


def test_wordings_that_name_both_labels_name_each_first_as_often(templates):
    for template in templates.templates:
        if not template.front.label_words or template.id in ORDERED:
            continue
        texts = [*template.variants["ask"][""], *template.front.held_out.get("ask", ())]
        orders = [re.findall(r"(?i)\b(fake|real)\b", text)[:2] for text in texts]
        firsts = [order[0].lower() for order in orders if len({word.lower() for word in order}) == 2]
        assert firsts.count("fake") == firsts.count("real"), template.id


ORDERED = {"verdict/word_fake_first": "fake", "verdict/word_real_first": "real"}


def test_templates_of_one_order_keep_to_it(templates):
    for name, first in ORDERED.items():
        for text in (*templates[name].variants["ask"][""], *templates[name].front.held_out["ask"]):
            assert re.search(r"(?i)\b(fake|real)\b", text).group().lower() == first


def test_snapshots_of_every_template(templates, taxonomy, snapshot):
    """The words of every template for fixed chains: a change of them shows in review."""
    for template in templates.templates:
        shown = []
        for chain in (chain for label in Label for chain in golden(label)):
            facts = gather(chain, taxonomy)
            for topic, space in list(spaces(template, facts).items())[:4]:
                for drawn in islice(draw(template, facts, topic, space, 0), 2):
                    pair = parse_pair(row_of(render_variant(template, facts, drawn)))
                    turns = "\n".join(f"{message.role}: {message.text()}" for message in pair.messages)
                    crops = "".join(f"crop: {place(image.crop)}\n" for image in pair.images if image.crop)
                    shown.append(
                        f"{turns}\n{crops}target: {pair.target.model_dump_json(exclude_defaults=True)}\n"
                    )
        snapshot(f"templates/{template.id.replace('/', '-')}.txt", "\n".join(shown))


def test_no_snapshot_is_of_a_template_that_is_gone(templates):
    kept = {file.stem for file in (Path(__file__).parents[1] / "golden/templates").glob("*.txt")}
    assert kept == {template.id.replace("/", "-") for template in templates.templates}
