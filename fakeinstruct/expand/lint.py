"""Lint: every template read, checked, and tried on examples before any chain meets it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

from fakeinstruct.base.errors import RecordError, UsageError
from fakeinstruct.chains.schema import Assessment, Chain, ImageRef, Label, Manipulation, Origin, Region, Trace
from fakeinstruct.chains.taxonomy import Taxonomy, load_taxonomy
from fakeinstruct.expand.check import check
from fakeinstruct.expand.context import Facts, gather
from fakeinstruct.expand.read import collect, default_folder, read_banks, read_template, template_files
from fakeinstruct.expand.render import Drawn, render_variant
from fakeinstruct.expand.space import spaces
from fakeinstruct.expand.template import Template, TemplateSet
from fakeinstruct.expand.variants import encode


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


def lint(
    folder: Path | None = None, *, taxonomy: Taxonomy | None = None
) -> tuple[list[Template], list[LintFinding]]:
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
            found = [LintFinding(str(file), f.line, f.problem, f.hint) for f in check(template)]
            found = found or _try(template, taxonomy)
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


def example(label: Label, taxonomy: Taxonomy, *, full: bool) -> Chain:
    """A chain of the label with three traces and four attributes judged absent.

    Args:
        label: Its label.
        taxonomy: Where the attributes are taken from.
        full: Whether it has all that is optional: inference, region, the annotator's advice, manipulation.
    """
    keys = list(taxonomy.attributes)
    traces = tuple(
        Trace(
            id=f"t{number}",
            attribute=key,
            points_to=label,
            observation=f"something is seen at place {number}",
            inference=f"this is how it goes in case {number}" if full else None,
            advice=f"change place {number}" if full and number == 1 else None,
            regions=(Region(box=(0.1 * number, 0.1, 0.1 * number + 0.1, 0.3)),) if full else (),
        )
        for number, key in enumerate(keys[:3], start=1)
    )
    made = Manipulation.GENERATED if label is Label.FAKE else Manipulation.NONE
    return Chain(
        id=f"example-{label}",
        image=ImageRef(path="example.png"),
        label=label,
        manipulation=made if full else None,
        dataset="example",
        group="example",
        traces=traces,
        assessed=dict.fromkeys(keys[3:7], Assessment.ABSENT),
        origin=Origin(by="program", synthetic=True),
    )


def _try(template: Template, taxonomy: Taxonomy) -> list[LintFinding]:
    """Render variants of a template for a full and a sparse example of each label."""
    filled = set()
    for label, full in product(Label, (True, False)):
        try:
            if _try_on(template, gather(example(label, taxonomy, full=full), taxonomy)):
                filled.add(label)
        except RecordError as error:
            _, _, line = (error.file or "").rpartition(":")
            return [
                LintFinding(template.file, int(line) if line.isdigit() else None, error.problem, error.hint)
            ]
    if not filled:
        return [
            LintFinding(template.file, None, "no example fills it: at most three traces, four judged absent")
        ]
    if len(filled) < len(Label):
        return [
            LintFinding(template.file, None, "serves one label only, so its questions give the label away")
        ]
    return []


def _try_on(template: Template, facts: Facts) -> bool:
    """Render every phrase, option text and item at least once."""
    found = spaces(template, facts)
    for space in found.values():
        first = 0
        for item in space.items:
            for turn in range(max(item.radices[2:], default=1)):
                number = first + encode([turn % radix for radix in item.radices], item.radices)
                row = render_variant(template, facts, Drawn(number, space.decode(number)))
                _check_first_word(template, facts, row["messages"][1]["content"][0]["text"])
            first += item.count
    return bool(found)


def _check_first_word(template: Template, facts: Facts, answer: str) -> None:
    words = template.front.label_words
    if words is None:
        return
    wanted = words.fake if facts.chain.label is Label.FAKE else words.real
    first = answer.split()[0].rstrip(".,:;!")
    if first not in wanted:
        raise RecordError(
            f"the answer for a {facts.chain.label} image begins with '{first}', "
            f"not with a label word ({', '.join(wanted)})"
        )


def _from_error(error: UsageError, file: Path) -> LintFinding:
    place, _, line = (error.file or "").rpartition(":")
    number = int(line) if place and line.isdigit() else None
    problem = f"field {error.field}: {error.problem}" if error.field else error.problem
    return LintFinding(str(file), number, problem, error.hint)
