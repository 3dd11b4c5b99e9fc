from typing import Literal

import pytest
from pydantic import Field, ValidationError

from fakeinstruct.base.config import StrictModel, explain, load_config, read_yaml, validate, without_nulls
from fakeinstruct.base.errors import UsageError


class Optimiser(StrictModel):
    learning_rate: float = Field(gt=0)
    betas: tuple[float, float] = (0.9, 0.95)


class Words(StrictModel):
    of: tuple[Literal["tower", "projector"], ...] = Field(("tower",), min_length=1, max_length=2)
    rates: dict[Literal["tower", "projector"], float] = Field(default_factory=dict)


class Recipe(StrictModel):
    name: str
    optimiser: Optimiser | None = None
    parts: tuple[Optimiser, ...] = ()
    by_name: dict[str, Optimiser] = Field(default_factory=dict)


def problem(value):
    with pytest.raises(UsageError) as caught:
        validate(Recipe, value, file="recipe.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"nmae": "x", "name": "x"}, "nmae"),
        ({"name": "x", "optimiser": {"learning_rat": 1, "learning_rate": 1}}, "optimiser.learning_rat"),
        ({"name": "x", "parts": [{"learning_rate": 1, "beta": 1}]}, "parts.0.beta"),
        ({"name": "x", "by_name": {"a": {"learning_rate": 1, "beta": 1}}}, "by_name.a.beta"),
    ],
)
def test_a_misspelt_key_names_itself_and_the_nearest(value, field):
    text = problem(value)
    assert text.startswith(
        f"recipe.yaml, field {field}: there is no '{field.split('.')[-1]}' here. Did you mean '"
    )


def test_wrong_values_are_shown_and_missing_ones_named():
    assert problem({"name": "x", "optimiser": {"learning_rate": -1}}) == (
        "recipe.yaml, field optimiser.learning_rate: input should be greater than 0, not -1"
    )
    assert problem({}) == "recipe.yaml, field name: field required"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"rates": {"towr": 1}}, "field rates.towr: input should be 'tower' or 'projector', not 'towr'"),
        ({"of": ["towr"]}, "field of: input should be 'tower' or 'projector', not 'towr'"),
    ],
)
def test_a_misspelt_word_names_the_nearest(value, message):
    with pytest.raises(UsageError) as caught:
        validate(Words, value, file="w.yaml")
    assert str(caught.value) == f"w.yaml, {message}. Did you mean 'tower'?"


@pytest.mark.parametrize(
    ("words", "message"),
    [([], "needs 1 or more entries, has 0"), (["tower"] * 3, "takes 2 or fewer entries, has 3")],
)
def test_a_wrong_length_is_told_in_words(words, message):
    with pytest.raises(UsageError) as caught:
        validate(Words, {"of": words}, file="w.yaml")
    assert str(caught.value) == f"w.yaml, field of: {message}"


def test_a_long_value_is_not_repeated_whole():
    with pytest.raises(ValidationError) as caught:
        Optimiser.model_validate({"learning_rate": "x" * 100_000})
    assert len(explain(caught.value, Optimiser)[1]) < 400


def test_overrides_reach_into_sections(tmp_path):
    (tmp_path / "r.yaml").write_text("name: x\noptimiser:\n  learning_rate: 1\n")
    recipe = load_config(Recipe, tmp_path / "r.yaml", ["optimiser.learning_rate=2e-5", "name=y=z"])
    assert recipe == Recipe(name="y=z", optimiser=Optimiser(learning_rate=2e-5))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("name", "not key=value"),
        ("=x", "not key=value"),
        ("name.deep=1", "'name' holds a value"),
        ("name=[", "is not YAML"),
        ("name=2001-99-99", "is not YAML"),
        ("nmae=1", "Did you mean 'name'"),
    ],
)
def test_a_bad_override_is_named(tmp_path, override, message):
    (tmp_path / "r.yaml").write_text("name: x\n")
    with pytest.raises(UsageError, match=message):
        load_config(Recipe, tmp_path / "r.yaml", [override])


@pytest.mark.parametrize(
    "content",
    [
        b"a: [",
        b"\xff\xfe",
        b"a: !!python/object/apply:os.system [true]",
        b"a: 2001-99-99",
        b"a: \x00",
        b"[" * 5_000,
        b"a: &a [1]\nb: *a",
        b"a: 1\nb: 2\na: 3",
    ],
)
def test_what_is_not_plain_yaml_is_one_message(tmp_path, content):
    (tmp_path / "r.yaml").write_bytes(content)
    with pytest.raises(UsageError, match=r"r\.yaml: is not YAML"):
        read_yaml(tmp_path / "r.yaml")


def test_missing_and_shapeless_files_are_named(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        load_config(Recipe, tmp_path / "none.yaml")
    (tmp_path / "list.yaml").write_text("- a\n")
    with pytest.raises(UsageError, match="not a mapping"):
        load_config(Recipe, tmp_path / "list.yaml")


def test_nulls_go_at_every_depth():
    value = {"a": None, "b": {"c": None, "d": [{"e": None}, None, 0]}}
    assert without_nulls(value) == {"b": {"d": [{}, None, 0]}}
