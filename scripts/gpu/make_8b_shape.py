"""A model of Llama 8B's shape with random weights and another model's tokenizer, to measure where the real one cannot be had.

python scripts/gpu/make_8b_shape.py --tokenizer FOLDER --out FOLDER [--layers 32] [--vocabulary 128256]
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file

HIDDEN, INTERMEDIATE, HEADS, KV_HEADS, HEAD_SIZE = 4096, 14336, 32, 8, 128
SHARD_BYTES = 4e9


def shapes(layers: int, vocabulary: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every weight of the model with its shape, in the order of the layers."""
    yield "model.embed_tokens.weight", (vocabulary, HIDDEN)
    for number in range(layers):
        layer = f"model.layers.{number}"
        for name, rows in (("q_proj", HIDDEN), ("k_proj", KV_HEADS * HEAD_SIZE), ("v_proj", KV_HEADS * HEAD_SIZE), ("o_proj", HIDDEN)):
            yield f"{layer}.self_attn.{name}.weight", (rows, HIDDEN)
        yield f"{layer}.mlp.gate_proj.weight", (INTERMEDIATE, HIDDEN)
        yield f"{layer}.mlp.up_proj.weight", (INTERMEDIATE, HIDDEN)
        yield f"{layer}.mlp.down_proj.weight", (HIDDEN, INTERMEDIATE)
        yield f"{layer}.input_layernorm.weight", (HIDDEN,)
        yield f"{layer}.post_attention_layernorm.weight", (HIDDEN,)
    yield "model.norm.weight", (HIDDEN,)
    yield "lm_head.weight", (vocabulary, HIDDEN)


def weight(shape: tuple[int, ...]) -> torch.Tensor:
    """Norms are one, all else is drawn with the standard deviation that Llama is initialised with."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if len(shape) == 1:
        return torch.ones(shape, dtype=torch.bfloat16)
    return (torch.randn(shape, device=device) * 0.02).to(torch.bfloat16).cpu()


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", type=Path, required=True, help="model folder whose tokenizer is taken")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--vocabulary", type=int, default=None, help="default: the tokenizer's")
    options = parser.parse_args()
    began = time.monotonic()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(options.tokenizer / name, options.out / name)
    source = json.loads((options.tokenizer / "config.json").read_text())
    vocabulary = options.vocabulary or source["vocab_size"]
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": options.layers,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_SIZE,
        "vocab_size": vocabulary,
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "attention_bias": False,
        "mlp_bias": False,
        "dtype": "bfloat16",
        "initializer_range": 0.02,
        "use_cache": True,
        **{key: source[key] for key in ("bos_token_id", "eos_token_id")},
    }
    (options.out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    torch.manual_seed(3407)
    places: dict[str, str] = {}
    shard: dict[str, torch.Tensor] = {}
    total = 0

    def flush() -> None:
        name = f"model-{len(set(places.values())) + 1:05d}.safetensors"
        save_file(shard, str(options.out / name), metadata={"format": "pt"})
        places.update(dict.fromkeys(shard, name))
        shard.clear()

    for name, shape in shapes(options.layers, vocabulary):
        shard[name] = weight(shape)
        total += shard[name].nbytes
        if sum(tensor.nbytes for tensor in shard.values()) > SHARD_BYTES:
            flush()
    flush()
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (options.out / "model.safetensors.index.json").write_text(json.dumps(index) + "\n")
    print(f"{options.out}: {total / 1e9:.1f} GB in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
