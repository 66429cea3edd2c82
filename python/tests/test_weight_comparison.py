"""What is right and what is wrong with merged weights, on a tiny random Llama."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from osler_trainer.weight_comparison import AdapterFolder, WeightFolder, compare_gguf, compare_merge, describe_adapter

TARGETS = ["q_proj", "down_proj"]
Q = "model.layers.0.self_attn.q_proj.weight"


@pytest.fixture
def made(tiny_base: Path, tmp_path: Path) -> Any:
    """made(change=…) gives (base, adapter, merged) of a random adapter; `change` edits the merged tensors before they are saved."""
    import torch
    from safetensors.torch import load_file, save_file

    from osler_trainer.merge import merge_adapter

    def make(change: Any = None, adapt: Any = None, seed: int = 1) -> tuple[WeightFolder, AdapterFolder, WeightFolder]:
        torch.manual_seed(seed)
        tensors = {}
        for name, weight in load_file(str(tiny_base / "model.safetensors")).items():
            if name.rsplit(".", 2)[-2] in TARGETS:
                stem = f"base_model.model.{name.removesuffix('.weight')}"
                tensors[f"{stem}.lora_A.weight"] = torch.randn(2, weight.shape[1])
                tensors[f"{stem}.lora_B.weight"] = torch.randn(weight.shape[0], 2) * 0.05
        if adapt is not None:
            adapt(tensors)
        adapter, merged = tmp_path / "adapter", tmp_path / "merged"
        for folder in (adapter, merged):
            folder.mkdir(exist_ok=True)
        save_file(tensors, str(adapter / "adapter_model.safetensors"))
        config = {"r": 2, "lora_alpha": 4, "target_modules": TARGETS}
        (adapter / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
        merge_adapter(tiny_base, adapter, 2.0, merged)
        if change is not None:
            after = load_file(str(merged / "model.safetensors"))
            change(after)
            save_file({name: tensor.contiguous() for name, tensor in after.items()}, str(merged / "model.safetensors"))
        return WeightFolder(tiny_base), AdapterFolder(adapter), WeightFolder(merged)

    return make


def test_a_right_merge_has_nothing_against_it(made: Any) -> None:
    result = compare_merge(*made())
    assert all(result[kind] == [] for kind in ("unmerged", "wrong", "nil", "changed", "missing", "extra"))
    assert 0 < result["maxRoundings"] <= 1
    assert result["relativeUpdate"] > 0


def test_a_weight_that_is_still_the_bases_is_unmerged(made: Any, tiny_base: Path) -> None:
    def restore(after: dict[str, Any]) -> None:
        after[Q] = WeightFolder(tiny_base).get(Q)

    result = compare_merge(*made(restore))
    assert result["unmerged"] == [Q]
    assert result["wrong"] == result["changed"] == []


def test_a_weight_that_is_merged_twice_or_a_bit_off_is_wrong(made: Any) -> None:
    def spoil(after: dict[str, Any]) -> None:
        after[Q][3, 5] *= 1.02

    result = compare_merge(*made(spoil))
    assert result["wrong"] == [Q]
    assert result["unmerged"] == []


def test_one_bit_in_a_weight_that_nothing_targets_is_a_change(made: Any) -> None:
    import torch

    def flip(after: dict[str, Any]) -> None:
        after["model.norm.weight"].view(torch.int16)[7] ^= 1

    result = compare_merge(*made(flip))
    assert result["changed"] == ["model.norm.weight"]
    assert result["wrong"] == []


def test_an_update_that_rounds_to_nothing_is_no_fault(made: Any) -> None:
    def shrink(tensors: dict[str, Any]) -> None:
        for name in tensors:
            if "layers.0.self_attn.q_proj.lora_B" in name:
                tensors[name] *= 1e-9

    base, adapter, merged = made(adapt=shrink)
    result = compare_merge(base, adapter, merged)
    assert result["nil"] == [Q]
    assert result["unmerged"] == []
    assert describe_adapter(base, adapter)["zero"] == []


def test_an_update_of_zero_is_told_by_name(made: Any) -> None:
    def clear(tensors: dict[str, Any]) -> None:
        for name in tensors:
            if "layers.0.self_attn.q_proj.lora_B" in name:
                tensors[name] *= 0

    base, adapter, _ = made(adapt=clear)
    assert describe_adapter(base, adapter) == {"targeted": 4, "scale": 2.0, "zero": [Q], "notFinite": [], "untouched": []}


def test_a_module_without_adapter_is_told(made: Any) -> None:
    def drop(tensors: dict[str, Any]) -> None:
        for name in [name for name in tensors if "layers.0.self_attn.q_proj" in name]:
            del tensors[name]

    base, adapter, _ = made(adapt=drop)
    assert describe_adapter(base, adapter)["untouched"] == [Q]


def test_a_merge_tells_how_much_of_a_small_update_its_rounding_lets_through(made: Any) -> None:
    def shrink(tensors: dict[str, Any]) -> None:
        for name in tensors:
            if "lora_B" in name:
                tensors[name] *= 1e-3

    assert compare_merge(*made())["updateShare"] == pytest.approx(1, abs=0.02)
    small = compare_merge(*made(adapt=shrink))
    assert 0 < small["updateShare"] < 0.9
    assert small["wrong"] == []


def write_gguf(file: Path, folder: WeightFolder, kind: str) -> Path:
    """The matrices of a folder in one number format, as llama.cpp's converter names and turns them."""
    import gguf
    import torch

    writer = gguf.GGUFWriter(str(file), "llama")
    writer.add_block_count(2)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 2)
    for name in sorted(folder.names):
        values = folder.get(name).float()
        heads = 4 if ".q_proj." in name else 2 if ".k_proj." in name else None
        if heads is not None:
            values = values.reshape(heads, 2, values.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(values.shape)
        place = names.get_name(name, try_suffixes=(".weight",))
        if values.ndim == 1 or kind == "F32":
            writer.add_tensor(place, values.numpy())
        elif kind == "BF16":
            writer.add_tensor(place, values.bfloat16().view(torch.uint8).numpy(), raw_dtype=gguf.GGMLQuantizationType.BF16)
        else:
            packed = gguf.quants.quantize(values.numpy(), gguf.GGMLQuantizationType[kind])
            writer.add_tensor(place, packed, raw_dtype=gguf.GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


@pytest.mark.parametrize("kind", ["F32", "BF16", "Q8_0"])
def test_a_file_of_the_merged_model_is_exact_and_one_of_the_base_is_not(made: Any, tmp_path: Path, kind: str) -> None:
    base, adapter, merged = made()
    right = compare_gguf(write_gguf(tmp_path / "right.gguf", merged, kind), base, adapter, merged)
    assert (right["exact"], right["different"], right["missing"], right["extra"]) == (right["tensors"], [], [], [])
    assert right["updateShare"] == pytest.approx(1, abs=4 * right["updateShareError"] + 1e-9)
    wrong = compare_gguf(write_gguf(tmp_path / "wrong.gguf", base, kind), base, adapter, merged)
    assert sorted(wrong["different"]) == sorted(adapter.pairs)
    assert wrong["updateShare"] == pytest.approx(0, abs=4 * wrong["updateShareError"] + 1e-9)


def test_the_standard_error_of_the_share_is_that_of_the_rounding(made: Any, tmp_path: Path) -> None:
    def shrink(tensors: dict[str, Any]) -> None:
        for name in tensors:
            if "lora_B" in name:
                tensors[name] *= 0.2

    squares = []
    for seed in range(24):
        base, adapter, merged = made(adapt=shrink, seed=seed)
        for folder, share in ((merged, 1.0), (base, 0.0)):
            found = compare_gguf(write_gguf(tmp_path / "file.gguf", folder, "Q4_0"), base, adapter, merged)
            squares.append(((found["updateShare"] - share) / found["updateShareError"]) ** 2)
    # A chi-square of 24 to 48 degrees of freedom over them, since the two files of a seed err alike.
    assert 0.4 < sum(squares) / len(squares) < 2
