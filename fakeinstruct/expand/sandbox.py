"""The small language that templates are written in: Jinja's if, for and output, sandboxed and bounded.

A template is untrusted. What could run away is refused before it is compiled (calls, arithmetic,
assignment, macros, imports: none is needed to word a pair), since Jinja folds `'a' * 50000000` while
compiling. What is left can only loop over what a chain holds and print it; a count of steps and of
characters bounds that.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from fakeinstruct.base.errors import UsageError, nearest

MAX_CHARACTERS = 20_000
"""Longest turn that is rendered; about 5,000 tokens, more than any recipe trains on."""

MAX_STEPS = 10_000
"""Most turns of all loops in one block."""

ALLOWED = (
    *(nodes.Template, nodes.Block, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Const),
    *(nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test, nodes.CondExpr),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
)
"""Syntax that a template may use."""


class BudgetError(Exception):
    """A block ran into the budget on steps or characters."""


class HoleError(Exception):
    """A block would print something that is not text: a value that the chain does not have."""


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
        raise BudgetError(f"a list is longer than {MAX_CHARACTERS:,} characters")
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


FILTERS = {
    "sentence": sentence,
    "listing": listing,
    **{name: getattr(str, name) for name in ("lower", "upper", "capitalize")},
    "length": len,
}
"""Filters that a template may use; none makes text much longer than what it is given."""

TESTS = frozenset(
    {"defined", "undefined", "none", "string", "number", "in", "eq", "ne", "lt", "le", "gt", "ge"}
)
"""Tests that a template may use."""


class Environment(ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox with strict undefined names, counting the turns of loops."""

    steps = 0

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_printable,
            autoescape=False,
        )
        self.filters = dict(FILTERS)
        self.globals.clear()

    def tick(self) -> None:
        """Count one turn of a loop; every loop is made to call it.

        Raises:
            BudgetError: After `MAX_STEPS`.
        """
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise BudgetError(f"its loops take more than {MAX_STEPS:,} turns")


def _printable(value: Any) -> Any:
    if isinstance(value, str | int | StrictUndefined) and not isinstance(value, bool):
        return value
    what = "a value that the chain lacks" if value is None else f"a {type(value).__name__}"
    raise HoleError(f"would print {what} where text belongs; put it under an if, or into 'needs'")


def parse(source: str, file: str) -> nodes.Template:
    """Parse a template's source.

    Raises:
        UsageError: Naming file and line, if it is not Jinja.
    """
    try:
        return Environment().parse(source)
    except TemplateSyntaxError as error:
        raise UsageError(error.message or "is not a Jinja template", file=f"{file}:{error.lineno}") from None
    except RecursionError:
        raise UsageError("is nested too deeply", file=file) from None


def forbidden(tree: nodes.Template) -> list[Finding]:
    """Syntax, filters, tests and private names that templates may not use."""
    found = []
    for node in _walk(tree):
        problem, hint = None, None
        if not isinstance(node, ALLOWED):
            problem = f"templates may not use {_describe(node)}"
            hint = "They have if, for and {{ ... }} with filters; put wording into variants."
        elif isinstance(node, nodes.Filter) and node.name not in FILTERS:
            problem, hint = f"there is no filter '{node.name}'", nearest(node.name, FILTERS)
        elif isinstance(node, nodes.Test) and node.name not in TESTS:
            problem, hint = f"there is no test '{node.name}'", nearest(node.name, TESTS)
        elif isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
            problem = f"'{node.attr}' is private"
        elif isinstance(node, nodes.For) and (node.recursive or not isinstance(node.iter, nodes.Name)):
            problem = "a loop may only go over one of the lists that the template is given"
        elif isinstance(node, nodes.Getitem) and not _is_position(node.arg):
            problem, hint = "[...] takes a number only", "Write 'trace.where' for a field."
        if problem:
            found.append(Finding(node.lineno, problem, hint))
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
    whole.set_environment(Environment())
    return meta.find_undeclared_variables(whole)


def first_line(tree: nodes.Node, name: str) -> int:
    """The line on which a tree first uses a name."""
    return next((node.lineno for node in tree.find_all(nodes.Name) if node.name == name), tree.lineno)


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The environment that this process compiles and renders in."""
    return Environment()


def compile_source(source: str, file: str) -> Template:
    """Compile a source that `forbidden` found nothing in, every loop counting its turns.

    Raises:
        UsageError: If it is not Jinja, or Python cannot compile what Jinja made of it.
    """
    tree = parse(source, file)
    for loop in tree.find_all(nodes.For):
        call = nodes.Call(nodes.EnvironmentAttribute("tick"), [], [], None, None)
        loop.body.insert(0, nodes.ExprStmt(call))
    tree.set_environment(environment())
    try:
        code = environment().compile(tree, name=file, filename=file)
    except (SyntaxError, RecursionError, TemplateError) as error:
        raise UsageError(f"cannot be compiled ({error})", file=file) from None
    return Template.from_code(environment(), code, {})


def render(template: Template, context: Context, block: str | None = None) -> str:
    """The text of a template, or of one of its blocks, stripped.

    Args:
        template: What `compile_source` made.
        context: What `context_of` made, of this template or any other.
        block: Name of the block.

    Raises:
        BudgetError: If it takes too many steps or characters.
        HoleError: If it would print something that is not text.
        TemplateError: If it meets a name that is not there, or leaves the sandbox.
    """
    environment().steps = 0
    pieces, length = [], 0
    function = template.root_render_func if block is None else template.blocks[block]
    for piece in function(context):
        length += len(piece)
        if length > MAX_CHARACTERS:
            raise BudgetError(f"a turn is longer than {MAX_CHARACTERS:,} characters")
        pieces.append(piece)
    return "".join(pieces).strip()


def context_of(template: Template, values: dict[str, Any]) -> Context:
    """A context that reads `values` as they are when a name is looked up, later additions included."""
    return template.new_context(values, shared=True)


FAILURES = (BudgetError, HoleError, TemplateError)
"""What `render` raises."""


def describe(error: Exception, template: Template) -> tuple[str, int | None]:
    """What went wrong in `render`, and on which line of the template."""
    lines = [
        template.get_corresponding_lineno(number)
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == template.filename
    ]
    return str(error).rstrip("."), lines[-1] if lines else None
