"""Rows as token ids: exactly one BOS, exactly one EOS at the end, a pad token that is not EOS."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import BadJob, MissingPrerequisite
from .events import LengthTokens
from .rows import TrainingRow
from .template import ChatTemplate

IGNORED = -100
"""Label of a token that no loss is taken on."""

_PAD_CANDIDATES = (
    "<|finetune_right_pad_id|>",
    "<pad>",
    "[PAD]",
    "<|pad|>",
    "<|PAD_TOKEN|>",
    "<｜▁pad▁｜>",  # noqa: RUF001 - DeepSeek's own spelling
    "<|vision_pad|>",
    "<|endoftext|>",
    "<|reserved_special_token_0|>",
    "<unk>",
)


@dataclass(frozen=True)
class EncodedRow:
    """One row as it is trained. `ids` and `labels` have the same length, at most the recipe's maxLengthTokens."""

    id: str
    text: str
    prompt_tokens: int
    """How many leading tokens belong to the prompt (at most all)."""
    full_tokens: int
    """Length before cutting."""
    ids: list[int]
    labels: list[int]

    @property
    def is_truncated(self) -> bool:
        """Whether the row lost its end, EOS included."""
        return self.full_tokens > len(self.ids)


def load_tokenizer(base: str, revision: str | None = None) -> Any:
    """The base's own tokenizer with a pad token that is not EOS. Raises MissingPrerequisite or BadJob."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(base, revision=revision)
    except (OSError, ValueError) as error:
        raise MissingPrerequisite(
            f'no tokenizer could be loaded from "{base}": {error}', "point basePath at a folder with tokenizer.json"
        ) from error
    if tokenizer.eos_token is None:
        raise BadJob(
            f'the tokenizer of "{base}" has no EOS token, so no answer would ever end', 'set "eos_token" in its tokenizer_config.json'
        )
    tokenizer.pad_token = choose_pad(tokenizer)
    return tokenizer


def choose_pad(tokenizer: Any) -> str:
    """The tokenizer's pad token where it differs from EOS and BOS, else another special token that it already has.

    Padding with EOS would make collators mask the true EOS too, and a new token would resize the embeddings.
    """
    taken = {tokenizer.eos_token, tokenizer.bos_token}
    if tokenizer.pad_token is not None and tokenizer.pad_token not in taken:
        return str(tokenizer.pad_token)
    vocabulary = tokenizer.get_vocab()
    for candidate in (*_PAD_CANDIDATES, tokenizer.unk_token):
        if candidate is not None and candidate in vocabulary and candidate not in taken:
            return str(candidate)
    raise BadJob(
        f'the tokenizer pads with its EOS token "{tokenizer.eos_token}" and has no other special token to pad with',
        'set "pad_token" in the base\'s tokenizer_config.json to a token of the vocabulary that text never contains',
    )


def special_tokens(tokenizer: Any) -> dict[str, str]:
    """The special tokens that templates may name; absent where the tokenizer has none."""
    return {key: str(value) for key, value in tokenizer.special_tokens_map.items() if isinstance(value, str)}


def template_for(tokenizer: Any, file: Path) -> ChatTemplate:
    """The template in `file` with this tokenizer's special tokens."""
    from .template import read_template

    return read_template(file, special_tokens(tokenizer))


def encode_rows(
    rows: Sequence[TrainingRow], tokenizer: Any, template: ChatTemplate, max_length: int, loss_on: str = "all"
) -> list[EncodedRow]:
    """Render and tokenise `rows`, whole texts at once as every runtime does, special tokens written by the text alone.

    Raises BadJob where a row has more or fewer BOS or EOS tokens than the template and the one final EOS account for
    (a question that contains `<|im_end|>`, a template without BOS, one that writes it twice).
    """
    texts = [template.training_text(row) for row in rows]
    prompts = [template.prompt(row.question) for row in rows]
    ids_of = _encode(tokenizer, texts)
    prompt_ids_of = _encode(tokenizer, prompts)
    _check_specials(rows, ids_of, tokenizer, template)
    encoded = []
    for row, text, full, prompt in zip(rows, texts, ids_of, prompt_ids_of, strict=True):
        ids = full[:max_length]
        shared = min(_shared_prefix(full, prompt), len(ids))
        labels = [IGNORED] * shared + ids[shared:] if loss_on == "response" else list(ids)
        encoded.append(EncodedRow(row.id, text, shared, len(full), ids, labels))
    return encoded


def lengths(rows: Sequence[EncodedRow]) -> LengthTokens:
    """Lengths before cutting; the median is rounded down, p95 is the nearest rank."""
    ordered = sorted(row.full_tokens for row in rows)
    p95 = ordered[max(0, -(-95 * len(ordered) // 100) - 1)]
    return LengthTokens(min=ordered[0], median=int(statistics.median(ordered)), p95=p95, max=ordered[-1])


def _encode(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    result = tokenizer(texts, add_special_tokens=False, return_attention_mask=False, verbose=False)["input_ids"]
    return [list(ids) for ids in result]


def _check_specials(rows: Sequence[TrainingRow], ids_of: list[list[int]], tokenizer: Any, template: ChatTemplate) -> None:
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    plain = _encode(tokenizer, [template.prompt("x")])[0]
    if bos is not None and (plain[:1] != [bos] or plain[1:2] == [bos]):
        raise BadJob(
            f'the template does not begin with exactly one BOS token "{tokenizer.bos_token}"',
            "begin the template with {{- bos_token -}} once; the trainer adds no special token of its own",
        )
    expected_bos = 0 if bos is None else plain.count(bos)
    expected_eos = plain.count(eos) + 1
    bad = [
        row.id
        for row, ids in zip(rows, ids_of, strict=True)
        if ids[-1:] != [eos] or ids.count(eos) != expected_eos or (bos is not None and bos != eos and ids.count(bos) != expected_bos)
    ]
    if bad:
        raise BadJob(
            f"{len(bad)} rows contain the text of a special token, or do not end in exactly one EOS: {', '.join(bad[:5])}",
            f'remove "{tokenizer.bos_token}" and "{tokenizer.eos_token}" from the text of these rows',
        )


def _shared_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    count = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        count += 1
    return count
