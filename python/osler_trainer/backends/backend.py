"""What a backend does; the rest of a training is the same for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from ..base_model import BaseModel
from ..job import TrainJob
from ..plan import Plan


@dataclass(frozen=True)
class Adapted:
    """A model with a fresh adapter, ready for SFTTrainer."""

    model: Any
    loaded_from: str
    """Folder or repository whose weights were really loaded."""
    kernels: str
    """What computes the layers."""


class Backend(Protocol):
    """One way to train."""

    name: Literal["unsloth", "peft"]

    def import_libraries(self) -> None:
        """Import what has to be imported before anything else."""

    def find_base(self, job: TrainJob) -> BaseModel:
        """The base model's files, fetched where that is needed."""

    def adapt(self, job: TrainJob, plan: Plan, base: BaseModel) -> Adapted:
        """Load the base and put the adapter on it."""

    def merge(
        self, job: TrainJob, base: BaseModel, model: Any, tokenizer: Any, adapter: Path, folder: Path, on_file: Callable[[], None]
    ) -> str:
        """Write base plus adapter in 16 bit into `folder`; returns the dtype as config.json spells it."""


def choose_backend(wanted: str) -> Backend:
    """`auto` is unsloth where CUDA and unsloth are present, else peft. Raises MissingPrerequisite."""
    from ..errors import MissingPrerequisite
    from ..machine import has_package
    from .peft import PeftBackend
    from .unsloth import UnslothBackend

    if wanted == "peft" or (wanted == "auto" and not (has_package("unsloth") and _has_cuda())):
        return PeftBackend()
    if not has_package("unsloth"):
        raise MissingPrerequisite(
            "the backend unsloth is not installed", "pip install -r python/requirements-cuda.txt, or set backend to peft"
        )
    if not _has_cuda():
        raise MissingPrerequisite("the backend unsloth needs a CUDA device and none is visible", "set backend to peft or auto")
    return UnslothBackend()


def _has_cuda() -> bool:
    # torch may be imported before unsloth; transformers, trl and peft may not.
    import torch

    return torch.cuda.is_available()
