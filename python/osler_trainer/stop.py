"""SIGINT and SIGTERM: inside the training loop a wish that is granted after the step, outside it an exception."""

from __future__ import annotations

import signal
from types import FrameType

from .errors import StopRequested


class StopSignal:
    """Installed once in the main thread. A second signal inside the loop changes nothing; SIGKILL is for that."""

    def __init__(self) -> None:
        self.requested = False
        self.in_loop = False

    def install(self) -> None:
        """Take over SIGINT and SIGTERM."""
        signal.signal(signal.SIGINT, self._handle)
        signal.signal(signal.SIGTERM, self._handle)

    def mute(self) -> None:
        """From here on a signal raises nothing: the run ends by itself, and its last words must come out."""
        self.in_loop = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        is_first = not self.requested
        self.requested = True
        if not self.in_loop and is_first:
            raise StopRequested
