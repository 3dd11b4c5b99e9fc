"""Branches of a template that examples reach: what stands under a condition that is never met is never said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from jinja2 import nodes

from fakeinstruct.expand import sandbox
from fakeinstruct.expand.sandbox import Finding
from fakeinstruct.expand.template import Phrase, Template
from fakeinstruct.expand.wording import Say, compile_text

FREE = "tags"
"""A list whose values are the user's own words, so that no example can meet every condition on them."""

NEVER = "no example meets this condition, so what stands under it is never said"
ALWAYS = "every example meets this condition, so what stands under its else is never said"


@dataclass
class Branches:
    """The branches of one template that no example has reached yet.

    Attributes:
        open: By number, what to say of each.
        filters: Filters of the language, and one for each branch that notes that it was reached.
    """

    open: dict[int, Finding] = field(default_factory=dict)
    filters: dict[str, Callable[[Any], Any]] = field(default_factory=lambda: dict(sandbox.FILTERS))

    def watch(self, value: nodes.Expr, finding: Finding) -> nodes.Expr:
        """The same value, but note when it is asked for."""
        number = len(self.filters)
        self.open[number] = finding
        self.filters[f"branch {number}"] = partial(self._reach, number)
        return nodes.Filter(value, f"branch {number}", [], [], None, None, lineno=finding.line)

    def _reach(self, number: int, value: Any) -> Any:
        self.open.pop(number, None)
        return value


def watched(template: Template) -> tuple[Template, Branches]:
    """A copy of a template that words the same, and the branches that it has not been through yet.

    Raises:
        UsageError: If its source or one of its phrases is not Jinja.
    """
    copy, branches = replace(template), Branches()
    _watch(copy.tree, branches, "")
    texts = dict.fromkeys(text for text in copy.phrase_texts() if "{" in text)  # lists may share one
    phrases = {text: Phrase(text, _compile_phrase(copy, text, branches)) for text in texts}
    says = [(name, _compile(copy, copy.blocks[name].body, branches)) for name, _ in copy.turns]
    vars(copy).update(_compiled=phrases, says=tuple(says))  # in place of what it would compile itself
    return copy, branches


def _compile_phrase(template: Template, text: str, branches: Branches) -> Say:
    tree = sandbox.parse(text, template.file)
    _watch(tree, branches, f"phrase {text!r}: ")
    return _compile(template, tree.body, branches)


def _compile(template: Template, body: list[nodes.Node], branches: Branches) -> Say:
    return compile_text(body, branches.filters, template.file)


def _watch(tree: nodes.Template, branches: Branches, where: str) -> None:
    free = {
        loop.target.name
        for loop in tree.find_all(nodes.For)
        if isinstance(loop.target, nodes.Name)
        and isinstance(loop.iter, nodes.Name)
        and loop.iter.name == FREE
    }
    conditions: list[nodes.If | nodes.CondExpr] = [*tree.find_all(nodes.If), *tree.find_all(nodes.CondExpr)]
    for node in conditions:
        if free.isdisjoint(name.name for name in node.test.find_all(nodes.Name)):
            line = 1 if where else node.lineno
            never = Finding(line, where + NEVER)
            if isinstance(node, nodes.CondExpr):
                node.expr1 = branches.watch(node.expr1, never)
                continue
            node.body.insert(0, _note(branches, never))
            if node.else_:
                node.else_.insert(0, _note(branches, Finding(line, where + ALWAYS)))


def _note(branches: Branches, finding: Finding) -> nodes.Output:
    return nodes.Output([branches.watch(nodes.Const(""), finding)], lineno=finding.line)
