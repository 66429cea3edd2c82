"""What a training leaves behind, told with the checksum of every file, so that a copy elsewhere can be checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from .events import Artifact, ArtifactFile


def artifact(
    kind: Literal["adapter", "tokenizer", "merged", "reference"], path: Path, on_file: Callable[[], None] = lambda: None
) -> Artifact:
    """The event for a complete folder (or one file) at `path`; reads every byte of it and calls `on_file` after each file."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    listed: list[ArtifactFile] = []
    for file in files:
        name = "" if file == path else file.relative_to(path).as_posix()
        listed.append(ArtifactFile(path=name, bytes=file.stat().st_size, sha256=sha256_of_file(file)))
        on_file()
    return Artifact(kind=kind, path=str(path), bytes=sum(file.bytes for file in listed), files=listed)


def sha256_of_file(file: Path) -> str:
    """Hexadecimal digest of the file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
