"""Checkpoints in outputs/: which one to resume from, and that only one trainer writes there."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import MissingPrerequisite

_NEEDED = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json")


def complete_checkpoints(outputs: Path) -> tuple[list[Path], list[Path]]:
    """(complete, incomplete) checkpoint folders by rising step. transformers does not write them atomically, so a
    training killed while saving leaves one that cannot be resumed from.
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
    if any(not (checkpoint / name).is_file() for name in _NEEDED):
        return False
    if not list(checkpoint.glob("rng_state*.pth")):
        return False
    try:
        # Written last, so a readable one means that the rest was written.
        state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        return bool(state["global_step"] == step_of(checkpoint)) and _safetensors_whole(checkpoint / "adapter_model.safetensors")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _safetensors_whole(file: Path) -> bool:
    with file.open("rb") as stream:
        header_bytes = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(header_bytes))
    end = max((entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"), default=0)
    return file.stat().st_size == 8 + header_bytes + int(end)
