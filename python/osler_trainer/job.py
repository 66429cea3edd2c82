"""What the launcher hands over: the pydantic twin of src/core/schema/train-job.ts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from .contract import ContractModel, SchemaVersion, describe
from .errors import BadJob, MissingPrerequisite
from .recipe import Recipe

_Text = Annotated[str, Field(min_length=1)]


class TrainJob(ContractModel):
    """One training, all paths resolved."""

    schema_version: SchemaVersion
    run_id: _Text
    recipe: Recipe
    base_path: _Text
    train_file: _Text
    held_out_file: _Text | None
    template_file: _Text
    output_dir: _Text
    threads: Annotated[int, Field(ge=1, le=9007199254740991)]
    resume: bool
    dry_run: bool

    @property
    def outputs(self) -> Path:
        """Folder of the checkpoints and of nothing else that lasts."""
        return Path(self.output_dir) / "outputs"


def read_job(file: Path) -> TrainJob:
    """The job in `file`. Raises MissingPrerequisite or BadJob."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MissingPrerequisite(
            f'the job file "{file}" cannot be read: {error}', "give the path of a job that the launcher wrote"
        ) from error
    try:
        return TrainJob.model_validate_json(text)
    except ValidationError as error:
        raise BadJob(
            f'the job "{file}" is not valid: {describe(error)}', "mend the named fields; the contract is contract/train-job.schema.json"
        ) from error
