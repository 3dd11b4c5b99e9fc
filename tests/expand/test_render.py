import re
from itertools import islice

import pytest
from conftest import make_chain, mixed

from fakeinstruct.chains.schema import Assessment, Chain, Label, Manipulation
from fakeinstruct.expand.context import gather
from fakeinstruct.expand.pair import Pair, parse_pair
from fakeinstruct.expand.render import draw, render_chain, render_variant
from fakeinstruct.expand.space import spaces

PER_TOPIC = 12


def everything(chains, templates, taxonomy):
    """Some pairs of every topic of every template for every chain, checked against the schema."""
    for chain in chains:
        facts = gather(chain, taxonomy)
        for template in templates.templates:
            for topic, space in spaces(template, facts).items():
                for drawn in islice(draw(template, facts, topic, space, 5), PER_TOPIC):
                    yield chain, parse_pair(render_variant(template, facts, drawn))


@pytest.fixture(scope="module")
def rendered(templates, taxonomy):
    return list(everything(mixed(12), templates, taxonomy))


def answers(pair: Pair) -> str:
    return " ".join(message.text() for message in pair.messages if message.role == "assistant")


def keys_in(text, taxonomy):
    return {
        key for key, attribute in taxonomy.attributes.items() if re.search(rf"\b{attribute.name}\b", text)
    }


def test_every_template_is_rendered_for_both_labels(rendered, templates):
    assert {(pair.template, pair.label) for _, pair in rendered} == {
        (template.id, label) for template in templates.templates for label in Label
    }


def test_every_task_has_three_templates(templates):
    tasks = [template.front.task for template in templates.templates]
    assert {task: tasks.count(task) >= 3 for task in set(tasks)} == dict.fromkeys(
        ("verdict", "reasoning", "evidence", "choice", "advice"), True
    )


def test_the_image_comes_first_and_once(rendered):
    for _, pair in rendered:
        kinds = [block.type for message in pair.messages for block in message.content]
        assert kinds == ["image"] + ["text"] * len(pair.messages)
        assert [message.role for message in pair.messages] == ["user", "assistant"] * (
            len(pair.messages) // 2
        )


def test_no_text_has_holes_or_loose_ends(rendered):
    for _, pair in rendered:
        for message in pair.messages:
            assert not re.search(r"None|\{\{|\}\}|\{%|%\}|  |\.\.|\s[.,;:]|\( ?\)|\n\n", message.text()), (
                message.text()
            )


def test_verdicts_agree_with_the_chain(rendered):
    for chain, pair in rendered:
        assert pair.label is chain.label
        assert pair.target.verdict in (None, chain.label)
        other = "real" if chain.label is Label.FAKE else "fake"
        own_words = answers(pair)
        for trace in chain.traces:
            own_words = own_words.replace(trace.observation, "").replace(trace.inference or "\0", "")
        if pair.task == "verdict" and not pair.choices:
            assert pair.target.verdict is chain.label
            assert not re.search(rf"\b{other}\b", own_words)
        if pair.template == "reasoning/premise":
            assert re.search(rf"\b{chain.label}\b", own_words)
            assert not re.search(rf"(?<!not )\b{other}\b", own_words), own_words


def test_yes_means_what_polarity_says(rendered):
    seen = set()
    for chain, pair in rendered:
        if pair.polarity:
            first = answers(pair).split()[0].rstrip(",.")
            assert first == ("Yes" if pair.polarity is chain.label else "No")
            seen.add((pair.polarity, first))
    assert len(seen) == 4


def test_one_word_answers_are_the_label_alone(rendered):
    found = [answers(pair) == chain.label for chain, pair in rendered if pair.template == "verdict/one_word"]
    assert found
    assert all(found)


def test_generated_is_said_of_generated_images_only(rendered):
    said = {Manipulation.GENERATED: "a generated image", Manipulation.EDITED: "an edited photograph"}
    heard = set()
    for chain, pair in rendered:
        if pair.task in ("verdict", "reasoning"):
            for manipulation, words in said.items():
                if words in answers(pair):
                    assert chain.manipulation is manipulation
                    heard.add(manipulation)
    assert heard == set(said)


def option_is_true(text: str, template: str, chain: Chain, taxonomy) -> bool | None:
    """Truth of an option by the chain alone; None for "none of these"."""
    flawed = {trace.attribute for trace in chain.traces if chain.label is Label.FAKE}
    if template == "verdict/two_way":
        return text == chain.label
    if template == "choice/pair":
        named = keys_in(text, taxonomy)
        present = named & flawed
        if text.startswith("neither"):
            return not present
        if ", not the " in text:
            yes, no = text.split(", not the ")
            return keys_in(yes, taxonomy) <= flawed and not keys_in(no, taxonomy) & flawed
        return len(present) == 2
    if text.startswith(("none", "no flaw", "real,")):
        return None
    (key,) = keys_in(text, taxonomy)
    return key in flawed


def test_exactly_one_option_is_right_and_distractors_were_judged(rendered, taxonomy):
    checked = set()
    for chain, pair in rendered:
        if not pair.choices:
            continue
        truth = [option_is_true(text, pair.template, chain, taxonomy) for text in pair.choices]
        if pair.template == "choice/reason" and chain.label is Label.FAKE:
            assert None in truth
            truth = [bool(value) for value in truth]
        truth = [value if value is not None else not any(truth) for value in truth]
        assert truth.count(True) == 1, pair.choices
        letter = "ABCD"[truth.index(True)]
        assert pair.target.choice == letter
        assert answers(pair)[0] == letter
        question = pair.messages[0].text()
        assert all(f"\n{a}. {text}" in question for a, text in zip("ABCD", pair.choices, strict=False))
        known = {trace.attribute for trace in chain.traces} | set(chain.assessed)
        if pair.task == "choice":
            assert len(pair.choices) == 4
            assert all(keys_in(text, taxonomy) <= known for text in pair.choices)
        checked.add((pair.template, chain.label, letter))
    assert len(checked) == 4 * 2 * 4 + 2 * 2


