"""A training without torch: the events of a run with a recorded loss curve, for tests of what follows the trainer."""

from __future__ import annotations

import json
import os
import statistics
import time
from pathlib import Path

from .checkpoints import only_trainer
from .errors import EXIT_STOPPED, StopRequested
from .events import DatasetReady, Device, EventWriter, Finished, LengthTokens, Progress, Started, Stopped
from .heartbeat import Pulse
from .job import TrainJob
from .machine import versions
from .rows import TrainingRow, read_rows
from .stop import StopSignal
from .template import read_template

STEP_SECONDS = 0.03
"""Long enough to be interrupted by a test, short enough to wait for."""

# Losses a logging step of SmolLM2-135M on medical rows with the smoke preset, 2 CPU cores, November 2026.
_RECORDED_LOSSES = (2.87, 2.88, 2.73, 2.80, 2.69, 2.66, 2.58, 2.61, 2.52, 2.55, 2.47, 2.50, 2.44, 2.46, 2.41, 2.43, 2.39, 2.40, 2.37, 2.38)
_SPECIAL_TOKENS = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}
_CHARACTERS_A_TOKEN = 4


def dry_run(job: TrainJob, events: EventWriter, stop: StopSignal, pulse: Pulse) -> int:
    """Read rows and template, train nothing, make no adapter or model, write nothing outside outputs/.

    Emits `started`, `dataset`, `progress` and `finished` (or `stopped`, `failed`) alone, beside heartbeats; returns the exit code. Honours
    stop signals and `resume` (the step reached is kept in outputs/dry-run.json). Token counts are estimates.
    """
    with only_trainer(job.outputs):
        step = 0
        total = 0
        try:
            rows = read_rows(Path(job.train_file))
            template = read_template(Path(job.template_file), _SPECIAL_TOKENS)
            trainer = job.recipe.trainer
            batch = trainer.per_device_batch_size * trainer.gradient_accumulation_steps
            total = trainer.max_steps or max(1, round((trainer.epochs or 1) * len(rows) / batch))
            state = job.outputs / "dry-run.json"
            if job.resume and state.is_file():
                step = min(total, int(json.loads(state.read_text(encoding="utf-8"))["step"]))
            events.emit(
                Started(
                    run_id=job.run_id,
                    backend="dry-run",
                    pid=os.getpid(),
                    versions=versions(),
                    device=Device(kind="cpu", name="none (dry run)", memory_bytes=None),
                    resolved={"loadedFrom": None, "resumedFrom": str(state) if step > 0 else None},
                )
            )
            texts = [template.training_text(row) for row in rows]
            events.emit(_dataset(texts, job.recipe.base.max_length_tokens))
            began, first, loss = time.monotonic(), step, _loss(step)
            stop.in_loop = True
            while step < total and not stop.requested:
                time.sleep(STEP_SECONDS)
                step += 1
                pulse.worked(step)
                state.write_text(json.dumps({"step": step}) + "\n", encoding="utf-8")
                if step % trainer.logging_steps == 0 or step == total:
                    loss = _loss(step)
                    events.emit(_progress(job, rows, step, total, loss, time.monotonic() - began, first))
            stop.in_loop = False
            if stop.requested:
                raise StopRequested
        except StopRequested:
            events.emit(Stopped(step=step, total_steps=total))
            return EXIT_STOPPED
        events.emit(Finished(steps=step, final_loss=loss, train_seconds=time.monotonic() - began, peak_memory_bytes=None))
        return 0


def _loss(step: int) -> float:
    return _RECORDED_LOSSES[min(max(step, 1), len(_RECORDED_LOSSES)) - 1]


def _dataset(texts: list[str], max_length: int) -> DatasetReady:
    counts = sorted(max(1, len(text) // _CHARACTERS_A_TOKEN) for text in texts)
    p95 = counts[max(0, -(-95 * len(counts) // 100) - 1)]
    return DatasetReady(
        rows=len(texts),
        truncated_rows=sum(count > max_length for count in counts),
        length_tokens=LengthTokens(min=counts[0], median=int(statistics.median(counts)), p95=p95, max=counts[-1]),
        first_text=texts[0],
    )


def _progress(job: TrainJob, rows: list[TrainingRow], step: int, total: int, loss: float, seconds: float, first: int) -> Progress:
    trainer = job.recipe.trainer
    done = step - first
    rate = trainer.learning_rate * (step / trainer.warmup_steps if step < trainer.warmup_steps else 1 - (step - 1) / total)
    return Progress(
        step=step,
        total_steps=total,
        epoch=step * trainer.per_device_batch_size * trainer.gradient_accumulation_steps / len(rows),
        loss=loss,
        learning_rate=rate,
        grad_norm=0.24,
        tokens_per_second=1500 / STEP_SECONDS,
        memory_bytes=None,
        eta_seconds=seconds / done * (total - step),
    )
