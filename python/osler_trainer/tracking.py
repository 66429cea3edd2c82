"""Experiment trackers: Weights & Biases, trackio and TensorBoard, through transformers' report_to. None may cost a training."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .events import EventWriter
from .job import TrainJob

_CALLBACKS = {"WandbCallback": "wandb", "TrackioCallback": "trackio", "TensorBoardCallback": "tensorboard"}


def tracking_folder(job: TrainJob) -> Path:
    """Where trackers keep their files: in the run, so that they go with it."""
    return Path(job.output_dir) / "tracking"


def set_tracking_environment(job: TrainJob) -> None:
    """What transformers' callbacks and the trackers read; what a user has set already stays."""
    tracking, folder = job.recipe.tracking, tracking_folder(job)
    if not tracking.report_to:
        return
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "WANDB_PROJECT": tracking.project,
        "WANDB_JOB_TYPE": tracking.job_type,
        "WANDB_DIR": str(folder),
        # Curves alone: neither the log nor the source goes to a tracker, nor the name of the repository.
        "WANDB_CONSOLE": "off",
        "WANDB_DISABLE_CODE": "true",
        "WANDB_DISABLE_GIT": "true",
        "WANDB_SILENT": "true",
        "WANDB_LOG_MODEL": "false",
        # Seconds; 90 otherwise, for which a training would wait where there is no network.
        "WANDB_INIT_TIMEOUT": "30",
        "TRACKIO_DIR": str(folder / "trackio"),
        "TENSORBOARD_LOGGING_DIR": str(folder / "tensorboard"),
    }
    if os.environ.get("WANDB_MODE") != "offline":
        # A resumed training goes on in the run that it began.
        settings |= {"WANDB_RUN_ID": job.run_id, "WANDB_RESUME": "allow"}
    for name, value in settings.items():
        os.environ.setdefault(name, value)


def missing_reason(tracker: str, has_package: bool) -> str | None:
    """Why a tracker cannot be used here; None where it can."""
    if not has_package:
        return "its package is not installed"
    if tracker == "wandb":
        mode = os.environ.get("WANDB_MODE", "online")
        if mode == "disabled":
            return "WANDB_MODE is disabled"
        if mode != "offline" and not os.environ.get("WANDB_API_KEY"):
            return "WANDB_API_KEY is not set (WANDB_MODE=offline needs none)"
    return None


def guard_trackers(trainer: Any, events: EventWriter) -> None:
    """Wrap the trainer's tracker callbacks, so that one that fails is switched off with a notice and the training goes on."""
    callbacks = trainer.callback_handler.callbacks
    for index, callback in enumerate(callbacks):
        name = _CALLBACKS.get(type(callback).__name__)
        if name is not None:
            callbacks[index] = _guarded(name, callback, events)


def _guarded(name: str, inner: Any, events: EventWriter) -> Any:
    from transformers import TrainerCallback

    class Guarded(TrainerCallback):  # type: ignore[misc] # transformers is not checked
        is_off = False

    def guard(method: str) -> Any:
        def guarded(self: Guarded, *arguments: Any, **options: Any) -> None:
            if self.is_off:
                return
            try:
                getattr(inner, method)(*arguments, **options)
                if name == "wandb" and method == "on_train_begin":
                    _tell_wandb_url(events)
            except Exception as error:  # whatever a tracker raises is worth less than the training
                self.is_off = True
                events.notice(f"tracking with {name} is off: {_shown(error)}")

        return guarded

    for method in dir(TrainerCallback):
        if method.startswith("on_"):
            setattr(Guarded, method, guard(method))
    return Guarded()


def _shown(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    key = os.environ.get("WANDB_API_KEY")
    return text.replace(key, "***") if key else text


def _tell_wandb_url(events: EventWriter) -> None:
    import wandb

    run = getattr(wandb, "run", None)
    if run is not None and run.url:
        events.notice(f"Weights & Biases: {run.url}")