def test_attributes_and_boxes_are_the_chains_own(rendered):
    told = 0
    for chain, pair in rendered:
        attributes = {trace.attribute for trace in chain.traces}
        boxes = {region.box for trace in chain.traces for region in trace.regions}
        assert set(pair.target.attributes) <= attributes
        assert set(pair.target.boxes) <= boxes
        told += bool(pair.target.boxes)
        for trace in chain.traces:
            if trace.observation in answers(pair):
                assert trace.attribute in pair.target.attributes
                assert {region.box for region in trace.regions} <= set(pair.target.boxes)
    assert told


def test_nothing_wrong_is_said_of_attributes_judged_absent_only(rendered, taxonomy):
    said = 0
    for chain, pair in rendered:
        match = re.search(
            r"I see nothing wrong|I see no sign|gives (?:this|the) picture away|no flaw", answers(pair)
        )
        if pair.task == "evidence" and match:
            (key,) = keys_in(pair.messages[0].text(), taxonomy) & keys_in(answers(pair), taxonomy)
            assert chain.assessed[key] is Assessment.ABSENT
            assert pair.target.attributes == ()
            said += 1
    assert said > 100


def test_advice_says_where_it_comes_from(rendered, taxonomy):
    origins = set()
    for chain, pair in rendered:
        if pair.task != "advice" or pair.template in ("advice/discuss", "advice/lesson"):
            assert pair.advice_origin is None
            continue
        banked = [t.attribute for t in chain.traces if chain.label is Label.FAKE and not t.advice]
        from_bank = [
            key for key in banked if any(text in answers(pair) for text in taxonomy.attributes[key].advice)
        ]
        own = [t for t in chain.traces if t.advice and t.advice in answers(pair)]
        assert pair.advice_origin == ("bank" if from_bank else "chain" if own else None)
        origins.add(pair.advice_origin)
    assert origins == {"bank", "chain", None}


def test_a_pair_id_names_one_pair(rendered):
    words = {}
    for _, pair in rendered:
        assert words.setdefault(pair.id, pair.messages) == pair.messages
    assert len(words) == len(rendered)


def test_one_chain_gives_more_than_a_hundred_distinct_pairs(templates, taxonomy):
    for label in Label:
        for traces in (2, 4):
            facts = gather(make_chain("rich", label, traces=traces), taxonomy)
            quotas = {(t.id, topic): 8 for t in templates.templates for topic in spaces(t, facts)}
            rows = list(render_chain(templates.templates, facts, quotas, 0))
            texts = {tuple(message["content"][-1]["text"] for message in row["messages"]) for row in rows}
            assert len(texts) == len(rows) > 100


def test_a_label_only_chain_gives_verdict_pairs_and_no_others(templates, taxonomy):
    for label in Label:
        facts = gather(make_chain("bare", label, traces=0, judged=0), taxonomy)
        tasks = {t.front.task for t in templates.templates if any(s.count for s in spaces(t, facts).values())}
        assert tasks == {"verdict"}


def test_a_larger_quota_adds_to_a_smaller_one(templates, taxonomy):
    facts = gather(make_chain("c", Label.FAKE), taxonomy)
    few, many = (
        [row["id"] for row in render_chain(templates.templates, facts, {("reasoning/premise", ""): quota}, 3)]
        for quota in (5, 9)
    )
    assert len(many) == 9
    assert many[:5] == few


def test_jinja_in_a_chain_is_text_and_a_long_text_is_rejected(templates, taxonomy):
    chain = make_chain("c", Label.FAKE)
    hostile = chain.traces[0].model_copy(update={"observation": "{{ 7 * 7 }} {% for %}"})
    facts = gather(chain.model_copy(update={"traces": (hostile, *chain.traces[1:])}), taxonomy)
    row = next(render_chain(templates.templates, facts, {("reasoning/explain", ""): 1}, 0))
    assert "{{ 7 * 7 }} {% for %}" in row["messages"][1]["content"][0]["text"]
    long = chain.traces[0].model_copy(update={"observation": "x" * 19_999})
    facts = gather(chain.model_copy(update={"traces": (long, *chain.traces[1:])}), taxonomy)
    (error,) = render_chain(templates.templates, facts, {("reasoning/explain", ""): 1}, 0)
    assert "longer than 20,000 characters" in str(error)
    assert error.record == "c"


def test_snapshots_of_every_template(templates, taxonomy, snapshot):
    """The words of every template for two fixed chains: a change of them shows in review."""
    chains = [make_chain("golden-fake", Label.FAKE), make_chain("golden-real", Label.REAL)]
    for template in templates.templates:
        shown = []
        for chain in chains:
            facts = gather(chain, taxonomy)
            for topic, space in list(spaces(template, facts).items())[:4]:
                for drawn in islice(draw(template, facts, topic, space, 0), 2):
                    pair = parse_pair(render_variant(template, facts, drawn))
                    turns = "\n".join(f"{message.role}: {message.text()}" for message in pair.messages)
                    shown.append(f"{turns}\ntarget: {pair.target.model_dump_json(exclude_defaults=True)}\n")
        snapshot(f"templates/{template.id.replace('/', '-')}.txt", "\n".join(shown))
