"""Trains jobs and kills each trainer with SIGKILL: a program of test_resume.py.

usage: killed_trainings.py JOB=WHEN …, where WHEN is a file name (killed when half of that file of the second checkpoint is
written) or a number (killed within that batch). One process imports the libraries, each training is a fork of it.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import peft
import safetensors.torch
import torch
import transformers.trainer
import trl.trainer.sft_trainer  # noqa: F401

from osler_trainer import checkpoints
from osler_trainer.events import EventWriter
from osler_trainer.train import train_command

SECOND = 2


def main() -> None:
    for argument in sys.argv[1:]:
        job, _, when = argument.partition("=")
        child = os.fork()
        if child == 0:
            die_in_batch(int(when)) if when.isdecimal() else die_in_file(when)
            with Path(f"{job}.events").open("w", encoding="utf-8") as events:
                train_command(Path(job), EventWriter(events))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(f"{argument} was not killed: status {status}")


def die_in_batch(number: int) -> None:
    """Make this process kill itself when the gradients of so many batches are computed."""
    seen = {"count": 0}
    training_step = transformers.trainer.Trainer.training_step

    def step(*arguments: Any, **options: Any) -> Any:
        result = training_step(*arguments, **options)
        seen["count"] += 1
        if seen["count"] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    transformers.trainer.Trainer.training_step = step


def die_in_file(when: str) -> None:
    """Make this process kill itself half-way through writing the file `when` of the second checkpoint."""
    seen = {"count": 0}

    def die_half_way(file: Any) -> None:
        if Path(file).name != when:
            return
        seen["count"] += 1
        if seen["count"] == SECOND:
            whole = Path(file).read_bytes()
            Path(file).write_bytes(whole[: len(whole) // 2])
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(module: Any, name: str, position: int) -> None:
        original = getattr(module, name)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            result = original(*arguments, **options)
            die_half_way(arguments[position])
            return result

        setattr(module, name, wrapped)

    wrap(torch, "save", 1)
    wrap(safetensors.torch, "save_file", 1)
    peft.peft_model.safe_save_file = safetensors.torch.save_file
    save_to_json = transformers.trainer.TrainerState.save_to_json

    def saved_to_json(self: Any, file: str) -> None:
        save_to_json(self, file)
        die_half_way(file)

    transformers.trainer.TrainerState.save_to_json = saved_to_json
    sync_files = checkpoints.sync_files

    def synced(folder: Path, only: Path | None = None) -> None:
        sync_files(folder, only)
        if only is not None:
            die_half_way(only)

    checkpoints.sync_files = synced


if __name__ == "__main__":
    main()
