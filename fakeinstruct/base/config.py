"""Configuration is data with one schema: YAML in, a frozen model out, unknown keys refused by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from fakeinstruct.base.errors import UsageError, from_os_error, nearest


class StrictModel(BaseModel):
    """A frozen record in which an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


Model = TypeVar("Model", bound=BaseModel)


def without_nulls(value: Any) -> Any:
    """A JSON value without its null fields: Parquet has a null wherever a record lacks a column."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value]
    return value


def explain(error: ValidationError, model: type[BaseModel]) -> tuple[str, str, str | None]:
    """The first problem of a validation as (dotted field, problem, hint)."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if part != "[key]"]
    if first["type"] == "extra_forbidden":
        owner = _model_at(model, place[:-1])
        known = list(owner.model_fields) if owner else []
        return (
            ".".join(place),
            f"there is no '{place[-1]}' here",
            nearest(place[-1], known) if known else None,
        )
    if first["type"] in ("too_short", "too_long"):
        return ".".join(place), _wrong_length(first["ctx"]), None
    problem = first["msg"].removeprefix("Value error, ")
    problem = problem[:1].lower() + problem[1:]
    if first["type"] != "missing" and not isinstance(first["input"], dict | list):
        problem += f", not {first['input']!r}"[:200]
    if first["type"] == "literal_error" and isinstance(first["input"], str):
        if isinstance(first["loc"][-1], int):  # the entry of a list: its word says which
            place.pop()
        return (
            ".".join(place),
            problem,
            nearest(first["input"], re.findall("'(.*?)'", first["ctx"]["expected"])),
        )
    return ".".join(place), problem, None


def _wrong_length(found: Mapping[str, Any]) -> str:
    """What is wrong with a list or mapping of too few or too many entries."""
    if "min_length" in found:
        return f"needs {found['min_length']} or more entries, has {found['actual_length']}"
    return f"takes {found['max_length']} or fewer entries, has {found['actual_length']}"


def _model_at(model: type[BaseModel], place: Sequence[str]) -> type[BaseModel] | None:
    """The model that a dotted place leads to, through optional and container annotations."""
    current: type[BaseModel] | None = model
    for part in place:
        if current is None or part not in current.model_fields:
            continue  # a list index, a key of a mapping, the tag of a union
        current = _find_model(current.model_fields[part].annotation)
    return current


def _find_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_find_model(inner) for inner in getattr(annotation, "__args__", ()))
    return next((model for model in found if model), None)


def validate(model: type[Model], value: Any, *, file: str | Path) -> Model:
    """Check a configuration read from `file`.

    Raises:
        UsageError: Naming the file, the field, and the nearest known key if one is misspelt.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        field, problem, hint = explain(error, model)
        raise UsageError(problem, file=file, field=field or None, hint=hint) from None


class PlainLoader(yaml.SafeLoader):
    """YAML as configuration needs it: plain values, no key twice, and no aliases.

    A few lines of aliases stand for more values than any memory holds.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        """The next node; an alias is an error."""
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.MarkedYAMLError(
                problem=f"found the alias *{event.anchor}", problem_mark=event.start_mark
            )
        return super().compose_node(parent, index)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """The next mapping; a key that comes twice is an error."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"found the key '{key.value}' twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return node


def parse_yaml(text: str) -> Any:
    """The value of a YAML text.

    Raises:
        yaml.YAMLError: If it is not YAML, or not as plain as `PlainLoader` has it.
        ValueError: If it holds the 31st of April.
    """
    return yaml.load(text, PlainLoader)  # noqa: S506 - it is a safe loader


def read_yaml(path: str | Path) -> Any:
    """Read a YAML file with `PlainLoader`.

    Raises:
        UsageError: If the file is missing or not YAML.
    """
    try:
        return parse_yaml(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError("no such file", file=path) from None
    except OSError as error:
        raise from_os_error(error, path) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, the 31st of April
        raise UsageError(f"is not YAML ({' '.join(str(error).split())})", file=path) from None


def load_config(model: type[Model], path: str | Path, overrides: Sequence[str] = ()) -> Model:
    """Read a YAML configuration, apply `key.sub=value` overrides, and check it.

    Raises:
        UsageError: Naming the file or the override, the field, and what is wrong.
    """
    value = read_yaml(path)
    if not isinstance(value, dict):
        raise UsageError("is not a mapping of keys to values", file=path)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise UsageError(f"override {override!r} is not key=value")
        *parents, last = key.split(".")
        target = value
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise UsageError(f"override {override!r}: '{parent}' holds a value, not keys")
        try:
            target[last] = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise UsageError(f"override {override!r} is not YAML ({' '.join(str(error).split())})") from None
    return validate(model, value, file=path)
