"""Folders that appear complete or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside `target` that takes its place when the block ends well.

    A folder already at `target` is replaced. On any failure the new folder is removed and the old one stays.
    Leftovers of a killed process with the same name are cleared first.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        yield part
        _settle(part)
        shutil.rmtree(old, ignore_errors=True)
        if target.exists():
            target.rename(old)
        part.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def folder_bytes(folder: Path) -> int:
    """Size of all files under `folder`, in bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def sync_files(folder: Path, only: Path | None = None) -> None:
    """Bring the files under `folder` (or `only` that one) and its list of names to the disk itself: without it a power cut
    after a rename can leave a complete-looking folder of empty files.
    """
    files = [path for path in folder.rglob("*") if path.is_file()] if only is None else [only]
    for path in (*files, folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _settle(folder: Path) -> None:
    # safetensors writes files that only their owner may read; a model served by another user needs the usual bits.
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o644)
    sync_files(folder)
