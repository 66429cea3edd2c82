"""Signs of life: a thread that tells every few seconds that the process runs, and how long it has finished nothing."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from .events import EventWriter, Heartbeat

HEARTBEAT_SECONDS = 15.0


class Pulse:
    """Where the trainer is: the step it reached, and when it last finished a piece of work."""

    def __init__(self) -> None:
        self.step = 0
        self._worked_at = time.monotonic()

    def worked(self, step: int | None = None) -> None:
        """A piece of work is done: a step, an evaluation batch, a stage, a save, a file."""
        if step is not None:
            self.step = step
        self._worked_at = time.monotonic()

    @property
    def idle_seconds(self) -> float:
        """Time since the last piece of work."""
        return time.monotonic() - self._worked_at


class HeartbeatThread:
    """Emits `heartbeat` events while the block runs. A daemon: it never keeps a dying process alive."""

    def __init__(self, events: EventWriter, pulse: Pulse, interval_seconds: float = HEARTBEAT_SECONDS) -> None:
        self._events, self._pulse, self._interval_seconds = events, pulse, interval_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()

    def _beat(self) -> None:
        while not self._ended.wait(self._interval_seconds):
            self._events.emit(Heartbeat(step=self._pulse.step, idle_seconds=self._pulse.idle_seconds))
