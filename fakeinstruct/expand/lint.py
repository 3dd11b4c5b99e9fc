"""Lint: every template read, checked, and tried on two examples before any chain meets it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from fakeinstruct.base.errors import RecordError, UsageError
from fakeinstruct.chains.schema import Assessment, Chain, ImageRef, Label, Manipulation, Origin, Region, Trace
from fakeinstruct.chains.taxonomy import Taxonomy, load_taxonomy
from fakeinstruct.expand.check import check
from fakeinstruct.expand.context import Facts, gather
from fakeinstruct.expand.render import draw, render_variant
from fakeinstruct.expand.space import spaces
from fakeinstruct.expand.template import (
    Template,
    TemplateSet,
    collect,
    default_folder,
    read_banks,
    read_template,
    template_files,
)

TRIALS = 64
"""Variants of each topic tried on each example."""


@dataclass(frozen=True)
class LintFinding:
    """Something wrong with a template: where, what, and what to do."""

    file: str
    line: int | None
    problem: str
    hint: str | None = None

    def error(self) -> UsageError:
        """The finding as an error."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return UsageError(self.problem, file=place, hint=self.hint)


def lint(folder: Path | None = None, *, taxonomy: Taxonomy | None = None) -> tuple[list[Template], list[LintFinding]]:
    """Check every template of a folder.

    Args:
        folder: The templates; the project's own by default.
        taxonomy: The attributes of the examples that templates are tried on.

    Returns:
        The templates that nothing was found in, and all findings.

    Raises:
        UsageError: If the folder is missing or empty, or its phrase lists cannot be read.
    """
    folder = folder or default_folder()
    taxonomy = taxonomy or load_taxonomy()
    banks = read_banks(folder)
    sound, findings = [], []
    for file in template_files(folder):
        try:
            template = read_template(file, folder, banks)
            found = [LintFinding(str(file), *finding) for finding in check(template)] or _try(template, taxonomy)
        except UsageError as error:
            found = [_from_error(error, file)]
        if found:
            findings += found
        else:
            sound.append(template)
    return sound, findings


def load_templates(folder: str | Path | None = None, *, taxonomy: Taxonomy | None = None) -> TemplateSet:
    """Read a folder of templates that nothing is wrong with.

    Args:
        folder: The templates; the project's own by default.
        taxonomy: As in `lint`.

    Raises:
        UsageError: The first finding, and how many there are.
    """
    path = Path(folder) if folder is not None else default_folder()
    templates, findings = lint(path, taxonomy=taxonomy)
    if findings:
        error = findings[0].error()
        more = f"'fakeinstruct lint {path}' lists {len(findings)} findings." if len(findings) > 1 else None
        raise UsageError(error.problem, file=error.file, field=error.field, hint=error.hint or more)
    return collect(path, tuple(templates))


def example(label: Label, taxonomy: Taxonomy) -> Chain:
    """A chain of the label that fills any template: three traces with everything, the rest judged absent."""
    keys = list(taxonomy.attributes)
    traces = tuple(
        Trace(
            id=f"t{number}",
            attribute=key,
            points_to=label,
            observation=f"something is seen at place {number}",
            inference=f"this is how it goes in case {number}",
            advice=f"change place {number}" if number == 1 else None,
            regions=(Region(box=(0.1 * number, 0.1, 0.1 * number + 0.1, 0.3)),),
        )
        for number, key in enumerate(keys[:3], start=1)
    )
    return Chain(
        id=f"example-{label}",
        image=ImageRef(path="example.png"),
        label=label,
        manipulation=Manipulation.GENERATED if label is Label.FAKE else Manipulation.NONE,
        dataset="example",
        group="example",
        traces=traces,
        assessed=dict.fromkeys(keys[3:], Assessment.ABSENT),
        origin=Origin(by="program", synthetic=True),
    )


def _try(template: Template, taxonomy: Taxonomy) -> list[LintFinding]:
    """Render variants of a template for an example of each label."""
    names = {key: attribute.name for key, attribute in taxonomy.attributes.items()}
    filled = []
    for label in Label:
        facts = gather(example(label, taxonomy), taxonomy)
        try:
            filled.append(_try_on(template, facts, names))
        except RecordError as error:
            file, _, line = (error.file or template.file).rpartition(":")
            located = (file, int(line)) if line.isdigit() else (template.file, None)
            return [LintFinding(*located, error.problem, error.hint)]
    if not any(filled):
        return [LintFinding(template.file, None, "no chain can fill it: it needs more than three traces")]
    if not all(filled):
        return [LintFinding(template.file, None, "serves one label only, so its questions give the label away")]
    return []


def _try_on(template: Template, facts: Facts, names: dict[str, str]) -> bool:
    found = spaces(template, facts)
    for topic, space in found.items():
        for index, variant in islice(draw(template, facts, topic, space, 0), TRIALS):
            row = render_variant(template, facts, topic, space, index, variant, names)
            _check_first_word(template, facts, row["messages"][1]["content"][0]["text"])
    return bool(found)


def _check_first_word(template: Template, facts: Facts, answer: str) -> None:
    words = template.front.label_words
    if words is None:
        return
    wanted = words.fake if facts.chain.label is Label.FAKE else words.real
    first = answer.split()[0].rstrip(".,:;!")
    if first not in wanted:
        raise RecordError(
            f"the answer for a {facts.chain.label} image begins with '{first}', not with a label word ({', '.join(wanted)})"
        )


def _from_error(error: UsageError, file: Path) -> LintFinding:
    place, _, line = (error.file or "").rpartition(":")
    number = int(line) if place and line.isdigit() else None
    problem = f"field {error.field}: {error.problem}" if error.field else error.problem
    return LintFinding(str(file), number, problem, error.hint)
