"""Checksums of a base that only this host has are told once, as they were when the training began, and cost no training."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import PACKAGE, JobMaker, Recorder

from osler_trainer.base_digests import BaseDigests, base_files
from osler_trainer.base_model import BaseModel
from osler_trainer.events import EventWriter

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def folder_of(tmp_path: Path, *names: str) -> Path:
    for name in names:
        (tmp_path / "base" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "base" / name).write_text(name, encoding="utf-8")
    return tmp_path / "base"


def test_what_is_read_of_a_base_is_listed_and_nothing_else(tmp_path: Path) -> None:
    read = ["config.json", "merges.txt", "model-1.safetensors", "tokenizer.model"]
    others = ["README.md", "pytorch_model.bin", "model.gguf", "notes.txt", ".cache/config.json", ".config.json", "checkpoint-2/config.json"]
    folder = folder_of(tmp_path, *read, *others)
    (tmp_path / "blob").write_bytes(b"weights")
    (folder / "model-1.safetensors").unlink()
    (folder / "model-1.safetensors").symlink_to(tmp_path / "blob")
    files = {file.path: file for file in base_files(folder)}
    assert list(files) == read
    linked = files["model-1.safetensors"]
    assert (linked.bytes, linked.sha256) == (7, hashlib.sha256(b"weights").hexdigest())


def test_a_base_that_cannot_be_read_is_a_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_file: Path) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("osler_trainer.base_digests.sha256_of_file", broken)
    recorder = Recorder()
    BaseDigests(BaseModel("owner/name", COMMIT, folder_of(tmp_path, "config.json"), True), EventWriter(recorder)).wait()
    assert [event["type"] for event in recorder.events] == ["notice"]
    assert "Input/output error" in recorder.events[0]["message"]


def train(job: Path, **environment: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "osler_trainer", "train", str(job)]
    variables = os.environ | {"PYTHONPATH": str(PACKAGE.parent)} | environment
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=variables)
    assert result.returncode == 0, result.stderr[-2000:]
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_training_on_a_base_of_the_hub_tells_of_it_before_it_merges(make_job: JobMaker, tiny_base: Path, tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--owner--tiny"
    shutil.copytree(tiny_base, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    settings: dict[str, Any] = {"base": {"maxLengthTokens": 512}, "trainer": {"maxSteps": 1, "loggingSteps": 1}}
    events = train(make_job(basePath="owner/tiny", **settings), HF_HUB_CACHE=str(tmp_path / "hub"))
    (told,) = [event for event in events if event["type"] == "base"]
    assert told["revision"] == COMMIT
    weights = hashlib.sha256((tiny_base / "model.safetensors").read_bytes()).hexdigest()
    assert {file["path"]: file["sha256"] for file in told["files"]}["model.safetensors"] == weights
    assert {"config.json", "tokenizer.json"} <= {file["path"] for file in told["files"]}
    merged = next(place for place, event in enumerate(events) if event["type"] == "artifact" and event["kind"] == "merged")
    assert events.index(told) < merged

    # A folder that the launcher put there is the server's to record.
    assert not any(event["type"] == "base" for event in train(make_job(basePath=str(tiny_base), **settings)))
