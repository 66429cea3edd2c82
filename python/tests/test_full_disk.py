"""A disk that is full in any stage: the failure says so, what was there stays whole, and resume goes on.

The disk is a limit on the size of a file (RLIMIT_FSIZE): writes fail in the same places, as they do on a full disk, in
Python, safetensors' Rust and torch's C++ alike.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import PACKAGE, JobMaker, Recorder

from osler_trainer.checkpoints import complete_checkpoints
from osler_trainer.events import EventWriter
from osler_trainer.failures import is_disk_full
from osler_trainer.train import train_command

STEPS = 4


@pytest.fixture
def job(make_job: JobMaker, tiny_base: Path) -> Any:
    def make(**settings: Any) -> Path:
        trainer = {"maxSteps": STEPS, "saveSteps": 2, "loggingSteps": 1, "evalSteps": None}
        return make_job(basePath=str(tiny_base), base={"maxLengthTokens": 512}, lora={"rank": 8}, trainer=trainer, **settings)

    return make


def train(file: Path) -> Recorder:
    recorder = Recorder()
    assert train_command(file, EventWriter(recorder)) == 0, recorder.events[-1]
    return recorder


def train_on_a_disk_of(bytes_a_file: int, file: Path) -> tuple[int, list[dict[str, Any]]]:
    result = subprocess.run(
        [sys.executable, "-m", "osler_trainer", "train", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent), "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_a_file, bytes_a_file)),
    )
    return result.returncode, [json.loads(line) for line in result.stdout.splitlines()]


def test_a_disk_that_is_full_in_each_stage_costs_nothing_that_was_whole(job: Any, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    run = tmp_path / "run"
    whole = train(job(outputDir=str(tmp_path / "whole")))
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "whole" / "outputs" / f"checkpoint-{STEPS}").iterdir()}
    merged = (tmp_path / "whole" / "merged" / "model.safetensors").stat().st_size
    adapter, optimizer = sizes["adapter_model.safetensors"], sizes["optimizer.pt"]
    assert adapter < merged
    assert adapter < optimizer

    # A checkpoint: the optimizer's file does not fit, the half is taken away again.
    code, events = train_on_a_disk_of(optimizer - 1000, job())
    assert (code, events[-1]["type"], events[-1]["reason"]) == (1, "failed", "diskFull"), events[-1]
    assert "resume" in events[-1]["nextStep"]
    assert list(run.glob("outputs/checkpoint-*")) == []
    train(job(resume=True))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != ".lock"}

    # Adapter, then merged model: the earlier ones stay as they were.
    for limit in (adapter - 1000, merged - 1000):
        code, events = train_on_a_disk_of(limit, job(resume=True))
        assert (code, events[-1]["type"], events[-1]["reason"]) == (1, "failed", "diskFull"), events[-1]
        stages = [event["stage"] for event in events if event["type"] == "stage"]
        assert stages[-1] == ("saving" if limit < adapter else "merging")
        kept = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != ".lock"}
        assert kept == before
    assert len(complete_checkpoints(run / "outputs")[0]) == 2

    resumed = train(job(resume=True))
    assert resumed.of("finished")[0]["finalLoss"] == whole.of("finished")[0]["finalLoss"]
    one, other = (load_file(str(folder / "merged" / "model.safetensors")) for folder in (tmp_path / "whole", run))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    "error",
    # As raised on a full tmpfs by Python, safetensors 0.8.0 and torch 2.13.0.
    [
        OSError(28, "No space left on device"),
        OSError(122, "Disk quota exceeded"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534"),
        RuntimeError("basic_ios::clear: iostream error"),
        RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"),
    ],
)
def test_every_librarys_word_for_a_full_disk_is_known(error: Exception) -> None:
    assert is_disk_full(error)
    wrapped = ValueError("could not save")
    wrapped.__cause__ = error
    assert is_disk_full(wrapped)


def test_other_errors_are_no_full_disk() -> None:
    assert not is_disk_full(OSError(13, "Permission denied"))
    assert not is_disk_full(RuntimeError("shape mismatch"))
