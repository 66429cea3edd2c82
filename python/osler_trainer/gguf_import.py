"""A GGUF file as a transformers folder that can be trained: config, tokenizer, safetensors.

Weights are kept in fp16. A quantised weight is scale times a small integer (plus an offset), both in half precision;
fp16 keeps it to a relative 2^-12 where bf16 keeps 2^-9. That difference is of the size of a short LoRA run's update,
which merging adds onto these very numbers. fp32 would be exact, twice the size, and no 16-bit model could follow from
it without the same rounding. Where a value does not fit fp16's range the whole model is written in fp32.

Tensors are read, dequantised and renamed one by one, without building a model: seconds, not half a minute.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from .errors import MissingPrerequisite
from .folders import atomic_folder, folder_bytes
from .gguf_tokenizer import write_tokenizer

_LAYER_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
_TOP_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def import_gguf(gguf: Path, out: Path) -> dict[str, Any]:
    """Convert `gguf` (Llama architecture) into folder `out`, replacing it whole. Returns a summary for the caller.

    Raises MissingPrerequisite where the file is absent or of a kind that cannot be imported.
    """
    if not gguf.is_file():
        raise MissingPrerequisite(f'the GGUF file "{gguf}" does not exist', "give --gguf the path of a GGUF file")
    began = time.monotonic()
    from gguf import GGUFReader

    try:
        reader = GGUFReader(str(gguf))
    except (ValueError, OSError) as error:
        raise MissingPrerequisite(f'"{gguf}" is not a readable GGUF file: {error}', "download the file again") from error
    metadata = {key: field.contents() for key, field in reader.fields.items()}
    config = llama_config(metadata, {tensor.name for tensor in reader.tensors})
    with atomic_folder(out) as part:
        dtype = _write_weights(reader, config, part / "model.safetensors")
        config["dtype"] = dtype
        _write_json(part / "config.json", config)
        _write_json(part / "generation_config.json", {key: config[key] for key in _generation_keys(config)})
        write_tokenizer(metadata, part)
    return {"path": str(out), "dtype": dtype, "bytes": folder_bytes(out), "seconds": round(time.monotonic() - began, 2)}


def llama_config(metadata: dict[str, Any], tensor_names: set[str]) -> dict[str, Any]:
    """The `config.json` of a LlamaForCausalLM that the GGUF metadata describes, without its dtype."""
    architecture = metadata.get("general.architecture")
    if architecture != "llama" or "rope_freqs.weight" in tensor_names or metadata.get("llama.expert_count"):
        raise MissingPrerequisite(
            f'a GGUF file of architecture "{architecture}" (scaled RoPE or experts included) cannot be imported',
            "use the model's folder in transformers format instead; plain Llama models can be imported",
        )

    def value(key: str, default: Any = None) -> Any:
        return metadata.get(f"llama.{key}", default)

    heads = value("attention.head_count")
    config: dict[str, Any] = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": value("embedding_length"),
        "intermediate_size": value("feed_forward_length"),
        "num_hidden_layers": value("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": value("attention.head_count_kv", heads),
        "head_dim": value("rope.dimension_count", value("embedding_length") // heads),
        "max_position_embeddings": value("context_length"),
        "rms_norm_eps": _short(value("attention.layer_norm_rms_epsilon")),
        "rope_theta": value("rope.freq_base", 10000.0),
        "vocab_size": len(metadata["tokenizer.ggml.tokens"]),
        "tie_word_embeddings": "output.weight" not in tensor_names,
        "hidden_act": "silu",
        "attention_bias": "blk.0.attn_q.bias" in tensor_names,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "use_cache": True,
    }
    for name, key in (("bos", "bos"), ("eos", "eos"), ("pad", "padding")):
        config[f"{name}_token_id"] = metadata.get(f"tokenizer.ggml.{key}_token_id")
    return config


def transformers_name(gguf_name: str) -> str:
    """`blk.3.attn_q.weight` to `model.layers.3.self_attn.q_proj.weight`; KeyError for a tensor unknown to Llama."""
    stem, kind = gguf_name.rsplit(".", 1)
    if stem.startswith("blk."):
        _, layer, part = stem.split(".")
        return f"model.layers.{layer}.{_LAYER_NAMES[part]}.{kind}"
    return f"{_TOP_NAMES[stem]}.{kind}"


def _write_weights(reader: Any, config: dict[str, Any], file: Path) -> str:
    import numpy
    from safetensors.numpy import save_file

    def read(dtype: Any) -> dict[str, Any]:
        return {transformers_name(tensor.name): _tensor(tensor, config).astype(dtype, order="C") for tensor in reader.tensors}

    # Half precision overflows to infinity, which no weight is.
    with numpy.errstate(over="ignore"):
        tensors = read(numpy.float16)
    fits = all(numpy.isfinite(weights).all() for weights in tensors.values())
    if not fits:
        tensors = read(numpy.float32)
    save_file(tensors, str(file), metadata={"format": "pt"})
    return "float16" if fits else "float32"


def _tensor(tensor: Any, config: dict[str, Any]) -> Any:
    from gguf import dequantize

    weights = dequantize(tensor.data, tensor.tensor_type)
    if ".attn_q." in tensor.name:
        return _unpermute(weights, config["num_attention_heads"])
    if ".attn_k." in tensor.name:
        return _unpermute(weights, config["num_key_value_heads"])
    return weights


def _unpermute(weights: Any, heads: int) -> Any:
    # llama.cpp pairs rotary dimensions (0,1),(2,3)…, transformers pairs them half a head apart: undo its `permute`.
    half = weights.shape[0] // heads // 2
    return weights.reshape(heads, half, 2, *weights.shape[1:]).swapaxes(2, 1).reshape(weights.shape)


def _short(value: float) -> float:
    # 1e-5 stored as fp32 reads back as 9.999999747378752e-06.
    return float(f"{value:.6g}")


def _generation_keys(config: dict[str, Any]) -> list[str]:
    return [key for key in ("bos_token_id", "eos_token_id", "pad_token_id") if config[key] is not None]


def _write_json(file: Path, value: dict[str, Any]) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
