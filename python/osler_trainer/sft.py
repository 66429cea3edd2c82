"""The TRL trainer, told what to train on and made to tell what it does.

Rows go in as token ids with labels, not as the text column that the recipe names: from text, TRL tokenises with the
tokenizer's own special tokens (a second BOS on Llama 3) and appends an EOS by its own rule. Given ids it changes
nothing, so the ids are those of `tokens.encode_rows`, which the export certificate compares with the server's.
"""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .arguments import sft_arguments
from .checkpoints import LossWindow, loss_window, mark_complete, step_of, unmark
from .errors import TrainerError
from .events import Checkpoint, EventWriter, HeldOut, Progress
from .heartbeat import Pulse
from .job import TrainJob
from .machine import peak_memory_bytes
from .plan import Plan
from .ranks import Ranks
from .stop import StopSignal
from .tokens import EncodedRow
from .tracking import guard_trackers, set_tracking_environment


@dataclass
class Watch:
    """What the callback saw."""

    last_loss: float | None = None
    session_seconds: float = 0.0


def build_trainer(
    job: TrainJob,
    plan: Plan,
    model: Any,
    tokenizer: Any,
    train_rows: Sequence[EncodedRow],
    held_out_rows: Sequence[EncodedRow] | None,
    device_kind: str,
    events: EventWriter,
    stop: StopSignal,
    ranks: Ranks,
    pulse: Pulse,
) -> tuple[Any, Watch]:
    """An SFTTrainer for this job and the watch that its callback fills."""
    import torch
    from transformers import EarlyStoppingCallback
    from transformers import Trainer as PlainTrainer
    from transformers.trainer_pt_utils import nested_gather
    from trl import SFTConfig, SFTTrainer

    set_tracking_environment(job)

    class Trainer(SFTTrainer):  # type: ignore[misc] # its base depends on the backend: unsloth replaces trl.SFTTrainer
        """SFTTrainer whose held-out loss is a mean over tokens (Trainer's own is a mean over batches' means) and whose
        checkpoints say when they are complete.
        """

        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
            """Mean negative log-likelihood over the labelled tokens of all accumulated batches."""
            if device_kind == "cuda":
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            # TRL 1.15 computes the loss in a Triton kernel alone, which exists on GPUs only: off them SFTTrainer fails
            # with "'NoneType' object has no attribute 'apply'". The model's own loss is the same number.
            return PlainTrainer.compute_loss(self, model, inputs, return_outputs, num_items_in_batch)

        def evaluate(self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval") -> dict[str, float]:
            """Mean negative log-likelihood a token, natural logarithm."""
            self.model.eval()
            total = torch.zeros(2, dtype=torch.float64)
            for batch in self.get_eval_dataloader(eval_dataset):
                tokens = int((batch["labels"][:, 1:] != -100).sum())
                # Unsloth's prediction_step has no default for ignore_keys.
                loss, _, _ = self.prediction_step(self.model, batch, prediction_loss_only=True, ignore_keys=None)
                # A batch of nothing but padding rows has no loss, and still takes part: the ranks meet in it.
                if tokens > 0:
                    total += torch.tensor([float(loss) * tokens, tokens], dtype=torch.float64)
                pulse.worked()
            total = self.accelerator.reduce(total.to(self.args.device, torch.float32), reduction="sum").cpu()
            metrics = {f"{metric_key_prefix}_loss": float(total[0] / total[1])}
            self.log(metrics)
            self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
            return metrics

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            window = LossWindow(
                since_step=self._globalstep_last_logged,
                loss_sum=float(nested_gather(self._tr_loss, self.args.parallel_mode).mean()),
                total=self._total_loss_scalar,
            )
            is_main = self.accelerator.is_main_process
            if is_main:
                unmark(folder)
            try:
                super()._save_checkpoint(model, trial)
            except Exception:
                # On a full disk the half of a checkpoint would take the room that the last words need.
                if is_main:
                    shutil.rmtree(folder, ignore_errors=True)
                raise
            self.accelerator.wait_for_everyone()
            if is_main:
                mark_complete(folder, window)

    watch = Watch()
    callbacks: list[Any] = [ranks.callback(stop), make_callback(events, stop, watch, device_kind, pulse)]
    if job.recipe.trainer.early_stop_patience is not None:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=job.recipe.trainer.early_stop_patience))
    trainer = Trainer(
        model=model,
        args=SFTConfig(**sft_arguments(job, plan, device_kind)),
        train_dataset=_dataset(train_rows),
        eval_dataset=_dataset(ranks.dealt(held_out_rows, job.recipe.trainer.per_device_batch_size))
        if plan.evaluates and held_out_rows
        else None,
        processing_class=tokenizer,
        callbacks=callbacks,
    )
    guard_trackers(trainer, events)
    # TRL turns the adapter of a quantised model to bf16, whose 8 bits of precision lose small updates, and whose gradients
    # fp16's scaler cannot unscale. Mixed precision wants fp32 here, as unsloth has it.
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return trainer, watch


