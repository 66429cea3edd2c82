"""How much memory a training takes, by formula, and the largest batch and length that fit.

Bytes of one device. T is the tokens of one batch (rows times length), H hidden size, L layers, M intermediate size,
Q and K the widths of query and key (heads times head size), V vocabulary, c the bytes of the computing number format.
Every term says where it comes from; what cannot be derived from tensors is a constant of `Calibration`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .plan import Number, Plan
from .preflight_report import MemoryTerm
from .recipe import Recipe

_BYTES: Mapping[str, int] = {"bf16": 2, "fp16": 2, "fp32": 4}

NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
"""A weight in NF4 with double quantisation (arXiv:2305.14314): 4 bits, one 8-bit scale a block of 64, one fp32 scale a
block of 256 scales."""


@dataclass(frozen=True)
class Calibration:
    """What no tensor tells; measured, see docs/trainer.md. Bytes, or bytes a token and unit of width."""

    cuda_context_bytes: int = 600 << 20
    """CUDA context, cuBLAS workspaces and Triton kernels."""
    cuda_slack: float = 0.06
    """Share that PyTorch's allocator loses to fragments."""
    cpu_process_bytes: int = 400 << 20
    """Python with torch, transformers, TRL and peft, before any model."""
    cpu_slack: float = 0.05
    cpu_loss_copies: float = 6.5
    """Logits off CUDA, where no kernel takes the loss in parts: themselves, the log-softmax and the gradients of both, in
    fp32, as far as they are there at the same time."""
    loss_rows_share: int = 8
    """Unsloth's chunked loss computes logits of an eighth of the tokens at once, of 512 at least, ..."""
    loss_most_logits: int = (2 << 30) // 8
    """... and of no more than this many together (unsloth_zoo 2026.10.9, fused_losses/chunked_logprob.py)."""
    loss_bytes_per_logit: int = 4
    """Of a chunk: logits and their gradient in 16 bit, computed by one kernel each."""
    loss_tile_columns: int = 32_768
    """TRL's fused loss computes logits of so many vocabulary entries at once."""


CALIBRATION = Calibration()


@dataclass(frozen=True)
class Architecture:
    """The sizes of a Llama-like decoder (Llama, Mistral, Qwen2, Qwen3: grouped queries, gated MLP)."""

    hidden: int
    layers: int
    query: int
    key: int
    intermediate: int
    vocabulary: int
    ties_embeddings: bool

    @property
    def linear_parameters(self) -> int:
        """Weights of the projections: 2·H·Q + 2·H·K + 3·H·M a layer."""
        return self.layers * self.hidden * (2 * self.query + 2 * self.key + 3 * self.intermediate)

    @property
    def other_parameters(self) -> int:
        """Embeddings (one matrix where tied, else two) and norms."""
        return self.vocabulary * self.hidden * (1 if self.ties_embeddings else 2) + (2 * self.layers + 1) * self.hidden

    def adapter_parameters(self, rank: int, targets: tuple[str, ...]) -> int:
        """LoRA's A and B: rank · (in + out) a targeted projection, in every layer."""
        h, q, k, m = self.hidden, self.query, self.key, self.intermediate
        widths = {
            "q_proj": h + q,
            "k_proj": h + k,
            "v_proj": h + k,
            "o_proj": q + h,
            "gate_proj": h + m,
            "up_proj": h + m,
            "down_proj": m + h,
        }
        return self.layers * rank * sum(widths.get(target, 0) for target in targets)


