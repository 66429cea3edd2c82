"""Trainings by two processes under torchrun, on the CPU (gloo): one voice, the same weights, twice the batch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import PACKAGE, ROWS, JobMaker
from jsonschema import Draft202012Validator

SCHEMA = Draft202012Validator(json.loads((PACKAGE / "contract" / "train-event.schema.json").read_text(encoding="utf-8")))
FAST = {"learningRate": 0.01, "warmupSteps": 0, "loggingSteps": 1, "saveSteps": 1000, "gradientAccumulationSteps": 1}
FOUR = [row | {"id": f"{row['id']}-{number}", "answer": row["answer"] * number} for number in (1, 2) for row in ROWS]


class Run:
    """A trainer with one process or two; what it says is in a file, as launchers have it."""

    def __init__(self, job: Path, processes: int, **environment: str) -> None:
        self.out = job.with_name(f"events-{time.monotonic_ns()}.jsonl")
        self.log = self.out.with_suffix(".log")
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
        with self.out.open("ab") as out, self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *torchrun, "-m", "osler_trainer", "train", str(job)],
                stdout=out,
                stderr=log,
                cwd=PACKAGE.parent,
                env=os.environ | {"PYTHONPATH": str(PACKAGE.parent), "OMP_WAIT_POLICY": "PASSIVE"} | environment,
                start_new_session=True,
            )

    @property
    def events(self) -> list[dict[str, Any]]:
        lines = self.out.read_text(encoding="utf-8").splitlines(keepends=True)
        events = [json.loads(line) for line in lines if line.endswith("\n")]
        for event in events:
            SCHEMA.validate(event)
        return [event for event in events if event["type"] != "heartbeat"]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    def losses(self) -> list[float]:
        return [event["loss"] for event in self.of("progress")]

    def wait(self) -> int:
        code = self.process.wait(timeout=240)
        assert self.events, self.log.read_text(encoding="utf-8")[-3000:]
        return code

    def wait_for(self, is_true: Callable[[], bool]) -> None:
        end = time.monotonic() + 120
        while not is_true():
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")[-3000:]
            assert time.monotonic() < end
            time.sleep(0.05)

    def workers(self) -> list[int]:
        """Process ids of the ranks."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text(encoding="utf-8").rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == self.process.pid and fields[0] != "Z":
                found.append(int(path.parent.name))
        return sorted(found)


@pytest.fixture
def job(make_job: JobMaker, tiny_base: Path, tmp_path: Path) -> Any:
    def make(name: str, *, rows: Any = None, held_out: Any = None, resume: bool = False, **trainer: Any) -> Path:
        file = make_job(
            rows=FOUR if rows is None else rows,
            held_out=held_out,
            lora={"rank": 4, "alpha": 8},
            base={"maxLengthTokens": 1024},
            trainer=FAST | trainer,
            basePath=str(tiny_base),
            outputDir=str(tmp_path / name),
            resume=resume,
        )
        return file.rename(file.with_name(f"{name}.json"))

    return make


def adapter(folder: Path) -> Any:
    from safetensors.torch import load_file

    return load_file(str(folder / "adapter" / "adapter_model.safetensors"))


def test_two_processes_train_as_one_with_twice_the_batch(job: Any, tmp_path: Path) -> None:
    import torch

    two = Run(job("two", maxSteps=3, perDeviceBatchSize=1, held_out=[*ROWS, FOUR[2]], evalSteps=3), 2)
    assert two.wait() == 0
    one = Run(job("one", maxSteps=3, perDeviceBatchSize=2, held_out=[*ROWS, FOUR[2]], evalSteps=3), 1)
    assert one.wait() == 0
    # Each event once, in the same order; the same mean over all tokens of the rows that both ranks saw.
    assert [event["type"] for event in two.events] == [event["type"] for event in one.events]
    assert two.of("started")[0]["resolved"]["processes"] == 2
    assert two.losses() == pytest.approx(one.losses(), abs=1e-4)
    # Three held-out rows on two ranks: none counts twice.
    assert two.of("heldOut")[0]["loss"] == pytest.approx(one.of("heldOut")[0]["loss"], abs=1e-4)
    ours, theirs = adapter(tmp_path / "two"), adapter(tmp_path / "one")
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        assert torch.allclose(weight, theirs[name], atol=2e-3), name
    names = [sorted(path.name for path in (tmp_path / run).iterdir()) for run in ("two", "one")]
    assert names[0] == names[1]


