"""What a recipe becomes on a CPU, on old and new CUDA devices; every fallback is told."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from conftest import JobMaker, read_preset

from osler_trainer.arguments import sft_arguments
from osler_trainer.errors import BadJob
from osler_trainer.events import Device
from osler_trainer.job import TrainJob
from osler_trainer.plan import Machine, Plan, make_plan
from osler_trainer.recipe import Recipe

CPU = Machine(Device(kind="cpu", name="cpu", memory_bytes=None), True, False, frozenset())
T4 = Machine(Device(kind="cuda", name="T4", memory_bytes=16 << 30), False, True, frozenset())
H100 = Machine(Device(kind="cuda", name="H100", memory_bytes=80 << 30), True, True, frozenset({"wandb"}))


def plan(name: str, machine: Machine, backend: Literal["unsloth", "peft"] = "peft", *, held_out: bool = True, **trainer: Any) -> Plan:
    preset = read_preset(name)
    preset["trainer"] |= trainer
    return make_plan(Recipe.model_validate_json(json.dumps(preset)), backend, machine, held_out)


@pytest.fixture(autouse=True)
def _presets(smoke: dict[str, Any]) -> None:
    """Skips where the presets are absent."""


def test_the_tutorial_on_an_h100_with_unsloth_is_taken_at_its_word() -> None:
    made = plan("tutorial", H100, "unsloth")
    assert (made.precision, made.weights, made.load_in_4bit, made.optimizer) == ("bf16", "bf16", True, "adamw_8bit")
    assert made.gradient_checkpointing == "unsloth"
    assert made.notices == ()


def test_the_tutorial_on_a_cpu_tells_each_thing_it_does_otherwise() -> None:
    made = plan("tutorial", CPU)
    assert (made.precision, made.weights, made.load_in_4bit, made.optimizer) == ("fp32", "fp32", False, "adamw_torch")
    assert made.gradient_checkpointing is True
    told = " ".join(made.notices)
    assert len(made.notices) == 3
    assert all(word in told for word in ("loadIn4bit", "adamw_torch", "checkpointing"))


def test_without_bf16_cuda_trains_in_fp16() -> None:
    assert plan("tutorial", T4, "unsloth").precision == "fp16"
    assert plan("tutorial", T4, "unsloth", precision="bf16").notices == ("bf16 needs a newer CUDA device; fp16 is used instead",)
    assert plan("tutorial", H100, "unsloth", precision="fp16").precision == "fp16"


def test_fp16_on_a_cpu_becomes_fp32_and_bf16_stays() -> None:
    assert plan("smoke", CPU, precision="fp16").precision == "fp32"
    assert plan("smoke", CPU, precision="bf16").precision == "bf16"


def test_evaluating_without_held_out_rows_is_a_bad_job() -> None:
    with pytest.raises(BadJob, match="held-out"):
        plan("recommended", CPU, held_out=False)


def test_the_best_checkpoint_is_one_that_was_saved_when_evaluated() -> None:
    assert plan("recommended", CPU, saveSteps=30, evalSteps=20).save_steps == 20
    assert plan("recommended", CPU, saveSteps=40, evalSteps=20).save_steps == 40


def test_a_tracker_that_is_not_there_is_left_out_with_its_reason(smoke: dict[str, Any]) -> None:
    smoke["tracking"]["reportTo"] = ["wandb", "tensorboard"]
    recipe = Recipe.model_validate_json(json.dumps(smoke))
    made = make_plan(recipe, "peft", H100, has_held_out=False)
    assert made.report_to == ("wandb",)
    assert any("tensorboard is off" in notice for notice in made.notices)


def test_every_trainer_setting_of_the_tutorial_reaches_sft_config(make_job: JobMaker) -> None:
    job = json.loads(make_job().read_text(encoding="utf-8")) | {"recipe": read_preset("tutorial")}
    arguments = sft_arguments(TrainJob.model_validate_json(json.dumps(job)), plan("tutorial", H100, "unsloth"), "cuda")
    assert arguments["output_dir"].endswith("/run/outputs")
    expected = {
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 4,
        "warmup_steps": 5,
        "max_steps": 60,
        "learning_rate": 2e-4,
        "lr_scheduler_type": "linear",
        "weight_decay": 0.01,
        "optim": "adamw_8bit",
        "logging_steps": 10,
        "seed": 3407,
        "bf16": True,
        "fp16": False,
        "packing": False,
        "max_length": 2048,
        "dataset_text_field": "text",
        "dataset_num_proc": 2,
        "report_to": "none",
        # unsloth's own is set on the model
        "gradient_checkpointing": False,
    }
    assert {key: arguments[key] for key in expected} == expected


def test_best_checkpoint_and_early_stop_settings_reach_sft_config(make_job: JobMaker) -> None:
    job = json.loads(make_job().read_text(encoding="utf-8")) | {"recipe": read_preset("recommended")}
    arguments = sft_arguments(TrainJob.model_validate_json(json.dumps(job)), plan("recommended", CPU), "cpu")
    assert arguments["max_steps"] == -1
    assert arguments["num_train_epochs"] == 2
    assert arguments["load_best_model_at_end"] is True
    assert arguments["metric_for_best_model"] == "eval_loss"
    assert arguments["greater_is_better"] is False
    assert arguments["use_cpu"] is True


def test_sft_config_takes_every_argument(make_job: JobMaker) -> None:
    trl = pytest.importorskip("trl", reason="needs requirements-cpu.txt")
    job = TrainJob.model_validate_json(make_job().read_text(encoding="utf-8"))
    config = trl.SFTConfig(**sft_arguments(job, plan("smoke", CPU), "cpu"))
    assert config.max_length == 512
    assert config.bf16 is False
    assert config.report_to == []
