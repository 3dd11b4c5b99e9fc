"""What lint finds: each finding on a template that has just that fault, and none on one that has not."""

import re
import shutil
import time
from pathlib import Path

import pytest

from fakeinstruct.base.errors import UsageError
from fakeinstruct.base.surfaces import surface
from fakeinstruct.chains.schema import Label
from fakeinstruct.expand.context import gather
from fakeinstruct.expand.examples import examples
from fakeinstruct.expand.lint import lint, load_template, load_templates
from fakeinstruct.expand.overlaps import benchmarks
from fakeinstruct.expand.trial import plain


def write(folder, name="mine", *, front="task: evidence", user="What is this?", assistant="It is an image."):
    file = folder / f"{name}.jinja"
    file.write_text(
        f"---\n{front}\n---\n{{% block user %}}{user}{{% endblock %}}\n"
        f"{{% block assistant %}}{assistant}{{% endblock %}}\n"
    )
    return file


def problems(folder):
    return [finding.problem for finding in lint(folder)[1]]


def only(folder):
    (problem,) = problems(folder)
    return problem


def test_the_projects_templates_are_sound_and_quickly_read():
    started = time.perf_counter()
    sound, findings = lint()
    assert [str(finding.error()) for finding in findings] == []
    assert len(sound) >= 60
    assert time.perf_counter() - started < 20  # seconds on a busy core; about one on an idle one


def test_a_sound_template_is_sound(tmp_path):
    write(tmp_path, front="task: evidence\nneeds: {flaws: 1}", assistant="{{ label }}")
    assert problems(tmp_path) == []
    (template,) = load_templates(tmp_path).templates
    assert template.id == "mine"


@pytest.mark.parametrize(
    ("assistant", "line"),
    [
        ("{% if label == 'faked' %}made up{% else %}{{ label }}{% endif %}", 4),
        ("\n{% if traces %}something{% elif traces | length == 99 %}much{% else %}nothing{% endif %}", None),
        ("{{ 'made up' if label == 'faked' else label }}", 4),
        ("{{ label }}{% for name in absent %}{% if name == 'colour' %}!{% endif %}{% endfor %}", 4),
    ],
)
def test_a_condition_that_is_never_met_is_found(tmp_path, assistant, line):
    file = write(tmp_path, assistant=assistant)
    _, (finding,) = lint(tmp_path)
    assert "no example meets this condition" in finding.problem
    assert finding.file == str(file)
    if line:
        assert finding.line == line + 1


def test_an_else_that_is_never_reached_is_found(tmp_path):
    write(
        tmp_path,
        front="task: evidence\nneeds: {traces: 1}",
        assistant="{% if traces %}{{ label }}{% else %}x{% endif %}",
    )
    assert "stands under its else is never said" in only(tmp_path)


def test_a_condition_in_a_phrase_is_found_and_the_phrase_named(tmp_path):
    front = "task: evidence\nvariants:\n  say: ['{{ label }}', '{% if not label %}x{% endif %}{{ label }}']"
    write(tmp_path, front=front, assistant="{{ say }}")
    assert only(tmp_path).startswith("phrase '{% if not label %}")


def test_conditions_on_the_users_own_tags_are_left_alone(tmp_path):
    said = (
        "{{ label }}{% for tag in tags %}{% if tag.name == 'mood' %} {{ tag.value }}{% endif %}{% endfor %}"
    )
    write(tmp_path, assistant=said)
    assert problems(tmp_path) == []


def test_conditions_that_rare_combinations_meet_are_searched_for(tmp_path):
    """The premise and the reply take turns together; the combination comes only in other variants."""
    front = "task: evidence\nvariants:\n  one: [a, b]\n  two: [a, b]"
    write(
        tmp_path,
        front=front,
        user="Which, {{ one }} or {{ two }}?",
        assistant="{% if one != two %}No.{% else %}Yes.{% endif %}",
    )
    assert problems(tmp_path) == []


def test_templates_that_say_the_same_are_found(tmp_path):
    front = "task: evidence\nvariants:\n  {name}: [{phrases}]"
    write(tmp_path, "a", front=front.format(name="ask", phrases="'What?', 'Who is it?'"), user="{{ ask }}")
    write(tmp_path, "b", front=front.format(name="put", phrases="who is it, 'What?'"), user="{{ put }}")
    _, (finding,) = lint(tmp_path)
    assert finding.problem == "says nothing that 'a' does not say"
    assert finding.file.endswith("b.jinja")


def test_a_template_that_says_less_than_a_later_one_is_found(tmp_path):
    write(tmp_path, "a", user="What?")
    write(tmp_path, "b", front="task: evidence\nvariants:\n  ask: ['What?', 'Who?']", user="{{ ask }}")
    _, (finding,) = lint(tmp_path)
    assert finding.file.endswith("a.jinja")


def test_the_same_question_with_another_answer_is_no_duplicate(tmp_path):
    write(tmp_path, "a", assistant="It is {{ label }}.")
    write(tmp_path, "b", assistant="{{ label }}")
    assert problems(tmp_path) == []


