"""A training that was killed goes on as if it had not been: same losses, same weights, same optimizer, bit for bit."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import PACKAGE, ROWS, JobMaker, Recorder

from osler_trainer.checkpoints import MARKER, complete_checkpoints
from osler_trainer.events import EventWriter
from osler_trainer.train import train_command

STEPS = 14
BATCHES = 21
FILES = ["adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", f".{MARKER}"]

# 5 rows in batches of 2, two batches a step: epochs end within a step's batches. Dropout draws random numbers in every step.
# Logging and saving fall on different steps.
SETTINGS: dict[str, Any] = {
    "rows": [ROWS[index % 2] | {"id": f"row-{index}", "question": f"{ROWS[index % 2]['question']} ({index})"} for index in range(5)],
    "held_out": ROWS,
    "lora": {"rank": 4, "alpha": 8, "dropout": 0.1},
    "base": {"maxLengthTokens": 1024},
    "trainer": {
        "learningRate": 0.01,
        "warmupSteps": 3,
        "maxSteps": STEPS,
        "gradientAccumulationSteps": 2,
        "loggingSteps": 5,
        "saveSteps": 3,
        "evalSteps": 4,
        "lrScheduler": "cosine",
    },
}


def train(job: Path) -> Recorder:
    recorder = Recorder()
    assert train_command(job, EventWriter(recorder)) == 0, recorder.events[-1]
    return recorder


@pytest.fixture
def killed(make_job: JobMaker, tiny_base: Path, tmp_path: Path) -> tuple[dict[str, Path], Recorder]:
    """Jobs by when their trainer was killed, and the events of the unbroken run."""

    def job(name: str) -> Path:
        file = tmp_path / f"{name}.json"
        made = make_job(basePath=str(tiny_base), outputDir=str(tmp_path / name), **SETTINGS)
        file.write_text(made.read_text(encoding="utf-8"), encoding="utf-8")
        return file

    whole = train(job("whole"))
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    moments = [*FILES, *(str(batch) for batch in random.Random(seed).sample(range(1, BATCHES + 1), 2))]
    jobs = {when: job(f"killed-{number}") for number, when in enumerate(moments)}
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    program = Path(__file__).parent / "killed_trainings.py"
    command = [sys.executable, str(program), *(f"{file}={when}" for when, file in jobs.items())]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, env=environment)
    assert result.returncode == 0, result.stderr[-2000:]
    return jobs, whole


def test_a_training_killed_at_any_moment_resumes_and_ends_as_the_unbroken_one(
    killed: tuple[dict[str, Path], Recorder], tmp_path: Path
) -> None:
    jobs, whole = killed
    expected = by_step(whole.of("progress"))
    for when, file in jobs.items():
        outputs = tmp_path / file.stem / "outputs"
        complete, incomplete = complete_checkpoints(outputs)
        if when in FILES:
            # Killed while the second checkpoint was written: the first is the one to go on from.
            assert ([path.name for path in complete], [path.name for path in incomplete]) == (["checkpoint-3"], ["checkpoint-6"]), when
        resume(file)
        resumed = train(file)
        began = resumed.of("started")[0]["resolved"]["resumedFrom"]
        print(f"killed at {when}: resumed from {Path(began).name if began else 'the beginning'}")
        assert began == (str(complete[-1]) if complete else None)
        events = resumed.of("progress")
        assert events[-1]["step"] == STEPS
        for event in events:
            assert (event["loss"], event["learningRate"], event["gradNorm"]) == expected[event["step"]], (when, event["step"])
        assert resumed.of("finished")[0]["finalLoss"] == whole.of("finished")[0]["finalLoss"]
        held_out = {event["step"]: event["loss"] for event in whole.of("heldOut")}
        assert all(event["loss"] == held_out[event["step"]] for event in resumed.of("heldOut"))
        same_state(tmp_path / "whole", tmp_path / file.stem)


def by_step(progress: list[dict[str, Any]]) -> dict[int, tuple[float, float, float]]:
    return {event["step"]: (event["loss"], event["learningRate"], event["gradNorm"]) for event in progress}


def resume(file: Path) -> None:
    job = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(job | {"resume": True}), encoding="utf-8")


def same_state(left: Path, right: Path) -> None:
    import torch
    from safetensors.torch import load_file

    for name in ("adapter/adapter_model.safetensors", "merged/model.safetensors"):
        one, other = load_file(str(left / name)), load_file(str(right / name))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one), name
    checkpoint = f"outputs/checkpoint-{STEPS}"
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        one, other = (torch.load(folder / checkpoint / name, weights_only=False) for folder in (left, right))
        assert same(one, other), name


def same(one: Any, other: Any) -> bool:
    import numpy
    import torch

    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, numpy.ndarray):
        return bool(numpy.array_equal(one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)
