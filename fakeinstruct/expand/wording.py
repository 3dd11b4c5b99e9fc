"""From the syntax tree of a template's text to a function that words it: what is rendered, and how fast.

Jinja parses templates, so they are Jinja in every respect that an author sees; `sandbox.forbidden` keeps them
to if, for and output. That little is worded here by plain closures over a dictionary, about ten times as fast
as Jinja's sandbox runs its own code, and nothing but these closures can ever run: there is no attribute
access, no call and no arithmetic to escape through. `tests/expand/test_wording.py` holds the two against each
other.

    {{ attribute.name }}{% if attribute.where %} {{ attribute.where }}{% endif %}

    sequence ─┬─ printed(field(name "attribute", "name"))
              └─ branch(field(name "attribute", "where"), sequence ─┬─ " "
                                                                    └─ printed(...))
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from jinja2 import nodes

from fakeinstruct.base.errors import UsageError

MAX_CHARACTERS: Final = 20_000
"""Longest turn that is worded; about 5,000 tokens, more than any recipe trains on."""

MAX_STEPS: Final = 10_000
"""Most turns of all loops in one text."""

TOGETHER: Final = 64
"""Pieces joined before their length is looked at, so that a long template cannot fill the memory."""

Values = dict[str, Any]
Say = Callable[[Values], str]
Get = Callable[[Values], Any]


class WordingError(Exception):
    """A text cannot be worded: it runs over a budget, or has a hole.

    Attributes:
        line: The line of the template.
    """

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.line = line


class MissingError(WordingError):
    """A name, a field or an item that is not there."""


class _Steps:
    """The turns that loops have taken in the text that is being worded."""

    taken = 0


def compile_text(body: Sequence[nodes.Node], filters: Mapping[str, Callable[[Any], Any]], file: str) -> Say:
    """A function that words a text: values to the text, stripped.

    Args:
        body: Statements that `sandbox.forbidden` found nothing in.
        filters: The filters.
        file: The template's file, for errors.

    Returns:
        The function; it raises `WordingError`.

    Raises:
        UsageError: If the text is nested too deeply.
    """
    compiler = _Compiler(filters)
    try:
        say = compiler.sequence(body)
    except RecursionError:
        raise UsageError("is nested too deeply", file=file) from None
    reset = compiler.loops

    def worded(values: Values) -> str:
        if reset:
            _Steps.taken = 0
        text = say(values).strip()
        return text if len(text) <= MAX_CHARACTERS else _bounded(text)

    return worded


def _bounded(text: str, line: int | None = None) -> str:
    if len(text) > MAX_CHARACTERS:
        raise WordingError(f"a turn is longer than {MAX_CHARACTERS:,} characters", line)
    return text


def printable(value: Any, line: int | None = None) -> str:
    """A value as it is printed: text and whole numbers only.

    Raises:
        WordingError: If it is anything else.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    what = "a value that the chain lacks" if value is None else f"a {type(value).__name__}"
    raise WordingError(f"would print {what} where text belongs; put it under an if, or into 'needs'", line)


TESTS: Final[dict[str, Callable[..., bool]]] = {
    "none": lambda value: value is None,
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float),
    "in": lambda value, other: value in other,
    **{name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
}
"""Tests that a template may use, besides `defined` and `undefined`."""

_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gteq": operator.ge,
    "lt": operator.lt,
    "lteq": operator.le,
    "in": lambda value, other: value in other,
    "notin": lambda value, other: value not in other,
}


