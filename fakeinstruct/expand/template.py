"""Template: one `.jinja` file of front matter and blocks, read, checked and compiled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml
from jinja2 import Template as JinjaTemplate
from jinja2 import nodes
from pydantic import Field, model_validator

from fakeinstruct.base.config import StrictModel, read_yaml, validate
from fakeinstruct.base.errors import UsageError, nearest
from fakeinstruct.base.files import fingerprint
from fakeinstruct.base.surfaces import surface
from fakeinstruct.chains.schema import Label
from fakeinstruct.expand import sandbox
from fakeinstruct.expand.context import STATUSES
from fakeinstruct.expand.pair import Stage, Task

MAX_SOURCE = 64 * 1024
"""Largest template file, in bytes."""

FRONT = re.compile(r"\A---[ \t]*\n(.*?\n)---[ \t]*(?:\n|\Z)", re.S)

Over = Literal["chain", "trace", "attribute"]


class Needs(StrictModel):
    """What a chain must hold for a template to be filled.

    `traces`: so many traces that point to the chain's label; `absent`: so many attributes judged absent;
    `region`, `inference`, `advice`: each trace that the template goes over (any one, for a template over
    the chain) has it. Advice may be the bank's.
    """

    traces: int = Field(0, ge=0)
    absent: int = Field(0, ge=0)
    region: bool = False
    inference: bool = False
    advice: bool = False


OPTION_TEXTS: dict[str, tuple[str, ...]] = {
    "verdict": ("fake", "real"),
    "attribute": ("one", "none"),
    "pair": ("both", "first", "second", "neither"),
}
"""The option texts that each kind of multiple choice is made of."""


class OptionSpec(StrictModel):
    """How the options of a multiple-choice question are made; their order is a variant.

    `verdict`: two options, `fake` and `real`. `attribute`: `count` - 1 attributes worded by `one` (it sees
    `name`), at most one of them present and the rest judged absent, and `none`. `pair`: of two attributes
    both, one or neither is present (texts see `first` and `second`). `none_means`: what makes `none` right:
    that nothing listed is present, or that the image is real.
    """

    kind: Literal["verdict", "attribute", "pair"]
    texts: dict[str, str]
    count: int = Field(4, ge=3, le=8)
    none_means: Literal["nothing listed", "real"] = "nothing listed"

    @model_validator(mode="after")
    def _has_its_texts(self) -> OptionSpec:
        wanted = OPTION_TEXTS[self.kind]
        if set(self.texts) != set(wanted):
            raise ValueError(f"options of kind {self.kind} take the texts {', '.join(wanted)}")
        return self


class LabelWords(StrictModel):
    """The first words of an answer that mean each label."""

    fake: tuple[str, ...] = Field(min_length=1)
    real: tuple[str, ...] = Field(min_length=1)


class FrontMatter(StrictModel):
    """The YAML above a template's blocks.

    `over` is what it is repeated for: once a chain, for each trace that points to the label, or for each
    attribute that is known. `variants` maps a name to a list of phrases, or to the name of a list in
    `phrases.yaml`, or to one list for each label or status. `polarity` is what "yes" means; `explains`
    marks questions that ask for a verdict with its reasons.
    """

    task: Task
    stage: Stage = "instruction"
    over: Over = "chain"
    weight: float = Field(1.0, gt=0, le=1000)
    needs: Needs = Needs()
    options: OptionSpec | None = None
    variants: dict[str, Any] = Field(default_factory=dict)
    label_words: LabelWords | None = None
    polarity: Label | None = None
    explains: bool = False

    @model_validator(mode="after")
    def _options_go_over_the_chain(self) -> FrontMatter:
        if self.options and self.over != "chain":
            raise ValueError("a template with options goes over the chain: its options say which attributes")
        return self


Phrases = Mapping[str, tuple[str, ...]]
"""Phrases by label or status; under the empty key where they serve all."""


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
    def compiled(self) -> JinjaTemplate:
        """The compiled blocks."""
        return sandbox.compile_source(self.source, self.file)

    @cached_property
    def compiled_phrases(self) -> dict[str, JinjaTemplate]:
        """The compiled phrases and option texts, those without Jinja left out."""
        return {
            text: sandbox.compile_source(text, f"{self.file} ({text[:40]})")
            for text in self.phrase_texts()
            if "{" in text
        }

    def phrase_texts(self) -> Iterator[str]:
        """All phrases and option texts."""
        for phrases in self.variants.values():
            for texts in phrases.values():
                yield from texts
        if self.front.options:
            yield from self.front.options.texts.values()

    def phrases(self, name: str, label: str, status: str | None) -> tuple[str, ...]:
        """The phrases of one variant for a label and, over attributes, a status."""
        lists = self.variants[name]
        return lists.get("") or lists.get(status or "") or lists.get(label) or ()

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
            raise UsageError(f"there is no template '{template_id}' in {self.folder}", hint=nearest(template_id, by_id))
        return by_id[template_id]


def template_files(folder: Path) -> list[Path]:
    """The `.jinja` files of a folder and its sub-folders, in the order of their names.

    Raises:
        UsageError: If the folder is not there or holds none.
    """
    if not folder.is_dir():
        raise UsageError("no such folder of templates", file=folder)
    files = sorted(folder.rglob("*.jinja"), key=lambda file: file.relative_to(folder).as_posix())
    if not files:
        raise UsageError("holds no templates (*.jinja)", file=folder)
    return files


def read_banks(folder: Path) -> dict[str, Any]:
    """The phrase lists of `phrases.yaml`; none if the folder lacks it.

    Raises:
        UsageError: If it is not a mapping of names to lists.
    """
    file = folder / "phrases.yaml"
    banks = read_yaml(file) if file.is_file() else {}
    if not isinstance(banks, dict):
        raise UsageError("is not a mapping of names to lists of phrases", file=file)
    return banks


def read_template(file: Path, folder: Path, banks: Mapping[str, Any]) -> Template:
    """Read one template; `fakeinstruct.expand.lint` checks what it says.

    Raises:
        UsageError: Naming the file, the field or line, and what is wrong.
    """
    text = _read_text(file)
    match = FRONT.match(text)
    if not match:
        raise UsageError("does not begin with front matter between two lines of ---", file=file)
    try:
        front = yaml.safe_load(match.group(1)) or {}
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"has front matter that is not YAML ({' '.join(str(error).split())})", file=file) from None
    checked = validate(FrontMatter, front, file=file)
    variants = {
        name: _resolve(value, f"variants.{name}", file, banks) for name, value in checked.variants.items()
    }
    source = "\n" * match.group().count("\n") + text[match.end() :]
    template_id = file.relative_to(folder).with_suffix("").as_posix()
    return Template(template_id, str(file), source, checked, variants)


def read_templates(folder: Path) -> tuple[Template, ...]:
    """Read every template of a folder.

    Raises:
        UsageError: At the first that cannot be read.
    """
    banks = read_banks(folder)
    return tuple(read_template(file, folder, banks) for file in template_files(folder))


def collect(folder: Path, templates: tuple[Template, ...]) -> TemplateSet:
    """A template set with its fingerprint."""
    says = [[t.id, t.source, t.front.model_dump(mode="json"), t.variants] for t in templates]
    return TemplateSet(folder, templates, fingerprint(says))


def default_folder() -> Path:
    """The project's own templates."""
    return surface("templates")


