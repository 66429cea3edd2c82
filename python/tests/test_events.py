"""Every event that can be written is one that the contract knows."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any, get_args

import pytest
from conftest import PACKAGE, JobMaker, Recorder
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from osler_trainer import events as ev
from osler_trainer.heartbeat import HeartbeatThread, Pulse
from osler_trainer.train import train_command

SCHEMA = json.loads((PACKAGE / "contract" / "train-event.schema.json").read_text(encoding="utf-8"))

EXAMPLES: list[Any] = [
    ev.Started(
        run_id="r",
        backend="peft",
        pid=1,
        versions={"torch": "2.13.0"},
        device=ev.Device(kind="cpu", name="cpu", memory_bytes=None),
        resolved={"precision": "fp32", "threads": 2, "loadIn4bit": False, "resumedFrom": None},
    ),
    ev.Stage(stage="merging"),
    ev.DatasetReady(rows=2, truncated_rows=1, length_tokens=ev.LengthTokens(min=1, median=2, p95=3, max=4), first_text="<s>é\n</s>"),
    ev.Progress(
        step=1,
        total_steps=2,
        epoch=0.5,
        loss=1.25,
        learning_rate=2e-4,
        grad_norm=None,
        tokens_per_second=100.0,
        memory_bytes=1 << 33,
        eta_seconds=0.0,
    ),
    ev.HeldOut(step=1, loss=1.5),
    ev.Checkpoint(step=1, path="outputs/checkpoint-1"),
    ev.Notice(message="n"),
    ev.Artifact(kind="merged", path="merged", bytes=5, files=[ev.ArtifactFile(path="config.json", bytes=5, sha256="00")]),
    ev.BaseFiles(revision="0a1b", files=[ev.ArtifactFile(path="config.json", bytes=5, sha256="00")]),
    ev.Heartbeat(step=3, idle_seconds=0.5),
    ev.Stopped(step=1, total_steps=2),
    ev.Failed(reason="unexpected", message="m", next_step="n"),
    ev.Finished(steps=2, final_loss=1.0, train_seconds=3.5, peak_memory_bytes=None),
]


def written(event: ev.TrainEvent) -> str:
    stream = io.StringIO()
    ev.EventWriter(stream).emit(event)
    return stream.getvalue()


def test_the_examples_cover_every_kind_of_the_contract() -> None:
    kinds = {variant["properties"]["type"]["const"] for variant in SCHEMA["oneOf"]}
    assert {event.type for event in EXAMPLES} == kinds
    assert {type(event) for event in EXAMPLES} == set(get_args(ev.TrainEvent))


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.type)
def test_an_event_is_one_line_of_json_that_the_schema_accepts(event: ev.TrainEvent) -> None:
    line = written(event)
    assert line.endswith("\n")
    assert line.count("\n") == 1
    Draft202012Validator(SCHEMA).validate(json.loads(line))
    assert type(event).model_validate_json(line) == event


def test_a_loss_that_is_no_number_cannot_become_an_event() -> None:
    with pytest.raises(ValidationError):
        ev.HeldOut(step=1, loss=float("nan"))


def test_only_events_reach_stdout_whatever_libraries_print() -> None:
    program = (
        "import os, sys\n"
        "from osler_trainer.events import EventWriter, Notice\n"
        "writer = EventWriter.take_stdout()\n"
        "print('python print'); os.system('echo from a child'); os.write(1, b'raw write\\n')\n"
        "writer.emit(Notice(message='hello'))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert [json.loads(line)["message"] for line in result.stdout.splitlines()] == ["hello"]
    assert all(text in result.stderr for text in ("python print", "from a child", "raw write"))


def test_a_reader_that_went_away_does_not_end_the_training() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    writer = ev.EventWriter(Closed())
    writer.emit(ev.Notice(message="lost"))
    writer.emit(ev.Notice(message="lost too"))


def test_only_rank_0_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    assert written(ev.Notice(message="n")) == ""


def test_many_threads_write_whole_lines(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    with file.open("w", encoding="utf-8") as stream:
        writer = ev.EventWriter(stream)
        threads = [Thread(target=lambda: [writer.emit(ev.Notice(message="x" * 5000)) for _ in range(50)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 400
    assert all(json.loads(line)["message"] == "x" * 5000 for line in lines)


def test_heartbeats_tell_step_and_idle_time_and_none_follows_the_end() -> None:
    stream = io.StringIO()
    writer = ev.EventWriter(stream)
    pulse = Pulse()
    with HeartbeatThread(writer, pulse, interval_seconds=0.02):
        time.sleep(0.1)
        pulse.worked(7)
        time.sleep(0.05)
        writer.emit(ev.Finished(steps=7, final_loss=1.0, train_seconds=1.0, peak_memory_bytes=None))
        time.sleep(0.05)
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert told[-1]["type"] == "finished"
    beats = [event for event in told if event["type"] == "heartbeat"]
    before, after = [beat for beat in beats if beat["step"] == 0], [beat for beat in beats if beat["step"] == 7]
    assert len(before) >= 2
    assert after
    assert before[-1]["idleSeconds"] > before[0]["idleSeconds"] > 0
    assert after[0]["idleSeconds"] < before[-1]["idleSeconds"]


def test_a_dry_run_has_heartbeats_too(make_job: JobMaker) -> None:
    recorder = Recorder()
    job = make_job(dryRun=True, trainer={"maxSteps": 10})
    assert train_command(job, ev.EventWriter(recorder), heartbeat_seconds=0.05) == 0
    steps = [beat["step"] for beat in recorder.of("heartbeat")]
    assert len(steps) >= 2
    assert steps == sorted(steps)
    assert recorder.events[-1]["type"] == "finished"
