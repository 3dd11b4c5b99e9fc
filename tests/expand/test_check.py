"""Checks of what templates say of regions, comparisons, looks and held-out wordings, each by a template that fails."""

import pytest

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expand.check import check
from fakeinstruct.expand.read import read_template
from fakeinstruct.expand.readouts import held_out, questions, readouts
from fakeinstruct.expand.template import TemplateSet

BLOCKS = "{% block user %}{{ ask }}{% endblock %}{% block assistant %}{{ say }}{% endblock %}"


def template(folder, front, blocks=BLOCKS):
    file = folder / "own.jinja"
    file.write_text(f"---\n{front}\n---\n{blocks}\n", encoding="utf-8")
    return read_template(file, folder, {})


@pytest.mark.parametrize(
    ("front", "problem"),
    [
        (
            "{task: grounding, over: region, variants: {ask: ['{{ region.observation }}?'], say: ['Of course.']}}",
            "'region.observation' in a question gives the answer away",
        ),
        (
            "{task: grounding, over: region, variants: {ask: ['{{ region.boxes }}?'], say: ['Of course.']}}",
            "'region' has no field 'boxes'",
        ),
        (
            "{task: evidence, over: attribute, variants: {ask: ['{{ attribute.boxes }}?'], say: ['Of course.']}}",
            "'attribute.boxes' in a question gives the answer away",
        ),
        (
            "{task: evidence, over: comparison, variants: {ask: ['{{ first.status }}?'], say: ['Of course.']}}",
            "'first.status' in a question gives the answer away",
        ),
        (
            "{task: evidence, variants: {ask: ['{{ strongest.name }}?'], say: ['Of course.']}}",
            "'strongest' in a question gives the answer away",
        ),
        ("{task: evidence, variants: {ask: ['A?'], say: ['{{ region.box }}']}}", "there is no name 'region'"),
        (
            "{task: looks, variants: {ask: ['A?'], say: ['{% for look in looks %}x{% endfor %}']}}",
            "no name 'looks'",
        ),
        (
            "{task: evidence, variants: {ask: ['A?'], say: {both: [a], first: [b], second: [c], neither: [d]}}}",
            "phrases by relation need 'over: comparison'",
        ),
        (
            "{task: evidence, variants: {ask: ['A?'], say: {flawed: [a], sound: [b], absent: [c], photograph: [d]}}}",
            "phrases by status need 'over: attribute'",
        ),
        (
            "{task: verdict, held_out: {say: [x]}, variants: {ask: ['A?'], say: ['Of course.']}}",
            "held_out.say: no question has a list of that name",
        ),
        (
            "{task: verdict, held_out: {ask: ['A?']}, variants: {ask: ['A?'], say: ['Of course.']}}",
            "held_out.ask: 'A?' is there twice, or pairs use it",
        ),
        (
            "{task: verdict, held_out: {ask: ['Is it {{ label }}?']}, variants: {ask: ['A?'], say: ['Of course.']}}",
            "must be plain text",
        ),
        (
            "{task: verdict, held_out: {ask: ['<image> A?']}, variants: {ask: ['A?'], say: ['Of course.']}}",
            "must be plain text",
        ),
        (
            "{task: evidence, over: trace, variants: {ask: ['A?'], say: ['{{ trace.observation }}', Something]}}",
            "'Something' does not tell the same as the first phrase",
        ),
        (
            "{task: grounding, over: trace, variants: {ask: ['A?'], say: "
            "['{{ trace.observation }}', '{{ trace.observation }} {{ trace.boxes }}']}}",
            "does not tell the same as the first phrase",
        ),
    ],
)
def test_what_is_wrong_is_found(tmp_path, front, problem):
    found = [finding.problem for finding in check(template(tmp_path, front))]
    assert any(problem in text for text in found), found


@pytest.mark.parametrize(
    ("front", "problem"),
    [
        ("{task: looks, looks: true, over: region, variants: {ask: [A], say: [B]}}", "goes over the chain"),
        ("{task: verdict, held_out: {ask: ['']}, variants: {ask: [A], say: [B]}}", "held_out"),
        ("{task: verdict, needs: {flaw: 1}, variants: {ask: [A], say: [B]}}", "flaw"),
        ("{task: evidence, over: regions, variants: {ask: [A], say: [B]}}", "over"),
        (
            "{task: evidence, over: comparison, variants: {ask: [A], say: {both: [a], first: [b], second: [c]}}}",
            "both, first, second and neither",
        ),
        (
            "{task: evidence, over: attribute, variants: {ask: [A], say: {flawed: [a], photograph: [b]}}}",
            "photograph",
        ),
    ],
)
def test_front_matter_that_means_nothing_is_refused(tmp_path, front, problem):
    with pytest.raises(UsageError) as caught:
        template(tmp_path, front)
    assert problem in str(caught.value)


def test_sound_templates_pass(tmp_path):
    fronts = [
        "{task: grounding, over: region, variants: {ask: ['{{ region.box }}?'], say: ['{{ region.observation }}']}}",
        "{task: evidence, over: comparison, variants: {ask: ['{{ first.name }} or {{ second.name }}?'], "
        "say: {both: [a], first: [b], second: [c], neither: [d]}}}",
        "{task: verdict, variants: {ask: ['Write <verdict>fake</verdict>?'], say: ['<verdict>{{ label }}</verdict>']}}",
        "{task: verdict, variants: {first: [A], say: [B]}}",
    ]
    for front in fronts[:3]:
        assert check(template(tmp_path, front)) == []
    assert check(template(tmp_path, fronts[3], BLOCKS.replace("ask", "first"))) == []


def test_held_out_wordings_are_kept_apart(tmp_path):
    front = """
task: verdict
label_words: {fake: [fake], real: [real]}
held_out: {ask: ['Fake or not?', 'What is it?']}
variants: {ask: ['Real or fake?', 'Fake or real?'], rule: [One word., Only the word.], say: ["{{ label }}"]}
"""
    blocks = BLOCKS.replace("{{ ask }}", "{{ ask }} {{ rule }}")
    own = template(tmp_path, front, blocks)
    assert check(own) == []
    assert list(held_out(own)) == [
        "Fake or not? One word.",
        "Fake or not? Only the word.",
        "What is it? One word.",
        "What is it? Only the word.",
    ]
    assert len(set(questions(own)) | set(held_out(own))) == 8
    (readout,) = readouts(TemplateSet(tmp_path, (own,), ""))
    assert (readout.held_out, len(readout.prompts)) == (tuple(held_out(own)), 4)


def test_held_out_wordings_are_in_no_pair(templates):
    """Of the project's own templates: those whose first word is read as a probability keep two or more."""
    for template in templates.templates:
        used = {text for lists in template.variants.values() for texts in lists.values() for text in texts}
        kept = [text for texts in template.front.held_out.values() for text in texts]
        assert not used & set(kept)
        if template.front.label_words:
            assert len(kept) >= 2, template.id
