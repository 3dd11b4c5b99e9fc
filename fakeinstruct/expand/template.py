"""Template: front matter and blocks, parsed and compiled where they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import nodes

from fakeinstruct.base.errors import UsageError, nearest
from fakeinstruct.expand import sandbox
from fakeinstruct.expand.fields import fields_in
from fakeinstruct.expand.front import FrontMatter
from fakeinstruct.expand.wording import Say, compile_text

Phrases = Mapping[str, tuple[str, ...]]
"""Phrases by label or status; under the empty key where they serve all."""


class Phrase(NamedTuple):
    """A phrase of a template.

    Attributes:
        text: As it stands in the template.
        say: What words it, if there is Jinja in it.
    """

    text: str
    say: Say | None


@dataclass(frozen=True)
class Template:
    """A template that was read; it compiles on first use, so it can be sent to other processes.

    Attributes:
        id: Path without suffix, relative to the folder: "verdict/one_word".
        file: Where it was read from.
        source: Its Jinja source, front matter blanked so that line numbers hold.
        front: Its front matter.
        variants: Its phrases, banks resolved.
    """

    id: str
    file: str
    source: str
    front: FrontMatter
    variants: dict[str, Phrases]

    @cached_property
    def tree(self) -> nodes.Template:
        """The parsed source."""
        return sandbox.parse(self.source, self.file)

    @cached_property
    def blocks(self) -> dict[str, nodes.Block]:
        """Its blocks by name, in the order of the file."""
        return {block.name: block for block in self.tree.find_all(nodes.Block)}

    @cached_property
    def turns(self) -> tuple[tuple[str, str], ...]:
        """Block names and roles in the order of the conversation."""
        count = sum(name.startswith("user") for name in self.blocks)
        suffixes = ["", *(f"_{number}" for number in range(2, count + 1))]
        return tuple((role + suffix, role) for suffix in suffixes for role in ("user", "assistant"))

    @cached_property
    def answer_names(self) -> frozenset[str]:
        """Names that the answers take from the context, through phrases too."""
        return frozenset(self._names("assistant"))

    @cached_property
    def question_names(self) -> frozenset[str]:
        """Names that the questions take from the context, through phrases too."""
        return frozenset(self._names("user"))

    @cached_property
    def tells_advice(self) -> bool:
        """Whether an answer words advice."""
        trees = [self.tree, *(sandbox.parse(text, self.file) for text in self.phrase_texts())]
        return any(node.attr == "advice" for tree in trees for node in tree.find_all(nodes.Getattr))

    @cached_property
    def says(self) -> tuple[tuple[str, Say], ...]:
        """What words each turn, by the name of its block, in the order of the conversation."""
        return tuple(
            (block, compile_text(self.blocks[block].body, sandbox.FILTERS, self.file))
            for block, _ in self.turns
        )

    def phrase(self, text: str) -> Phrase:
        """A phrase or option text, compiled if there is Jinja in it."""
        known = self._compiled.get(text)
        if known is None:
            file = f"{self.file} ({text[:40]})"
            known = Phrase(text, sandbox.compile_phrase(text, file) if "{" in text else None)
            self._compiled[text] = known
        return known

    @cached_property
    def _compiled(self) -> dict[str, Phrase]:
        return {}

    @cached_property
    def writes_boxes(self) -> bool:
        """Whether an answer writes boxes into its text, for some chain."""
        fields = ("box", "boxes")
        blocks = [block for name, block in self.blocks.items() if name.startswith("assistant")]
        said = {name for block in blocks for name in sandbox.names_in(block)}
        texts = (t for name in said & set(self.variants) for ts in self.variants[name].values() for t in ts)
        trees = [*blocks, *(sandbox.parse(text, self.file) for text in texts)]
        return any(field in fields for tree in trees for _, _, field in fields_in(tree))

    def phrase_texts(self) -> Iterator[str]:
        """All phrases and option texts."""
        for phrases in self.variants.values():
            for texts in phrases.values():
                yield from texts
        if self.front.options:
            yield from self.front.options.texts.values()

    def phrase_lists(self, label: str, status: str | None) -> tuple[tuple[Phrase, ...], ...]:
        """The list of phrases of each variant, for a label and, over attributes, a status."""
        known = self._phrase_lists.get((label, status))
        if known is None:
            cases = ("", status or "", label)
            texts = (
                next((lists[case] for case in cases if case in lists), ()) for lists in self.variants.values()
            )
            known = tuple(tuple(map(self.phrase, own)) for own in texts)
            self._phrase_lists[label, status] = known
        return known

    @cached_property
    def sizes(self) -> dict[tuple[str, str | None, int], tuple[tuple[int, ...], int]]:
        """Sizes of the axes of variants and their product, by case; filled by `space`."""
        return {}

    @cached_property
    def tellings(self) -> dict[tuple[str, str | None], Any]:
        """What the answers tell, by case; filled by `target`."""
        return {}

    @cached_property
    def _phrase_lists(self) -> dict[tuple[str, str | None], tuple[tuple[Phrase, ...], ...]]:
        return {}

    def answer_fields(self, label: str, status: str | None) -> frozenset[tuple[str, str]]:
        """Names with a field that an answer takes from the context whichever phrases it is worded with.

        Args:
            label: The chain's label.
            status: The case that phrases are listed by, besides the label.
        """
        known = self._answer_fields.get((label, status))
        if known is None:
            blocks = [block for name, block in self.blocks.items() if name.startswith("assistant")]
            said = {name for block in blocks for name in sandbox.names_in(block)}
            known = frozenset(use[1:] for block in blocks for use in fields_in(block))
            for name, phrases in zip(self.variants, self.phrase_lists(label, status), strict=True):
                if name in said and phrases:
                    trees = (sandbox.parse(phrase.text, self.file) for phrase in phrases)
                    known |= frozenset.intersection(*(frozenset(u[1:] for u in fields_in(t)) for t in trees))
            self._answer_fields[label, status] = known
        return known

    @cached_property
    def _answer_fields(self) -> dict[tuple[str, str | None], frozenset[tuple[str, str]]]:
        return {}

    def _names(self, role: str) -> set[str]:
        direct: set[str] = set()
        for name, block in self.blocks.items():
            if name.startswith(role):
                direct |= sandbox.names_in(block)
        indirect: set[str] = set()
        for name in direct & set(self.variants):
            for texts in self.variants[name].values():
                for text in texts:
                    indirect |= sandbox.names_in(sandbox.parse(text, self.file))
        return direct | indirect

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone: what was parsed and compiled stays in this process."""
        return {name: self.__dict__[name] for name in ("id", "file", "source", "front", "variants")}


@dataclass(frozen=True)
class TemplateSet:
    """Templates in the order of their ids.

    Attributes:
        folder: Where they were read from.
        templates: The templates.
        sha256: Fingerprint of all that they say.
    """

    folder: Path
    templates: tuple[Template, ...]
    sha256: str

    def __getitem__(self, template_id: str) -> Template:
        """The template of an id.

        Raises:
            UsageError: Naming the nearest, if there is none of this id.
        """
        by_id = {template.id: template for template in self.templates}
        if template_id not in by_id:
            raise UsageError(
                f"there is no template '{template_id}' in {self.folder}", hint=nearest(template_id, by_id)
            )
        return by_id[template_id]
