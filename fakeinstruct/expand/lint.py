"""Lint: every template read, checked, and tried on examples before any chain meets it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fakeinstruct.base.errors import UsageError
from fakeinstruct.chains.taxonomy import Taxonomy, load_taxonomy
from fakeinstruct.expand.check import check
from fakeinstruct.expand.context import Facts, gather
from fakeinstruct.expand.examples import examples
from fakeinstruct.expand.overlaps import overlaps
from fakeinstruct.expand.read import (
    collect,
    default_folder,
    find_template,
    front_line,
    read_banks,
    read_template,
    template_files,
)
from fakeinstruct.expand.sandbox import Finding
from fakeinstruct.expand.template import Template, TemplateSet
from fakeinstruct.expand.trial import Trial, attempt


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
    """Check every template of a folder, by itself and against the others.

    Args:
        folder: The templates; the project's own by default.
        taxonomy: The attributes of the examples that templates are tried on.

    Returns:
        The templates that nothing was found in, and all findings.

    Raises:
        UsageError: If the folder is missing or empty, or its phrase lists cannot be read.
    """
    folder = folder or default_folder()
    facts = _facts(taxonomy)
    banks = read_banks(folder)
    trials: list[Trial] = []
    findings: list[LintFinding] = []
    for file in template_files(folder):
        try:
            trial = _try(read_template(file, folder, banks), facts)
        except UsageError as error:
            findings.append(_from_error(error, file))
        else:
            trials.append(trial)
            findings += [_located(trial.template, found) for found in trial.findings]
    alone = [trial for trial in trials if not trial.findings]
    findings += [_located(template, found) for template, found in overlaps(alone)]
    bad = {finding.file for finding in findings}
    return [trial.template for trial in trials if trial.template.file not in bad], findings


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
        raise _first(findings, path)
    return collect(path, tuple(templates))


def load_template(
    template_id: str, folder: str | Path | None = None, *, taxonomy: Taxonomy | None = None
) -> Template:
    """Read one template that nothing is wrong with; the others of its folder are not looked at.

    Args:
        template_id: Its path under the folder, without the suffix.
        folder: The templates; the project's own by default.
        taxonomy: As in `lint`.

    Raises:
        UsageError: If there is none of this id, naming the nearest; or the first finding.
    """
    path = Path(folder) if folder is not None else default_folder()
    template = read_template(find_template(template_id, path), path, read_banks(path))
    trial = _try(template, _facts(taxonomy))
    if trial.findings:
        raise _first([_located(template, found) for found in trial.findings], path)
    return template


def _facts(taxonomy: Taxonomy | None) -> list[Facts]:
    """The examples, worded."""
    taxonomy = taxonomy or load_taxonomy()
    return [gather(chain, taxonomy) for chain in examples(taxonomy)]


def _try(template: Template, facts: list[Facts]) -> Trial:
    found = check(template)
    return Trial(template, findings=found) if found else attempt(template, facts)


def _located(template: Template, found: Finding) -> LintFinding:
    """The finding with its file, and its line where a phrase or another part of the front matter is at fault."""
    line = found.line if found.line > 1 else front_line(template.file, found.problem) or found.line
    return LintFinding(template.file, line or None, found.problem, found.hint)


def _first(findings: list[LintFinding], folder: Path) -> UsageError:
    error = findings[0].error()
    more = f"'fakeinstruct lint {folder}' lists {len(findings)} findings." if len(findings) > 1 else None
    hint = " ".join(filter(None, (error.hint, more)))
    return UsageError(error.problem, file=error.file, field=error.field, hint=hint or None)


def _from_error(error: UsageError, file: Path) -> LintFinding:
    place, _, line = (error.file or "").rpartition(":")
    number = int(line) if place and line.isdigit() else None
    problem = f"field {error.field}: {error.problem}" if error.field else error.problem
    if number is None and error.problem.startswith("phrase "):
        number = front_line(file, problem)
    return LintFinding(str(file), number, problem, error.hint)
