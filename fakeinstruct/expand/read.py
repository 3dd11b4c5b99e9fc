"""Reading templates: front matter parted from blocks, phrase lists resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from fakeinstruct.base.config import PlainLoader, parse_yaml, read_yaml, validate
from fakeinstruct.base.errors import UsageError, nearest
from fakeinstruct.base.files import fingerprint
from fakeinstruct.base.surfaces import surface
from fakeinstruct.chains.schema import Label
from fakeinstruct.expand.comparison import RELATIONS
from fakeinstruct.expand.context import PHOTOGRAPH, STATUSES
from fakeinstruct.expand.front import FrontMatter
from fakeinstruct.expand.template import Phrases, Template, TemplateSet

MAX_SOURCE = 64 * 1024
"""Largest template file, in bytes."""

MAX_BANKS = 256 * 1024
"""Largest `phrases.yaml`, in bytes."""

CASES = ({*Label}, {*STATUSES}, {*STATUSES} - {PHOTOGRAPH}, {*RELATIONS})
"""What phrases may be listed by: label, status, relation."""

FRONT = re.compile(r"\A---[ \t]*\n(.*?\n)---[ \t]*(?:\n|\Z)", re.S)

FIRST_LINE = 2
"""The line of the file on which front matter begins, below the first ---."""

FIELD = re.compile(r"\b(?:variants|options|held_out|needs|label_words)\.[\w.]*\w|\bheld_out\b")
"""A field of the front matter in the words of a finding."""


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


def find_template(template_id: str, folder: Path) -> Path:
    """The file of a template.

    Raises:
        UsageError: Naming the nearest, if there is none of this id.
    """
    by_id = {_id_of(file, folder): file for file in template_files(folder)}
    if template_id not in by_id:
        raise UsageError(
            f"there is no template '{template_id}' in {folder}", hint=nearest(template_id, by_id)
        )
    return by_id[template_id]


def _id_of(file: Path, folder: Path) -> str:
    return file.relative_to(folder).with_suffix("").as_posix()


def read_banks(folder: Path) -> dict[str, Any]:
    """The phrase lists of `phrases.yaml`; none if the folder lacks it.

    Raises:
        UsageError: If it is not a mapping of names to lists.
    """
    file = folder / "phrases.yaml"
    if not file.is_file():
        return {}
    if file.stat().st_size > MAX_BANKS:
        raise UsageError(f"is larger than {MAX_BANKS:,} bytes", file=file)
    banks = read_yaml(file)
    if not isinstance(banks, dict) or not all(isinstance(name, str) for name in banks):
        raise UsageError("is not a mapping of names to lists of phrases", file=file)
    return banks


def read_template(file: Path, folder: Path, banks: Mapping[str, Any]) -> Template:
    """Read one template; `fakeinstruct.expand.lint` checks what it says.

    Raises:
        UsageError: Naming the file, the field or line, and what is wrong.
    """
    if not _id_of(file, folder).isprintable():
        raise UsageError("has a name with characters that cannot be printed", file=file, hint="Rename it.")
    text = _read_text(file)
    match = FRONT.match(text)
    if not match:
        raise UsageError("does not begin with front matter between two lines of ---", file=file)
    front = _read_front(match.group(1), file)
    try:
        checked = validate(FrontMatter, front, file=file)
        variants = {
            name: _resolve(value, f"variants.{name}", file, banks) for name, value in checked.variants.items()
        }
    except UsageError as error:
        line = FrontLines(match.group(1)).of_field(error.field or "")
        place = f"{file}:{line}" if line else file
        raise UsageError(error.problem, file=place, field=error.field, hint=error.hint) from None
    source = "\n" * match.group().count("\n") + text[match.end() :]
    return Template(_id_of(file, folder), str(file), source, checked, variants)


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


class FrontLines:
    """The lines of a template's file on which the keys and texts of its front matter stand, counted from 1.

    Args:
        front: The front matter, without its two lines of ---; it is known to be YAML.
    """

    def __init__(self, front: str) -> None:
        self.fields: dict[str, int] = {}
        self.texts: dict[str, int] = {}
        self._note(yaml.compose(front, PlainLoader), "")

    def of_field(self, field: str) -> int | None:
        """The line of a dotted field, or of the innermost one around it that is there."""
        while field and field not in self.fields:
            field = field.rpartition(".")[0]
        return self.fields.get(field)

    def of_problem(self, problem: str) -> int | None:
        """The line that a finding speaks of: of the phrase that it quotes first, or of the field that it names."""
        for text, line in self.texts.items():
            if f"phrase {text!r}" in problem or f": {text!r} " in problem:
                return line
        field = FIELD.search(problem)
        return self.of_field(field.group()) if field else None

    def _note(self, node: yaml.Node | None, place: str) -> None:
        if isinstance(node, yaml.ScalarNode):
            self.texts.setdefault(node.value, node.start_mark.line + FIRST_LINE)
        elif isinstance(node, yaml.SequenceNode):
            for inner in node.value:
                self._note(inner, place)
        elif isinstance(node, yaml.MappingNode):
            for key, inner in node.value:
                field = f"{place}.{key.value}" if place else str(key.value)
                self.fields[field] = key.start_mark.line + FIRST_LINE
                self._note(inner, field)


def front_line(file: str | Path, problem: str) -> int | None:
    """The line of a template's front matter that a finding speaks of, if it speaks of any."""
    match = FRONT.match(_read_text(Path(file)))
    return FrontLines(match.group(1)).of_problem(problem) if match else None


