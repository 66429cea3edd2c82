"""The memory formula: near what was published and measured, rising with what it should rise with."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from osler_trainer.memory import (
    CALIBRATION,
    Fit,
    Setup,
    architecture_of,
    largest_batch,
    largest_fit,
    largest_length,
    memory_terms,
    needed_bytes,
)

LLAMA_8B: dict[str, Any] = {
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
}
SMOL_135M: dict[str, Any] = {
    "hidden_size": 576,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "intermediate_size": 1536,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
}
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
GB = 10**9


def setup(config: dict[str, Any] | None = None, **changes: Any) -> Setup:
    architecture = architecture_of(LLAMA_8B | (config or {}))
    assert architecture is not None
    settings: dict[str, Any] = {
        "backend": "unsloth",
        "device_kind": "cuda",
        "weights": "bf16",
        "precision": "bf16",
        "load_in_4bit": True,
        "optimizer": "adamw_8bit",
        "gradient_checkpointing": "unsloth",
        "rank": 16,
        "targets": TARGETS,
    }
    return Setup(architecture=architecture, **(settings | changes))


def tensors(of: Setup, batch: int, length: int) -> int:
    """What torch allocates: all but the context and the allocator's loss."""
    return sum(term.bytes for term in memory_terms(of, batch, length) if term.name != "overhead")


def test_the_parameters_of_llama_8b_are_counted_exactly() -> None:
    architecture = setup().architecture
    assert architecture.linear_parameters + architecture.other_parameters == 8_030_261_248
    assert architecture.adapter_parameters(16, TARGETS) == 41_943_040
    assert architecture.adapter_parameters(8, ("q_proj",)) == 32 * 8 * (4096 + 4096)


def test_unsloths_loss_holds_an_eighth_of_the_tokens_512_at_least_and_no_more_than_its_bound() -> None:
    def loss_rows(batch: int) -> float:
        term = next(term for term in memory_terms(setup(), batch, 2048) if term.name == "loss")
        return term.bytes / (4 * setup().architecture.vocabulary)

    # 2 GiB at 8 bytes a logit over 128,256 entries are 2,092 rows.
    assert [loss_rows(batch) for batch in (1, 2, 4, 8, 64)] == [512, 512, 1024, 2048, 2092]


def test_8b_qlora_at_2_x_2048_is_near_the_published_figure() -> None:
    # Unsloth Studio's formula gives 8.3 GiB for Llama 3.1 8B, rank 16, 8-bit AdamW.
    assert needed_bytes(setup(), 2, 2048) == pytest.approx(8.31 * 2**30, rel=0.15)


@pytest.mark.parametrize(
    ("backend", "checkpointing", "measured"),
    # torch.cuda.max_memory_allocated on an H100, vocabulary 49,152, batch 2, rows of at most 1,171 tokens, November 2026.
    [("unsloth", "unsloth", 5.6 * GB), ("peft", True, 7.7 * GB)],
)
def test_tensors_are_near_what_was_measured_on_an_h100(backend: str, checkpointing: Any, measured: float) -> None:
    of = setup({"vocab_size": 49152}, backend=backend, gradient_checkpointing=checkpointing)
    assert tensors(of, 2, 1171) == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize(
    ("batch", "length", "checkpointing", "measured"),
    # Peak resident set of a training step of SmolLM2-135M in fp32, 2 CPU cores, torch 2.13.0, November 2026.
    [
        (1, 512, True, 1.80 * GB),
        (2, 1024, True, 4.04 * GB),
        (4, 512, True, 4.16 * GB),
        (1, 512, False, 2.43 * GB),
        (2, 512, False, 4.01 * GB),
    ],
)
def test_the_process_is_near_what_was_measured_on_a_cpu(batch: int, length: int, checkpointing: bool, measured: float) -> None:
    of = setup(
        SMOL_135M,
        backend="peft",
        device_kind="cpu",
        weights="fp32",
        precision="fp32",
        load_in_4bit=False,
        optimizer="adamw_torch",
        gradient_checkpointing=checkpointing,
    )
    assert needed_bytes(of, batch, length) == pytest.approx(measured, rel=0.15)


def test_more_batch_length_rank_vocabulary_or_precision_takes_more() -> None:
    base = needed_bytes(setup(), 2, 2048)
    assert needed_bytes(setup(), 3, 2048) > base
    assert needed_bytes(setup(), 2, 2049) > base
    assert needed_bytes(setup(rank=32), 2, 2048) > base
    assert needed_bytes(setup({"vocab_size": 151936}), 2, 2048) > base
    assert needed_bytes(setup(load_in_4bit=False), 2, 2048) > base + 9 * GB
    assert needed_bytes(setup(optimizer="adamw_torch"), 2, 2048) > base
    assert needed_bytes(setup(targets=("q_proj",)), 2, 2048) < base
    by_checkpointing = [needed_bytes(setup(gradient_checkpointing=kind), 2, 2048) for kind in ("unsloth", True, False)]
    assert by_checkpointing == sorted(set(by_checkpointing))
    assert needed_bytes(setup(backend="peft"), 2, 2048) > base


def test_the_largest_fit_keeps_the_effective_batch_and_fits() -> None:
    of = setup()
    for free in range(7 * GB, 40 * GB, GB // 2):
        fit = largest_fit(free, of, 16, 2, 2048)
        if fit is None:
            assert needed_bytes(of, 1, 64) > free
            continue
        assert fit.batch * fit.accumulation == 32
        assert needed_bytes(of, fit.batch, fit.length) <= free
        if fit.length < 2048:
            assert fit.batch == 1
            assert needed_bytes(of, 1, fit.length + 64) > free
        elif fit.batch < 16:
            assert needed_bytes(of, fit.batch * 2, 2048) > free
    assert largest_fit(200 * GB, of, 16, 2, 2048) == Fit(16, 2, 2048)
    assert largest_fit(5 * GB, of, 16, 2, 2048) is None


def test_the_largest_batch_and_length_are_borders() -> None:
    of = setup()
    batch, length = largest_batch(24 * GB, of, 2048), largest_length(24 * GB, of, 2, 1 << 20)
    assert needed_bytes(of, batch, 2048) <= 24 * GB < needed_bytes(of, batch + 1, 2048)
    assert needed_bytes(of, 2, length) <= 24 * GB < needed_bytes(of, 2, length + 64)
    assert largest_batch(GB, of, 2048) == largest_length(GB, of, 2, 2048) == 0


def test_what_was_calibrated_can_be_calibrated_again() -> None:
    wider = dataclasses.replace(CALIBRATION, cuda_context_bytes=CALIBRATION.cuda_context_bytes + GB)
    assert needed_bytes(setup(), 2, 2048, wider) == needed_bytes(setup(), 2, 2048) + GB


@pytest.mark.parametrize("config", [{}, {"hidden_size": "x"}, LLAMA_8B | {"num_experts": 8}, LLAMA_8B | {"num_local_experts": 8}])
def test_a_model_that_the_formula_does_not_fit_has_no_architecture(config: dict[str, Any]) -> None:
    assert architecture_of(config) is None
