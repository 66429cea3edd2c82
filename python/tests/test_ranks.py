"""What several processes at one training agree on, without starting any."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from osler_trainer.errors import StopRequested
from osler_trainer.ranks import Ranks
from osler_trainer.stop import StopSignal
from osler_trainer.tokens import IGNORED, EncodedRow


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Ranks:
    for name, value in {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "run"}.items():
        monkeypatch.setenv(name, value)
    return Ranks()


def row(number: int) -> EncodedRow:
    return EncodedRow(id=str(number), text="", prompt_tokens=0, full_tokens=3, ids=[number, 2, 3], labels=[IGNORED, 2, 3])


def test_one_process_asks_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    ranks = Ranks()
    ranks.join()
    assert ranks.any(True) is True
    assert ranks.any(False) is False
    assert ranks.from_main(lambda: "made") == "made"
    assert ranks.dealt([row(1)], 4) == [row(1)]
    assert ranks.threads(8) == 8
    assert ranks.claim_failure(tmp_path) is True
    assert ranks.has_failed(tmp_path) is False
    ranks.leave()
    assert list(tmp_path.iterdir()) == []


def test_held_out_rows_are_filled_up_with_rows_that_count_nothing(two: Ranks) -> None:
    rows = [row(number) for number in range(5)]
    dealt = two.dealt(rows, 2)
    assert dealt[:5] == rows
    assert len(dealt) == 8
    assert all(set(extra.labels) == {IGNORED} and len(extra.ids) == len(extra.labels) for extra in dealt[5:])
    assert two.dealt(rows[:4], 2) == rows[:4]
    assert two.threads(8) == 4


def test_the_first_failure_is_told_and_no_other(two: Ranks, tmp_path: Path) -> None:
    assert two.has_failed(tmp_path) is False
    assert two.claim_failure(tmp_path) is True
    assert two.has_failed(tmp_path) is True
    assert two.claim_failure(tmp_path) is False


def test_a_signal_that_comes_while_the_ranks_ask_each_other_is_not_lost(two: Ranks, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers", reason="training needs requirements-cpu.txt")
    stop = StopSignal()

    def ask(flag: bool) -> bool:
        stop.requested = True
        return flag

    monkeypatch.setattr(two, "any", ask)
    two.callback(stop).on_step_end(None, SimpleNamespace(), None)
    assert stop.requested is True


def test_the_last_words_of_a_failure_are_not_cut_off_by_a_signal() -> None:
    stop = StopSignal()
    stop.install()
    stop.mute()
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.requested is True
    other = StopSignal()
    other.install()
    with pytest.raises(StopRequested):
        os.kill(os.getpid(), signal.SIGTERM)
