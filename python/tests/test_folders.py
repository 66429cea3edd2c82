"""Folders and checkpoints: complete or not there, and one trainer at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from osler_trainer.checkpoints import complete_checkpoints, only_trainer
from osler_trainer.errors import MissingPrerequisite
from osler_trainer.folders import atomic_folder, folder_bytes


def test_a_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "merged"
    target.mkdir()
    (target / "old").write_text("old", encoding="utf-8")
    with atomic_folder(target) as part:
        (part / "new").write_text("12345", encoding="utf-8")
        assert (target / "old").exists()
    assert [path.name for path in target.iterdir()] == ["new"]
    assert folder_bytes(target) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["merged"]


def test_a_failure_leaves_the_old_folder_and_no_part(tmp_path: Path) -> None:
    target = tmp_path / "merged"
    target.mkdir()
    with pytest.raises(KeyboardInterrupt), atomic_folder(target) as part:  # noqa: PT012 - the block is what fails
        (part / "half").write_text("x", encoding="utf-8")
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["merged"]
    assert list(target.iterdir()) == []


def checkpoint(outputs: Path, step: int, *, weights: bytes | None = None, recorded: int | None = None) -> Path:
    folder = outputs / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    whole = len(header).to_bytes(8, "little") + header + bytes(4)
    (folder / "adapter_model.safetensors").write_bytes(whole if weights is None else weights)
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        (folder / name).write_bytes(b"x")
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step if recorded is None else recorded}), encoding="utf-8")
    return folder


def test_checkpoints_come_by_step_and_half_written_ones_apart(tmp_path: Path) -> None:
    first, tenth = checkpoint(tmp_path, 5), checkpoint(tmp_path, 10)
    cut = checkpoint(tmp_path, 15, weights=b"\x02\0\0\0\0\0\0\0{}"[:6])
    no_state = checkpoint(tmp_path, 20)
    (no_state / "trainer_state.json").unlink()
    wrong = checkpoint(tmp_path, 25, recorded=3)
    (tmp_path / "checkpoint-x").mkdir()
    assert complete_checkpoints(tmp_path) == ([first, tenth], [cut, no_state, wrong])


def test_outputs_belong_to_one_trainer_at_a_time(tmp_path: Path) -> None:
    with (
        only_trainer(tmp_path / "outputs"),
        pytest.raises(MissingPrerequisite, match="another trainer"),
        only_trainer(tmp_path / "outputs"),
    ):
        pass
    with only_trainer(tmp_path / "outputs"):
        pass
