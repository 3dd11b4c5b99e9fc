import re
from itertools import islice

import pytest
from conftest import make_chain, mixed

from fakeinstruct.chains.schema import Assessment, Label, Manipulation
from fakeinstruct.expand.context import gather
from fakeinstruct.expand.options import count_options
from fakeinstruct.expand.pair import Pair, parse_pair
from fakeinstruct.expand.render import draw, render_chain, render_variant, row_of
from fakeinstruct.expand.space import spaces

PER_TOPIC = 6


def everything(chains, templates, taxonomy):
    """Some pairs of every topic of every template for every chain, checked against the schema."""
    for chain in chains:
        facts = gather(chain, taxonomy)
        for template in templates.templates:
            for topic, space in spaces(template, facts).items():
                for drawn in islice(draw(template, facts, topic, space, 5), PER_TOPIC):
                    yield chain, parse_pair(row_of(render_variant(template, facts, drawn)))


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


def test_the_image_comes_first_and_once(rendered):
    for _, pair in rendered:
        kinds = [[block.type for block in message.content] for message in pair.messages]
        crops = len(pair.images) - 1
        assert kinds[0] == ["image", "text"]
        assert kinds[2:3] in ([], [["image"] * crops + ["text"]])
        assert all(own == ["text"] for own in (kinds[1], *kinds[3:]))
        assert not crops or pair.task == "looks"
        assert [message.role for message in pair.messages] == ["user", "assistant"] * (
            len(pair.messages) // 2
        )


def test_no_text_has_holes_or_loose_ends(rendered):
    for _, pair in rendered:
        for message in pair.messages:
            assert not re.search(
                r"None(?!: )|\{\{|\}\}|\{%|%\}|  |\.\.|\s[.,;:]|\( ?\)|\n\n", message.text()
            ), message.text()


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
            first = answers(pair).split()[0].rstrip(",.:")
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


def test_distractors_were_judged_and_every_letter_is_right_at_times(rendered, templates, taxonomy):
    """That the right option is right is shown in `test_contradiction.py`."""
    letters = {}
    for chain, pair in rendered:
        if not pair.choices:
            continue
        question = pair.messages[0].text()
        assert all(f"\n{a}. {text}" in question for a, text in zip("ABCDEFGH", pair.choices, strict=False))
        assert answers(pair)[0] == pair.target.choice
        known = {trace.attribute for trace in chain.traces} | set(chain.assessed)
        if chain.label is Label.FAKE:
            assert all(keys_in(text, taxonomy) <= known for text in pair.choices)
        letters.setdefault((pair.template, chain.label), set()).add(pair.target.choice)
    counts = {t.id: count_options(t.front.options) for t in templates.templates if t.front.options}
    assert letters == {
        (name, label): {*"ABCDEFGH"[:count]} for name, count in counts.items() for label in Label
    }


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
                if pair.task not in ("grounding", "looks"):  # their targets have the boxes that were written
                    assert {region.box for region in trace.regions} <= set(pair.target.boxes)
    assert told


def test_nothing_wrong_is_said_of_attributes_judged_absent_only(rendered, templates, taxonomy):
    said = 0
    for chain, pair in rendered:
        match = re.search(r"I see nothing wrong|no flaw|nothing to mend", answers(pair))
        if (
            match
            and pair.template.startswith("evidence/")
            and templates[pair.template].front.over == "attribute"
        ):
            (key,) = keys_in(pair.messages[0].text(), taxonomy)
            assert chain.assessed[key] is Assessment.ABSENT
            assert pair.target.attributes == ()
            said += 1
    assert said > 100


def test_advice_says_where_it_comes_from(rendered, taxonomy):
    origins = set()
    for chain, pair in rendered:
        banked = [t.attribute for t in chain.traces if chain.label is Label.FAKE and not t.advice]
        from_bank = any(text in answers(pair) for key in banked for text in taxonomy.attributes[key].advice)
        own = any(trace.advice in answers(pair) for trace in chain.traces if trace.advice)
        if from_bank or own:
            assert pair.advice_origin in ("bank", "chain")
            assert (pair.advice_origin == "bank") >= from_bank
        if pair.task == "advice":
            origins.add(pair.advice_origin)
    assert origins == {"bank", "chain", None}


def test_a_pair_id_names_one_pair(rendered):
    words = {}
    for _, pair in rendered:
        assert words.setdefault(pair.id, pair.messages) == pair.messages
    assert len(words) == len(rendered)


def test_a_label_only_chain_gives_pairs_that_its_label_entails(templates, taxonomy):
    for label in Label:
        facts = gather(make_chain("bare", label, traces=0, judged=0), taxonomy)
        filled = [t for t in templates.templates if any(s.count for s in spaces(t, facts).values())]
        assert {template.front.task for template in filled} >= {"verdict"}
        assert not any(template.front.needs.traces or template.front.needs.absent for template in filled)
        if label is Label.FAKE:
            assert not any(template.front.over != "chain" for template in filled)


def test_a_larger_quota_adds_to_a_smaller_one(templates, taxonomy):
    facts = gather(make_chain("c", Label.FAKE), taxonomy)
    few, many = (
        [pair.id for pair in render_chain(templates.templates, facts, {("reasoning/premise", ""): quota}, 3)]
        for quota in (5, 9)
    )
    assert len(many) == 9
    assert many[:5] == few


def test_jinja_in_a_chain_is_text_and_a_long_text_is_rejected(templates, taxonomy):
    chain = make_chain("c", Label.FAKE)
    hostile = chain.traces[0].model_copy(update={"observation": "{{ 7 * 7 }} {% for %}"})
    facts = gather(chain.model_copy(update={"traces": (hostile, *chain.traces[1:])}), taxonomy)
    pair = next(render_chain(templates.templates, facts, {("reasoning/explain", ""): 1}, 0))
    assert "{{ 7 * 7 }} {% for %}" in pair.texts[1]
    long = chain.traces[0].model_copy(update={"observation": "x" * 19_999})
    facts = gather(chain.model_copy(update={"traces": (long, *chain.traces[1:])}), taxonomy)
    (error,) = render_chain(templates.templates, facts, {("reasoning/explain", ""): 1}, 0)
    assert "longer than 20,000 characters" in str(error)
    assert error.record == "c"


def test_traces_of_one_attribute_get_different_advice_of_the_bank(templates, taxonomy):
    """Four flaws of one attribute would otherwise be mended by the same sentence four times."""
    chain = make_chain("same", Label.FAKE, traces=3)
    traces = tuple(trace.model_copy(update={"attribute": "edge", "advice": None}) for trace in chain.traces)
    facts = gather(chain.model_copy(update={"traces": traces}), taxonomy)
    for pair in render_chain(templates.templates, facts, {("reasoning/interview", ""): 5}, 0):
        told = [text for text in taxonomy.attributes["edge"].advice if text in pair.texts[-1]]
        assert len(told) == 3