def test_a_wish_to_stop_stops_all_after_the_same_step_and_resume_goes_on(job: Any, tmp_path: Path) -> None:
    broken = Run(job("run", maxSteps=400, perDeviceBatchSize=1), 2)
    broken.wait_for(lambda: len(broken.of("progress")) >= 2)
    # torchrun hands it on to both; one that had it a step earlier would leave the other waiting for its gradients.
    broken.process.send_signal(signal.SIGTERM)
    broken.wait()
    stopped = broken.events[-1]
    assert stopped["type"] == "stopped"
    assert broken.of("checkpoint")[-1]["step"] == stopped["step"]
    assert broken.of("artifact") == []

    resumed = Run(job("run", maxSteps=stopped["step"] + 2, perDeviceBatchSize=1, resume=True), 2)
    assert resumed.wait() == 0
    assert [event["step"] for event in resumed.of("progress")] == [stopped["step"] + 1, stopped["step"] + 2]
    assert resumed.of("started")[0]["resolved"]["resumedFrom"].endswith(f"checkpoint-{stopped['step']}")
    assert resumed.events[-1]["type"] == "finished"


def test_a_signal_to_one_rank_alone_stops_both(job: Any) -> None:
    run = Run(job("run", maxSteps=400, perDeviceBatchSize=1), 2)
    run.wait_for(lambda: len(run.of("progress")) >= 1)
    os.kill(run.workers()[1], signal.SIGTERM)
    run.wait()
    assert run.events[-1]["type"] == "stopped"


def test_a_failure_of_all_is_told_once(job: Any, tmp_path: Path) -> None:
    file = job("run", maxSteps=2)
    wrong = json.loads(file.read_text(encoding="utf-8")) | {"basePath": str(tmp_path / "no-base")}
    file.write_text(json.dumps(wrong), encoding="utf-8")
    run = Run(file, 2)
    assert run.wait() != 0
    assert [event["type"] for event in run.events] == ["stage", "failed"]
    assert "no-base" in run.events[-1]["message"]


def test_a_killed_rank_ends_the_training_with_a_word(job: Any) -> None:
    run = Run(job("run", maxSteps=400, perDeviceBatchSize=1), 2)
    run.wait_for(lambda: len(run.of("progress")) >= 1)
    os.kill(run.workers()[1], signal.SIGKILL)
    assert run.wait() != 0
    assert run.events[-1]["type"] == "failed"


def test_killing_torchrun_leaves_no_rank_behind(job: Any) -> None:
    run = Run(job("run", maxSteps=400, perDeviceBatchSize=1), 2)
    run.wait_for(lambda: len(run.of("progress")) >= 1)
    workers = run.workers()
    assert len(workers) == 2
    os.killpg(run.process.pid, signal.SIGKILL)
    run.process.wait(timeout=10)
    end = time.monotonic() + 10
    while any(Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in workers):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_second_training_in_the_same_folder_is_refused(job: Any) -> None:
    first = Run(job("run", maxSteps=400, perDeviceBatchSize=1), 2)
    first.wait_for(lambda: len(first.of("progress")) >= 1)
    second = Run(job("run", maxSteps=400, perDeviceBatchSize=1), 2)
    assert second.wait() != 0
    assert second.events[-1]["type"] == "failed"
    assert "another trainer" in second.events[-1]["message"]
    assert first.process.poll() is None
    os.killpg(first.process.pid, signal.SIGKILL)
    first.process.wait(timeout=10)