def make_callback(events: EventWriter, stop: StopSignal, watch: Watch, device_kind: str, pulse: Pulse) -> Any:
    """A TrainerCallback that turns logs, evaluations and saves into events, and a stop signal into the end of training."""
    from transformers import TrainerCallback

    class EventCallback(TrainerCallback):  # type: ignore[misc] # transformers is not checked
        began = time.monotonic()
        first_step = 0
        last_log = (0.0, 0)

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.began = time.monotonic()
            self.first_step = state.global_step
            self.last_log = (self.began, state.num_input_tokens_seen)
            pulse.worked(state.global_step)

        def on_substep_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            pulse.worked()

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            watch.session_seconds = time.monotonic() - self.began
            pulse.worked(state.global_step)
            if stop.requested and state.global_step < state.max_steps:
                # Nothing is logged out of turn: the run that goes on from here logs what an unbroken one would.
                control.should_training_stop = True
                control.should_save = True
            elif control.should_training_stop or state.global_step >= state.max_steps:
                control.should_log = True

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
            if logs is None or "loss" not in logs:
                return
            loss = float(logs["loss"])
            if not math.isfinite(loss):
                raise TrainerError(
                    f"the training loss is not a number at step {state.global_step}",
                    "lower trainer.learningRate, or set trainer.precision to bf16 or fp32",
                    "notFinite",
                )
            watch.last_loss = loss
            moment, tokens = time.monotonic(), state.num_input_tokens_seen
            seconds = moment - self.last_log[0]
            done = state.global_step - self.first_step
            grad_norm = float(logs["grad_norm"]) if "grad_norm" in logs else math.nan
            events.emit(
                Progress(
                    step=state.global_step,
                    total_steps=state.max_steps,
                    epoch=float(state.epoch or 0.0),
                    loss=loss,
                    learning_rate=float(logs["learning_rate"]),
                    grad_norm=grad_norm if math.isfinite(grad_norm) else None,
                    tokens_per_second=(tokens - self.last_log[1]) / seconds if seconds > 0 else None,
                    memory_bytes=peak_memory_bytes(device_kind),
                    eta_seconds=(moment - self.began) / done * (state.max_steps - state.global_step) if done > 0 else None,
                )
            )
            self.last_log = (moment, tokens)

        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float] | None = None, **kwargs: Any) -> None:
            if metrics is not None and "eval_loss" in metrics:
                events.emit(HeldOut(step=state.global_step, loss=metrics["eval_loss"]))

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            pulse.worked()
            events.emit(Checkpoint(step=state.global_step, path=f"{args.output_dir}/checkpoint-{state.global_step}"))

    return EventCallback()


def train(trainer: Any, checkpoint: Any, stop: StopSignal) -> None:
    """Run the loop, from `checkpoint` on where one is given. Returns early, checkpoint saved, after a stop signal."""
    stop.in_loop = True
    if checkpoint is not None:
        print(f"resuming from {checkpoint} at step {step_of(checkpoint)}", file=sys.stderr)
        trainer.add_callback(_restore_loss_window(trainer, loss_window(checkpoint)))
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint is not None else None)
    # Not where it fails: torchrun then asks the others to stop, and that must not take the place of the failure.
    stop.in_loop = False


def _restore_loss_window(trainer: Any, window: LossWindow) -> Any:
    from transformers import TrainerCallback

    class RestoreLossWindow(TrainerCallback):  # type: ignore[misc] # transformers is not checked
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            trainer._tr_loss += window.loss_sum
            trainer._total_loss_scalar = window.total
            trainer._globalstep_last_logged = window.since_step

    return RestoreLossWindow()


def _dataset(rows: Sequence[EncodedRow] | None) -> Any:
    from datasets import Dataset

    if rows is None:
        return None
    return Dataset.from_dict({"input_ids": [row.ids for row in rows], "labels": [row.labels for row in rows]})
