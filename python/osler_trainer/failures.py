"""A library's exception as a failure that says what to do next."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

from .errors import TrainerError
from .job import TrainJob
from .memory import Setup, largest_fit, needed_bytes

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# safetensors writes in Rust and torch.save in C++: neither hands on the number of the error.
_FULL_TEXTS = ("No space left on device", "os error 28", "os error 122", "os error 27", "Disk quota exceeded", "File too large")
_TORCH_WRITER_TEXTS = ("PytorchStreamWriter failed", "inline_container", "unexpected pos", "iostream error")


@dataclass(frozen=True)
class Situation:
    """What an out-of-memory message needs to know."""

    setup: Setup
    free_bytes: int
    """Memory that was free before the model was loaded."""
    longest_row: int
    """Tokens of the longest row as it is trained."""


def explain(error: BaseException, job: TrainJob | None, situation: Situation | None = None) -> TrainerError:
    """The failure to tell of; one that says what to do already is handed on."""
    if isinstance(error, TrainerError):
        return error
    text = first_line(f"{type(error).__name__}: {error}".strip())
    if job is not None and _is_out_of_memory(error):
        return _out_of_memory(text, job, situation)
    if is_disk_full(error):
        return TrainerError(
            f"the disk of the run is full: {text}",
            "free some space there and start the run again with resume: it goes on from the last complete checkpoint",
            "diskFull",
        )
    return TrainerError(text, "read the trainer's log (stderr) for the full traceback; resume goes on from the last checkpoint")


def is_disk_full(error: BaseException) -> bool:
    """Whether a write failed for want of space, whichever library it was."""
    for cause in chain(error):
        if isinstance(cause, OSError) and cause.errno in _FULL:
            return True
        text = str(cause)
        # torch's writer fails for no other reason than that the bytes could not be written.
        if any(part in text for part in (*_FULL_TEXTS, *_TORCH_WRITER_TEXTS)):
            return True
    return False


def _out_of_memory(text: str, job: TrainJob, situation: Situation | None) -> TrainerError:
    trainer, length = job.recipe.trainer, job.recipe.base.max_length_tokens
    batch, accumulation = trainer.per_device_batch_size, trainer.gradient_accumulation_steps
    if situation is not None:
        length = min(length, situation.longest_row)
    message = f"out of memory at batch {batch} x {length} tokens: {text}"
    if situation is None:
        return TrainerError(message, "start it where more memory is free, or load the base in 4 bit (base.loadIn4bit)", "outOfMemory")
    setup, free = situation.setup, situation.free_bytes
    # These settings did not fit, whatever the formula says of them: what is proposed takes less by the formula too.
    fixed = needed_bytes(setup, batch, 0)
    budget = min(free, fixed + int(0.95 * (needed_bytes(setup, batch, length) - fixed)))
    fit = largest_fit(budget, setup, batch, accumulation, length)
    if fit is None:
        return TrainerError(
            f"{message}; {free / 1e9:.1f} GB were free, and not even one short row fits beside this base",
            "load the base in 4 bit (base.loadIn4bit), choose a smaller base, or a device with more memory; then start again with resume",
            "outOfMemory",
        )
    changes = [f"set trainer.perDeviceBatchSize to {fit.batch} and trainer.gradientAccumulationSteps to {fit.accumulation}"]
    if fit.length < length:
        changes.append(f"base.maxLengthTokens to {fit.length}")
    if not setup.gradient_checkpointing:
        changes.append("or switch lora.gradientCheckpointing on")
    return TrainerError(
        f"{message}; by estimate batch {fit.batch} x {fit.length} tokens fits in the {free / 1e9:.1f} GB that were free",
        f"{', '.join(changes)}; then start again with resume",
        "outOfMemory",
    )


def _is_out_of_memory(error: BaseException) -> bool:
    # torch's allocators: an own class on CUDA, a plain RuntimeError on the CPU; bitsandbytes and Triton hand on CUDA's text.
    return any(
        isinstance(cause, MemoryError)
        or type(cause).__name__ == "OutOfMemoryError"
        or "DefaultCPUAllocator" in str(cause)
        or "CUDA out of memory" in str(cause)
        or "CUBLAS_STATUS_ALLOC_FAILED" in str(cause)
        for cause in chain(error)
    )


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, one after the other."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def first_line(text: str) -> str:
    """At most 500 characters of it, for a message."""
    return text.splitlines()[0][:500]
