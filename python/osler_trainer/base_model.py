"""Where the base model's files are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .errors import MissingPrerequisite
from .job import TrainJob

_SMALL_FILES = ["*.json", "*.jinja", "*.model", "merges.txt"]


@dataclass(frozen=True)
class BaseModel:
    """The base as the job names it, and a local folder with at least its configuration and tokenizer."""

    ref: str
    revision: str | None
    """Commit that was fetched, for a Hub id; None for a folder."""
    folder: Path
    has_weights: bool


def find_base(job: TrainJob, with_weights: bool) -> BaseModel:
    """The folder at basePath, or the Hub repository of that name, fetched into the Hub cache.

    Raises MissingPrerequisite where neither is there.
    """
    folder = Path(job.base_path)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise MissingPrerequisite(
                f'the base folder "{folder}" has no config.json', "point basePath at a model folder in transformers format"
            )
        return BaseModel(job.base_path, None, folder, has_weights=True)
    if folder.is_absolute() or job.base_path.startswith(".") or job.base_path.count("/") != 1:
        raise MissingPrerequisite(f'the base folder "{folder}" does not exist', "fetch or import the base model first")
    from huggingface_hub import snapshot_download

    patterns = [*_SMALL_FILES, "*.safetensors"] if with_weights else _SMALL_FILES
    try:
        local = Path(snapshot_download(job.base_path, revision=job.recipe.base.revision, allow_patterns=patterns))
    except Exception as error:  # the Hub client raises a dozen kinds, all meaning: not here and not to be had
        raise MissingPrerequisite(
            f'the base "{job.base_path}" is no folder and could not be fetched from the Hub: {error}',
            "check the name, the network and HF_TOKEN, or point basePath at a local folder",
        ) from error
    return BaseModel(job.base_path, local.name, local, has_weights=with_weights)
