"""Unsloth on a CUDA host: FastLanguageModel, its own kernels and its own gradient checkpointing."""

from __future__ import annotations

import importlib.metadata
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from ..base_model import BaseModel, find_base
from ..job import TrainJob
from ..merge import merge_adapter
from ..plan import Plan
from .backend import Adapted


class UnslothBackend:
    """QLoRA as in the tutorial; same recipe, rows, trainer arguments and events as the peft backend."""

    name: Literal["unsloth", "peft"] = "unsloth"

    def import_libraries(self) -> None:
        """Unsloth patches transformers, trl and peft, and so comes before them."""
        # No anonymous statistics from a medical host.
        os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")
        # Its generated sources would land in whatever folder this was started in.
        os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", str(Path(tempfile.gettempdir()) / f"unsloth-compiled-{os.getuid()}"))
        # Its padding-free batches would drop the attention mask by which trained tokens are counted.
        os.environ.setdefault("UNSLOTH_DISABLE_AUTO_PADDING_FREE", "1")
        import unsloth  # noqa: F401

    def find_base(self, job: TrainJob) -> BaseModel:
        """Of a Hub repository only the small files: unsloth fetches the weights that it prefers by itself."""
        return find_base(job, with_weights=False)

    def adapt(self, job: TrainJob, plan: Plan, base: BaseModel) -> Adapted:
        """Loads the base, or the prequantised repository that unsloth puts in its place (recorded as loaded_from)."""
        import torch
        from unsloth import FastLanguageModel

        lora = job.recipe.lora
        resolved: list[str] = []
        model, _tokenizer = FastLanguageModel.from_pretrained(
            model_name=str(base.folder) if base.has_weights else base.ref,
            revision=None if base.has_weights else job.recipe.base.revision,
            max_seq_length=job.recipe.base.max_length_tokens,
            dtype={"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[plan.weights],
            load_in_4bit=plan.load_in_4bit,
            load_in_16bit=not plan.load_in_4bit,
            use_gradient_checkpointing=plan.gradient_checkpointing,
            # A name of the Hub may lead to the prequantised repository of the same model, a folder never leads elsewhere.
            use_exact_model_name=base.has_weights,
            random_state=lora.random_state,
            on_model_resolved=resolved.append,
        )
        model = FastLanguageModel.get_peft_model(
            model,
            r=lora.rank,
            target_modules=list(lora.target_modules),
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            bias=lora.bias,
            use_gradient_checkpointing=plan.gradient_checkpointing,
            random_state=lora.random_state,
            use_rslora=lora.use_rslora,
            loftq_config=None,
        )
        loaded_from = resolved[-1] if resolved else str(getattr(model.config, "_name_or_path", base.ref))
        return Adapted(model, loaded_from, f"unsloth {importlib.metadata.version('unsloth')}")

    def merge(
        self, job: TrainJob, base: BaseModel, model: Any, tokenizer: Any, adapter: Path, folder: Path, on_file: Callable[[], None]
    ) -> str:
        """Onto the local 16-bit base by the same code as the peft backend; a base of the Hub by unsloth, which fetches
        the 16-bit weights that belong to the 4-bit ones it trained on.
        """
        if base.has_weights:
            return merge_adapter(base.folder, adapter, job.recipe.lora.scale, folder, on_file)
        model.save_pretrained_merged(str(folder), tokenizer, save_method="merged_16bit")
        return _dtype_of(folder)


def _dtype_of(folder: Path) -> str:
    from safetensors import safe_open

    with safe_open(str(sorted(folder.glob("*.safetensors"))[0]), framework="pt") as weights:
        return str(weights.get_tensor(next(iter(weights.keys()))).dtype).removeprefix("torch.")
