"""A GGUF file becomes a folder with the same weights, tokenizer and settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from osler_trainer.errors import MissingPrerequisite
from osler_trainer.gguf_import import import_gguf, transformers_name

HEADS, KV_HEADS, HIDDEN, INNER, LAYERS = 4, 2, 64, 128, 2


def permute(weights: Any, heads: int) -> Any:
    """llama.cpp's LlamaModel.permute."""
    return weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def write_gguf(file: Path, base: Path, *, pre: str = "smollm", architecture: str = "llama", scale: float = 1.0) -> dict[str, Any]:
    """The tiny base as a GGUF file in fp32; returns its weights by transformers' names."""
    import gguf
    from safetensors.torch import load_file

    weights = {name: tensor.float().numpy() * scale for name, tensor in load_file(str(base / "model.safetensors")).items()}
    model = json.loads((base / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    tokens = model["vocab"]
    writer = gguf.GGUFWriter(str(file), architecture)
    writer.add_context_length(1024)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(sorted(tokens, key=lambda token: int(tokens[token])))
    writer.add_token_types([3, 3, 3] + [1] * (len(tokens) - 3))
    writer.add_token_merges([" ".join(pair) for pair in model["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(2)
    writer.add_pad_token_id(1)
    writer.add_chat_template("{{ bos_token }}é")
    names = {transformers_name(name): name for name in all_gguf_names()}
    for name, tensor in weights.items():
        stored = permute(tensor, HEADS) if "q_proj" in name else permute(tensor, KV_HEADS) if "k_proj" in name else tensor
        writer.add_tensor(names[name], stored.copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights


def all_gguf_names() -> list[str]:
    parts = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down", "attn_norm", "ffn_norm")
    return ["token_embd.weight", "output_norm.weight", "output.weight"] + [
        f"blk.{layer}.{part}.weight" for layer in range(LAYERS) for part in parts
    ]


@pytest.fixture(autouse=True)
def _gguf() -> None:
    pytest.importorskip("gguf", reason="needs requirements-cpu.txt")


def test_weights_tokenizer_and_settings_arrive(tiny_base: Path, tmp_path: Path) -> None:
    import numpy
    from safetensors.numpy import load_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    weights = write_gguf(tmp_path / "tiny.gguf", tiny_base)
    summary = import_gguf(tmp_path / "tiny.gguf", tmp_path / "out")
    assert summary["dtype"] == "float16"
    imported = load_file(str(tmp_path / "out" / "model.safetensors"))
    assert imported.keys() == weights.keys()
    for name, tensor in weights.items():
        assert numpy.array_equal(imported[name], tensor.astype(numpy.float16)), name

    tokenizer: Any = AutoTokenizer.from_pretrained(str(tmp_path / "out"))
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.unk_token) == ("<s>", "</s>", "<unk>")
    assert tokenizer.chat_template == "{{ bos_token }}é"
    text = "Hb 6.5 g/dL, 200 000 platelets, naïve"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    model: Any = AutoModelForCausalLM.from_pretrained(str(tmp_path / "out"))
    assert model.config.rms_norm_eps == 1e-6
    assert model.config.num_key_value_heads == KV_HEADS
    assert model.config.eos_token_id == 1


def test_the_smollm_pre_tokenizer_splits_digits_and_gpt2s_does_not(tiny_base: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    pieces = {}
    for pre in ("smollm", "gpt-2"):
        write_gguf(tmp_path / "tiny.gguf", tiny_base, pre=pre)
        import_gguf(tmp_path / "tiny.gguf", tmp_path / pre)
        tokenizer = Tokenizer.from_file(str(tmp_path / pre / "tokenizer.json"))
        assert tokenizer.pre_tokenizer is not None
        pieces[pre] = [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str("a 123")]
    assert pieces == {"smollm": ["a", "Ġ", "1", "2", "3"], "gpt-2": ["a", "Ġ123"]}


def test_values_beyond_half_precision_are_kept_in_fp32(tiny_base: Path, tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", tiny_base, scale=1e6)
    assert import_gguf(tmp_path / "tiny.gguf", tmp_path / "out")["dtype"] == "float32"


def test_what_cannot_be_imported_is_named_and_leaves_nothing(tiny_base: Path, tmp_path: Path) -> None:
    write_gguf(tmp_path / "pre.gguf", tiny_base, pre="tekken")
    (tmp_path / "noise.gguf").write_bytes(b"not a GGUF file at all, but long enough to be read")
    for file, named in (("pre.gguf", "tekken"), ("noise.gguf", "noise.gguf"), ("absent.gguf", "absent.gguf")):
        with pytest.raises(MissingPrerequisite, match=named):
            import_gguf(tmp_path / file, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["noise.gguf", "pre.gguf"]
