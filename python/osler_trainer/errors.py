"""The trainer's failures: each says what happened, what to do next, and which exit code it ends with."""

from __future__ import annotations

from typing import Literal

FailureReason = Literal["badJob", "prerequisite", "outOfMemory", "diskFull", "notFinite", "unexpected"]
"""What kind of failure the `failed` event tells of."""

EXIT_FAILED = 1
EXIT_BAD_JOB = 2
EXIT_MISSING = 3
EXIT_STOPPED = 130


class TrainerError(Exception):
    """A failure that a person can act on; becomes the `failed` event."""

    exit_code = EXIT_FAILED
    reason: FailureReason = "unexpected"

    def __init__(self, message: str, next_step: str, reason: FailureReason | None = None) -> None:
        super().__init__(message)
        self.reason = reason or self.reason
        self.message = message
        self.next_step = next_step


class BadJob(TrainerError):
    """The job, recipe, template or rows are not as the contract asks."""

    exit_code = EXIT_BAD_JOB
    reason: FailureReason = "badJob"


class MissingPrerequisite(TrainerError):
    """A file, package or device that the job needs is not here."""

    exit_code = EXIT_MISSING
    reason: FailureReason = "prerequisite"


class StopRequested(BaseException):
    """SIGINT or SIGTERM outside the training loop. Not an `Exception`, so that no library swallows it."""
