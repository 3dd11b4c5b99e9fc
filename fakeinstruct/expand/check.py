"""What can be said of a template without a chain: its syntax, its names, and whether its questions are fair."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import nodes

from fakeinstruct.base.errors import UsageError, nearest
from fakeinstruct.expand import sandbox
from fakeinstruct.expand.comparison import RELATIONS
from fakeinstruct.expand.context import (
    ATTRIBUTE_FIELDS,
    CHAIN_NAMES,
    OPTION_FIELDS,
    STATUSES,
    TAG_FIELDS,
    TRACE_FIELDS,
)
from fakeinstruct.expand.fields import fields_in
from fakeinstruct.expand.front import OPTION_TEXTS
from fakeinstruct.expand.placeholders import PLACEHOLDER
from fakeinstruct.expand.regions import LOOK_FIELDS, REGION_FIELDS
from fakeinstruct.expand.sandbox import Finding
from fakeinstruct.expand.target import BOXES, WORDS
from fakeinstruct.expand.template import Template

_ATTRIBUTE = ("key", "name", "definition")

QUESTION_FIELDS = {
    "trace": ("name",),
    "attribute": _ATTRIBUTE,
    "first": _ATTRIBUTE,
    "second": _ATTRIBUTE,
    "region": ("box",),
    "options": OPTION_FIELDS,
}
"""What a question may say of a chain; anything else could give the label away."""

FIELDS = {
    "trace": TRACE_FIELDS,
    "traces": TRACE_FIELDS,
    "strongest": TRACE_FIELDS,
    "attribute": ATTRIBUTE_FIELDS,
    "first": ATTRIBUTE_FIELDS,
    "second": ATTRIBUTE_FIELDS,
    "region": REGION_FIELDS,
    "looks": LOOK_FIELDS,
    "tags": TAG_FIELDS,
    "options": OPTION_FIELDS,
}
"""Fields of the names that have any; of lists, fields of what they hold."""

OVER = {"chain": (), "trace": ("trace",), "attribute": ("attribute",), "region": ("region",)} | {
    "comparison": ("first", "second")
}
"""Names that a template has for what it goes over."""

LISTED_BY = {"attribute": (STATUSES, "status"), "comparison": (RELATIONS, "relation")}
"""The cases that phrases may be listed by, besides the label, and what they are called."""


NO_BLOCK = "a phrase may not hold a block"


def check(template: Template) -> list[Finding]:
    """Everything wrong in a template that shows without rendering it.

    Raises:
        UsageError: If its source or one of its phrases is not Jinja.
    """
    found = [*sandbox.forbidden(template.tree), *_check_blocks(template)]
    if found:
        return found
    for where, line, tree in _trees(template):
        found += [Finding(line or f.line, where + f.problem, f.hint) for f in _check_tree(template, tree)]
    return [*found, *_check_variants(template), *_check_questions(template)]


def known_names(template: Template) -> set[str]:
    """Names that the blocks and phrases of a template may use."""
    front = template.front
    names = {*CHAIN_NAMES, *template.variants, *OVER[front.over]}
    if front.looks:
        names.add("looks")
    if front.options:
        names |= {"options", "answer", "answer_text"}
    if front.polarity:
        names.add("yes_no")
    return names


def _trees(template: Template) -> Iterator[tuple[str, int | None, nodes.Template | nodes.Block]]:
    """Everything that is rendered: how to name it, its line if its own lines do not count, and its tree."""
    for block in template.blocks.values():
        yield "", None, block
    for name, lists in template.variants.items():
        for text in (text for texts in lists.values() for text in texts):
            where = f"phrase {text!r} of variants.{name}: "
            try:
                yield where, 1, sandbox.parse(text, template.file)
            except UsageError as error:
                raise UsageError(where + error.problem, file=template.file, hint=error.hint) from None


def _check_blocks(template: Template) -> list[Finding]:
    wanted = [block for block, _ in template.turns]
    found = [
        Finding(block.lineno, f"there is no block '{name}' here", nearest(name, wanted))
        for name, block in template.blocks.items()
        if name not in wanted
    ]
    found += [
        Finding(1, f"has no block '{name}'", "Turns are user, assistant, user_2, assistant_2 ...")
        for name in wanted
        if name not in template.blocks
    ]
    names = [block.name for block in template.tree.find_all(nodes.Block)]
    found += [
        Finding(block.lineno, f"the block '{name}' is there twice")
        for name, block in template.blocks.items()
        if names.count(name) > 1
    ]
    outside = (
        node
        for node in template.tree.body
        if not isinstance(node, nodes.Block) and not (isinstance(node, nodes.Output) and _is_blank(node))
    )
    found += [
        Finding(node.lineno, "there is text outside the blocks, which nobody would see") for node in outside
    ]
    if PLACEHOLDER.search(template.source):
        found.append(
            Finding(
                1, "holds an image placeholder or control token", "The image is put first by the program."
            )
        )
    return found


def _is_blank(output: nodes.Output) -> bool:
    return all(isinstance(node, nodes.TemplateData) and not node.data.strip() for node in output.nodes)


def _check_tree(template: Template, tree: nodes.Template | nodes.Block) -> list[Finding]:
    whole = tree if isinstance(tree, nodes.Template) else nodes.Template([tree], lineno=tree.lineno)
    found = sandbox.forbidden(whole)
    if isinstance(tree, nodes.Template) and tree.find(nodes.Block):
        return [*found, Finding(1, NO_BLOCK)]
    known = known_names(template)
    for name in sorted(sandbox.names_in(tree) - known):
        found.append(
            Finding(sandbox.first_line(tree, name), f"there is no name '{name}'", nearest(name, known))
        )
    for line, owner, field in fields_in(tree):
        if owner in FIELDS and field not in FIELDS[owner]:
            found.append(Finding(line, f"'{owner}' has no field '{field}'", nearest(field, FIELDS[owner])))
    return found


def _check_variants(template: Template) -> list[Finding]:
    found = []
    used = template.question_names | template.answer_names
    taken = known_names(template) - set(template.variants) | {"loop", "trace", "attribute", "options"}
    for name, lists in template.variants.items():
        if name not in used:
            found.append(Finding(1, f"variants.{name} is used in no block"))
        if name in taken or not name.isidentifier():
            found.append(Finding(1, f"variants.{name}: this name cannot be a list of phrases"))
        for over, (cases, what) in LISTED_BY.items():
            if not {*lists}.isdisjoint(cases) and template.front.over != over:
                found.append(Finding(1, f"variants.{name}: phrases by {what} need 'over: {over}'"))
    if template.front.options:
        found += _check_options(template)
    found += [*_check_held_out(template), *_check_telling(template)]
    if any(PLACEHOLDER.search(text) for text in template.phrase_texts()):
        found.append(Finding(1, "a phrase holds an image placeholder or control token"))
    return found


def _check_telling(template: Template) -> list[Finding]:
    """Phrases of one list tell the same traces and write the same boxes, so that targets need not look at words."""
    found = []
    for name, lists in template.variants.items():
        for phrases in lists.values() if name in template.answer_names else ():
            told = {}
            for text in phrases:
                uses = {(owner, field) for _, owner, field in fields_in(sandbox.parse(text, template.file))}
                told[text] = {(owner, field in BOXES) for owner, field in uses if field in WORDS | BOXES}
                told[text] -= {("region", True), ("region", False)}  # the target, whatever is said of it
            differing = [text for text in phrases if told[text] != told[phrases[0]]]
            if differing:
                problem = f"variants.{name}: {differing[0]!r} does not tell the same as the first phrase"
                hint = "Either all phrases of a list word the traces (or write boxes), or none does; make two lists."
                found.append(Finding(1, problem, hint))
    return found


def _check_held_out(template: Template) -> list[Finding]:
    """Wordings kept for measuring are of a list that questions use, and pairs never have them."""
    found = []
    for name, texts in template.front.held_out.items():
        lists = template.variants.get(name)
        if lists is None or name not in template.question_names:
            hint = nearest(name, template.variants)
            found.append(Finding(1, f"held_out.{name}: no question has a list of that name", hint))
            continue
        used = {text for phrases in lists.values() for text in phrases}
        for text in texts:
            if text in used or texts.count(text) > 1:
                found.append(Finding(1, f"held_out.{name}: {text!r} is there twice, or pairs use it"))
            if "{" in text or PLACEHOLDER.search(text):
                found.append(Finding(1, f"held_out.{name}: {text!r} must be plain text"))
    return found


def _check_options(template: Template) -> list[Finding]:
    spec = template.front.options
    assert spec is not None  # noqa: S101 - the caller looked
    sees = {"verdict": (), "attribute": ("name",), "pair": ("first", "second")}[spec.kind]
    found = []
    for key in OPTION_TEXTS[spec.kind]:
        try:
            tree = sandbox.parse(spec.texts[key], template.file)
        except UsageError as error:
            found.append(Finding(1, f"options.texts.{key}: {error.problem}"))
            continue
        found += [Finding(1, f"options.texts.{key}: {f.problem}", f.hint) for f in sandbox.forbidden(tree)]
        if tree.find(nodes.Block):
            found.append(Finding(1, f"options.texts.{key}: {NO_BLOCK}"))
        unknown = sandbox.names_in(tree) - set(sees)
        found += [Finding(1, f"options.texts.{key}: there is no name '{name}'") for name in sorted(unknown)]
    if "options" not in template.question_names:
        found.append(Finding(1, "no question shows the options"))
    return found


def _check_questions(template: Template) -> list[Finding]:
    """A question may not depend on the label, nor say what only an answer should."""
    found = []
    hint = "Questions take the same phrases for both labels, and of the chain only what is asked about."
    known = known_names(template)
    for where, line, tree in _question_trees(template):
        for name in sorted(sandbox.names_in(tree) & known):  # what is not known was found before
            keyed = name in template.variants and "" not in template.variants[name]
            if keyed or (name not in template.variants and name not in QUESTION_FIELDS):
                problem = f"{where}'{name}' in a question gives the answer away"
                found.append(Finding(line or sandbox.first_line(tree, name), problem, hint))
        for at, owner, field in fields_in(tree):
            told = owner in QUESTION_FIELDS and field in FIELDS[owner]
            if told and field not in QUESTION_FIELDS[owner]:
                problem = f"{where}'{owner}.{field}' in a question gives the answer away"
                found.append(Finding(line or at, problem, hint))
    return found


def _question_trees(template: Template) -> Iterator[tuple[str, int | None, nodes.Template | nodes.Block]]:
    direct: set[str] = set()
    for name, block in template.blocks.items():
        if name.startswith("user"):
            direct |= sandbox.names_in(block)
            yield "", None, block
    for name in sorted(direct & set(template.variants)):
        for text in (text for texts in template.variants[name].values() for text in texts):
            yield f"phrase {text!r}: ", 1, sandbox.parse(text, template.file)
