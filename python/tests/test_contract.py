"""The pydantic models accept and refuse what the JSON Schemas accept and refuse."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import PACKAGE, ROWS, JobMaker, read_preset
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ValidationError

from osler_trainer.job import TrainJob
from osler_trainer.recipe import Recipe
from osler_trainer.rows import TrainingRow


def schema(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((PACKAGE / "contract" / f"{name}.schema.json").read_text(encoding="utf-8")))


def accepts(model: type[BaseModel], value: Any) -> bool:
    try:
        model.model_validate_json(json.dumps(value))
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", ["tutorial", "recommended", "smoke"])
def test_presets_are_valid_in_both_and_survive_a_round_trip(smoke: dict[str, Any], name: str) -> None:
    preset = read_preset(name)
    assert schema("recipe").is_valid(preset)
    recipe = Recipe.model_validate_json(json.dumps(preset))
    assert json.loads(recipe.model_dump_json(by_alias=True)) == preset


def spoiled(value: Any) -> Iterator[tuple[str, Any]]:
    """Every one-change neighbour of a JSON object: a key gone, a key too many, a value of another kind."""
    yield "(root) extra key", value | {"unheardOf": 1}
    for key, inner in value.items():
        yield f"{key} missing", {k: v for k, v in value.items() if k != key}
        for other in ("", "text", -1, 0, 1.5, True, None, [], {}):
            yield f"{key} = {other!r}", value | {key: other}
        if isinstance(inner, dict):
            for name, changed in spoiled(inner):
                yield f"{key}.{name}", value | {key: changed}


def test_models_and_schema_agree_on_every_neighbour_of_a_job(make_job: JobMaker) -> None:
    job = json.loads(make_job().read_text(encoding="utf-8"))
    validator = schema("train-job")
    disagree = []
    count = 0
    for name, changed in spoiled(job):
        count += 1
        by_schema = validator.is_valid(changed)
        by_model = accepts(TrainJob, changed)
        # Rules over several fields are zod checks, which JSON Schema cannot say: there pydantic is stricter.
        across_fields = name in {
            "recipe.trainer.maxSteps = None",
            "recipe.trainer.epochs = 1.5",
            "recipe.trainer.keepBestCheckpoint = True",
        }
        if by_schema != by_model and not (across_fields and by_schema):
            disagree.append((name, by_schema, by_model))
    assert count > 500
    assert disagree == []


def test_rules_over_several_fields_hold(smoke: dict[str, Any]) -> None:
    for change in ({"epochs": 1.0}, {"maxSteps": None}, {"earlyStopPatience": 2}, {"keepBestCheckpoint": True}):
        changed = copy.deepcopy(smoke)
        changed["trainer"] |= change
        assert not accepts(Recipe, changed), change


def test_rows_agree_and_blank_text_is_refused() -> None:
    validator = schema("training-row")
    for row in ROWS:
        assert validator.is_valid(row)
        assert accepts(TrainingRow, row)
    assert not accepts(TrainingRow, ROWS[0] | {"thought": " \n"})
    assert not accepts(TrainingRow, ROWS[0] | {"more": "x"})
