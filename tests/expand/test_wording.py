"""What `wording` makes of a template is what Jinja's own sandbox makes of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import TemplateError

from fakeinstruct.expand import sandbox
from fakeinstruct.expand.wording import MAX_STEPS, WordingError

VALUES = {
    "label": "fake",
    "count": 3,
    "nothing": None,
    "empty": "",
    "traces": [
        {"name": "texture", "observation": "It repeats.", "where": "in the centre", "advice": None},
        {"name": "edges", "observation": "They melt.", "where": None, "advice": "Redraw them."},
        {"name": "text", "observation": "It spells nothing.", "where": "on the left side", "advice": ""},
    ],
    "flaws": ["texture", "edges", "written text"],
    "none_at_all": [],
    "attribute": {"name": "light and shadow", "where": None, "status": "flawed"},
}
FIELDS = {"traces": ("name", "observation", "where", "advice"), "attribute": ("name", "where", "status")}


def by_jinja(source):
    """The text by Jinja's sandbox, or None where it refuses or would print a hole."""
    try:
        text = sandbox.environment().from_string(source).render(VALUES)
    except (TemplateError, TypeError, AttributeError):
        return None
    return text.strip()


def by_us(source):
    try:
        return sandbox.compile_phrase(source, "x.jinja")(VALUES)
    except WordingError:
        return None


@st.composite
def expressions(draw, inner=(), depth=2):
    """An expression, and nothing that templates may not use."""
    simple = [
        *("label", "count", "empty", "nothing", "'a'", "2", "traces[0].name", "flaws[1]"),
        *(f"attribute.{field}" for field in FIELDS["attribute"]),
        *(f"{name}.{field}" for name in inner for field in FIELDS["traces"]),
        *(f"loop.{field}" for _ in inner[:1] for field in ("index", "index0", "first", "last", "length")),
    ]
    if depth == 0:
        return draw(st.sampled_from(simple))
    part = expressions(inner, depth - 1)
    form = draw(st.sampled_from(["simple", "filter", "compare", "logic", "test", "choice", "not"]))
    if form == "simple":
        return draw(st.sampled_from(simple))
    if form == "filter":
        return (
            f"({draw(part)})|{draw(st.sampled_from(['upper', 'lower', 'sentence', 'length', 'capitalize']))}"
        )
    if form == "compare":
        return f"({draw(part)}) {draw(st.sampled_from(['==', '!=', '<', 'in', 'not in']))} ({draw(part)})"
    if form == "logic":
        return f"({draw(part)}) {draw(st.sampled_from(['and', 'or']))} ({draw(part)})"
    if form == "test":
        test = draw(st.sampled_from(["none", "defined", "string", "not none", "number", "eq(3)"]))
        return f"({draw(part)}) is {test}"
    if form == "not":
        return f"not ({draw(part)})"
    return f"(({draw(part)}) if ({draw(part)}) else ({draw(part)}))"


@st.composite
def texts(draw, inner=(), depth=2):
    """Source of a text: words, output, branches and loops."""
    pieces = []
    for _ in range(draw(st.integers(1, 3))):
        form = draw(st.sampled_from(["words", "output", "if", "for"] if depth else ["words", "output"]))
        if form == "words":
            pieces.append(draw(st.sampled_from(["Real.", " or ", "\n", "  - ", "{# said #}", "fake\n\n"])))
        elif form == "output":
            pieces.append("{{ " + draw(expressions(inner)) + " }}")
        elif form == "if":
            body, other = draw(texts(inner, depth - 1)), draw(texts(inner, depth - 1))
            test, second = draw(expressions(inner)), draw(expressions(inner))
            pieces.append(f"{{% if {test} %}}{body}{{% elif {second} %}}x{{% else %}}{other}{{% endif %}}")
        else:
            name = f"t{len(inner)}"
            which = draw(st.sampled_from(["traces", "none_at_all"]))
            test = draw(st.sampled_from(["", f" if {name}.where"]))
            body = draw(texts((*inner, name), depth - 1))
            pieces.append(f"{{% for {name} in {which}{test} %}}{body}{{% else %}}-{{% endfor %}}")
    return "".join(pieces)