class _Compiler:
    """Makes closures of syntax trees."""

    def __init__(self, filters: Mapping[str, Callable[[Any], Any]]) -> None:
        self.filters = filters
        self.loops = False

    def sequence(self, body: Sequence[nodes.Node]) -> Say:
        """Statements one after the other."""
        return _join([piece for node in body for piece in self._pieces(node)])

    def _pieces(self, node: nodes.Node) -> list[str | Say]:
        if isinstance(node, nodes.Output):
            return [
                child.data if isinstance(child, nodes.TemplateData) else self._printed(child)
                for child in node.nodes
            ]
        if isinstance(node, nodes.If):
            return [self._branch(node)]
        if isinstance(node, nodes.For):
            return [self._loop(node)]
        raise TypeError(f"{type(node).__name__} is not a statement that is worded")

    def _printed(self, node: nodes.Expr) -> Say:
        line = node.lineno
        if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
            return _printed_field(node.node.name, node.attr, line)
        get = self.expression(node)

        def printed(values: Values) -> str:
            value = get(values)
            return value if type(value) is str else printable(value, line)

        return printed

    def _branch(self, node: nodes.If) -> Say:
        cases = [(self.expression(case.test), self.sequence(case.body)) for case in (node, *node.elif_)]
        otherwise = self.sequence(node.else_)
        return _either(*cases[0], otherwise) if len(cases) == 1 else _first_met(cases, otherwise)

    def _loop(self, node: nodes.For) -> Say:
        self.loops = True
        items, say, otherwise = (
            self.expression(node.iter),
            self.sequence(node.body),
            self.sequence(node.else_),
        )
        wanted = self.expression(node.test) if node.test else None
        target, line = str(node.target.name), node.lineno  # type: ignore[attr-defined]

        def loop(values: Values) -> str:
            inner = {**values}
            found = _items(items(values), line)
            if wanted:
                found = [item for item in found if wanted({**values, target: item})]
            pieces, length = [], 0
            for index, item in enumerate(found):
                _step(line)
                inner[target] = item
                inner["loop"] = _position(index, len(found))
                pieces.append(say(inner))
                length += len(pieces[-1])
                if length > MAX_CHARACTERS:
                    break
            return _bounded("".join(pieces), line) if pieces else otherwise(values)

        return loop

    def expression(self, node: nodes.Node) -> Get:
        """A function that gives an expression's value."""
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise TypeError(f"{type(node).__name__} is not an expression that is worded")
        get: Get = method(node)
        return get

    def _const(self, node: nodes.Const) -> Get:
        value = node.value
        return lambda _values: value

    def _name(self, node: nodes.Name) -> Get:
        name, line = node.name, node.lineno
        return lambda values: _name(values, name, line)

    def _getattr(self, node: nodes.Getattr) -> Get:
        field, line = node.attr, node.lineno
        if not isinstance(node.node, nodes.Name):
            owner = self.expression(node.node)
            return lambda values: _field(owner(values), field, line)
        name = node.node.name

        def get(values: Values) -> Any:
            try:
                return values[name][field]
            except (KeyError, TypeError):
                return _field(_name(values, name, line), field, line)

        return get

    def _getitem(self, node: nodes.Getitem) -> Get:
        owner, position, line = self.expression(node.node), node.arg.as_const(), node.lineno

        def get(values: Values) -> Any:
            try:
                return owner(values)[position]
            except (IndexError, KeyError, TypeError):
                raise MissingError(f"there is no item {position}", line) from None

        return get

    def _filter(self, node: nodes.Filter) -> Get:
        assert node.node is not None  # noqa: S101 - filter blocks are not in the language
        get, function, name, line = (
            self.expression(node.node),
            self.filters[node.name],
            node.name,
            node.lineno,
        )

        def filtered(values: Values) -> Any:
            value = get(values)
            try:
                return function(value)
            except (TypeError, AttributeError):
                raise WordingError(f"the filter '{name}' cannot take {_kind(value)}", line) from None

        return filtered

    def _test(self, node: nodes.Test) -> Get:
        get = self.expression(node.node)
        if node.name in ("defined", "undefined"):
            wanted = node.name == "defined"
            return lambda values: _is_defined(get, values) is wanted
        test, others = TESTS[node.name], [self.expression(other) for other in node.args]
        return _guarded(lambda values: test(get(values), *(other(values) for other in others)), node.lineno)

    def _compare(self, node: nodes.Compare) -> Get:
        first = self.expression(node.expr)
        operands = [(_COMPARE[operand.op], self.expression(operand.expr)) for operand in node.ops]

        def compare(values: Values) -> bool:
            left = first(values)
            for holds, expression in operands:
                right = expression(values)
                if not holds(left, right):
                    return False
                left = right
            return True

        return _guarded(compare, node.lineno)

    def _condexpr(self, node: nodes.CondExpr) -> Get:
        test, one = self.expression(node.test), self.expression(node.expr1)
        other = self.expression(node.expr2 or nodes.Const(None))
        return lambda values: one(values) if test(values) else other(values)

    def _and(self, node: nodes.And) -> Get:
        left, right = self.expression(node.left), self.expression(node.right)
        return lambda values: left(values) and right(values)

    def _or(self, node: nodes.Or) -> Get:
        left, right = self.expression(node.left), self.expression(node.right)
        return lambda values: left(values) or right(values)

    def _not(self, node: nodes.Not) -> Get:
        get = self.expression(node.node)
        return lambda values: not get(values)