def _read_front(front: str, file: Path) -> Any:
    """The front matter's values.

    Raises:
        UsageError: Naming the line of the file, if it is not YAML.
    """
    try:
        return parse_yaml(front) or {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{file}:{mark.line + FIRST_LINE}" if mark else file
        raise UsageError(
            f"has front matter that is not YAML ({error.problem or error.context})",
            file=place,
            hint="Put quotes around text with ': ' or '#', and around text that begins with '{', '[', '*', '&', '!' "
            "or a quote.",
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: the 31st of April
        problem = f"has front matter that is not YAML ({' '.join(str(error).split())})"
        raise UsageError(problem, file=file) from None


def _read_text(file: Path) -> str:
    if file.exists() and not file.is_file():  # opening a named pipe would wait for ever
        raise UsageError("is not a file", file=file)
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_SOURCE + 1)
        if len(data) > MAX_SOURCE:
            raise UsageError(f"is larger than {MAX_SOURCE:,} bytes", file=file)
        return data.decode("utf-8-sig").replace("\r\n", "\n")  # as editors on Windows write it
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", file=file) from None
    except UnicodeDecodeError:
        raise UsageError("is not UTF-8 text", file=file) from None


def _resolve(value: Any, field: str, file: Path, banks: Mapping[str, Any]) -> Phrases:
    """Phrases by label or status, from a list, the name of a bank, or a mapping of either."""
    if isinstance(value, dict):
        known = {str(case) for kind in CASES for case in kind}
        for case in value:
            if case not in known:
                problem = f"there is no case '{case}'"
                raise UsageError(problem, file=file, field=f"{field}.{case}", hint=nearest(str(case), known))
        if not any(set(value) == kind for kind in CASES):
            raise UsageError(
                "phrases by case need the cases fake and real; or flawed, sound and absent, and photograph if "
                "the label alone is to be enough; or both, first, second and neither",
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
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(text, str) and text.strip() for text in value)
    ):
        odd = [text for text in value if not isinstance(text, str)] if isinstance(value, list) else []
        quote = f"Put quotes around the text that YAML reads as {odd[0]!r}."[:200] if odd else None
        problem = "must be a list of phrases, or the name of one in phrases.yaml"
        raise UsageError(problem, file=file, field=field, hint=quote)
    if len(set(value)) < len(value):
        twice = next(text for text in value if value.count(text) > 1)
        raise UsageError(f"holds the phrase {twice!r} twice", file=file, field=field)
    return tuple(value)
