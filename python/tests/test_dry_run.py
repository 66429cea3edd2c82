"""The dry run as a process: its events, its exit codes, its answer to SIGTERM."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from conftest import PACKAGE, ROWS, JobMaker
from jsonschema import Draft202012Validator

SCHEMA = Draft202012Validator(json.loads((PACKAGE / "contract" / "train-event.schema.json").read_text(encoding="utf-8")))


def start(job: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "osler_trainer", "train", str(job)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, list[dict[str, Any]]]:
    out, _ = process.communicate(timeout=60)
    events = [json.loads(line) for line in out.splitlines()]
    for event in events:
        SCHEMA.validate(event)
    return process.returncode, [event for event in events if event["type"] != "heartbeat"]


def test_a_run_tells_started_dataset_progress_and_finished_alone(make_job: JobMaker, tmp_path: Path) -> None:
    code, events = finish(start(make_job(dryRun=True, trainer={"maxSteps": 6, "loggingSteps": 2})))
    assert code == 0
    assert [event["type"] for event in events] == ["started", "dataset", "progress", "progress", "progress", "finished"]
    assert [event["step"] for event in events if event["type"] == "progress"] == [2, 4, 6]
    assert events[-1]["finalLoss"] == events[-2]["loss"]
    assert ROWS[0]["thought"] in events[1]["firstText"]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["outputs"]


def test_sigterm_stops_it_and_resume_goes_on(make_job: JobMaker) -> None:
    process = start(make_job(dryRun=True, trainer={"maxSteps": 200, "loggingSteps": 1}))
    assert process.stdout is not None
    seen = [json.loads(process.stdout.readline()) for _ in range(5)]
    process.send_signal(signal.SIGTERM)
    code, events = finish(process)
    assert code == 130
    assert events[-1]["type"] == "stopped"
    stopped_at = events[-1]["step"]
    assert seen[-1]["step"] <= stopped_at < 200
    code, events = finish(start(make_job(dryRun=True, resume=True, trainer={"maxSteps": stopped_at + 3, "loggingSteps": 1})))
    assert code == 0
    assert [event["step"] for event in events if event["type"] == "progress"] == [stopped_at + 1, stopped_at + 2, stopped_at + 3]


def test_a_second_trainer_in_the_same_folder_is_refused(make_job: JobMaker) -> None:
    job = make_job(dryRun=True, trainer={"maxSteps": 200})
    first = start(job)
    assert first.stdout is not None
    first.stdout.readline()
    code, events = finish(start(job))
    first.terminate()
    first.communicate(timeout=60)
    assert code == 3
    assert "another trainer" in events[-1]["message"]


def test_bad_jobs_exit_with_2_and_missing_files_with_3(make_job: JobMaker, tmp_path: Path) -> None:
    job = make_job(dryRun=True)
    broken = json.loads(job.read_text(encoding="utf-8"))
    broken["recipe"]["trainer"]["maxSteps"] = 0
    job.write_text(json.dumps(broken), encoding="utf-8")
    cases = [(job, 2, "recipe.trainer.maxSteps"), (tmp_path / "absent.json", 3, "absent.json")]
    for file, expected, named in cases:
        code, events = finish(start(file))
        assert code == expected
        assert [event["type"] for event in events] == ["failed"]
        assert named in events[0]["message"]
        assert events[0]["nextStep"]
    code, events = finish(start(make_job(dryRun=True, trainFile=str(tmp_path / "none.jsonl"))))
    assert (code, events[-1]["type"]) == (3, "failed")
