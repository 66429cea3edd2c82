"""What a training leaves behind, told with the checksum of every file, so that a copy elsewhere can be checked."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from .events import Artifact, ArtifactFile


def artifact(kind: Literal["adapter", "tokenizer", "merged", "reference"], path: Path) -> Artifact:
    """The event for a complete folder (or one file) at `path`; reads every byte of it."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    listed = [
        ArtifactFile(path="" if file == path else file.relative_to(path).as_posix(), bytes=file.stat().st_size, sha256=sha256_of_file(file))
        for file in files
    ]
    return Artifact(kind=kind, path=str(path), bytes=sum(file.bytes for file in listed), files=listed)


def sha256_of_file(file: Path) -> str:
    """Hexadecimal digest of the file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
