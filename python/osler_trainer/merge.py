"""Adapter into base, file by file: W + scale · B·A in fp32, written in the base's own 16-bit number format.

No model is built: each weight file of the base is read, the targeted weights are changed and it is written again, so
memory stays at about one file and a weight that no adapter targets is copied bit for bit. A base in fp32 is written in
bf16, which has its range.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .errors import BadJob, MissingPrerequisite, TrainerError

_PREFIX = "base_model.model."


def merge_adapter(base: Path, adapter: Path, scale: float, folder: Path, on_file: Callable[[], None] = lambda: None) -> str:
    """Write the merged weights (and their index) into `folder`; returns their dtype as config.json spells it. Calls
    `on_file` after each file.

    Raises MissingPrerequisite where the base is no 16-bit or fp32 safetensors folder, TrainerError (diskFull) where the
    disk is too full, and BadJob where the adapter was made for another base: names and shapes decide, not the name of a
    base in the adapter's configuration. Both are found before anything is written.
    """
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    files = weight_files(base)
    _check_disk(files, folder)
    pairs = adapter_pairs(load_file(str(adapter / "adapter_model.safetensors")))
    _check_fit(pairs, files)
    names: set[torch.dtype] = set()
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
                tensors[name] = weight.to(dtype).contiguous()
        save_file(tensors, str(folder / file.name), metadata={"format": "pt"})
        on_file()
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


def adapter_pairs(adapter: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """(A, B) of each weight that the adapter targets, by the weight's name in the base. Raises BadJob where it is no plain LoRA."""
    pairs: dict[str, tuple[Any, Any]] = {}
    strange: list[str] = []
    for name, a in adapter.items():
        stem = name.removesuffix(".lora_A.weight")
        b = adapter.get(f"{stem}.lora_B.weight")
        if stem != name and b is not None:
            pairs[stem.removeprefix(_PREFIX) + ".weight"] = (a, b)
        elif not name.endswith(".lora_B.weight") or name.replace(".lora_B.", ".lora_A.") not in adapter:
            strange.append(name)
    if strange or not pairs:
        raise BadJob(
            f"the adapter is no plain LoRA adapter: {_some(strange) or 'it has no weights'}", "merge adapters of this trainer only"
        )
    return pairs


def _check_fit(pairs: Mapping[str, tuple[Any, Any]], files: list[Path]) -> None:
    from safetensors import safe_open

    shapes: dict[str, list[int]] = {}
    for file in files:
        with safe_open(str(file), framework="pt") as source:
            shapes |= {name: source.get_slice(name).get_shape() for name in source.keys()}  # noqa: SIM118 - safe_open is no mapping
    homeless = sorted(pairs.keys() - shapes.keys())
    unlike = [
        f"{name} is {_shape(shapes[name])}, the adapter's {_shape([b.shape[0], a.shape[1]])}"
        for name, (a, b) in sorted(pairs.items())
        if name in shapes and (shapes[name] != [b.shape[0], a.shape[1]] or a.shape[0] != b.shape[1])
    ]
    if homeless or unlike:
        found = [f"no {name}" for name in homeless] + unlike
        raise BadJob(
            f"the adapter was made for another base: {len(found)} of its {len(pairs)} weights have no place in it ({_some(found)})",
            "point basePath at the model that the adapter was trained on",
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _shape(shape: list[int]) -> str:
    return " x ".join(str(size) for size in shape)


def _check_disk(files: list[Path], folder: Path) -> None:
    needed = sum(file.stat().st_size for file in files) + (64 << 20)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise TrainerError(
            f"merging needs {needed / 1e9:.1f} GB on the disk of the run, {free / 1e9:.1f} GB are free",
            "free some space and start the run again with resume: training is not repeated",
            "diskFull",
        )
