"""What a recipe becomes on the machine at hand: pure, so that every fallback is tested without the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .errors import BadJob
from .events import Device
from .recipe import Recipe

Number = Literal["bf16", "fp16", "fp32"]


@dataclass(frozen=True)
class Machine:
    """The facts that decide."""

    device: Device
    has_bf16: bool
    """Whether the CUDA device computes in bf16 (compute capability 8.0 and up)."""
    has_bitsandbytes: bool
    trackers: frozenset[str]
    """Trackers whose package is installed and whose key, where it needs one, is set."""
    missing_tracker_reasons: Mapping[str, str] = field(default_factory=dict)
    free_bytes: int | None = None
    """Memory that was free before anything was loaded: of the device on CUDA, RAM elsewhere."""


@dataclass(frozen=True)
class Plan:
    """The settings as they will be used."""

    backend: Literal["unsloth", "peft"]
    precision: Number
    weights: Number
    """Number format of the frozen base weights (of their non-quantised part when 4-bit)."""
    load_in_4bit: bool
    optimizer: Literal["adamw_8bit", "adamw_torch"]
    gradient_checkpointing: Literal["unsloth"] | bool
    lr_scheduler: str
    save_steps: int
    evaluates: bool
    report_to: tuple[str, ...]
    notices: tuple[str, ...]

    def resolved(self) -> dict[str, str | int | float | bool | None]:
        """The part of the `started` event that the plan knows."""
        return {
            "precision": self.precision,
            "weights": self.weights,
            "loadIn4bit": self.load_in_4bit,
            "optimizer": self.optimizer,
            "gradientCheckpointing": self.gradient_checkpointing,
            "lrScheduler": self.lr_scheduler,
            "saveSteps": self.save_steps,
            "reportTo": ",".join(self.report_to) or None,
        }


def make_plan(recipe: Recipe, backend: Literal["unsloth", "peft"], machine: Machine, has_held_out: bool) -> Plan:
    """Resolve every `auto` and every setting that this machine cannot do; each change is a notice."""
    notices: list[str] = []
    kind = machine.device.kind
    trainer = recipe.trainer

    precision = _precision(trainer.precision, machine, notices)
    if backend == "unsloth" and precision == "fp32":
        precision = "bf16" if machine.has_bf16 else "fp16"
        notices.append(f"unsloth trains in mixed precision only; trainer.precision {precision} is used instead of fp32")
    weights = precision if recipe.base.dtype == "auto" else _precision(recipe.base.dtype, machine, notices)
    if backend == "unsloth" and weights != precision:
        weights = precision
        notices.append(f"unsloth wants the base in the number format that it trains in; base.dtype {weights} is used instead")

    load_in_4bit = recipe.base.load_in_4bit
    if load_in_4bit and not (kind == "cuda" and machine.has_bitsandbytes):
        load_in_4bit = False
        notices.append(f"base.loadIn4bit needs bitsandbytes on a CUDA device; the base is loaded in {weights} instead")

    optimizer = trainer.optimizer
    if optimizer == "adamw_8bit" and not (kind == "cuda" and machine.has_bitsandbytes):
        optimizer = "adamw_torch"
        notices.append("trainer.optimizer adamw_8bit needs bitsandbytes on a CUDA device; adamw_torch is used instead")

    checkpointing = recipe.lora.gradient_checkpointing
    if checkpointing == "unsloth" and backend != "unsloth":
        checkpointing = True
        notices.append('lora.gradientCheckpointing "unsloth" exists in the unsloth backend only; plain checkpointing is used instead')

    if trainer.eval_steps is not None and not has_held_out:
        raise BadJob(
            "trainer.evalSteps is set, but the job has no held-out rows", "set data.heldOutRows above 0, or trainer.evalSteps to null"
        )
    save_steps = trainer.save_steps
    if trainer.keep_best_checkpoint and trainer.eval_steps is not None and save_steps % trainer.eval_steps != 0:
        save_steps = trainer.eval_steps
        notices.append(f"keepBestCheckpoint needs a checkpoint at each evaluation; one is saved every {save_steps} steps")

    if trainer.packing and kind != "cuda":
        notices.append("trainer.packing without flash attention lets packed rows attend to each other")

    report_to = tuple(name for name in recipe.tracking.report_to if name in machine.trackers)
    for name in recipe.tracking.report_to:
        if name not in machine.trackers:
            notices.append(f"tracking with {name} is off: {machine.missing_tracker_reasons.get(name, 'its package is not installed')}")

    return Plan(
        backend=backend,
        precision=precision,
        weights=weights,
        load_in_4bit=load_in_4bit,
        optimizer=optimizer,
        gradient_checkpointing=checkpointing,
        # transformers' "constant" knows no warm-up.
        lr_scheduler="constant_with_warmup" if trainer.lr_scheduler == "constant" else trainer.lr_scheduler,
        save_steps=save_steps,
        evaluates=trainer.eval_steps is not None,
        report_to=report_to,
        notices=tuple(dict.fromkeys(notices)),
    )


def _precision(wanted: str, machine: Machine, notices: list[str]) -> Number:
    kind = machine.device.kind
    if wanted == "auto":
        if kind == "cuda":
            return "bf16" if machine.has_bf16 else "fp16"
        return "fp32"
    if wanted == "bf16":
        if kind == "cuda" and not machine.has_bf16:
            notices.append("bf16 needs a newer CUDA device; fp16 is used instead")
            return "fp16"
        return "bf16"
    if wanted == "fp16":
        if kind != "cuda":
            notices.append("fp16 trains on CUDA devices only; fp32 is used instead")
            return "fp32"
        return "fp16"
    return "fp32"
