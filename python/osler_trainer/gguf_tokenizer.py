"""The tokenizer inside a GGUF file as transformers' tokenizer files.

transformers 5.17 can do this with `gguf_file=`, but for the Llama architecture it gets three things wrong: BOS and EOS
both become the BOS token, the pre-tokenizer is GPT-2's whatever `tokenizer.ggml.pre` says (SmolLM2 splits digits), and
byte fallback is switched on. llama.cpp's converter, which tells pre-tokenizers apart by a hash over their output, would
then write another one than the model was trained with. So the files are built here from the metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import MissingPrerequisite

# Regular expressions of llama.cpp's src/llama-vocab.cpp, in the form that the `tokenizers` files of those models have.
_SPLITS: dict[str, list[str]] = {
    "gpt-2": [],
    "smollm": [],
    "llama-bpe": [r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"],
    "qwen2": [r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"],
}
_CONTROL = 3
_USER_DEFINED = 4


def write_tokenizer(metadata: Mapping[str, Any], folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and chat_template.jinja (where the file has one) into `folder`.

    `metadata` maps GGUF keys to plain Python values. Byte-level BPE (`tokenizer.ggml.model` = gpt2) only.
    """
    kind = metadata.get("tokenizer.ggml.model")
    pre = str(metadata.get("tokenizer.ggml.pre", "gpt-2"))
    if kind != "gpt2" or pre not in _SPLITS:
        raise MissingPrerequisite(
            f'the GGUF file has a tokenizer of model "{kind}" with pre-tokenizer "{pre}", which cannot be imported',
            f"use the model's folder in transformers format instead; importable are byte-level BPE with {', '.join(_SPLITS)}",
        )
    tokens: list[str] = metadata["tokenizer.ggml.tokens"]
    types: Sequence[int] = metadata["tokenizer.ggml.token_type"]
    tokenizer = _bpe(tokens, types, metadata["tokenizer.ggml.merges"], pre)
    tokenizer.save(str(folder / "tokenizer.json"))

    # Not GPT2Tokenizer: transformers 5 rebuilds that class from vocabulary and merges and so loses the pre-tokenizer.
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "add_prefix_space": False,
        "model_max_length": metadata["llama.context_length"],
        "add_bos_token": bool(metadata.get("tokenizer.ggml.add_bos_token", False)),
        "add_eos_token": bool(metadata.get("tokenizer.ggml.add_eos_token", False)),
    }
    for name, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")):
        token_id = metadata.get(f"tokenizer.ggml.{key}_token_id")
        if token_id is not None:
            config[f"{name}_token"] = tokens[token_id]
    template = metadata.get("tokenizer.chat_template")
    if template is not None:
        config["chat_template"] = template
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8", newline="")
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _bpe(tokens: list[str], types: Sequence[int], merges: list[str], pre: str) -> Any:
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

    pairs = [(left, right) for left, right in (merge.split(" ", 1) for merge in merges)]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocabulary, pairs, ignore_merges=pre == "llama-bpe"))
    steps: list[Any] = [pre_tokenizers.Split(Regex(split), behavior="isolated") for split in _SPLITS[pre]]
    if pre == "smollm":
        steps.append(pre_tokenizers.Digits(individual_digits=True))
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=not _SPLITS[pre]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    added = [
        AddedToken(token, normalized=False, special=kind == _CONTROL)
        for token, kind in zip(tokens, types, strict=True)
        if kind in (_CONTROL, _USER_DEFINED)
    ]
    tokenizer.add_special_tokens([token for token in added if token.special])
    tokenizer.add_tokens([token for token in added if not token.special])
    return tokenizer