@pytest.mark.parametrize("assistant", ["...", "- \n-"])
def test_an_answer_that_says_nothing_is_found(tmp_path, assistant):
    write(tmp_path, assistant=assistant)
    assert "says nothing" in only(tmp_path)


def test_an_empty_answer_is_found(tmp_path):
    write(tmp_path, assistant="{% for trace in traces %}{{ trace.observation }}{% endfor %}")
    assert "block assistant is empty" in only(tmp_path)


def test_an_answer_and_a_question_that_are_too_long_are_found(tmp_path):
    write(tmp_path, assistant="word " * 900 + ".")
    assert "over 4,000" in only(tmp_path)
    write(tmp_path, user="word " * 250 + "?")
    assert "a question has 1,251 characters on an example, over 1,000" in only(tmp_path)


def test_gaps_that_missing_parts_leave_are_found(tmp_path):
    write(tmp_path, assistant="It is {% if nature %}{{ nature }}{% endif %} indeed.")
    assert "two spaces" in only(tmp_path)


def test_an_answer_that_stands_in_its_question_is_found(tmp_path):
    front = "task: knowledge\nover: attribute"
    write(
        tmp_path,
        front=front,
        user="{{ attribute.definition }} Is it so?",
        assistant="Yes: {{ attribute.name }}. {{ attribute.definition }}",
    )
    assert "stands in the question" in only(tmp_path)


def test_an_answer_may_repeat_an_option_and_a_few_words(tmp_path):
    write(tmp_path, user="Is the image fake or real?", assistant="The image is {{ label }}.")
    assert problems(tmp_path) == []


@pytest.mark.parametrize(
    "question",
    [
        "Is this a real image?",
        "Is this a FAKE image - yes or no?",
        "How is the {{ attribute.name }} regarding the authenticity of this image?",
        "Is this image generated by an AI model?",
    ],
)
def test_the_words_of_a_benchmark_are_found(tmp_path, question):
    front = "task: evidence\nover: attribute" if "attribute" in question else "task: evidence"
    write(tmp_path, front=front, user=question)
    assert "has the words of" in only(tmp_path)


def test_held_out_wordings_may_not_be_a_benchmarks_either(tmp_path):
    front = "task: verdict\nvariants:\n  ask: ['What?']\nheld_out:\n  ask: ['Is this a fake image?']"
    write(tmp_path, front=front, user="{{ ask }}", assistant="{{ label }}")
    assert "has the words of FakeBench" in only(tmp_path)


def test_the_list_of_benchmark_words_is_plain_and_names_its_sources():
    assert {"FakeBench", "LOKI"} <= set(benchmarks())
    for benchmark in benchmarks().values():
        assert benchmark.source.startswith("https://")
        for words in benchmark.words:
            assert words == plain(words)
            assert words.count(" ") >= 2


def test_a_held_out_wording_that_another_template_asks_is_found(tmp_path):
    front = "task: verdict\nvariants:\n  ask: ['Real or fake?']\nheld_out:\n  ask: ['Fake, or real?']"
    write(tmp_path, "a", front=front, user="{{ ask }}", assistant="{{ label }}")
    assert problems(tmp_path) == []
    write(tmp_path, "b", user="Fake or real", assistant="It is {{ label }}.")
    assert only(tmp_path) == "held_out: 'b' asks 'Fake, or real?', so pairs have it"


def test_a_template_for_fakes_only_and_one_for_nobody_are_found(tmp_path):
    write(tmp_path, front="task: evidence\nover: trace", assistant="{{ trace.observation }}")
    assert problems(tmp_path) == []
    listed = (
        "task: evidence\nover: attribute\nvariants:\n  say:\n    flawed: [x]\n    sound: [y]\n    absent: [z]"
    )
    write(tmp_path, front=listed, user="{{ attribute.name }}?", assistant="{{ say }}")
    assert problems(tmp_path) == []
    write(tmp_path, front="task: evidence\nneeds: {traces: 17}")
    assert only(tmp_path) == "no example fills it"


def test_an_answer_that_does_not_begin_with_a_label_word_is_found(tmp_path):
    front = "task: verdict\nlabel_words: {fake: [fake], real: [real]}"
    write(tmp_path, front=front, assistant="It is {{ label }}.")
    assert "begins with 'It', not with a label word" in only(tmp_path)


def test_findings_do_not_hide_one_another(tmp_path):
    write(tmp_path, "a", assistant="{{ labl }}")
    write(tmp_path, "b", user="Is this a real image?")
    write(tmp_path, "c")
    (tmp_path / "d.jinja").write_text("no front matter")
    sound, findings = lint(tmp_path)
    assert [template.id for template in sound] == ["c"]
    assert [finding.file[-7] for finding in findings] == ["a", "d", "b"]
    with pytest.raises(UsageError, match=r"lists 3 findings"):
        load_templates(tmp_path)


