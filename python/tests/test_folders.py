"""Folders and checkpoints: complete or not there, and one trainer at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from osler_trainer.checkpoints import MARKER, LossWindow, complete_checkpoints, loss_window, mark_complete, only_trainer, unmark
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


FILES = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", "README.md")
WINDOW = LossWindow(since_step=4, loss_sum=2.1234567893981934, total=11.5)


def checkpoint(outputs: Path, step: int) -> Path:
    folder = outputs / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_bytes(b"x" * 9)
    return folder


def test_checkpoints_come_by_step_and_unmarked_ones_apart(tmp_path: Path) -> None:
    first, tenth = checkpoint(tmp_path, 5), checkpoint(tmp_path, 10)
    for folder in (tenth, first):
        mark_complete(folder, WINDOW)
    unmarked = checkpoint(tmp_path, 15)
    taken_off = checkpoint(tmp_path, 20)
    mark_complete(taken_off, WINDOW)
    unmark(taken_off)
    (tmp_path / "checkpoint-x").mkdir()
    assert complete_checkpoints(tmp_path) == ([first, tenth], [unmarked, taken_off])
    assert loss_window(first) == WINDOW


@pytest.mark.parametrize("name", FILES)
def test_a_marked_checkpoint_with_a_file_gone_or_cut_is_incomplete(tmp_path: Path, name: str) -> None:
    cut, gone = checkpoint(tmp_path, 5), checkpoint(tmp_path, 10)
    for folder in (cut, gone):
        mark_complete(folder, WINDOW)
    (cut / name).write_bytes(b"x")
    (gone / name).unlink()
    assert complete_checkpoints(tmp_path) == ([], [cut, gone])


@pytest.mark.parametrize("marker", ["", "{", "[]", '{"step": 5}', '{"step": 6, "files": {}}', '{"step": 5, "files": {}}'])
def test_a_marker_that_says_nothing_is_none(tmp_path: Path, marker: str) -> None:
    folder = checkpoint(tmp_path, 5)
    (folder / MARKER).write_text(marker, encoding="utf-8")
    assert complete_checkpoints(tmp_path) == ([], [folder])


def test_outputs_belong_to_one_trainer_at_a_time(tmp_path: Path) -> None:
    with (
        only_trainer(tmp_path / "outputs"),
        pytest.raises(MissingPrerequisite, match="another trainer"),
        only_trainer(tmp_path / "outputs"),
    ):
        pass
    with only_trainer(tmp_path / "outputs"):
        pass
