"""Several processes at one training, one a GPU, as torchrun starts them: rank 0 speaks, writes and decides.

Everything here does nothing in a training of one process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from .errors import EXIT_FAILED
from .stop import StopSignal
from .tokens import IGNORED, EncodedRow

_T = TypeVar("_T")
_PR_SET_PDEATHSIG = 1
_WATCH_SECONDS = 0.5


class Ranks:
    """What tells a process its place among those of its training."""

    def __init__(self) -> None:
        self.rank = int(os.environ.get("RANK", "0"))
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.local_rank = int(os.environ.get("LOCAL_RANK", "0"))
        self._run = os.environ.get("TORCHELASTIC_RUN_ID", "")

    @property
    def is_main(self) -> bool:
        """Whether this one speaks and writes."""
        return self.rank == 0

    def die_with_parent(self) -> None:
        """Torchrun puts its processes into sessions of their own, so that killing its group would leave them running."""
        if self.count > 1 and sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))

    def threads(self, of_all: int) -> int:
        """A rank's share of the CPU threads."""
        return max(1, of_all // self.count)

    def join(self) -> None:
        """Meet the others. After the backend's own imports: unsloth has to come before accelerate."""
        if self.count == 1:
            return
        import torch

        if torch.cuda.is_available():
            torch.cuda.set_device(self.local_rank)
        else:
            # accelerate would say "cpu:0", which torch.load cannot bring an optimizer's state to: no resume.
            os.environ.setdefault("ACCELERATE_TORCH_DEVICE", "cpu")
        torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")

    def leave(self) -> None:
        """Part from the others, who end; what follows takes longer than they would wait."""
        if self.count > 1:
            import torch

            torch.distributed.barrier()
            torch.distributed.destroy_process_group()

    def any(self, flag: bool) -> bool:
        """Whether the flag is true of any rank; the same answer for all. Each has to ask."""
        if self.count == 1:
            return flag
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        flags = torch.tensor([int(flag)], device=device)
        torch.distributed.all_reduce(flags, op=torch.distributed.ReduceOp.MAX)
        return bool(flags.item())

    def from_main(self, work: Callable[[], _T]) -> _T:
        """What rank 0 makes of `work`, for all; the others wait and do nothing."""
        if self.count == 1:
            return work()
        import torch

        box: list[Any] = [work() if self.is_main else None]
        torch.distributed.broadcast_object_list(box)
        result: _T = box[0]
        return result

    def dealt(self, rows: Sequence[EncodedRow], batch: int) -> list[EncodedRow]:
        """Rows that can be dealt out evenly, by adding some without labels: accelerate would repeat rows instead, and a
        mean over them would count those twice.
        """
        missing = -len(rows) % (batch * self.count) if self.count > 1 else 0
        return [*rows, *[replace(rows[0], labels=[IGNORED] * len(rows[0].ids))] * missing]

    def claim_failure(self, outputs: Path) -> bool:
        """Whether this one is to tell of its failure: the first to fail is, since the others' are but consequences."""
        if self.count == 1:
            return True
        try:
            self._claim(outputs).touch(exist_ok=False)
        except OSError:
            return False
        return True

    def has_failed(self, outputs: Path) -> bool:
        """Whether one of them has told of a failure."""
        return self.count > 1 and self._claim(outputs).exists()

    def watch(self, outputs: Path) -> None:
        """End this process when another fails: it would wait for that one in the middle of a step, for minutes with NCCL."""
        if self.count == 1:
            return
        if self.is_main:
            for old in outputs.glob(".failed-*"):
                old.unlink(missing_ok=True)

        def look() -> None:
            while not self._claim(outputs).exists():
                time.sleep(_WATCH_SECONDS)
            # Whoever claimed it, this one included, has that long to tell.
            time.sleep(4 * _WATCH_SECONDS)
            os._exit(EXIT_FAILED)

        threading.Thread(target=look, name="ranks", daemon=True).start()

    def callback(self, stop: StopSignal) -> Any:
        """A TrainerCallback to stand before all others: all ranks stop after the same step."""
        from transformers import TrainerCallback

        ranks = self

        class RankCallback(TrainerCallback):  # type: ignore[misc] # transformers is not checked
            def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                # A rank that stopped alone would leave the others waiting for its gradients.
                if ranks.any(stop.requested):
                    # Never back to False: a signal may have come while the ranks were asking each other.
                    stop.requested = True

        return RankCallback()

    def _claim(self, outputs: Path) -> Path:
        return outputs / f".failed-{self._run}"