def architecture_of(config: Mapping[str, Any]) -> Architecture | None:
    """The sizes in a model's config.json; None where it is no dense Llama-like decoder, which the formula does not fit."""
    try:
        if config.get("num_experts") or config.get("num_local_experts"):
            return None
        hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
        head = int(config.get("head_dim") or hidden // heads)
        return Architecture(
            hidden=hidden,
            layers=int(config["num_hidden_layers"]),
            query=heads * head,
            key=int(config.get("num_key_value_heads") or heads) * head,
            intermediate=int(config["intermediate_size"]),
            vocabulary=int(config["vocab_size"]),
            ties_embeddings=bool(config.get("tie_word_embeddings", False)),
        )
    except (KeyError, TypeError, ValueError):
        return None


def architecture_in(folder: Path) -> Architecture | None:
    """`architecture_of` the config.json in a model's folder; None where there is none."""
    try:
        return architecture_of(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


@dataclass(frozen=True)
class Setup:
    """What decides the memory beside batch and length."""

    architecture: Architecture
    backend: Literal["unsloth", "peft"]
    device_kind: Literal["cpu", "cuda", "mps"]
    weights: Number
    precision: Number
    load_in_4bit: bool
    optimizer: Literal["adamw_8bit", "adamw_torch"]
    gradient_checkpointing: Literal["unsloth"] | bool
    rank: int
    targets: tuple[str, ...]

    @classmethod
    def of(cls, recipe: Recipe, plan: Plan, architecture: Architecture, device_kind: Literal["cpu", "cuda", "mps"]) -> Setup:
        """The setup of a recipe as it was planned for a machine."""
        return cls(
            architecture=architecture,
            backend=plan.backend,
            device_kind=device_kind,
            weights=plan.weights,
            precision=plan.precision,
            load_in_4bit=plan.load_in_4bit,
            optimizer=plan.optimizer,
            # Below 512 tokens unsloth itself takes plain checkpointing in place of its own.
            gradient_checkpointing=True
            if plan.gradient_checkpointing == "unsloth" and recipe.base.max_length_tokens < 512
            else plan.gradient_checkpointing,
            rank=recipe.lora.rank,
            targets=tuple(recipe.lora.target_modules),
        )


def memory_terms(setup: Setup, batch: int, length: int, calibration: Calibration = CALIBRATION) -> list[MemoryTerm]:
    """What a training step of `batch` rows of `length` tokens takes, term by term."""
    tokens = batch * length
    terms = [_weights(setup), *_adapter(setup), _saved(setup, tokens), _layer(setup, tokens), _loss(setup, tokens, calibration)]
    is_cuda = setup.device_kind == "cuda"
    total = sum(term.bytes for term in terms)
    slack = calibration.cuda_slack if is_cuda else calibration.cpu_slack
    process = calibration.cuda_context_bytes if is_cuda else calibration.cpu_process_bytes
    terms.append(
        MemoryTerm(
            name="overhead",
            bytes=process + int(slack * total),
            description=f"{'CUDA context' if is_cuda else 'Python and its libraries'}, and {slack:.0%} lost to fragments",
        )
    )
    return terms


def needed_bytes(setup: Setup, batch: int, length: int, calibration: Calibration = CALIBRATION) -> int:
    """The sum of `memory_terms`."""
    return sum(term.bytes for term in memory_terms(setup, batch, length, calibration))


@dataclass(frozen=True)
class Fit:
    """Settings that fit."""

    batch: int
    accumulation: int
    length: int


def largest_fit(
    free_bytes: int, setup: Setup, batch: int, accumulation: int, length: int, calibration: Calibration = CALIBRATION
) -> Fit | None:
    """The recipe's settings with the largest batch that fits in `free_bytes`, at most `batch`, and the effective batch kept by
    accumulation; where even one row of `length` tokens does not fit, one row of the largest length that does, in steps of 64.
    None where nothing fits: the weights alone are too large.
    """
    rows = batch * accumulation
    for smaller in range(batch, 0, -1):
        if rows % smaller == 0 and needed_bytes(setup, smaller, length, calibration) <= free_bytes:
            return Fit(smaller, rows // smaller, length)
    shorter = largest_length(free_bytes, setup, 1, length, calibration)
    return Fit(1, rows, shorter) if shorter >= 64 else None


def largest_batch(free_bytes: int, setup: Setup, length: int, most: int = 1024, calibration: Calibration = CALIBRATION) -> int:
    """Rows of `length` tokens that fit, 0 where none does, at most `most`."""
    return _largest(lambda batch: needed_bytes(setup, batch, length, calibration) <= free_bytes, most)


def largest_length(free_bytes: int, setup: Setup, batch: int, most: int, calibration: Calibration = CALIBRATION) -> int:
    """Tokens a row that fit at `batch` rows, in steps of 64, 0 where not even 64 do, at most `most`."""
    steps = _largest(lambda step: needed_bytes(setup, batch, step * 64, calibration) <= free_bytes, most // 64)
    return steps * 64


def _largest(fits: Any, most: int) -> int:
    # Memory rises with the size, so the border is found by halving.
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _weights(setup: Setup) -> MemoryTerm:
    a = setup.architecture
    if not setup.load_in_4bit:
        width = _BYTES[setup.weights]
        return MemoryTerm(
            name="weights", bytes=(a.linear_parameters + a.other_parameters) * width, description=f"the frozen base in {setup.weights}"
        )
    # peft's prepare_model_for_kbit_training turns what is not quantised to fp32; unsloth leaves it in 16 bit.
    other = 2 if setup.backend == "unsloth" else 4
    # Each projection is brought to 16 bit while it computes; the largest counts.
    scratch = 2 * a.hidden * max(a.intermediate, a.query)
    return MemoryTerm(
        name="weights",
        bytes=int(a.linear_parameters * NF4_BYTES) + a.other_parameters * other + scratch,
        description=f"the frozen base in NF4, embeddings and norms in {'16 bit' if other == 2 else 'fp32'}",
    )


def _adapter(setup: Setup) -> list[MemoryTerm]:
    parameters = setup.architecture.adapter_parameters(setup.rank, setup.targets)
    # bitsandbytes' AdamW keeps both moments in 8 bit with one fp32 scale a block of 256, PyTorch's in fp32.
    moments = 2 * (1 + 4 / 256) if setup.optimizer == "adamw_8bit" else 8
    return [
        MemoryTerm(name="adapter", bytes=parameters * 4, description=f"{parameters:,} trained weights in fp32"),
        MemoryTerm(name="gradients", bytes=parameters * 4, description="of the adapter, in fp32"),
        MemoryTerm(name="optimizer", bytes=int(parameters * moments), description=f"two moments a trained weight ({setup.optimizer})"),
    ]


def _residual_bytes(setup: Setup) -> int:
    # Under autocast the residual stream keeps the number format of the embeddings, which peft's preparation made fp32.
    return 4 if setup.load_in_4bit and setup.backend == "peft" else _BYTES[setup.weights]


def _saved(setup: Setup, tokens: int) -> MemoryTerm:
    a = setup.architecture
    if setup.gradient_checkpointing == "unsloth":
        # They go to RAM; two buffers on the device take them there and back.
        return MemoryTerm(
            name="saved activations", bytes=2 * tokens * a.hidden * 2, description="buffers for two layers' inputs, the rest in RAM"
        )
    if setup.gradient_checkpointing:
        return MemoryTerm(
            name="saved activations", bytes=a.layers * tokens * a.hidden * _residual_bytes(setup), description="the input of every layer"
        )
    return MemoryTerm(
        name="saved activations", bytes=(a.layers - 1) * _layer_bytes(setup, tokens), description="of all layers but the one at work"
    )


def _layer(setup: Setup, tokens: int) -> MemoryTerm:
    return MemoryTerm(name="layer", bytes=_layer_bytes(setup, tokens), description="activations and gradients of the layer at work")


def _layer_bytes(setup: Setup, tokens: int) -> int:
    a, c = setup.architecture, _BYTES[setup.precision]
    if setup.backend == "unsloth":
        # Fused kernels keep: both norms' inputs, q, k, v in place of their rotated copies, gate, up and two gradients.
        width = 2 * a.hidden + a.query + 2 * a.key + 4 * a.intermediate
    else:
        # Norms and their outputs, q, k, v and rotated copies, attention output; gate, up, activation, product, two gradients.
        width = 6 * a.hidden + 2 * (a.query + 2 * a.key) + a.query + 6 * a.intermediate
    return tokens * width * c


def _loss(setup: Setup, tokens: int, calibration: Calibration) -> MemoryTerm:
    v = setup.architecture.vocabulary
    if setup.device_kind != "cuda":
        size = int(calibration.cpu_loss_copies * tokens * v * 4)
        return MemoryTerm(name="loss", bytes=size, description="logits, their log-softmax and gradients in fp32")
    if setup.backend == "unsloth":
        rows = min(tokens, max(512, -(-tokens // calibration.loss_rows_share)), max(2, calibration.loss_most_logits // v))
        return MemoryTerm(name="loss", bytes=rows * v * calibration.loss_bytes_per_logit, description=f"logits of {rows} tokens at a time")
    columns = min(v, calibration.loss_tile_columns)
    return MemoryTerm(
        name="loss", bytes=2 * tokens * columns * 2, description=f"logits and gradient of {columns} vocabulary entries at a time"
    )
