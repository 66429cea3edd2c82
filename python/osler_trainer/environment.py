"""What is settled before torch, transformers and the Hub client are imported, and what a base allows."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .errors import BadJob, MissingPrerequisite
from .job import TrainJob


def set_environment(job: TrainJob) -> None:
    """Environment variables of this process for this job; what is set already mostly stays."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if "HUGGINGFACE_TOKEN" in os.environ:
        os.environ.setdefault("HF_TOKEN", os.environ["HUGGINGFACE_TOKEN"])
    os.environ["OMP_NUM_THREADS"] = str(job.threads)
    # Threads that spin while they wait made a step up to three times slower on two cores that other work shares.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if Path(job.base_path).is_dir():
        # peft and TRL look names up on the Hub while saving; with a local base there is nothing to ask, and off line
        # each question waits for its timeout.
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if "WORLD_SIZE" not in os.environ and job.recipe.trainer.processes == 1:
        # With several GPUs visible and no torchrun, Trainer would choose DataParallel, which TRL refuses.
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")


def check_length(job: TrainJob, base: Path) -> None:
    """Raises BadJob where the recipe wants longer rows than the base reads: unsloth would silently stretch its positions, so
    that the exported model, which keeps the base's settings, were another than the trained one.
    """
    try:
        most = json.loads((base / "config.json").read_text(encoding="utf-8")).get("max_position_embeddings")
    except (OSError, ValueError) as error:
        raise MissingPrerequisite(f'"{base / "config.json"}" cannot be read: {error}', "fetch the base model again") from error
    if isinstance(most, int) and job.recipe.base.max_length_tokens > most:
        raise BadJob(
            f"base.maxLengthTokens is {job.recipe.base.max_length_tokens}, and the base reads at most {most} tokens",
            f"set base.maxLengthTokens to {most} or less",
        )
