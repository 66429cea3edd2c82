"""Adapter into base, file by file: W + scale · B·A in fp32, written in the base's own 16-bit number format.

No model is built: each weight file of the base is read, the targeted weights are changed and it is written again, so
memory stays at about one file and a weight that no adapter targets is copied bit for bit. A base in fp32 is written in
bf16, which has its range.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from .errors import MissingPrerequisite, TrainerError

_PREFIX = "base_model.model."


def merge_adapter(base: Path, adapter: Path, scale: float, folder: Path) -> str:
    """Write the merged weights (and their index) into `folder`; returns their dtype as config.json spells it.

    Raises MissingPrerequisite where the base is no 16-bit or fp32 safetensors folder or the disk is too full, and
    TrainerError where an adapter tensor has no place in the base.
    """
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    files = weight_files(base)
    _check_disk(files, folder)
    pairs = adapter_pairs(load_file(str(adapter / "adapter_model.safetensors")))
    names: set[torch.dtype] = set()
    waiting = set(pairs)
    for file in files:
        tensors: dict[str, Any] = {}
        with safe_open(str(file), framework="pt") as source:
            for name in source.keys():  # noqa: SIM118 - safe_open is no mapping
                weight = source.get_tensor(name)
                if not weight.is_floating_point():
                    raise MissingPrerequisite(
                        f'"{file.name}" of the base holds quantised weights ({name} is {weight.dtype})',
                        "point basePath at the 16-bit weights of the same model",
                    )
                dtype = torch.bfloat16 if weight.dtype == torch.float32 else weight.dtype
                names.add(dtype)
                if name in pairs:
                    a, b = pairs[name]
                    weight = weight.float().addmm_(b.float(), a.float(), alpha=scale)
                    waiting.discard(name)
                tensors[name] = weight.to(dtype).contiguous()
        save_file(tensors, str(folder / file.name), metadata={"format": "pt"})
    if waiting:
        raise TrainerError(
            f"{len(waiting)} adapter weights have no place in the base: {', '.join(sorted(waiting)[:3])}",
            "check that basePath is the model that the adapter was trained on",
        )
    index = base / "model.safetensors.index.json"
    if index.is_file():
        shutil.copyfile(index, folder / index.name)
    widest = torch.float16 if torch.float16 in names else torch.bfloat16
    return str(widest).removeprefix("torch.")


def weight_files(base: Path) -> list[Path]:
    """The base's safetensors files in order. Raises MissingPrerequisite where there are none."""
    index = base / "model.safetensors.index.json"
    if index.is_file():
        files = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        found = [base / name for name in files]
    else:
        found = [base / "model.safetensors"]
    missing = [path for path in found if not path.is_file()]
    if missing:
        raise MissingPrerequisite(f'the base has no weights at "{missing[0]}"', "fetch the base model again, in safetensors format")
    return found


def adapter_pairs(adapter: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """(A, B) of each weight that the adapter targets, by the weight's name in the base."""
    pairs: dict[str, tuple[Any, Any]] = {}
    for name, a in adapter.items():
        if name.endswith(".lora_A.weight"):
            stem = name.removesuffix(".lora_A.weight")
            pairs[stem.removeprefix(_PREFIX) + ".weight"] = (a, adapter[f"{stem}.lora_B.weight"])
    return pairs


def _check_disk(files: list[Path], folder: Path) -> None:
    needed = sum(file.stat().st_size for file in files) + (64 << 20)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise MissingPrerequisite(
            f"merging needs {needed / 1e9:.1f} GB on the disk of the run, {free / 1e9:.1f} GB are free",
            "free some space and start the run again with resume: training is not repeated",
        )