def _printed_field(name: str, field: str, line: int) -> Say:
    """What nearly every place of a template is: one call instead of three."""

    def printed(values: Values) -> str:
        try:
            value = values[name][field]
        except (KeyError, TypeError):
            value = _field(_name(values, name, line), field, line)
        return value if type(value) is str else printable(value, line)

    return printed


def _either(test: Get, say: Say, otherwise: Say) -> Say:
    return lambda values: say(values) if test(values) else otherwise(values)


def _first_met(cases: Sequence[tuple[Get, Say]], otherwise: Say) -> Say:
    def branch(values: Values) -> str:
        for test, say in cases:
            if test(values):
                return say(values)
        return otherwise(values)

    return branch


def _join(pieces: list[str | Say]) -> Say:
    """Pieces one after the other; many are joined in groups, each of bounded length.

    What stands between the pieces that vary becomes a format, filled in one go.
    """
    if len(pieces) > TOGETHER:
        return _join([_join(pieces[start : start + TOGETHER]) for start in range(0, len(pieces), TOGETHER)])
    says = [piece for piece in pieces if not isinstance(piece, str)]
    form = "".join(piece.replace("%", "%%") if isinstance(piece, str) else "%s" for piece in pieces)
    if form == "%s":
        return says[0]
    if not says:
        text = form % ()
        return lambda _values: text

    def joined(values: Values) -> str:
        text = form % tuple([say(values) for say in says])
        return text if len(text) <= MAX_CHARACTERS else _bounded(text)

    return joined


def _name(values: Values, name: str, line: int) -> Any:
    try:
        return values[name]
    except KeyError:
        raise MissingError(f"there is no name '{name}'", line) from None


def _field(owner: Any, field: str, line: int) -> Any:
    try:
        return owner[field]
    except (KeyError, TypeError):
        raise MissingError(f"there is no field '{field}'", line) from None


def _items(value: Any, line: int) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise WordingError(f"a loop cannot go over {_kind(value)}", line)
    return value


def _position(index: int, count: int) -> dict[str, Any]:
    return {
        "index": index + 1,
        "index0": index,
        "first": index == 0,
        "last": index == count - 1,
        "length": count,
    }


def _step(line: int) -> None:
    _Steps.taken += 1
    if _Steps.taken > MAX_STEPS:
        raise WordingError(f"its loops take more than {MAX_STEPS:,} turns", line)


def _is_defined(get: Get, values: Values) -> bool:
    try:
        get(values)
    except MissingError:
        return False
    return True


def _guarded(get: Get, line: int) -> Get:
    """Comparing what cannot be compared is an error of the template."""

    def guarded(values: Values) -> Any:
        try:
            return get(values)
        except TypeError as error:
            raise WordingError(f"cannot be compared ({error})", line) from None

    return guarded


def _kind(value: Any) -> str:
    return "a value that the chain lacks" if value is None else f"a {type(value).__name__}"
