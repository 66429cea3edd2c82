"""Checkpoints in outputs/: which one to resume from, and that only one trainer writes there."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import MissingPrerequisite
from .folders import sync_files

MARKER = "complete.json"
"""Written last into a checkpoint: transformers does not write them atomically, so its own files do not tell whether a
trainer that was killed had finished."""

_NEEDED = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json")


@dataclass(frozen=True)
class LossWindow:
    """The losses since the last logging, which transformers forgets in a checkpoint: the next logged loss would leave them out."""

    since_step: int
    """Step that was logged last."""
    loss_sum: float
    """Sum of the steps' losses since then."""
    total: float
    """Sum of all steps' losses that were logged."""


def complete_checkpoints(outputs: Path) -> tuple[list[Path], list[Path]]:
    """(complete, incomplete) checkpoint folders by rising step; a training killed while saving leaves an incomplete one,
    which cannot be resumed from.
    """
    complete: list[Path] = []
    incomplete: list[Path] = []
    found = [path for path in outputs.glob("checkpoint-*") if path.is_dir() and path.name.split("-")[1].isdecimal()]
    for path in sorted(found, key=step_of):
        (complete if _is_complete(path) else incomplete).append(path)
    return complete, incomplete


def step_of(checkpoint: Path) -> int:
    """`checkpoint-40` to 40."""
    return int(checkpoint.name.split("-")[1])


def mark_complete(checkpoint: Path, window: LossWindow) -> None:
    """Say that every file of `checkpoint` is written, once they are on the disk itself."""
    sync_files(checkpoint)
    files = {path.name: path.stat().st_size for path in sorted(checkpoint.iterdir()) if path.is_file() and path.name != MARKER}
    part = checkpoint / f".{MARKER}"
    marker = {
        "step": step_of(checkpoint),
        "files": files,
        "lossWindow": {"sinceStep": window.since_step, "lossSum": window.loss_sum, "total": window.total},
    }
    part.write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")
    sync_files(checkpoint, only=part)
    part.rename(checkpoint / MARKER)


def unmark(checkpoint: Path) -> None:
    """Take the mark off before the folder is written again."""
    (checkpoint / MARKER).unlink(missing_ok=True)


def loss_window(checkpoint: Path) -> LossWindow:
    """The window that a complete checkpoint keeps."""
    window = _marker(checkpoint)["lossWindow"]
    return LossWindow(since_step=window["sinceStep"], loss_sum=window["lossSum"], total=window["total"])


@contextmanager
def only_trainer(outputs: Path) -> Iterator[None]:
    """Hold outputs/ for this process. Raises MissingPrerequisite while another trainer holds it: a request that was
    sent twice must not train twice into the same folder. The lock goes with the process, killed or not.
    """
    outputs.mkdir(parents=True, exist_ok=True)
    with (outputs / ".lock").open("a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise MissingPrerequisite(f'another trainer is at work in "{outputs}"', "wait for it or stop it first") from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _is_complete(checkpoint: Path) -> bool:
    try:
        marker = _marker(checkpoint)
        files: dict[str, int] = marker["files"]
        return (
            marker["step"] == step_of(checkpoint)
            and all(name in files for name in _NEEDED)
            and all((checkpoint / name).stat().st_size == size for name, size in files.items())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _marker(checkpoint: Path) -> dict[str, Any]:
    marker: dict[str, Any] = json.loads((checkpoint / MARKER).read_text(encoding="utf-8"))
    return marker