def _read_text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_SOURCE + 1)
        if len(data) > MAX_SOURCE:
            raise UsageError(f"is larger than {MAX_SOURCE:,} bytes", file=file)
        return data.decode().replace("\r\n", "\n")
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", file=file) from None
    except UnicodeDecodeError:
        raise UsageError("is not UTF-8 text", file=file) from None


def _resolve(value: Any, field: str, file: Path, banks: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Phrases by label or status, from a list, the name of a bank, or a mapping of either."""
    if isinstance(value, dict):
        kinds = [set(Label), set(STATUSES)]
        if not any(set(value) == kind for kind in kinds):
            raise UsageError(
                "phrases by case need the cases fake and real, or flawed, sound and absent",
                file=file,
                field=field,
            )
        return {str(key): _phrase_list(inner, f"{field}.{key}", file, banks) for key, inner in value.items()}
    if isinstance(value, str) and isinstance(banks.get(value), dict):
        return _resolve(banks[value], f"{field} ({value})", file, banks)
    return {"": _phrase_list(value, field, file, banks)}


def _phrase_list(value: Any, field: str, file: Path, banks: Mapping[str, Any]) -> tuple[str, ...]:
    if isinstance(value, str):
        if value not in banks:
            hint = nearest(value, banks) if banks else "The folder has no phrases.yaml."
            raise UsageError(f"phrases.yaml has no list '{value}'", file=file, field=field, hint=hint)
        value = banks[value]
    if not isinstance(value, list) or not value or not all(isinstance(text, str) and text.strip() for text in value):
        raise UsageError("must be a list of phrases, or the name of one in phrases.yaml", file=file, field=field)
    if len(set(value)) < len(value):
        twice = next(text for text in value if value.count(text) > 1)
        raise UsageError(f"holds the phrase {twice!r} twice", file=file, field=field)
    return tuple(value)
