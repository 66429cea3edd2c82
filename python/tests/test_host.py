"""The host's side of the ssh launcher, asked as the server asks it."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from osler_trainer import host

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask() -> Ask:
    """ask(op, payload=…, …) gives the reply, with the raw bytes as "raw"."""

    def ask(op: str, payload: bytes = b"", **request: Any) -> dict[str, Any]:
        out = io.BytesIO()
        before = os.umask(0)
        host.main({"op": op, **request}, io.BytesIO(payload), out)
        os.umask(before)
        marker, line, raw = out.getvalue().split(b"\n", 2)
        assert marker.decode() == host.MARKER
        reply: dict[str, Any] = json.loads(line)
        return reply | {"raw": raw}

    return ask


@pytest.fixture
def start(ask: Ask, tmp_path: Path) -> Any:
    """start(run, token=…) starts a trainer that sleeps, and ends it after the test."""
    (tmp_path / "sources" / "osler_trainer").mkdir(parents=True)
    (tmp_path / "sources" / "osler_trainer" / "__main__.py").write_text(
        'import os, time; print(os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("TOKEN"), flush=True); time.sleep(60)\n',
        encoding="utf-8",
    )
    started: list[int] = []

    def start(run: str = "run-1", token: str = "a", processes: int = 1) -> dict[str, Any]:
        folder = tmp_path / "work" / "runs" / run
        folder.mkdir(parents=True, exist_ok=True)
        job = str(folder / "job.json")
        reply = ask(
            "start",
            workDir=str(tmp_path / "work"),
            folder=str(folder),
            job=job,
            events="events.jsonl",
            log="trainer.log",
            processes=processes,
            startedAt=f"at {token}",
            token=token,
            arguments=["-m", "osler_trainer", "train", job],
            environment={"PYTHONPATH": str(tmp_path / "sources"), "TOKEN": "secret"},
        )
        if "pid" in reply:
            started.append(reply["pid"])
        return reply | {"folder": folder, "job": job}

    yield start
    for pid in started:
        try:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


def wait_for_text(file: Path) -> str:
    end = time.monotonic() + 20
    while not file.read_text(encoding="utf-8").endswith("\n"):
        assert time.monotonic() < end
        time.sleep(0.02)
    return file.read_text(encoding="utf-8")


def fake_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir(exist_ok=True)
    lines = "".join(f"echo '{index}, NVIDIA H100 80GB HBM3, 81559 MiB'\n" for index in range(count))
    tool.write_text(f"#!/bin/sh\n{lines}", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_a_repeated_request_starts_nothing_and_gives_the_same_trainer(start: Any) -> None:
    first = start()
    assert start()["pid"] == first["pid"]
    # Another server, or this one after a kill -9, which knows no token.
    again = start(token="b")
    assert (again["pid"], again["startedAt"]) == (first["pid"], "at a")


def test_the_trainer_has_its_environment_and_a_session_of_its_own(start: Any) -> None:
    trainer = start()
    assert wait_for_text(trainer["folder"] / "events.jsonl") == "None secret\n"
    assert os.getsid(trainer["pid"]) == trainer["pid"]
    assert b"secret" not in Path(f"/proc/{trainer['pid']}/cmdline").read_bytes()
    assert all(b"secret" not in path.read_bytes() for path in trainer["folder"].iterdir() if path.name != "events.jsonl")
    assert (trainer["folder"] / "trainer.json").stat().st_mode & 0o077 == 0


def test_runs_share_out_the_gpus(start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gpus(tmp_path, monkeypatch, 3)
    assert wait_for_text(start("run-1", processes=2)["folder"] / "events.jsonl") == "0,1 secret\n"
    assert wait_for_text(start("run-2")["folder"] / "events.jsonl") == "2 secret\n"
    assert start("run-3")["error"] == "busy"


@pytest.fixture
def question(ask: Ask, start: Any, tmp_path: Path) -> Any:
    """question() asks a trainer that tells what it was called with; its folder is given back as "folder"."""
    (tmp_path / "sources" / "osler_trainer" / "preflight_only.py").write_text(
        'import os, sys; print("noise"); print(os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("TOKEN"), *sys.argv[1:])\n',
        encoding="utf-8",
    )

    def question(name: str = "check-1", processes: int = 1, *flags: str, **request: Any) -> dict[str, Any]:
        folder = tmp_path / "work" / "checks" / name
        folder.mkdir(parents=True, exist_ok=True)
        reply = ask(
            "preflight",
            **{
                "workDir": str(tmp_path / "work"),
                "folder": str(folder),
                "processes": processes,
                "arguments": ["-m", "osler_trainer.preflight_only", *flags],
                "environment": {"PYTHONPATH": str(tmp_path / "sources"), "TOKEN": "secret"},
                "timeoutSeconds": 20,
            }
            | request,
        )
        return reply | {"folder": folder}

    return question


def test_a_question_is_asked_on_the_gpus_that_the_run_would_get(question: Any, start: Any, tmp_path: Path, monkeypatch: Any) -> None:
    assert question()["stdout"] == "None secret"
    fake_gpus(tmp_path, monkeypatch, 2)
    start("run-1")
    reply = question("check-2", 1, "--job", "x")
    assert (reply["exitCode"], reply["stdout"]) == (0, "1 secret --job x")
    # None is left: it would wait for them, and is told so.
    assert question("check-3", 2)["stdout"] == "None secret --busy"
    assert question("check-3", 2, "--busy")["stdout"] == "None secret --busy"


def test_a_question_leaves_no_folder_and_removes_those_that_others_left(question: Any, tmp_path: Path) -> None:
    old, new = tmp_path / "work" / "checks" / "old", tmp_path / "work" / "checks" / "new"
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    failed = question(arguments=["-c", "raise SystemExit('no such device')"])
    assert (failed["exitCode"], failed["stderr"].strip()) == (1, "no such device")
    assert [failed["folder"].exists(), old.exists(), new.exists()] == [False, False, True]
    slow = question(arguments=["-c", "import time; time.sleep(60)"], timeoutSeconds=0.2)
    assert (slow["exitCode"], "timed out" in slow["stderr"], slow["folder"].exists()) == (None, True, False)
    runs = tmp_path / "work" / "runs"
    runs.mkdir()
    assert question(folder=str(runs))["error"] == "system"
    assert runs.exists()


def test_visible_gpus_are_those_that_the_host_allows(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gpus(tmp_path, monkeypatch, 3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,2")
    described = ask("describe", workDir=str(tmp_path / "work"), packages=["json", "no_such_package"])
    assert [gpu["index"] for gpu in described["gpus"]] == ["1", "2"]
    assert described["missing"] == ["no_such_package"]
    assert described["python"] == list(sys.version_info[:3])
    assert described["workDir"] == str(tmp_path / "work")


def test_another_process_is_not_taken_for_the_trainer_and_not_signalled(ask: Ask, start: Any) -> None:
    trainer = start()
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        for is_kill in (True, False):
            ask("signal", pid=other.pid, job=trainer["job"], isKill=is_kill)
        assert ask("poll", pid=other.pid, job=trainer["job"], files=[])["isAlive"] is False
        time.sleep(0.2)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
    assert ask("poll", pid=trainer["pid"], job=trainer["job"], files=[])["isAlive"] is True
    ask("signal", pid=trainer["pid"], job=trainer["job"], isKill=True)
    os.waitpid(trainer["pid"], 0)
    assert ask("poll", pid=trainer["pid"], job=trainer["job"], files=[])["isAlive"] is False
    ask("signal", pid=trainer["pid"], job=trainer["job"], isKill=False)


def test_a_half_line_of_a_killed_trainer_is_ended_before_the_next_one_writes(start: Any, tmp_path: Path) -> None:
    folder = tmp_path / "work" / "runs" / "run-1"
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text('{"type": "prog', encoding="utf-8")
    start()
    wait_for_text(folder / "events.jsonl")
    end = time.monotonic() + 20
    while (folder / "events.jsonl").read_text(encoding="utf-8").count("\n") < 2 and time.monotonic() < end:
        time.sleep(0.02)
    assert (folder / "events.jsonl").read_text(encoding="utf-8") == '{"type": "prog\nNone secret\n'


def test_files_are_written_on_from_an_offset_and_never_with_a_hole(ask: Ask, tmp_path: Path) -> None:
    files = [{"path": str(tmp_path / "a" / "x"), "offset": 0, "bytes": 3}, {"path": str(tmp_path / "y"), "offset": 0, "bytes": 2}]
    ask("write", b"abcde", files=files)
    ask("write", b"DE", files=[{"path": str(tmp_path / "a" / "x"), "offset": 1, "bytes": 2}])
    assert (tmp_path / "a" / "x").read_bytes() == b"aDE"
    assert (tmp_path / "y").read_bytes() == b"de"
    assert ask("write", b"z", files=[{"path": str(tmp_path / "y"), "offset": 9, "bytes": 1}])["error"] == "system"
    assert (tmp_path / "y").read_bytes() == b"de"


def test_a_payload_that_is_cut_off_is_an_error_and_what_came_is_kept(ask: Ask, tmp_path: Path) -> None:
    assert "cut off" in ask("write", b"abc", files=[{"path": str(tmp_path / "x"), "offset": 0, "bytes": 9}])["message"]
    assert (tmp_path / "x").read_bytes() == b"abc"


def test_a_full_disk_is_told_as_such(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    reply = ask("write", b"abc", files=[{"path": str(tmp_path / "x"), "offset": 0, "bytes": 3}])
    assert reply["error"] == "diskFull"


def test_a_folder_gets_its_name_only_with_the_right_content(ask: Ask, tmp_path: Path) -> None:
    part, folder = tmp_path / "part", tmp_path / "folder"
    part.mkdir()
    (part / "good").write_bytes(b"good")
    (part / "bad").write_bytes(b"bat")
    files = [{"path": name, "bytes": len(name), "sha256": sha256(name.encode()).hexdigest()} for name in ("good", "bad")]
    assert ask("publish", part=str(part), folder=str(folder), files=files)["bad"] == ["bad"]
    assert not folder.exists()
    assert not (part / "bad").exists()
    (part / "bad").write_bytes(b"bad")
    assert ask("publish", part=str(part), folder=str(folder), files=files)["bad"] == []
    assert sorted(path.name for path in folder.iterdir()) == ["bad", "good"]
    assert ask("uploadState", part=str(part), folder=str(folder), files=["good"])["isThere"] is True


def test_reading_gives_what_lies_between_offset_and_limit(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"0123456789")
    files = [{"path": str(tmp_path / name), "offset": offset, "limit": 4} for name, offset in (("x", 2), ("none", 0), ("x", 8), ("x", 20))]
    reply = ask("read", files=files)
    assert reply["counts"] == [4, 0, 2, 0]
    assert reply["raw"] == b"234589"


def test_only_runs_can_be_removed_and_none_whose_trainer_is_at_work(ask: Ask, start: Any, tmp_path: Path) -> None:
    work_dir = str(tmp_path / "work")
    trainer = start()
    assert ask("remove", folder=str(trainer["folder"]), workDir=work_dir)["isRemoved"] is False
    for other in (work_dir, f"{work_dir}/runs/..", "..", f"{work_dir}/models", f"{work_dir}/runs/{trainer['folder'].name}/outputs/.."):
        (tmp_path / "work" / "models").mkdir(exist_ok=True)
        (trainer["folder"] / "outputs").mkdir(exist_ok=True)
        assert ask("remove", folder=other, workDir=work_dir)["isRemoved"] is False, other
    assert trainer["folder"].exists()
    ask("signal", pid=trainer["pid"], job=trainer["job"], isKill=True)
    os.waitpid(trainer["pid"], 0)
    assert ask("remove", folder=str(trainer["folder"]), workDir=work_dir)["isRemoved"] is True
    assert not trainer["folder"].exists()
    # One that was never started, below the work folder; and one that is gone already.
    (tmp_path / "work" / "runs" / "run-2").mkdir()
    assert ask("remove", folder="runs/run-2", workDir=work_dir)["isRemoved"] is True
    assert ask("remove", folder="runs/run-2", workDir=work_dir)["isRemoved"] is True


def test_listing_tells_every_plain_file_with_its_checksum(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "run" / "offline-run").mkdir(parents=True)
    (tmp_path / "run" / ".hidden").mkdir()
    (tmp_path / "secret").write_bytes(b"of another")
    for name in ("curve", "offline-run/run.wandb", ".lock", ".hidden/file"):
        (tmp_path / "run" / name).write_bytes(b"x" * 3_000_000)
    (tmp_path / "run" / "linked").symlink_to(tmp_path / "secret")
    (tmp_path / "run" / "latest-run").symlink_to(tmp_path / "run" / "offline-run")
    files = ask("list", folder=str(tmp_path / "run"))["files"]
    digest = hashlib.sha256(b"x" * 3_000_000).hexdigest()
    assert sorted(file["path"] for file in files) == ["curve", "offline-run/run.wandb"]
    assert all((file["bytes"], file["sha256"]) == (3_000_000, digest) for file in files)
    assert ask("list", folder=str(tmp_path / "none"))["files"] == []


def test_a_supervised_trainer_is_ended_by_a_file_and_told_its_exit_code(tmp_path: Path) -> None:
    supervise = [sys.executable, str(Path(host.__file__)), str(tmp_path), sys.executable, "-c"]
    assert subprocess.run([*supervise, "print('{}'); raise SystemExit(3)"], check=False).returncode == 3
    assert (tmp_path / "events.jsonl").read_text(encoding="utf-8") == "{}\n"
    running = subprocess.Popen([*supervise, "import time; print('up', flush=True); time.sleep(60)"])
    while "up" not in wait_for_text(tmp_path / "events.jsonl"):
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    (tmp_path / "kill").touch()
    assert running.wait(timeout=20) == 128 + signal.SIGKILL
