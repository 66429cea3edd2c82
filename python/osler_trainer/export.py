"""Tokenizer and settings of what a training leaves behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

# Every file that AutoTokenizer or llama.cpp's converter may read beside tokenizer_config.json.
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
)


def write_tokenizer(base: Path, template_text: str, pad_token: str, folder: Path) -> None:
    """The base's own tokenizer files in `folder`, with the run's chat template and pad token.

    The files are copied, not re-saved: transformers 5 would write the class TokenizersBackend, which transformers 4
    cannot load, and a re-saved file can fall out of the list by which llama.cpp's converter knows pre-tokenizers. The
    template goes to both places, since transformers prefers chat_template.jinja and the converter the entry in
    tokenizer_config.json.
    """
    for name in _TOKENIZER_FILES:
        if (base / name).is_file():
            shutil.copyfile(base / name, folder / name)
    source = base / "tokenizer_config.json"
    config: dict[str, Any] = json.loads(source.read_text(encoding="utf-8")) if source.is_file() else {}
    config["pad_token"] = pad_token
    # The template writes the BOS itself. Runtimes that follow this flag (or, where it is absent, the tokenizer's own
    # post-processor, as for Llama 3) would write another before it.
    config["add_bos_token"] = False
    config["add_eos_token"] = False
    config["chat_template"] = template_text
    _write_json(folder / "tokenizer_config.json", config)
    special = folder / "special_tokens_map.json"
    if special.is_file():
        _write_json(special, json.loads(special.read_text(encoding="utf-8")) | {"pad_token": pad_token})
    (folder / "chat_template.jinja").write_bytes(template_text.encode("utf-8"))


def write_settings(base: Path, dtype: str, tokenizer: Any, folder: Path) -> None:
    """config.json and generation_config.json of the merged model: the base's, with dtype and pad token set."""
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    config.pop("torch_dtype", None)
    config.pop("quantization_config", None)
    config |= {"dtype": dtype, "pad_token_id": tokenizer.pad_token_id}
    _write_json(folder / "config.json", config)
    source = base / "generation_config.json"
    generation: dict[str, Any] = json.loads(source.read_text(encoding="utf-8")) if source.is_file() else {}
    generation.setdefault("bos_token_id", tokenizer.bos_token_id)
    generation.setdefault("eos_token_id", tokenizer.eos_token_id)
    generation["pad_token_id"] = tokenizer.pad_token_id
    _write_json(folder / "generation_config.json", generation)


def _write_json(file: Path, value: dict[str, Any]) -> None:
    file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
