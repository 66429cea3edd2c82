"""Trackers get the loss curve, in the run's folder, off line, without a key in any file; one that fails costs nothing."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import PACKAGE, JobMaker

KEY = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_plantedToken0123456789"


def needs(package: str) -> Any:
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} is not installed (requirements-trackers.txt)")


def train(make_job: JobMaker, base: Path, trackers: list[str], **environment: str) -> tuple[int, list[dict[str, Any]], str, Path]:
    """A training of three steps in a process of its own; its code, events, all that it wrote to its streams, and its folder."""
    file = make_job(basePath=str(base), base={"maxLengthTokens": 512}, trainer={"maxSteps": 3, "loggingSteps": 1, "saveSteps": 100})
    job = json.loads(file.read_text(encoding="utf-8"))
    job["recipe"]["tracking"] = {"reportTo": trackers, "project": "Tuning on Medical COT", "jobType": "training"}
    file.write_text(json.dumps(job), encoding="utf-8")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "TRACKIO", "HF_TOKEN"))}
    variables |= {"PYTHONPATH": str(PACKAGE.parent), "HF_TOKEN": TOKEN, "WANDB_ERROR_REPORTING": "false"} | environment
    command = [sys.executable, "-m", "osler_trainer", "train", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=variables, cwd=file.parent)
    events = [json.loads(line) for line in result.stdout.splitlines()]
    return result.returncode, events, result.stdout + result.stderr, file.parent


def losses(events: list[dict[str, Any]]) -> list[float]:
    return [event["loss"] for event in events if event["type"] == "progress"]


def notices(events: list[dict[str, Any]]) -> list[str]:
    return [event["message"] for event in events if event["type"] == "notice"]


def told_of(folder: Path, *secrets: str) -> list[Path]:
    """Files that hold a secret."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(secret.encode() in path.read_bytes() for secret in secrets)]


def wandb_records(data: bytes) -> Iterator[bytes]:
    """Records of a .wandb file: LevelDB's log format (blocks of 32 KiB; checksum, length, kind) behind 7 bytes of its own."""
    at, record = 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in {1, 4}:
            yield record
            record = b""


@needs("wandb")
def test_wandb_off_line_keeps_the_curve_in_the_run_and_no_key(make_job: JobMaker, tiny_base: Path) -> None:
    from wandb.proto import wandb_internal_pb2

    code, events, output, folder = train(make_job, tiny_base, ["wandb"], WANDB_MODE="offline", WANDB_API_KEY=KEY)
    assert code == 0, output[-2000:]
    (file,) = (folder / "run" / "tracking" / "wandb").glob("offline-run-*/run-*.wandb")
    curve: list[float] = []
    runs: list[Any] = []
    for data in wandb_records(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.HasField("run"):
            runs.append(record.run)
        items = {"/".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
        if "train/loss" in items:
            curve.append(float(items["train/loss"]))
    assert curve == pytest.approx(losses(events))
    assert len(curve) == 3
    assert (runs[0].project, runs[0].job_type, runs[0].display_name) == ("Tuning on Medical COT", "training", "test-run")
    assert told_of(folder, KEY, TOKEN) == []
    assert KEY not in output
    assert TOKEN not in output


@needs("wandb")
def test_wandb_without_a_key_is_off_with_a_notice(make_job: JobMaker, tiny_base: Path) -> None:
    code, events, _, folder = train(make_job, tiny_base, ["wandb"])
    assert code == 0
    assert any("tracking with wandb is off: WANDB_API_KEY is not set" in notice for notice in notices(events))
    assert not (folder / "run" / "tracking" / "wandb").exists()


@needs("wandb")
def test_wandb_that_cannot_be_reached_does_not_cost_the_training(make_job: JobMaker, tiny_base: Path) -> None:
    code, events, output, folder = train(
        make_job, tiny_base, ["wandb"], WANDB_API_KEY=KEY, WANDB_BASE_URL="http://127.0.0.1:9", WANDB_INIT_TIMEOUT="3"
    )
    assert code == 0, output[-2000:]
    assert len(losses(events)) == 3
    assert any(notice.startswith("tracking with wandb is off: ") for notice in notices(events))
    assert told_of(folder, KEY, TOKEN) == []
    assert KEY not in output


@needs("tensorboard")
def test_tensorboard_has_the_curve(make_job: JobMaker, tiny_base: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    code, events, output, folder = train(make_job, tiny_base, ["tensorboard"])
    assert code == 0, output[-2000:]
    accumulator = EventAccumulator(str(folder / "run" / "tracking" / "tensorboard"))
    accumulator.Reload()
    scalars = accumulator.Scalars("train/loss")
    assert [scalar.step for scalar in scalars] == [1, 2, 3]
    assert [scalar.value for scalar in scalars] == pytest.approx(losses(events), rel=1e-6)
    assert told_of(folder, TOKEN) == []


@needs("trackio")
def test_trackio_keeps_the_curve_in_a_local_database(make_job: JobMaker, tiny_base: Path) -> None:
    import sqlite3

    code, events, output, folder = train(make_job, tiny_base, ["trackio"], HF_HUB_OFFLINE="1")
    assert code == 0, output[-2000:]
    assert not any("is off" in notice for notice in notices(events))
    (file,) = (folder / "run" / "tracking" / "trackio").glob("*.db")
    with sqlite3.connect(file) as database:
        rows = database.execute("SELECT step, metrics FROM metrics ORDER BY step").fetchall()
    curve = [json.loads(metrics)["train/loss"] for _, metrics in rows if "train/loss" in json.loads(metrics)]
    assert curve == pytest.approx(losses(events))
    assert told_of(folder, TOKEN) == []
    assert TOKEN not in output


def test_a_tracker_that_fails_later_is_switched_off_once(make_job: JobMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers", reason="training needs requirements-cpu.txt")
    from types import SimpleNamespace

    from conftest import Recorder

    from osler_trainer.events import EventWriter
    from osler_trainer.tracking import guard_trackers

    class WandbCallback:
        calls = 0

        def on_log(self, *_: Any, **__: Any) -> None:
            WandbCallback.calls += 1
            raise RuntimeError(f"lost the connection with {KEY}\nand more")

        on_step_end = on_log

    monkeypatch.setenv("WANDB_API_KEY", KEY)
    recorder = Recorder()
    other = object()
    trainer = SimpleNamespace(callback_handler=SimpleNamespace(callbacks=[WandbCallback(), other]))
    guard_trackers(trainer, EventWriter(recorder))
    guarded, kept = trainer.callback_handler.callbacks
    assert kept is other
    for _ in range(3):
        guarded.on_log(None, None, None)
        guarded.on_step_end(None, None, None)
    assert WandbCallback.calls == 1
    assert notices(recorder.events) == ["tracking with wandb is off: RuntimeError: lost the connection with ***"]
