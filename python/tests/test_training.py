"""Real trainings of a tiny random Llama with the peft backend."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from conftest import PACKAGE, ROWS, TEMPLATE, JobMaker, Recorder
from jsonschema import Draft202012Validator

from osler_trainer.checkpoints import MARKER
from osler_trainer.events import EventWriter
from osler_trainer.train import train_command

SCHEMA = Draft202012Validator(json.loads((PACKAGE / "contract" / "train-event.schema.json").read_text(encoding="utf-8")))
GOLDEN = [6.2626, 6.0498]
FAST = {"learningRate": 0.01, "warmupSteps": 0, "loggingSteps": 1, "saveSteps": 1000, "gradientAccumulationSteps": 1}


def run(job: Path, recorder: Recorder | None = None) -> tuple[int, Recorder]:
    recorder = recorder or Recorder()
    code = train_command(job, EventWriter(recorder))
    for event in recorder.events:
        SCHEMA.validate(event)
    return code, recorder


def losses(recorder: Recorder) -> list[float]:
    return [event["loss"] for event in recorder.of("progress")]


@pytest.fixture
def job(make_job: JobMaker, tiny_base: Path, tmp_path: Path) -> Any:
    """job(name, trainer settings…) with the tiny base and an output folder of that name."""

    def make(
        name: str, *, rows: Any = None, held_out: Any = None, lora: Any = None, base: Any = None, resume: bool = False, **trainer: Any
    ) -> Path:
        return make_job(
            rows=rows,
            held_out=held_out,
            lora={"rank": 4, "alpha": 8} | (lora or {}),
            base={"maxLengthTokens": 1024} | (base or {}),
            trainer=FAST | trainer,
            basePath=str(tiny_base),
            outputDir=str(tmp_path / name),
            resume=resume,
        )

    return make


def test_two_steps_have_the_recorded_loss_every_time(job: Any) -> None:
    code, first = run(job("one", maxSteps=2))
    assert code == 0
    _, second = run(job("two", maxSteps=2))
    assert losses(first) == losses(second)
    # Recorded with torch 2.13.0 on x86-64.
    assert losses(first) == pytest.approx(GOLDEN, abs=2e-3)
    assert first.of("finished")[0]["finalLoss"] == losses(first)[-1]


def test_the_events_come_in_order_and_name_what_is_on_disk(job: Any, tmp_path: Path) -> None:
    code, recorder = run(job("run", maxSteps=2, optimizer="adamw_8bit", loggingSteps=10))
    assert code == 0
    assert [event["type"] for event in recorder.told()] == [
        "stage",
        "notice",
        "started",
        "dataset",
        "stage",
        "progress",
        "checkpoint",
        "stage",
        "artifact",
        "artifact",
        "stage",
        "artifact",
        "stage",
        "artifact",
        "finished",
    ]
    started = recorder.of("started")[0]
    assert started["resolved"]["optimizer"] == "adamw_torch"
    assert started["resolved"]["precision"] == "fp32"
    assert started["versions"]["trl"]
    progress = recorder.of("progress")[0]
    assert progress["step"] == progress["totalSteps"] == 2
    assert progress["tokensPerSecond"] > 0
    assert progress["memoryBytes"] > 0
    assert started["resolved"]["kernels"].startswith("transformers")
    assert recorder.of("dataset")[0]["firstText"].endswith(ROWS[0]["answer"] + "</s>")
    for event in (*recorder.of("artifact"), *recorder.of("checkpoint")):
        assert Path(event["path"]).exists()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["adapter", "merged", "outputs", "reference"]


def test_the_trained_token_count_leaves_padding_out(job: Any, tiny_base: Path) -> None:
    from osler_trainer.rows import TrainingRow
    from osler_trainer.tokens import encode_rows, load_tokenizer, template_for

    _, recorder = run(job("run", maxSteps=1))
    checkpoint = Path(recorder.of("checkpoint")[0]["path"])
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    tokenizer = load_tokenizer(str(tiny_base))
    encoded = encode_rows([TrainingRow(**row) for row in ROWS], tokenizer, template_for(tokenizer, TEMPLATE), 1024)
    assert state["num_input_tokens_seen"] == sum(len(row.ids) for row in encoded)


@pytest.mark.parametrize("loss_on", ["all", "response"])
def test_the_loss_falls_over_20_steps_on_two_rows(job: Any, loss_on: str) -> None:
    code, recorder = run(job("run", maxSteps=20, lossOn=loss_on))
    assert code == 0
    curve = losses(recorder)
    assert len(curve) == 20
    assert curve[-1] < curve[0] - 1.0


def test_the_first_loss_is_the_mean_over_exactly_the_labelled_tokens(job: Any, tiny_base: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from osler_trainer.rows import TrainingRow
    from osler_trainer.tokens import encode_rows, load_tokenizer, template_for

    tokenizer = load_tokenizer(str(tiny_base))
    template = template_for(tokenizer, TEMPLATE)
    model: Any = AutoModelForCausalLM.from_pretrained(str(tiny_base), dtype=torch.float32)
    for loss_on in ("all", "response"):
        _, recorder = run(job(loss_on, maxSteps=1, lossOn=loss_on))
        total, count = 0.0, 0
        for row in encode_rows([TrainingRow(**row) for row in ROWS], tokenizer, template, 1024, loss_on):
            labels = torch.tensor([row.labels])
            with torch.no_grad():
                loss = model(input_ids=torch.tensor([row.ids]), labels=labels).loss.item()
            tokens = int((labels[:, 1:] != -100).sum())
            total, count = total + loss * tokens, count + tokens
        # Two rows of unlike length in one batch: right only if padding is masked and the mean is over tokens.
        assert losses(recorder)[0] == pytest.approx(total / count, abs=1e-4)


def test_interrupted_and_resumed_ends_as_unbroken(job: Any) -> None:
    _, whole = run(job("whole", maxSteps=6, saveSteps=2))

    def interrupt(event: dict[str, Any]) -> None:
        if event["type"] == "progress" and event["step"] == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    code, broken = run(job("broken", maxSteps=6, saveSteps=2), Recorder(interrupt))
    assert code == 130
    stopped = broken.events[-1]
    assert stopped["type"] == "stopped"
    assert stopped["totalSteps"] == 6
    assert 3 <= stopped["step"] < 6
    assert broken.of("checkpoint")[-1]["step"] == stopped["step"]
    assert broken.of("artifact") == []

    code, resumed = run(job("broken", maxSteps=6, saveSteps=2, resume=True))
    assert code == 0
    assert resumed.of("progress")[0]["step"] == stopped["step"] + 1
    assert losses(broken) + losses(resumed) == pytest.approx(losses(whole), abs=1e-6)
    assert resumed.of("finished")[0]["finalLoss"] == pytest.approx(whole.of("finished")[0]["finalLoss"], abs=1e-6)


def test_resume_passes_over_a_half_written_checkpoint(job: Any, tmp_path: Path) -> None:
    _, whole = run(job("run", maxSteps=4, saveSteps=2))
    (tmp_path / "run" / "outputs" / "checkpoint-4" / MARKER).unlink()
    code, resumed = run(job("run", maxSteps=4, saveSteps=2, resume=True))
    assert code == 0
    assert resumed.of("started")[0]["resolved"]["resumedFrom"].endswith("checkpoint-2")
    assert any("checkpoint-4" in event["message"] for event in resumed.of("notice"))
    assert losses(resumed) == pytest.approx(losses(whole)[2:], abs=1e-6)


def test_a_finished_run_resumed_trains_nothing_and_merges_again(job: Any, tmp_path: Path) -> None:
    code, first = run(job("run", maxSteps=2))
    assert code == 0
    code, again = run(job("run", maxSteps=2, resume=True))
    assert code == 0
    assert again.of("progress") == []
    assert again.of("finished")[0]["finalLoss"] == pytest.approx(first.of("finished")[0]["finalLoss"])
    assert len(again.of("artifact")) == 4


def test_starting_over_moves_old_checkpoints_aside(job: Any, tmp_path: Path) -> None:
    run(job("run", maxSteps=2))
    code, again = run(job("run", maxSteps=1))
    assert code == 0
    assert [path.name for path in (tmp_path / "run" / "outputs").glob("checkpoint-*")] == ["checkpoint-1"]
    assert any("moved" in event["message"] for event in again.of("notice"))


@pytest.mark.parametrize(("lora", "scale"), [({}, 2.0), ({"useRslora": True}, 4.0), ({"targetModules": ["q_proj", "down_proj"]}, 2.0)])
def test_merging_changes_every_targeted_weight_and_no_other(
    job: Any, tiny_base: Path, tmp_path: Path, lora: dict[str, Any], scale: float
) -> None:
    import torch
    from peft import PeftModel
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    code, _ = run(job("run", maxSteps=3, lora=lora))
    assert code == 0
    targets = lora.get("targetModules", ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
    adapter = load_file(str(tmp_path / "run" / "adapter" / "adapter_model.safetensors"))
    assert len(adapter) == 2 * 2 * len(targets)
    assert all(tensor.abs().max() > 0 for tensor in adapter.values())

    before, after = (load_file(str(folder / "model.safetensors")) for folder in (tiny_base, tmp_path / "run" / "merged"))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if any(f".{target}." in name for target in targets)}
    assert all(tensor.dtype == torch.bfloat16 for tensor in after.values())

    model = AutoModelForCausalLM.from_pretrained(str(tiny_base), dtype=torch.float32)
    by_peft = PeftModel.from_pretrained(model, str(tmp_path / "run" / "adapter")).merge_and_unload().state_dict()
    for name in changed:
        assert torch.allclose(by_peft[name].to(torch.bfloat16).float(), after[name].float(), rtol=2**-7, atol=1e-6), name
    name = sorted(changed)[0]
    stem = f"base_model.model.{name.removesuffix('.weight')}"
    expected = before[name].float() + scale * adapter[f"{stem}.lora_B.weight"] @ adapter[f"{stem}.lora_A.weight"]
    assert torch.allclose(after[name].float(), expected, rtol=2**-7, atol=1e-6)


def test_the_merged_tokenizer_is_the_bases_with_our_template(job: Any, tiny_base: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, GenerationConfig

    run(job("run", maxSteps=1))
    text = TEMPLATE.read_text(encoding="utf-8")
    for name in ("adapter", "merged"):
        folder = tmp_path / "run" / name
        tokenizer: Any = AutoTokenizer.from_pretrained(str(folder))
        assert tokenizer.chat_template == text
        assert json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))["chat_template"] == text
        assert tokenizer.pad_token == "<unk>"
        # The template writes the BOS.
        assert json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))["add_bos_token"] is False
        assert (folder / "tokenizer.json").read_bytes() == (tiny_base / "tokenizer.json").read_bytes()
    generation = GenerationConfig.from_pretrained(str(tmp_path / "run" / "merged"))
    assert (generation.eos_token_id, generation.pad_token_id) == (1, 2)


def test_held_out_loss_is_a_mean_over_tokens_and_the_best_checkpoint_is_kept(job: Any, tiny_base: Path, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from osler_trainer.rows import TrainingRow
    from osler_trainer.tokens import encode_rows, load_tokenizer, template_for

    long_row = ROWS[0] | {"id": "row-3", "thought": "A longer thought. " * 8}
    held_out = [ROWS[1], long_row, ROWS[0]]
    # Learning nonsense makes the held-out loss rise, so that best and last differ.
    nonsense = ROWS[0] | {"thought": "zq " * 60, "answer": "zq " * 60}
    code, recorder = run(
        job(
            "run",
            rows=[nonsense],
            held_out=held_out,
            maxSteps=8,
            evalSteps=2,
            saveSteps=2,
            keepBestCheckpoint=True,
            lossOn="response",
            lrScheduler="constant",
        )
    )
    assert code == 0
    by_step = {event["step"]: event["loss"] for event in recorder.of("heldOut")}
    assert sorted(by_step) == [2, 4, 6, 8]
    best = min(by_step, key=lambda step: by_step[step])
    assert best != 8

    tokenizer = load_tokenizer(str(tiny_base))
    encoded = encode_rows([TrainingRow(**row) for row in held_out], tokenizer, template_for(tokenizer, TEMPLATE), 1024, "response")
    model: Any = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(str(tiny_base), dtype=torch.float32), str(tmp_path / "run" / "adapter")
    )
    total = count = 0.0
    for row in encoded:
        labels = torch.tensor([row.labels])
        tokens = int((labels[:, 1:] != -100).sum())
        with torch.no_grad():
            total += model(input_ids=torch.tensor([row.ids]), labels=labels).loss.item() * tokens
        count += tokens
    assert total / count == pytest.approx(by_step[best], abs=1e-3)


def test_training_stops_early_when_the_held_out_loss_rises(job: Any) -> None:
    code, recorder = run(
        job("run", rows=[ROWS[0]], held_out=[ROWS[1]], maxSteps=30, evalSteps=1, saveSteps=1, earlyStopPatience=2, learningRate=0.1)
    )
    assert code == 0
    assert recorder.of("finished")[0]["steps"] < 30
    assert recorder.of("finished")[0]["finalLoss"] == losses(recorder)[-1]


def test_rows_cut_before_their_response_are_left_out_and_if_all_are_it_is_a_bad_job(job: Any) -> None:
    code, recorder = run(job("run", maxSteps=1, lossOn="response", base={"maxLengthTokens": 64}))
    assert code == 2
    assert "maxLengthTokens" in recorder.events[-1]["nextStep"]
    code, recorder = run(job("cut", maxSteps=1, base={"maxLengthTokens": 64}))
    assert code == 0
    assert recorder.of("dataset")[0]["truncatedRows"] == 2


def test_a_loss_that_is_no_number_ends_the_run(job: Any) -> None:
    code, recorder = run(job("run", maxSteps=20, learningRate=1e30))
    assert code == 1
    assert "not a number" in recorder.events[-1]["message"]


def test_running_out_of_memory_names_the_batch_and_length_that_fit(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def explode(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr("osler_trainer.train.train", explode)
    code, recorder = run(job("run", maxSteps=1, gradientAccumulationSteps=3))
    assert code == 1
    failed = recorder.events[-1]
    assert failed["reason"] == "outOfMemory"
    assert "at batch 2 x 458 tokens" in failed["message"]
    assert "batch 1 x 458 tokens fits" in failed["message"]
    assert "trainer.perDeviceBatchSize to 1 and trainer.gradientAccumulationSteps to 6" in failed["nextStep"]


def test_a_missing_base_or_backend_exits_with_3(make_job: JobMaker, job: Any) -> None:
    code, recorder = run(make_job())
    assert code == 3
    assert "no-base" in recorder.events[-1]["message"]
    wanted = json.loads(job("run", maxSteps=1).read_text(encoding="utf-8"))
    wanted["recipe"]["backend"] = "unsloth"
    file = job("run", maxSteps=1)
    file.write_text(json.dumps(wanted), encoding="utf-8")
    code, recorder = run(file)
    assert code == 3
    assert "unsloth" in recorder.events[-1]["message"]
