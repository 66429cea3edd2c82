"""transformers + peft, on anything that torch runs on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from ..base_model import BaseModel, find_base
from ..job import TrainJob
from ..merge import merge_adapter
from ..plan import Plan
from .backend import Adapted


class PeftBackend:
    """Plain LoRA, or QLoRA (NF4) where the plan says 4-bit."""

    name: Literal["unsloth", "peft"] = "peft"

    def import_libraries(self) -> None:
        """Nothing has to come first."""

    def find_base(self, job: TrainJob) -> BaseModel:
        """With weights: merging reads them from disk."""
        return find_base(job, with_weights=True)

    def adapt(self, job: TrainJob, plan: Plan, base: BaseModel) -> Adapted:
        """The adapter's weights are fp32 whatever the base's are, and come from lora.randomState alone."""
        import torch
        from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
        from transformers import AutoModelForCausalLM, set_seed

        weights = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[plan.weights]
        options: dict[str, Any] = {"dtype": weights}
        if plan.load_in_4bit:
            from transformers import BitsAndBytesConfig

            options["quantization_config"] = BitsAndBytesConfig(
                load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=weights
            )
            options["device_map"] = {"": int(os.environ.get("LOCAL_RANK", "0"))}
        model: Any = AutoModelForCausalLM.from_pretrained(str(base.folder), **options)
        if plan.load_in_4bit:
            model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=bool(plan.gradient_checkpointing))
        lora = job.recipe.lora
        set_seed(lora.random_state)
        model = get_peft_model(
            model,
            LoraConfig(
                r=lora.rank,
                lora_alpha=lora.alpha,
                lora_dropout=lora.dropout,
                bias=lora.bias,
                target_modules=list(lora.target_modules),
                use_rslora=lora.use_rslora,
                task_type="CAUSAL_LM",
            ),
        )
        attention = str(getattr(model.config, "_attn_implementation", None) or "eager")
        return Adapted(model, str(base.folder), f"transformers ({attention} attention)")

    def merge(
        self, job: TrainJob, base: BaseModel, model: Any, tokenizer: Any, adapter: Path, folder: Path, on_file: Callable[[], None]
    ) -> str:
        """From the files, onto the 16-bit base even if a 4-bit one was trained on."""
        return merge_adapter(base.folder, adapter, job.recipe.lora.scale, folder, on_file)
