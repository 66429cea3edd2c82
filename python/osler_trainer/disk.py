"""What a run will write, stage by stage, and what is free there."""

from __future__ import annotations

import shutil
from pathlib import Path

from .memory import Setup
from .preflight_report import DiskReport, DiskStage
from .recipe import Recipe

KEPT_CHECKPOINTS = 3
"""Checkpoints that stay; the oldest goes when the next is complete."""

# Bits a weight. K-quants: llama.cpp's own figures for Llama 3.1 8B; the others by their blocks (q8_0: 32 weights, one fp16 scale).
BITS_PER_WEIGHT = {"f32": 32.0, "f16": 16.0, "bf16": 16.0, "q8_0": 8.5, "q6_k": 6.56, "q5_k_m": 5.70, "q4_k_m": 4.89}
_K_QUANTS = {"q6_k", "q5_k_m", "q4_k_m"}
_TOKENIZER_BYTES = 24 << 20


_EXPORTS = {"gguf", "adapterGguf"}


def disk_report(recipe: Recipe, setup: Setup, output_dir: Path, *, exports_here: bool = True) -> DiskReport:
    """Bytes by stage, from the sizes of model and adapter, beside what is free where the run lies."""
    stages = disk_stages(recipe, setup)
    elsewhere = [stage for stage in stages if stage.name in _EXPORTS and not exports_here]
    here = [stage for stage in stages if stage not in elsewhere]
    return DiskReport(
        stages=here, elsewhere=elsewhere, needed_bytes=sum(stage.bytes for stage in here), free_bytes=free_disk_bytes(output_dir)
    )


def disk_stages(recipe: Recipe, setup: Setup) -> list[DiskStage]:
    """What each stage leaves, in their order."""
    weights = setup.architecture.linear_parameters + setup.architecture.other_parameters
    trained = setup.architecture.adapter_parameters(setup.rank, setup.targets)
    adapter = trained * 4 + _TOKENIZER_BYTES
    moments = trained * (2 if setup.optimizer == "adamw_8bit" else 8)
    types = list(dict.fromkeys(recipe.output.gguf_types))
    intermediate = weights * 2 if _K_QUANTS & set(types) and not {"f16", "bf16"} & set(types) else 0
    stages = [
        DiskStage(
            name="checkpoints",
            bytes=(KEPT_CHECKPOINTS + 1) * (adapter + moments),
            description=f"{KEPT_CHECKPOINTS} and the one being written: adapter and optimizer",
        ),
        DiskStage(name="adapter", bytes=adapter, description="adapter in fp32, tokenizer"),
        DiskStage(name="merged", bytes=weights * 2 + _TOKENIZER_BYTES, description="merged model in 16 bit"),
        DiskStage(
            name="gguf",
            bytes=int(sum(weights * BITS_PER_WEIGHT[kind] / 8 for kind in types)) + intermediate,
            description=", ".join(types) + (", and the 16-bit GGUF that K-quants are made of" if intermediate else ""),
        ),
    ]
    if recipe.output.adapter_gguf:
        stages.append(DiskStage(name="adapterGguf", bytes=trained * 4, description="adapter as GGUF"))
    return stages


def free_disk_bytes(folder: Path) -> int:
    """Free bytes of the file system that `folder` is on or would be made on."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
