"""Stages that start from an adapter: the same adapter, or a merge that can be done."""

import pytest

from fakeinstruct.base.errors import UsageError
from fakeinstruct.base.files import write_json
from fakeinstruct.expert.recipe import Recipe
from fakeinstruct.expert.succession import check_stages, zero_stage

LORA = {"method": "lora", "parts": ["projector", "language_model"], "lora": {"rank": 4, "alpha": 8}}
FULL = {"method": "full"}


def recipe(*tunes, base="somebody/model", deepspeed="zero2"):
    return Recipe.model_validate(
        {
            "base": base,
            "optimizer": {"lr": 0.1},
            "hardware": {"deepspeed": deepspeed},
            "stages": {name: {"tune": tune} for name, tune in zip("abc", tunes, strict=False)},
        }
    )


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (LORA | {"lora": {"rank": 2, "alpha": 8}}, r"differ: rank 4, then 2\. An"),
        (LORA | {"lora": {"rank": 2, "alpha": 4}}, r"differ: rank 4, then 2; alpha 8, then 4\. An"),
        (
            LORA | {"parts": ["language_model"]},
            r"differ: parts language_model and projector, then language_model\. An",
        ),
    ],
)
def test_adapters_that_differ_are_named(second, message):
    with pytest.raises(UsageError, match=f"field stages.b.tune: the stages 'a' and 'b' have .*{message}"):
        check_stages(recipe(LORA, second))


@pytest.mark.parametrize(
    "tunes",
    [
        (LORA, LORA | {"parts": ["language_model", "projector"]}),
        (LORA, LORA | {"lora": {"rank": 4, "alpha": 8, "dropout": 0.5}}),
        (LORA, FULL, LORA | {"lora": {"rank": 2, "alpha": 8}}),
        (FULL, LORA),
    ],
)
def test_what_can_be_gone_on_from_passes(tunes):
    check_stages(recipe(*tunes))


def test_an_adapter_is_not_merged_into_shards(tmp_path):
    with pytest.raises(UsageError, match=r"field stages\.b\.hardware\.deepspeed: .*not done under ZeRO-3"):
        check_stages(recipe(LORA, FULL, deepspeed="zero3"))
    check_stages(recipe(FULL, LORA, deepspeed="zero3"))
    write_json(tmp_path / "adapter_config.json", {})
    alone = recipe(base=str(tmp_path), deepspeed="zero3")
    with pytest.raises(UsageError, match=r"field hardware\.deepspeed: .*not done under ZeRO-3"):
        check_stages(alone)
    check_stages(alone.model_copy(update={"tune": recipe(LORA).stages["a"].tune}))


def test_the_stage_of_zero_is_that_of_the_file():
    assert [zero_stage(recipe(deepspeed=f"zero{stage}")) for stage in (0, 2, 3)] == [0, 2, 3]
