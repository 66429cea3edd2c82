"""The base of every model that crosses the process boundary: camelCase names outside, nothing unknown let in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

CONTRACT_FOLDER = Path(__file__).parent / "contract"
"""JSON Schemas generated from the zod schemas in src/core/schema; the models here must agree with them."""


SchemaVersion = Annotated[int, Field(ge=1, le=1)]
"""The integer 1. Not Literal[1], which in pydantic lets `true` pass."""


class ContractModel(BaseModel):
    """Strict, frozen, closed; JSON names are camelCase."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
    )


def describe(error: ValidationError, limit: int = 5) -> str:
    """The first `limit` problems as `recipe.trainer.maxSteps: …`, in one line."""
    problems = [f"{'.'.join(str(part) for part in item['loc']) or '(whole)'}: {item['msg']}" for item in error.errors()]
    more = f"; and {len(problems) - limit} more" if len(problems) > limit else ""
    return "; ".join(problems[:limit]) + more
