"""Which field of which name a template uses."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import nodes


def fields_in(tree: nodes.Node) -> Iterator[tuple[int, str, str]]:
    """Uses of a field: line, the context name that the field belongs to, the field."""
    loops = {
        loop.target.name: loop.iter.name
        for loop in tree.find_all(nodes.For)
        if isinstance(loop.target, nodes.Name) and isinstance(loop.iter, nodes.Name)
    }
    for use in tree.find_all(nodes.Getattr):
        owner = use.node.node if isinstance(use.node, nodes.Getitem) else use.node
        if isinstance(owner, nodes.Name):
            yield use.lineno, loops.get(owner.name, owner.name), use.attr