@settings(max_examples=400, deadline=None)
@given(texts())
def test_every_text_is_worded_as_jinja_words_it(source):
    assert not sandbox.forbidden(sandbox.parse(source, "x.jinja"))
    ours = by_us(source)
    if ours is not None:
        assert ours == by_jinja(source)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ label }}", "fake"),
        (
            "{% for t in traces %}{{ loop.index }}. {{ t.name }}\n{% endfor %}",
            "1. texture\n2. edges\n3. text",
        ),
        (
            "{% for f in flaws %}{{ f }}{% if not loop.last %}, {% endif %}{% endfor %}",
            "texture, edges, written text",
        ),
        ("{{ flaws|listing }}", "texture, edges and written text"),
        ("{% for t in none_at_all %}x{% else %}none{% endfor %}", "none"),
        ("{% for t in traces if t.advice %}{{ t.advice }}{% endfor %}", "Redraw them."),
        ("{{ 'one' if count == 3 else 'other' }}", "one"),
        ("{% if 1 < count <= 3 %}few{% endif %}", "few"),
        ("{% if missing is defined %}x{% else %}y{% endif %}", "y"),
        ("{% raw %}{{ label }}{% endraw %}", "{{ label }}"),
    ],
)
def test_the_language_by_example(source, text):
    assert by_us(source) == by_jinja(source) == text


@pytest.mark.parametrize(
    ("source", "problem", "line"),
    [
        ("\n{{ nothing }}", "would print a value that the chain lacks", 2),
        ("{{ traces }}", "would print a list", 1),
        ("{{ count == 3 }}", "would print a bool", 1),
        ("{{ labl }}", "there is no name 'labl'", 1),
        ("{{ attribute.nme }}", "there is no field 'nme'", 1),
        ("{{ label.upper }}", "there is no field 'upper'", 1),
        ("{{ traces.append }}", "there is no field 'append'", 1),
        ("{{ attribute.items }}", "there is no field 'items'", 1),
        ("{{ traces[7].name }}", "there is no item 7", 1),
        ("{{ nothing|length }}", "the filter 'length' cannot take a value that the chain lacks", 1),
        ("{% if nothing < 3 %}x{% endif %}", "cannot be compared", 1),
        ("{% if label is in(3) %}x{% endif %}", "cannot be compared", 1),
        ("{% for c in label %}x{% endfor %}", "a loop cannot go over a str", 1),
        ("{{ 'x' if not label }}", "would print a value that the chain lacks", 1),
    ],
)
def test_a_hole_is_an_error_that_names_its_line(source, problem, line):
    with pytest.raises(WordingError, match=problem) as caught:
        sandbox.compile_phrase(source, "x.jinja")(VALUES)
    assert caught.value.line == line


def test_budgets_on_turns_and_characters():
    many = {"traces": [{"name": "x" * 100}] * 101}
    say = sandbox.compile_phrase("{% for a in traces %}{% for b in traces %}x{% endfor %}{% endfor %}", "x")
    with pytest.raises(WordingError, match=f"more than {MAX_STEPS:,} turns"):
        say(many)
    assert say({"traces": many["traces"][:99]}) == "x" * 99**2  # the budget is each text's own
    long = sandbox.compile_phrase("{% for a in traces %}{{ a.name }}{{ a.name }}{% endfor %}", "x")
    with pytest.raises(WordingError, match="longer than 20,000 characters"):
        long(many)
    wide = sandbox.compile_phrase("{{ label }}" * 500, "x")
    with pytest.raises(WordingError, match="longer than 20,000 characters"):
        wide({"label": "x" * 10_000})


def test_a_long_template_is_worded_whole():
    source = "".join(f"{{{{ count }}}}-{number}," for number in range(500))
    assert by_us(source) == by_jinja(source)
