"""One mapping from recipe to TRL's SFTConfig, used by both backends.

Every setting that TRL 1.15 or transformers 5.17 would choose otherwise is written out: SFTConfig's own defaults are
max_length 1024, bf16 on, gradient checkpointing on and a learning rate of 2e-5.
"""

from __future__ import annotations

from typing import Any

from .job import TrainJob
from .plan import Plan


def sft_arguments(job: TrainJob, plan: Plan, device_kind: str) -> dict[str, Any]:
    """Keyword arguments of `trl.SFTConfig` for this job. Pure: imports neither TRL nor torch."""
    recipe, trainer = job.recipe, job.recipe.trainer
    arguments: dict[str, Any] = {
        "output_dir": str(job.outputs),
        "run_name": job.run_id,
        "per_device_train_batch_size": trainer.per_device_batch_size,
        "per_device_eval_batch_size": trainer.per_device_batch_size,
        "gradient_accumulation_steps": trainer.gradient_accumulation_steps,
        "warmup_steps": trainer.warmup_steps,
        "max_steps": -1 if trainer.max_steps is None else trainer.max_steps,
        "num_train_epochs": 1.0 if trainer.epochs is None else trainer.epochs,
        "learning_rate": trainer.learning_rate,
        "lr_scheduler_type": plan.lr_scheduler,
        "weight_decay": trainer.weight_decay,
        "optim": plan.optimizer,
        "max_grad_norm": 1.0,
        "seed": trainer.seed,
        "data_seed": trainer.seed,
        "bf16": plan.precision == "bf16",
        "fp16": plan.precision == "fp16",
        "use_cpu": device_kind == "cpu",
        # In unsloth its own checkpointing is set on the model; asking the trainer for it too would switch it to torch's.
        "gradient_checkpointing": plan.gradient_checkpointing is True,
        "gradient_checkpointing_kwargs": {"use_reentrant": False} if plan.gradient_checkpointing is True else None,
        "packing": trainer.packing,
        "max_length": recipe.base.max_length_tokens,
        "dataset_text_field": "text",
        "dataset_num_proc": trainer.dataset_workers,
        # Rows arrive as ids, cut and labelled (see backends/loop.py); only packing needs TRL's preparation.
        "dataset_kwargs": {"skip_prepare_dataset": not trainer.packing},
        "completion_only_loss": False,
        "logging_strategy": "steps",
        "logging_steps": trainer.logging_steps,
        # True would print a made-up average in place of a loss that is not a number.
        "logging_nan_inf_filter": False,
        "include_num_input_tokens_seen": "non_padding",
        "save_strategy": "steps",
        "save_steps": plan.save_steps,
        "save_total_limit": 3,
        "report_to": list(plan.report_to) or "none",
        "project": recipe.tracking.project,
        # trackio keeps its files here; a Space of the Hub is nothing that a training opens by itself.
        "trackio_space_id": None,
        "trackio_static_space_id": False,
        # Under torchrun: every weight of the adapter takes part in every step.
        "ddp_find_unused_parameters": False,
        "disable_tqdm": True,
        "push_to_hub": False,
        "dataloader_pin_memory": device_kind == "cuda",
    }
    if plan.evaluates:
        arguments |= {
            "eval_strategy": "steps",
            "eval_steps": trainer.eval_steps,
            "metric_for_best_model": "eval_loss",
            "greater_is_better": False,
            "load_best_model_at_end": trainer.keep_best_checkpoint,
        }
    return arguments
