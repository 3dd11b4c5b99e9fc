import os
import time
from pathlib import Path

import pytest

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expand.lint import lint, load_templates
from fakeinstruct.expand.read import read_template

HEAD = "---\ntask: verdict\n---\n"
USER = "{% block user %}Real or fake?{% endblock %}\n"


def write(folder, body, head=HEAD, user=USER):
    (folder / "mine.jinja").write_text(f"{head}{user}{body}", encoding="utf-8")
    return folder


def answer(text):
    return f"{{% block assistant %}}{text}{{% endblock %}}\n"


HOSTILE = {
    "repetition": ("{{ 'a' * 50000000 }}", r"mine.jinja:5: templates may not use '\*'"),
    "power": ("{{ 9 ** 999999999 }}", r"may not use '\*\*'"),
    "format": ("{{ '%99999999d' % 1 }}", "may not use '%'"),
    "endless loop": ("{% for i in range(10 ** 12) %}{% endfor %}", "mine.jinja:5: "),
    "call": ("{{ lipsum(100000) }}", "may not use calls"),
    "method": ("{{ label.upper() }}", "may not use calls"),
    "class": ("{{ label.__class__ }}", "'__class__' is private"),
    "item": ("{{ label['__class__'] }}", "takes a number only"),
    "filter": ("{{ traces|map(attribute='__class__')|list }}", "there is no filter 'list'"),
    "padding": ("{{ label|center(99999999) }}", "there is no filter 'center'"),
    "doubling": ("{% set x = label ~ label %}{{ x }}", "may not use set"),
    "macro": ("{% macro m() %}{{ m() }}{% endmacro %}", "may not use macro"),
    "include": ("{% include '/etc/passwd' %}", "may not use include"),
    "recursion": ("{% for t in traces recursive %}{{ t.observation }}{% endfor %}", "one of the lists"),
    "syntax": ("{% if %}", "mine.jinja:5: "),
    "unknown name": ("\n\n{{ verdct }}", r"mine.jinja:7: there is no name 'verdct'"),
    "unknown field": (
        "{% for t in traces %}\n{{ t.obsrvation }}{% endfor %}",
        "mine.jinja:6: .*Did you mean 'observation'",
    ),
    "hole": (
        "{% for t in traces %}{{ t.inference }}{% endfor %}.",
        r"traces\.inference, which a chain may lack",
    ),
    "list printed": ("{{ traces }}", "would print a list"),
    "empty": ("{% if label == 'maybe' %}x{% endif %}", "block assistant is empty"),
    "placeholder": ("<image> fake", "holds an image placeholder"),
    "nesting": ("{{ " + "(" * 5000 + "label" + ")" * 5000 + " }}", "nested too deeply"),
    "long chain": ("{{ label" + ".x" * 20_000 + " }}", r"mine.jinja:5: is nested too deeply"),
    "many filters": ("{{ label" + "|lower" * 500 + " }}", "nested too deeply"),
    "many conditions": ("{% if " + " and ".join(["label"] * 5_000) + " %}x{% endif %}", "nested too deeply"),
    "decimal number": ("{{ " + "9" * 5_000 + " }}", "a number that is too large"),
    "hexadecimal number": ("{{ 0x" + "f" * 50_000 + " }}", "mine.jinja:5: holds a number that is too large"),
    "loop name": ("{% for loop in traces %}x{% endfor %}", "mine.jinja:5: 'loop' is the loop's own name"),
    "autoescape": ("{% autoescape true %}x{% endautoescape %}", "templates may not use"),
    "terminal": ("{{ label }} \x1b[31m", r"the character '\\x1b', which nobody sees"),
    "direction": ("{{ label }} {{ '\\u202e' }}", r"the character '\\u202e'"),
    "half a character": ("{{ label }} {{ '\\ud800' }}", r"the character '\\ud800'"),
    "two blocks": ("x{% endblock %}{% block assistant %}y", "the block 'assistant' is there twice"),
    "steps": (
        "".join(f"{{% for {name} in traces %}}" for name in "abcdefghijkl") + "{% endfor %}" * 12 + "fake",
        "more than 10,000 turns",
    ),
    "output": ("a" * 21_000, "longer than 20,000 characters"),
    "size": ("a" * 70_000, "larger than 65,536 bytes"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_template_is_stopped_with_one_clear_error(tmp_path, case):
    body, message = HOSTILE[case]
    started = time.monotonic()
    with pytest.raises(UsageError, match=message):
        load_templates(write(tmp_path, answer(body)))
    assert time.monotonic() - started < 5


LEAKS = {
    "label": "This is {{ label }}. Why?",
    "traces": "{% for t in traces %}{{ t.observation }}{% endfor %} What follows?",
    "branch": "{% if label == 'fake' %}Why?{% else %}How?{% endif %}",
    "nature": "Is this {{ nature }}?",
}


@pytest.mark.parametrize("case", LEAKS)
def test_a_question_may_not_give_the_answer_away(tmp_path, case):
    user = f"{{% block user %}}{LEAKS[case]}{{% endblock %}}"
    with pytest.raises(UsageError, match="in a question gives the answer away"):
        load_templates(write(tmp_path, answer("{{ label }}"), user=user))


def test_a_question_may_not_use_phrases_by_label_even_through_a_phrase(tmp_path):
    head = "---\ntask: verdict\nvariants:\n  ask: ['Is it? {{ label }}']\n---\n"
    with pytest.raises(UsageError, match="'label' in a question"):
        load_templates(
            write(tmp_path, answer("{{ label }}"), head, "{% block user %}{{ ask }}{% endblock %}")
        )
    head = "---\ntask: verdict\nvariants:\n  ask: {fake: [Why], real: [How]}\n---\n"
    with pytest.raises(UsageError, match="'ask' in a question"):
        load_templates(
            write(tmp_path, answer("{{ label }}"), head, "{% block user %}{{ ask }}{% endblock %}")
        )


FRONT = {
    "misspelt key": (
        "task: verdict\nwieght: 2\n",
        r"field wieght: there is no 'wieght' here. Did you mean 'weight'",
    ),
    "misspelt need": ("task: verdict\nneeds: {trace: 1}\n", "Did you mean 'traces'"),
    "misspelt option": (
        "task: choice\noptions: {kind: verdict, texts: {fake: f, real: r}, cuont: 4}\n",
        "Did you mean 'count'",
    ),
    "no task": ("weight: 2\n", "field task: field required"),
    "unknown bank": (
        "task: verdict\nvariants: {ask: verdict_asks}\n",
        "phrases.yaml has no list 'verdict_asks'",
    ),
    "phrase twice": ("task: verdict\nvariants: {ask: [a, a]}\n", "the phrase 'a' twice"),
    "unused": ("task: verdict\nvariants: {spare: [a, b]}\n", "variants.spare is used in no block"),
    "cases": ("task: verdict\nvariants: {ask: {fake: [a]}}\n", "need the cases fake and real"),
    "not YAML": ("task: [\n", "not YAML"),
    "key twice": ("task: verdict\ntask: advice\n", "mine.jinja:3: .*found the key 'task' twice"),
    "alias": ("task: &a verdict\nstage: *a\n", r"mine.jinja:3: .*found the alias \*a"),
    "bomb": (
        "task: verdict\nx0: &x0 [a]\n"
        + "".join(f"x{n}: &x{n} [{f'*x{n - 1},' * 10}]\n" for n in range(1, 12)),
        "found the alias",
    ),
    "bomb of merges": (
        "x0: &x0 {a: 1}\n" + "".join(f"x{n}: &x{n} {{<<: [{f'*x{n - 1},' * 10}]}}\n" for n in range(1, 12)),
        "found the alias",
    ),
    "alias of itself": ("task: verdict\nvariants: &a {ask: *a}\n", "found the alias"),
    "phrase not Jinja": (
        "task: verdict\nvariants:\n  ask:\n  - fine\n  - '{% for'\n",
        "phrase '{% for' of variants.ask: unexpected",
    ),
    "block in a phrase": (
        "task: verdict\nvariants: {ask: ['{% block x %}{% endblock %}', b]}\n",
        "a phrase may not hold a block",
    ),
    "block in an option": (
        "task: choice\noptions: {kind: verdict, texts: {fake: '{% block x %}{% endblock %}', real: r}}\n",
        "options.texts.fake: a phrase may not hold a block",
    ),
    "missing texts": (
        "task: choice\noptions: {kind: verdict, texts: {fake: f}}\n",
        "take the texts fake, real",
    ),
    "status": (
        "task: verdict\nvariants: {ask: {flawed: [a], sound: [b], absent: [c]}}\n",
        "variants.ask: phrases by status need 'over: attribute'",
    ),
    "too greedy": ("task: verdict\nneeds: {traces: 99}\n", "no example fills it"),
}


@pytest.mark.parametrize("case", FRONT)
def test_wrong_front_matter_names_the_field(tmp_path, case):
    front, message = FRONT[case]
    body = answer("{{ label }}{{ ask }}" if case in ("status", "phrase not Jinja") else "{{ label }}")
    with pytest.raises(UsageError, match=message) as caught:
        load_templates(write(tmp_path, body, f"---\n{front}---\n"))
    assert "mine.jinja" in str(caught.value)


def test_label_words_must_begin_the_answer(tmp_path):
    head = "---\ntask: verdict\nlabel_words: {fake: [fake], real: [real]}\n---\n"
    with pytest.raises(UsageError, match="begins with 'It'"):
        load_templates(write(tmp_path, answer("It is {{ label }}"), head))


def test_missing_parts(tmp_path):
    with pytest.raises(UsageError, match="has no block 'assistant'"):
        load_templates(write(tmp_path, ""))
    with pytest.raises(UsageError, match="text outside the blocks"):
        load_templates(write(tmp_path, answer("{{ label }}") + "stray"))
    with pytest.raises(UsageError, match="no block 'answer' here"):
        load_templates(write(tmp_path, answer("x") + "{% block answer %}y{% endblock %}"))
    with pytest.raises(UsageError, match="does not begin with front matter"):
        load_templates(write(tmp_path, "", head=""))
    with pytest.raises(UsageError, match="no such folder"):
        load_templates(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no templates"):
        load_templates(tmp_path / "empty")


def test_lint_lists_every_finding_and_keeps_the_sound(tmp_path):
    write(tmp_path, answer("{{ labl }} {{ natur }}"))
    (tmp_path / "fine.jinja").write_text(HEAD + USER + answer("{{ label }}"))
    sound, findings = lint(tmp_path)
    assert [template.id for template in sound] == ["fine"]
    assert [finding.problem for finding in findings] == [
        "there is no name 'labl'",
        "there is no name 'natur'",
    ]


def test_a_phrase_that_is_not_jinja_is_found_on_its_line(tmp_path):
    head = "---\ntask: verdict\nvariants:\n  ask:\n  - fine\n  - '{% for'\n---\n"
    write(tmp_path, answer("{{ label }}{{ ask }}"), head)
    _, (finding,) = lint(tmp_path)
    assert finding.line == 6


def test_a_long_chain_of_elif_is_worded(tmp_path):
    cases = "".join(f"{{% elif label == '{number}' %}}{number}" for number in range(2_000))
    body = answer(f"{{% if label == 'x' %}}x{cases}{{% else %}}It is {{{{ label }}}}{{% endif %}}")
    template = read_template(write(tmp_path, body) / "mine.jinja", tmp_path, {})
    (_, (_, say)) = template.says
    assert say({"label": "fake"}) == "It is fake"
    assert say({"label": "1999"}) == "1999"


def test_what_is_no_template_file_is_named_and_not_waited_for(tmp_path):
    (tmp_path / "folder.jinja").mkdir()
    os.mkfifo(tmp_path / "pipe.jinja")
    (tmp_path / "nowhere.jinja").symlink_to("gone")
    (tmp_path / "zero.jinja").symlink_to("/dev/zero")
    (tmp_path / "new\nline.jinja").write_text(HEAD + USER + answer("{{ label }}"))
    (tmp_path / "escape\x1b[31m.jinja").write_text(HEAD + USER + answer("{{ label }}"))
    write(tmp_path, answer("{{ label }}"))
    sound, findings = lint(tmp_path)
    assert [template.id for template in sound] == ["mine"]
    assert [(Path(finding.file).name, finding.problem) for finding in findings] == [
        ("escape\x1b[31m.jinja", "has a name with characters that cannot be printed"),
        ("folder.jinja", "is not a file"),
        ("new\nline.jinja", "has a name with characters that cannot be printed"),
        ("nowhere.jinja", "cannot be read (No such file or directory)"),
        ("pipe.jinja", "is not a file"),
        ("zero.jinja", "is not a file"),
    ]


def test_a_mark_of_byte_order_and_ends_of_lines_of_windows_are_read(tmp_path):
    text = (HEAD + USER + answer("{{ label }}")).replace("\n", "\r\n")
    (tmp_path / "mine.jinja").write_bytes(b"\xef\xbb\xbf" + text.encode())
    sound, findings = lint(tmp_path)
    assert (len(sound), findings) == (1, [])


@pytest.mark.parametrize(
    ("banks", "message"),
    [
        ("ask: &a [*a]\n", r"phrases.yaml: is not YAML \(found the alias"),
        ("ask: [a]\nask: [b]\n", "found the key 'ask' twice"),
        ("1: [a]\n", "not a mapping of names to lists"),
        ("ask:\n" + "".join(f"- {number}?\n" for number in range(40_000)), "larger than 262,144 bytes"),
    ],
)
def test_hostile_phrase_lists_are_stopped(tmp_path, banks, message):
    write(tmp_path, answer("{{ label }}"), "---\ntask: verdict\nvariants: {ask: asks}\n---\n")
    (tmp_path / "phrases.yaml").write_text(banks)
    with pytest.raises(UsageError, match=message):
        load_templates(tmp_path)
