"""The small language that templates are written in: Jinja's if, for and output, and nothing else.

A template is untrusted. What could run away is refused before anything is made of it (calls, arithmetic,
assignment, macros, imports: none is needed to word a pair), since even Jinja's own sandbox folds
`'a' * 50000000` while compiling. What is left is worded by `wording.py`, with a budget on steps and characters.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from jinja2 import StrictUndefined, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from fakeinstruct.base.errors import UsageError, nearest
from fakeinstruct.expand import wording
from fakeinstruct.expand.wording import MAX_CHARACTERS, Say, WordingError

ALLOWED = (
    *(nodes.Template, nodes.Block, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Const),
    *(nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test, nodes.CondExpr),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
)
"""Syntax that a template may use."""


MAX_DEPTH = 50
"""Deepest nesting of syntax; 50 filters, conditions or brackets, one in the other."""

MAX_NUMBER = 10**9
"""Largest number that a template may hold."""


class Finding(NamedTuple):
    """Something wrong in a template's source: the line, the problem, and what to do."""

    line: int
    problem: str
    hint: str | None = None


def sentence(text: str) -> str:
    """Text as a sentence of its own: first letter upper case, a closing mark at the end."""
    text = " ".join(text.split())
    if not text:
        return text
    closed = text if text[-1] in ".!?…" else text + "."
    return closed[0].upper() + closed[1:]


def listing(items: Iterable[str]) -> str:
    """Words joined as in a sentence: "a, b and c"."""
    words = [items] if isinstance(items, str) else [str(item) for item in items]
    if sum(map(len, words)) > MAX_CHARACTERS:
        raise WordingError(f"a list is longer than {MAX_CHARACTERS:,} characters")
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


FILTERS = {
    "sentence": sentence,
    "listing": listing,
    **{name: getattr(str, name) for name in ("lower", "upper", "capitalize")},
    "length": len,
}
"""Filters that a template may use; none makes text much longer than what it is given."""

TESTS = frozenset({"defined", "undefined", *wording.TESTS})
"""Tests that a template may use."""


@lru_cache(maxsize=1)
def environment() -> ImmutableSandboxedEnvironment:
    """Jinja as templates are written for it: an immutable sandbox, strict about undefined names."""
    found = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    found.filters = dict(FILTERS)
    found.globals.clear()
    return found


def parse(source: str, file: str) -> nodes.Template:
    """Parse a template's source.

    Raises:
        UsageError: Naming file and line, if it is not Jinja.
    """
    try:
        tree = environment().parse(source)
    except TemplateSyntaxError as error:
        raise UsageError(error.message or "is not a Jinja template", file=f"{file}:{error.lineno}") from None
    except RecursionError:
        raise UsageError("is nested too deeply", file=file) from None
    except ValueError:  # Python reads no more digits than some thousand
        raise UsageError("holds a number that is too large", file=file) from None
    _check_size(tree, file)
    return tree


def _check_size(tree: nodes.Template, file: str) -> None:
    """Refuse what Jinja parses and its own search for names then fails on.

    Raises:
        UsageError: Naming file and line.
    """
    waiting: list[tuple[nodes.Node, int, int]] = [
        (tree, 0, 1)
    ]  # a loop, for its depth is what is asked after
    while waiting:
        node, depth, line = waiting.pop()
        line = node.lineno or line
        problem = None
        if depth > MAX_DEPTH:
            problem = "is nested too deeply"
        elif isinstance(node, nodes.Const) and isinstance(node.value, int) and abs(node.value) > MAX_NUMBER:
            problem = "holds a number that is too large"
        elif isinstance(node, nodes.Name) and node.ctx == "store" and node.name == "loop":
            problem = "'loop' is the loop's own name"
        if problem:
            raise UsageError(problem, file=f"{file}:{line}")
        waiting += [(child, depth + 1, line) for child in node.iter_child_nodes()]


def forbidden(tree: nodes.Template) -> list[Finding]:
    """Syntax, filters, tests and private names that templates may not use."""
    found = []
    inner = {block for outer in tree.find_all(nodes.Block) for block in outer.find_all(nodes.Block)}
    for node in _walk(tree):
        problem, hint = None, None
        if node in inner:
            problem = "a block may not stand in a block"
        elif not isinstance(node, ALLOWED):
            problem = f"templates may not use {_describe(node)}"
            hint = "They have if, for and {{ ... }} with filters; put wording into variants."
        elif isinstance(node, nodes.Filter) and node.name not in FILTERS:
            problem, hint = f"there is no filter '{node.name}'", nearest(node.name, FILTERS)
        elif isinstance(node, nodes.Filter) and (node.args or node.kwargs or node.node is None):
            problem = f"the filter '{node.name}' takes nothing in brackets"
        elif isinstance(node, nodes.Test) and node.name not in TESTS:
            problem, hint = f"there is no test '{node.name}'", nearest(node.name, TESTS)
        elif isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
            problem = f"'{node.attr}' is private"
        elif isinstance(node, nodes.For) and (node.recursive or not isinstance(node.iter, nodes.Name)):
            problem = "a loop may only go over one of the lists that the template is given"
        elif isinstance(node, nodes.Getitem) and not _is_position(node.arg):
            problem, hint = "[...] takes a number only", "Write 'trace.where' for a field."
        if problem:
            found.append(Finding(node.lineno or 1, problem, hint))
    return found


def _walk(node: nodes.Node) -> Iterable[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _walk(child)


def _is_position(argument: nodes.Node) -> bool:
    return isinstance(argument, nodes.Const) and isinstance(argument.value, int)


def _describe(node: nodes.Node) -> str:
    names = {
        nodes.Call: "calls",
        nodes.Assign: "set",
        nodes.Concat: "'~'",
        nodes.Macro: "macros",
        nodes.Include: "include",
        nodes.Import: "import",
        nodes.FromImport: "import",
        nodes.Extends: "extends",
    }
    if isinstance(node, nodes.BinExpr):
        return f"'{node.operator}'"
    return names.get(type(node), type(node).__name__.lower())


def names_in(tree: nodes.Template | nodes.Block) -> set[str]:
    """Names that a tree takes from its context."""
    whole = tree if isinstance(tree, nodes.Template) else nodes.Template(tree.body, lineno=tree.lineno)
    whole.set_environment(environment())
    return meta.find_undeclared_variables(whole)


def first_line(tree: nodes.Node, name: str) -> int:
    """The line on which a tree first uses a name."""
    return next((node.lineno for node in tree.find_all(nodes.Name) if node.name == name), tree.lineno)


def compile_phrase(text: str, file: str) -> Say:
    """A function that words a phrase or an option.

    Raises:
        UsageError: If it is not Jinja.
    """
    return wording.compile_text(parse(text, file).body, FILTERS, file)
