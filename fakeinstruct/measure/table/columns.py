"""Which column of somebody else's table holds what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fakeinstruct.base.errors import UsageError, nearest

ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "image", "image_path", "path", "file_path", "file", "filename", "file_name", "name"),
    "score": ("score", "prob", "probability", "logit", "margin", "p_fake", "y_score", "pred", "prediction"),
    "label": ("label", "target", "y_true", "is_fake", "class", "truth", "ground_truth"),
    "generator": ("generator", "model", "source"),
    "group": ("group",),
    "split": ("split",),
    "condition": ("condition",),
    "prompt": ("prompt",),
}
"""What is read of a row, and the names that its column often has."""

REQUIRED = ("id", "score", "label")

ASKED = ("score", "label")
"""What is never chosen between several columns, be one called just so: a prediction may stand beside."""


def find_columns(
    names: Sequence[str], said: Mapping[str, str], path: Path, needed: Sequence[str] = REQUIRED
) -> dict[str, str]:
    """Which column holds what: as it was said, or the one column of a usual name.

    Raises:
        UsageError: If a column that is needed is not there, several might be meant, or one that was named is not
            there.
    """
    for role, name in said.items():
        check_role(role)
        if name not in names:
            raise UsageError(f"has no column '{name}'", file=path, hint=nearest(name, names))
    where = dict(said)
    for role, usual in ALIASES.items():
        if role in where:
            continue
        likely = [name for name in names if name.lower() in usual and name not in where.values()]
        exact = [name for name in likely if name.lower() == role and role not in ASKED]
        if len(exact or likely) > 1:
            several = ", ".join(likely)
            raise UsageError(
                f"several columns may hold the {role}: {several}",
                file=path,
                hint=f"Say which: --column {role}={likely[0]}",
            )
        for name in exact or likely:
            where[role] = name
        if role in needed and role not in where:
            raise UsageError(
                f"no column is called {' or '.join(usual)}",
                file=path,
                hint=f"Say which of its columns ({', '.join(names) or 'none'}) it is: --column {role}=NAME.",
            )
    return where


def check_role(role: str) -> None:
    """See that this is something that is read of a row.

    Raises:
        UsageError: If it is not.
    """
    if role not in ALIASES:
        raise UsageError(f"nothing called '{role}' is read of a table", hint=nearest(role, ALIASES))


def said_of_each(
    names: Mapping[Path, Sequence[str]], said: Sequence[tuple[str, str]]
) -> dict[Path, dict[str, str]]:
    """What was said of columns, to every table that has them: tables of several detectors have their own names.

    Args:
        names: The columns of each table.
        said: What a column holds, and its name.

    Raises:
        UsageError: If no table has a column, or one has two for the same.
    """
    found: dict[Path, dict[str, str]] = {path: {} for path in names}
    for role, name in said:
        check_role(role)
        having = [path for path, own in names.items() if name in own]
        if names and not having:
            every = list(dict.fromkeys(each for own in names.values() for each in own))
            one = next(iter(names)) if len(names) == 1 else None
            problem = f"has no column '{name}'" if one else f"no table has a column '{name}'"
            raise UsageError(problem, file=one, hint=nearest(name, every))
        for path in having:
            if found[path].setdefault(role, name) != name:
                both = f"'{found[path][role]}' and '{name}'"
                raise UsageError(f"two columns were said to hold the {role}: {both}", file=path)
    return found
