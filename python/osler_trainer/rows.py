"""Prepared training rows: the pydantic twin of src/core/schema/training-row.ts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from .contract import ContractModel, describe
from .errors import BadJob, MissingPrerequisite


def _not_blank(text: str) -> str:
    if text.strip() == "":
        raise ValueError("must not be blank")
    return text


_NonBlank = Annotated[str, AfterValidator(_not_blank)]


class TrainingRow(ContractModel):
    """One question with its reasoning and answer."""

    id: Annotated[str, Field(min_length=1)]
    question: _NonBlank
    thought: _NonBlank
    answer: _NonBlank


def read_rows(file: Path) -> list[TrainingRow]:
    """All rows of a JSON Lines file, in order. Raises one BadJob that names every bad line (the first five in full)."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise MissingPrerequisite(f'the rows file "{file}" cannot be read: {error}', "prepare the data again") from error
    rows: list[TrainingRow] = []
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        if line.strip() == "":
            continue
        try:
            rows.append(TrainingRow.model_validate_json(line))
        except ValidationError as error:
            problems.append(f"line {number}: {describe(error, 2)}")
    if problems:
        raise BadJob(f'{len(problems)} rows of "{file}" are not valid: {" | ".join(problems[:5])}', "prepare the data again")
    if not rows:
        raise BadJob(f'"{file}" has no rows', "prepare the data again, or use a larger data.limit")
    return rows
