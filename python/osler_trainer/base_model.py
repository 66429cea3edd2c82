"""Where the base model's files are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .errors import MissingPrerequisite
from .failures import chain, is_disk_full
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
    except Exception as error:  # the Hub client raises a dozen kinds, told apart by their cause
        raise _not_fetched(job.base_path, job.recipe.base.revision, error) from error
    return BaseModel(job.base_path, local.name, local, has_weights=with_weights)


def _not_fetched(repository: str, revision: str | None, error: Exception) -> MissingPrerequisite:
    """What kept the Hub from giving the base, and what to do. The answer's own text is left out: it may quote a header."""
    from huggingface_hub import errors

    def is_a(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in chain(error))

    page = f"https://huggingface.co/{repository}"
    has_token = _has_token()
    status = _status(error)
    named = f'the base "{repository}"'
    if is_a(errors.RevisionNotFoundError):
        return MissingPrerequisite(f'{named} has no revision "{revision}"', "set base.revision to a commit of the repository, or to null")
    if is_a(errors.GatedRepoError) or status == 403:
        return MissingPrerequisite(
            f"{named} is gated: the Hub does not give it to {'this account' if has_token else 'a request without a token'}",
            f"accept its conditions at {page} and set HF_TOKEN to a read token of that account on the host that trains",
        )
    if status == 401 and has_token:
        return MissingPrerequisite(
            f"the Hub refused the token while fetching {named}, or the repository is not there for it",
            "make a new read token at https://huggingface.co/settings/tokens and set HF_TOKEN on the host that trains",
        )
    if is_a(errors.RepositoryNotFoundError) or status in {401, 404}:
        return MissingPrerequisite(
            f"{named} is no folder here and no repository of the Hub"
            + ("" if has_token else ", or a private one: there is no token on this host"),
            f"check the name at {page}" + ("" if has_token else ", or set HF_TOKEN on the host that trains to a token that may read it"),
        )
    if status is None and is_a(errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, ConnectionError, TimeoutError):
        return MissingPrerequisite(
            f"{named} is no folder here, and the Hub cannot be reached to fetch it",
            "check the network of the host that trains (and HF_HUB_OFFLINE, HF_ENDPOINT), or point basePath at a local folder",
        )
    if is_disk_full(error):
        raise error
    return MissingPrerequisite(
        f"{named} could not be fetched from the Hub: {type(error).__name__}{f' (status {status})' if status else ''}",
        "try again later; the trainer's log (stderr) has the details",
    )


def _status(error: BaseException) -> int | None:
    for cause in chain(error):
        status = getattr(getattr(cause, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
    return None


def _has_token() -> bool:
    from huggingface_hub import get_token

    return get_token() is not None
