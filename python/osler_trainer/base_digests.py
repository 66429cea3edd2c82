"""Checksums of a base that only this host has: computed beside the loading and the training, and told once."""

from __future__ import annotations

import re
import sys
import threading
import traceback
from pathlib import Path

from .artifacts import sha256_of_file
from .base_model import BaseModel
from .events import ArtifactFile, BaseFiles, EventWriter

_READ = re.compile(r"(?:\.safetensors|\.json|\.jinja|^(?:tokenizer\.model|merges\.txt|vocab\.txt))$")
"""What is read of a base; must take what modelFile of src/train/resolve-model.ts takes."""


class BaseDigests:
    """A thread that reads a base's files once; reading and hashing let other threads work."""

    def __init__(self, base: BaseModel, events: EventWriter) -> None:
        self._base, self._events = base, events
        self._thread = threading.Thread(target=self._run, name="base-digests", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return once the event is out, or the notice why there is none."""
        self._thread.join()

    def _run(self) -> None:
        try:
            self._events.emit(BaseFiles(revision=self._base.revision, files=base_files(self._base.folder)))
        except OSError as error:  # without them the certificate knows the base from the merge on
            traceback.print_exc(file=sys.stderr)
            self._events.notice(f"the base's checksums were not recorded: {error.strerror or error}")


def base_files(folder: Path) -> list[ArtifactFile]:
    """Size and checksum of what is read of a base, directly in its folder; links are followed, as the Hub's cache has them."""
    names = sorted(file.name for file in folder.iterdir() if file.is_file())
    read = [name for name in names if _READ.search(name) and not name.startswith(".")]
    return [ArtifactFile(path=name, bytes=(folder / name).stat().st_size, sha256=sha256_of_file(folder / name)) for name in read]