def test_one_template_is_read_without_the_others(tmp_path):
    write(tmp_path, "good", assistant="{{ label }}")
    write(tmp_path, "bad", assistant="{{ labl }}")
    assert load_template("good", tmp_path).id == "good"
    with pytest.raises(UsageError, match="there is no name 'labl'"):
        load_template("bad", tmp_path)
    with pytest.raises(UsageError, match=r"no template 'goot'.*Did you mean 'good'"):
        load_template("goot", tmp_path)
    with pytest.raises(UsageError, match="no template"):
        load_template("../good", tmp_path)


def test_a_copy_of_the_projects_templates_can_be_changed(tmp_path):
    copy = tmp_path / "templates"
    shutil.copytree(surface("templates"), copy)
    file = copy / "verdict/one_word.jinja"
    file.write_text(file.read_text().replace("{{ label }}", "{{ nature }} {{ label }}"))
    (finding,) = lint(copy)[1]
    assert finding.file == str(file)


def test_the_guides_example_is_found_and_mended(tmp_path):
    guide = (Path(__file__).parents[2] / "docs/templates.md").read_text()
    example = re.search(r"```jinja\n(.*?)```", guide, re.S).group(1)
    mended = re.search(r"```yaml\n( +- .*?)```", guide, re.S).group(1)
    (tmp_path / "mine.jinja").write_text(example)
    found = only(tmp_path)
    assert found in guide
    wrong = next(line for line in example.splitlines(keepends=True) if "attribute.where" in line)
    (tmp_path / "mine.jinja").write_text(example.replace(wrong, mended))
    assert problems(tmp_path) == []


@pytest.mark.parametrize(
    ("front", "said", "problem", "hint"),
    [
        ("", "{{ strongest.name }}", "strongest.name", "Add 'strongest: true' to 'needs'"),
        ("needs: {strongest: true}", "{{ strongest.name }}", "strongest.name", "word it by label"),
        ("over: attribute", "{{ attribute.observation }}", "attribute.observation", "word it by status"),
        ("over: comparison", "{{ first.observation }}", "first.observation", "word it by relation"),
        ("over: trace", "{{ trace.where }}", "trace.where", "or add 'region: true' to 'needs'"),
        (
            "needs: {traces: 1}",
            "{% for t in traces %}{{ t.where }}{% endfor %}",
            "traces.where",
            "if trace.where",
        ),
    ],
)
def test_a_hole_is_named_with_what_fills_it(tmp_path, front, said, problem, hint):
    write(tmp_path, front=f"task: evidence\n{front}", assistant=f"It is: {said}")
    _, (finding,) = lint(tmp_path)
    assert finding.problem == f"block assistant: would print {problem}, which a chain may lack"
    assert hint in finding.hint


def test_a_misspelt_name_in_a_question_is_one_finding(tmp_path):
    write(tmp_path, front="task: evidence\nvariants:\n  ask: ['What?']", user="{{ ask }} {{ aks }}")
    assert only(tmp_path) == "there is no name 'aks'"
    write(tmp_path, front="task: evidence\nover: attribute", user="{{ attribute.nme }}?")
    assert only(tmp_path) == "'attribute' has no field 'nme'"


@pytest.mark.parametrize(
    ("front", "line", "problem", "hint"),
    [
        ("task: evidence\nneeds:\n  strongest: 1", 4, "a valid boolean, not 1", ""),
        ("task: evidence\nneeds:\n  strongst: true", 4, "there is no 'strongst'", "'strongest'"),
        ("task: evidence\nvariants:\n  say: [x]\n  ask: [y]", 4, "variants.say is used in no block", ""),
        ("task: evidence\nvariants:\n  ask:\n    - x\n    - '{{ aks }}'", 6, "no name 'aks'", "'ask'"),
        ("task: evidence\nvariants:\n  ask:\n    fake: [x]\n    reel: [y]", 6, "no case 'reel'", "'real'"),
        (
            "# Note\ntask: evidence: two",
            3,
            "mapping values are not allowed",
            "Put quotes around text with ': '",
        ),
        ("task: evidence\nvariants:\n  ask:\n    - What: this?", 4, "a list of phrases", "Put quotes around"),
    ],
)
def test_front_matter_is_located_by_the_files_own_lines(tmp_path, front, line, problem, hint):
    write(tmp_path, front=front, user="{{ ask }}")
    found = next(finding for finding in lint(tmp_path)[1] if problem in finding.problem)
    assert found.line == line
    assert hint in (found.hint or "")


def test_examples_come_in_both_labels_alike(taxonomy):
    made = list(examples(taxonomy))
    assert len(made) == 14
    fakes, reals = ([chain for chain in made if chain.label is label] for label in Label)
    for fake, real in zip(fakes, reals, strict=True):
        assert fake.id == real.id
        assert [t.attribute for t in fake.traces] == [t.attribute for t in real.traces]
        assert fake.assessed == real.assessed
    facts = [gather(chain, taxonomy) for chain in made]
    assert {status for one in facts for status in (a.status for a in one.attributes.values())} == {
        "flawed",
        "sound",
        "absent",
        "photograph",
    }
    assert any(one.strongest for one in facts)
    assert any(one.values["tags"] for one in facts)
