"""How a run is trained: the pydantic twin of src/core/schema/recipe.ts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .contract import ContractModel, SchemaVersion

_Name = Annotated[str, Field(min_length=1)]
_MAX_SAFE_INTEGER = 9007199254740991
_Count = Annotated[int, Field(ge=0, le=_MAX_SAFE_INTEGER)]
_Positive = Annotated[int, Field(ge=1, le=_MAX_SAFE_INTEGER)]
Precision = Literal["auto", "bf16", "fp16", "fp32"]


class Base(ContractModel):
    """The model that is tuned."""

    ref: _Name
    revision: _Name | None
    load_in_4bit: bool = Field(alias="loadIn4bit")
    dtype: Precision
    max_length_tokens: Annotated[int, Field(ge=16, le=1_048_576)]


class Columns(ContractModel):
    """Names of the data set's columns."""

    question: _Name
    thought: _Name
    answer: _Name


class Data(ContractModel):
    """Which rows; the launcher has prepared them by the time that the trainer runs."""

    ref: _Name
    revision: _Name | None
    config: _Name | None
    split: _Name
    offset: _Count
    limit: _Positive | None
    held_out_rows: _Count
    held_out_seed: _Count | None
    deduplicate: bool
    columns: Columns


class Lora(ContractModel):
    """The adapter."""

    rank: Annotated[int, Field(ge=1, le=1024)]
    alpha: Annotated[float, Field(gt=0)]
    dropout: Annotated[float, Field(ge=0, le=0.9)]
    bias: Literal["none"]
    target_modules: Annotated[list[_Name], Field(min_length=1)]
    gradient_checkpointing: Literal["unsloth"] | bool
    random_state: _Count
    use_rslora: bool
    loftq_config: None

    @property
    def scale(self) -> float:
        """What B·A is multiplied with: alpha / rank, or alpha / sqrt(rank) with rsLoRA (arXiv:2312.03732)."""
        return self.alpha / (self.rank**0.5 if self.use_rslora else self.rank)


class Trainer(ContractModel):
    """Steps, optimizer, schedule; exactly one of `max_steps` and `epochs` is set."""

    per_device_batch_size: _Positive
    gradient_accumulation_steps: _Positive
    warmup_steps: _Count
    max_steps: _Positive | None
    epochs: Annotated[float, Field(gt=0)] | None
    learning_rate: Annotated[float, Field(gt=0)]
    lr_scheduler: Literal["linear", "cosine", "constant"]
    weight_decay: Annotated[float, Field(ge=0)]
    optimizer: Literal["adamw_8bit", "adamw_torch"]
    logging_steps: _Positive
    save_steps: _Positive
    seed: _Count
    dataset_workers: _Positive
    processes: _Positive
    packing: bool
    precision: Precision
    loss_on: Literal["all", "response"]
    eval_steps: _Positive | None
    early_stop_patience: _Positive | None
    keep_best_checkpoint: bool

    @model_validator(mode="after")
    def _consistent(self) -> Trainer:
        if (self.max_steps is None) == (self.epochs is None):
            raise ValueError("exactly one of trainer.maxSteps and trainer.epochs must be set, the other null")
        if (self.early_stop_patience is not None or self.keep_best_checkpoint) and self.eval_steps is None:
            raise ValueError("early stopping and keepBestCheckpoint need trainer.evalSteps")
        return self


class Tracking(ContractModel):
    """Experiment trackers; none by default."""

    report_to: list[Literal["wandb", "trackio", "tensorboard"]]
    project: _Name
    job_type: _Name


class Output(ContractModel):
    """What the exporter makes of the merged model."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$")]
    gguf_types: Annotated[list[Literal["f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q4_k_m"]], Field(min_length=1)]
    adapter_gguf: bool


class Recipe(ContractModel):
    """Everything that decides the resulting weights."""

    schema_version: SchemaVersion
    name: _Name
    backend: Literal["auto", "unsloth", "peft"]
    base: Base
    data: Data
    template: _Name
    lora: Lora
    trainer: Trainer
    tracking: Tracking
    output: Output
