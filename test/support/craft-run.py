"""A run's adapter/ and merged/ without training: a random LoRA of rank 4 over the base, merged by the trainer's own code.

craft-run.py BASE TEMPLATE ROOT writes ROOT/adapter and ROOT/merged, and ROOT/other: the same adapter merged into another
base of the same shape.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from osler_trainer.export import write_settings, write_tokenizer
from osler_trainer.merge import merge_adapter
from osler_trainer.tokens import load_tokenizer

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
RANK, ALPHA = 4, 8
SIZE = 0.04
"""Standard deviation of B: the model answers otherwise and still speaks."""

base, template, root = (Path(word) for word in sys.argv[1:4])
torch.manual_seed(3407)
weights = load_file(str(base / "model.safetensors"))
tokenizer = load_tokenizer(str(base))


def export(source: Path, folder: Path) -> None:
    folder.mkdir()
    dtype = merge_adapter(source, root / "adapter", ALPHA / RANK, folder)
    write_settings(base, dtype, tokenizer, folder)
    write_tokenizer(base, template.read_text(encoding="utf-8"), tokenizer.pad_token, folder)


adapter = root / "adapter"
adapter.mkdir(parents=True)
tensors = {}
for name, weight in weights.items():
    if name.rsplit(".", 2)[-2] in TARGETS:
        stem = f"base_model.model.{name.removesuffix('.weight')}"
        tensors[f"{stem}.lora_A.weight"] = torch.randn(RANK, weight.shape[1]) / weight.shape[1] ** 0.5
        tensors[f"{stem}.lora_B.weight"] = torch.randn(weight.shape[0], RANK) * SIZE
save_file(tensors, str(adapter / "adapter_model.safetensors"))
config = {
    "peft_type": "LORA",
    "task_type": "CAUSAL_LM",
    "r": RANK,
    "lora_alpha": ALPHA,
    "target_modules": TARGETS,
    "bias": "none",
    "use_rslora": False,
    "lora_dropout": 0.0,
    "base_model_name_or_path": str(base),
}
(adapter / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
write_tokenizer(base, template.read_text(encoding="utf-8"), tokenizer.pad_token, adapter)
export(base, root / "merged")

other = root / "other-base"
other.mkdir()
for file in base.iterdir():
    if file.suffix != ".safetensors":
        shutil.copyfile(file, other / file.name)
shaken = {name: (weight.float() * (1 + 0.01 * torch.randn_like(weight.float()))).to(weight.dtype) for name, weight in weights.items()}
save_file(shaken, str(other / "model.safetensors"), metadata={"format": "pt"})
export(other, root / "other")
shutil.rmtree(other)
