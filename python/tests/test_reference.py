"""What the reference keeps of a model, and how little of a divergence gets lost by that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import ROWS, JobMaker

from osler_trainer import reference
from osler_trainer.reference import MAX_REST, Extent, Text, divergence, likeliest, nll, read, spread, write_reference


def test_places_are_spread_from_the_first_to_the_last() -> None:
    assert spread(3, 6, 10) == [3, 4, 5, 6]
    assert spread(0, 100, 5) == [0, 25, 50, 75, 100]


def test_what_is_kept_leaves_less_than_a_thousandth_and_no_token_more_than_that_takes() -> None:
    import torch

    torch.manual_seed(0)
    logprobs = (3 * torch.randn(5, 1000)).log_softmax(dim=1)
    kept = likeliest(logprobs)
    start = 0
    for row, count in zip(logprobs, kept["counts"].tolist(), strict=True):
        values = kept["logprobs"][start : start + count].double().exp()
        assert 1 - MAX_REST <= values.sum() <= 1 + 1e-6
        assert values[:-1].sum() < 1 - MAX_REST
        assert torch.equal(row[kept["ids"][start : start + count].long()], kept["logprobs"][start : start + count])
        start += count
    assert start == len(kept["ids"])


def test_the_parts_lose_almost_nothing_of_a_divergence() -> None:
    """Distributions as flat as a small model's, and a noise as of an 8-bit quantisation: against the sum over all tokens."""
    import torch

    torch.manual_seed(0)
    logits = 2.5 * torch.randn(64, 49152)
    p, q = logits.log_softmax(dim=1), (logits + 0.1 * torch.randn_like(logits)).log_softmax(dim=1)
    kept = likeliest(p)
    total, start = 0.0, 0
    for row, count in enumerate(kept["counts"].tolist()):
        ids = kept["ids"][start : start + count].long()
        left, right = p[row, ids].double(), q[row, ids].double()
        rest_p, rest_q = 1 - left.exp().sum(), 1 - right.exp().sum()
        total += float((left.exp() * (left - right)).sum() + rest_p * (rest_p / rest_q).log())
        start += count
    parts, full = total / 64, divergence(p, q)
    assert full == pytest.approx(0.005, rel=0.2)
    # Merging tokens never raises a divergence.
    assert parts <= full + 1e-6
    assert parts == pytest.approx(full, rel=5e-3)


def test_a_reference_is_what_the_model_says(make_job: JobMaker, tiny_base: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    from osler_trainer.job import read_job
    from osler_trainer.merge import merge_adapter
    from osler_trainer.reference import divergence as kl

    job = read_job(make_job(basePath=str(tiny_base), outputDir=str(tmp_path / "run"), held_out=[ROWS[1]], base={"maxLengthTokens": 1024}))
    _merge_something(tiny_base, tmp_path / "run", merge_adapter)
    folder = write_reference(job, Extent(prompts=1, new_tokens=6, texts=1, text_tokens=1024, places=9))
    reference = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
    assert reference["isHeldOut"] is True
    assert [row["id"] for row in reference["rows"]] == ["row-1"]
    assert reference["rows"][0]["ids"][-1] == reference["eosId"]
    text = reference["texts"][0]
    assert len(text["places"]) == 9
    assert text["places"][-1] == len(text["ids"]) - 2

    def told(path: Path) -> Any:
        model: Any = AutoModelForCausalLM.from_pretrained(str(path), dtype=torch.float32)
        return model, read(model, [Text(text["id"], text["ids"], text["places"])])

    model, before = told(tiny_base)
    _, after = told(tmp_path / "run" / "merged")
    assert reference["arms"]["base"]["nll"] == pytest.approx(nll(before, [Text(text["id"], text["ids"], text["places"])]), abs=1e-5)
    assert reference["tuning"]["kl"] == pytest.approx(kl(after, before), rel=1e-3)
    assert reference["tuning"]["kl"] > 0
    tensors = load_file(str(folder / "reference.safetensors"))
    first = int(tensors["merged.counts"][0])
    assert torch.allclose(tensors["merged.logprobs"][:first], after[0].sort(descending=True).values[:first], atol=1e-5)

    ids = torch.tensor([reference["prompts"][0]["ids"]])
    for wanted in reference["arms"]["base"]["greedy"][0]["ids"]:
        token = int(model(input_ids=ids).logits[0, -1].argmax())
        assert token == wanted
        ids = torch.cat([ids, torch.tensor([[token]])], dim=1)


def _merge_something(base: Path, run: Path, merge_adapter: Any) -> None:
    import shutil

    import torch
    from safetensors.torch import load_file, save_file

    adapter, merged = run / "adapter", run / "merged"
    for folder in (adapter, merged):
        folder.mkdir(parents=True)
    torch.manual_seed(2)
    tensors = {}
    for name, weight in load_file(str(base / "model.safetensors")).items():
        if "q_proj" in name:
            stem = f"base_model.model.{name.removesuffix('.weight')}"
            tensors[f"{stem}.lora_A.weight"] = torch.randn(2, weight.shape[1])
            tensors[f"{stem}.lora_B.weight"] = torch.randn(weight.shape[0], 2) * 0.1
    save_file(tensors, str(adapter / "adapter_model.safetensors"))
    merge_adapter(base, adapter, 1.0, merged)
    for name in ("config.json", "generation_config.json"):
        shutil.copyfile(base / name, merged / name)


@pytest.mark.parametrize(
    ("free", "on_gpu", "place"),
    [
        ({"cpu": 30}, False, ("cpu", "float32")),
        ({"cpu": 20}, False, ("cpu", "16 bit")),
        ({"cuda": 40, "cpu": 99}, True, ("cuda", "float32")),
        ({"cuda": 15, "cpu": 99}, True, ("cuda", "16 bit")),
        ({"cuda": 5, "cpu": 99}, True, ("cpu", "float32")),
        ({"cpu": None}, False, ("cpu", "float32")),
    ],
)
def test_the_reference_is_computed_in_fp32_where_that_fits(
    monkeypatch: pytest.MonkeyPatch, free: dict[str, int | None], on_gpu: bool, place: tuple[str, str]
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: on_gpu)
    monkeypatch.setattr(reference, "free_bytes", lambda kind: free[kind])
    assert reference._placement(12) == place
