"""An adapter is merged into the base that it was made for, and into no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from osler_trainer.errors import BadJob, TrainerError
from osler_trainer.merge import merge_adapter

torch = pytest.importorskip("torch", reason="merging needs requirements-cpu.txt")

STEM = "model.layers.0.self_attn.q_proj"


def base(folder: Path, **shapes: tuple[int, int]) -> Path:
    from safetensors.torch import save_file

    folder.mkdir()
    tensors = {f"{STEM}.weight": torch.ones(6, 4, dtype=torch.bfloat16), "model.norm.weight": torch.ones(4, dtype=torch.bfloat16)}
    tensors |= {name.replace("__", "."): torch.ones(shape, dtype=torch.bfloat16) for name, shape in shapes.items()}
    save_file(tensors, str(folder / "model.safetensors"))
    return folder


def adapter(folder: Path, tensors: dict[str, Any], ref: str = "someone/else") -> Path:
    from safetensors.torch import save_file

    folder.mkdir()
    save_file(tensors, str(folder / "adapter_model.safetensors"))
    # It names another base: names and shapes of the weights decide.
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": ref}), encoding="utf-8")
    return folder


def lora(stem: str = STEM, out: int = 6, inner: int = 4, rank: int = 2) -> dict[str, Any]:
    return {
        f"base_model.model.{stem}.lora_A.weight": torch.ones(rank, inner),
        f"base_model.model.{stem}.lora_B.weight": torch.ones(out, rank),
    }


def test_a_fitting_adapter_is_merged_whatever_base_its_configuration_names(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    out = tmp_path / "out"
    out.mkdir()
    files: list[int] = []
    merge_adapter(base(tmp_path / "base"), adapter(tmp_path / "adapter", lora()), 0.5, out, lambda: files.append(1))
    merged = load_file(str(out / "model.safetensors"))
    assert torch.equal(merged[f"{STEM}.weight"], torch.full((6, 4), 2.0, dtype=torch.bfloat16))
    assert files == [1]


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        (lora(out=8), f"{STEM}.weight is 6 x 4, the adapter's 8 x 4"),
        (lora(inner=5), f"{STEM}.weight is 6 x 4, the adapter's 6 x 5"),
        (lora() | lora("model.layers.9.self_attn.q_proj"), "no model.layers.9.self_attn.q_proj.weight"),
        (lora() | {"base_model.model.lm_head.weight": torch.ones(2, 2)}, "no plain LoRA adapter: base_model.model.lm_head.weight"),
        ({name: tensor for name, tensor in lora().items() if "lora_A" in name}, "no plain LoRA adapter"),
        ({name: tensor for name, tensor in lora().items() if "lora_B" in name}, "no plain LoRA adapter"),
    ],
)
def test_an_adapter_for_another_base_is_refused_before_anything_is_written(tmp_path: Path, tensors: dict[str, Any], told: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(BadJob, match="adapter") as caught:
        merge_adapter(base(tmp_path / "base"), adapter(tmp_path / "adapter", tensors, ref="the/base"), 0.5, out)
    assert told in caught.value.message
    assert list(out.iterdir()) == []


def test_merging_onto_a_disk_that_is_too_small_says_how_much_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6))  # type: ignore[attr-defined]
    with pytest.raises(TrainerError, match=r"merging needs 0\.1 GB .* 0\.0 GB are free") as caught:
        merge_adapter(base(tmp_path / "base"), adapter(tmp_path / "adapter", lora()), 0.5, tmp_path)
    assert caught.value.reason == "diskFull"
