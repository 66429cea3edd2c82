"""The trainer's only stdout: one JSON event a line. The pydantic twin of src/core/schema/train-event.ts."""

from __future__ import annotations

import json
import os
import sys
import threading
from datetime import UTC, datetime
from typing import Annotated, Literal, TextIO

from pydantic import AfterValidator, Field

from .contract import ContractModel
from .errors import FailureReason


def now() -> str:
    """UTC in ISO 8601 with milliseconds and Z, as the contract's `at`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _utc(text: str) -> str:
    if not text.endswith("Z"):
        raise ValueError("must be UTC, ending in Z")
    datetime.fromisoformat(text[:-1])
    return text


_Step = Annotated[int, Field(ge=0)]


class _Event(ContractModel):
    at: Annotated[str, AfterValidator(_utc)] = Field(default_factory=now)


class Device(ContractModel):
    """Where the tensors are."""

    kind: Literal["cpu", "cuda", "mps"]
    name: str
    memory_bytes: int | None


class LengthTokens(ContractModel):
    """Lengths of the rows in tokens, before any is cut."""

    min: int
    median: int
    p95: int
    max: int


class Started(_Event):
    """The settings as they are really used."""

    type: Literal["started"] = "started"
    run_id: str
    backend: Literal["unsloth", "peft", "dry-run"]
    pid: int
    versions: dict[str, str]
    device: Device
    resolved: dict[str, str | int | float | bool | None]


class Stage(_Event):
    """A part of the work begins."""

    type: Literal["stage"] = "stage"
    stage: Literal["preparing", "training", "saving", "merging", "reference"]


class DatasetReady(_Event):
    """The rows as they are trained."""

    type: Literal["dataset"] = "dataset"
    rows: int
    truncated_rows: int
    length_tokens: LengthTokens
    first_text: str


class ArtifactFile(ContractModel):
    """One file of a folder; `path` is below it, or empty where the artifact is the file itself."""

    path: str
    bytes: int
    sha256: str


class BaseFiles(_Event):
    """Of a base that the trainer fetched by itself: what it reads of it, as the training began."""

    type: Literal["base"] = "base"
    revision: str | None
    files: list[ArtifactFile]


class Progress(_Event):
    """Loss since the last progress event."""

    type: Literal["progress"] = "progress"
    step: _Step
    total_steps: _Step
    epoch: float
    loss: float
    learning_rate: float
    grad_norm: float | None
    tokens_per_second: float | None
    memory_bytes: int | None
    eta_seconds: float | None


class HeldOut(_Event):
    """Mean negative log-likelihood a token over the held-out rows."""

    type: Literal["heldOut"] = "heldOut"
    step: _Step
    loss: float


class Checkpoint(_Event):
    """A checkpoint is on disk, complete."""

    type: Literal["checkpoint"] = "checkpoint"
    step: _Step
    path: str


class Notice(_Event):
    """Something was done otherwise than the recipe says."""

    type: Literal["notice"] = "notice"
    message: str


class Artifact(_Event):
    """A result is on disk, complete."""

    type: Literal["artifact"] = "artifact"
    kind: Literal["adapter", "tokenizer", "merged", "reference"]
    path: str
    bytes: int
    files: list[ArtifactFile]


class Heartbeat(_Event):
    """The process is alive; how long it has not finished a piece of work."""

    type: Literal["heartbeat"] = "heartbeat"
    step: _Step
    idle_seconds: float


class Stopped(_Event):
    """Asked to stop; what was trained is in a checkpoint."""

    type: Literal["stopped"] = "stopped"
    step: _Step
    total_steps: _Step


class Failed(_Event):
    """The run ended in an error."""

    type: Literal["failed"] = "failed"
    reason: FailureReason
    message: str
    next_step: str


class Finished(_Event):
    """The run is complete.

    `final_loss` is the last loss that was logged: the mean over the optimizer steps since the logging before it, the
    last step included (the trainer logs the last step whether or not loggingSteps divides it).
    """

    type: Literal["finished"] = "finished"
    steps: _Step
    final_loss: float
    train_seconds: float
    peak_memory_bytes: int | None


TrainEvent = (
    Started
    | Stage
    | DatasetReady
    | BaseFiles
    | Progress
    | HeldOut
    | Checkpoint
    | Notice
    | Artifact
    | Heartbeat
    | Stopped
    | Failed
    | Finished
)


class EventWriter:
    """Writes events to the real stdout, and makes every other print of the process go to stderr.

    Libraries print at will, C++ ones too, so file descriptor 1 itself is pointed at stderr and the real one kept aside.
    Under torchrun only rank 0 speaks. Threads may share a writer: lines come whole, and neither a heartbeat nor checksums
    follow the event that ends a run.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_silent = os.environ.get("RANK", "0") != "0"
        self._lock = threading.Lock()
        self._is_over = False

    @classmethod
    def take_stdout(cls) -> EventWriter:
        """Call once, before any library is imported."""
        sys.stdout.flush()
        real = os.dup(1)
        os.set_inheritable(real, False)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        return cls(os.fdopen(real, "w", encoding="utf-8", newline="\n"))

    def emit(self, event: TrainEvent) -> None:
        """One line, flushed. A reader that has gone away is no reason to lose a training: the event is dropped."""
        fields = event.model_dump(mode="json", by_alias=True)
        line = json.dumps({"type": fields.pop("type"), **fields}, ensure_ascii=False, allow_nan=False)
        with self._lock:
            if self._is_over and isinstance(event, Heartbeat | BaseFiles):
                return
            self._is_over = isinstance(event, Stopped | Failed | Finished)
            self._write(line)

    def speak_up(self) -> None:
        """Let this rank be heard, whichever it is: the one that fails tells why, since rank 0 does not know."""
        self._is_silent = False

    def notice(self, message: str) -> None:
        """Emit a `notice` and log it."""
        print(f"notice: {message}", file=sys.stderr, flush=True)
        self.emit(Notice(message=message))

    def write_line(self, line: str) -> None:
        """Write one line of JSON as it is."""
        with self._lock:
            self._write(line)

    def _write(self, line: str) -> None:
        if self._is_silent:
            return
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except BrokenPipeError:
            self._is_silent = True
