"""What only a GPU shows: the Unsloth backend's memory, its out-of-memory message, and a resume with the 8-bit optimizer.

Needs CUDA, Unsloth and OSLER_TEST_BASE; every training is a process of its own, as it is in a run.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import PACKAGE, ROWS, JobMaker
from test_resume import by_step, resume, same

from osler_trainer.machine import look
from osler_trainer.memory import Setup, architecture_in, memory_terms
from osler_trainer.plan import make_plan
from osler_trainer.recipe import Recipe

LONG = 2048
LONG_ROW = {"question": ROWS[0]["question"], "thought": f"{ROWS[0]['thought']} " * 200, "answer": ROWS[0]["answer"]}
TUTORIAL = {"gradientCheckpointing": "unsloth", "rank": 16, "alpha": 16, "dropout": 0}
Events = list[dict[str, Any]]


@pytest.fixture(scope="module", autouse=True)
def _cuda() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    pytest.importorskip("bitsandbytes")


@pytest.fixture
def job(make_job: JobMaker, real_base: Path, tmp_path: Path) -> Callable[..., Path]:
    """job("name", rows=8, batch=2, trainer={…}) writes a job of the tutorial's kind whose rows are all cut at LONG tokens."""

    def make(name: str, rows: int, batch: int, **trainer: Any) -> Path:
        settings = {
            "perDeviceBatchSize": batch,
            "gradientAccumulationSteps": 1,
            "optimizer": "adamw_8bit",
            "loggingSteps": 1,
            "saveSteps": 1000,
            "maxSteps": 2,
        }
        made = make_job(
            rows=[LONG_ROW | {"id": f"row-{index}", "question": f"{LONG_ROW['question']} ({index})"} for index in range(rows)],
            base={"maxLengthTokens": LONG, "loadIn4bit": True},
            lora=TUTORIAL,
            trainer=settings | trainer,
            basePath=str(real_base),
            outputDir=str(tmp_path / name),
        )
        text = json.loads(made.read_text(encoding="utf-8"))
        text["recipe"]["backend"] = "unsloth"
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(text), encoding="utf-8")
        return file

    return make


def train(file: Path, fraction: float = 1.0, kill_at: int | None = None) -> Events:
    """Train in a process that may take this share of the card, until the model would be saved; given `kill_at`, until it has told
    of that step. It ends by SIGKILL.
    """
    log_file = Path(f"{file}.log")
    program = (
        f"import sys, torch; torch.cuda.set_per_process_memory_fraction({fraction});"
        f"from osler_trainer.cli import main; sys.exit(main(['train', {str(file)!r}]))"
    )
    environment = os.environ | {"PYTHONPATH": f"{PACKAGE.parent}:{os.environ.get('PYTHONPATH', '')}"}
    with (
        log_file.open("w", encoding="utf-8") as log,
        subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=log, text=True, env=environment, cwd=file.parent
        ) as child,
    ):
        events: Events = []
        for line in child.stdout or ():
            events.append(json.loads(line))
            is_killed = kill_at is not None and events[-1]["type"] == "progress" and events[-1]["step"] >= kill_at
            if is_killed or events[-1].get("stage") == "saving":
                child.send_signal(signal.SIGKILL)
                break
    assert events, log_file.read_text(encoding="utf-8")[-2000:]
    return events


def of(events: Events, kind: str) -> Events:
    return [event for event in events if event["type"] == kind]


def ended_well(events: Events, file: Path) -> Events:
    assert events[-1].get("stage") == "saving", (events[-1], Path(f"{file}.log").read_text(encoding="utf-8")[-2000:])
    return events


def test_a_training_killed_with_sigkill_resumes_with_the_8_bit_optimizer(job: Callable[..., Path], tmp_path: Path) -> None:
    import torch

    def made(name: str) -> Path:
        return job(name, rows=16, batch=2, maxSteps=12, saveSteps=4, warmupSteps=2)

    whole = ended_well(train(made("whole")), made("whole"))
    file = made("killed")
    train(file, kill_at=7)
    resume(file)
    resumed = ended_well(train(file), file)
    assert of(resumed, "started")[0]["resolved"]["resumedFrom"].endswith("checkpoint-4")
    expected = by_step(of(whole, "progress"))
    went_on = by_step(of(resumed, "progress"))
    assert list(went_on) == list(range(5, 13))
    differences = [abs(went_on[step][0] - expected[step][0]) for step in went_on]
    one, other = (
        torch.load(tmp_path / name / "outputs/checkpoint-12/optimizer.pt", weights_only=False, map_location="cpu")
        for name in ("whole", "killed")
    )
    print(f"largest difference of a loss: {max(differences):.2e}; optimizer bit-equal: {same(one, other)}")
    # Kernels on the card add in an order of their own, so that even two unbroken runs need not be equal to the bit.
    assert max(differences) < 0.01
    assert [went_on[step][1] for step in went_on] == [expected[step][1] for step in went_on]


def test_out_of_memory_names_settings_that_then_fit(job: Callable[..., Path]) -> None:
    rows, share = 256, 0.06
    file = job("too-much", rows=rows, batch=rows)
    failed = train(file, share)[-1]
    assert (failed["type"], failed.get("reason")) == ("failed", "outOfMemory"), failed
    print(failed["message"], failed["nextStep"], sep="\n")
    assert f"at batch {rows} x {LONG} tokens" in failed["message"]
    batch, accumulation = (int(number) for number in re.findall(r"Size to (\d+) and .+Steps to (\d+)", failed["nextStep"])[0])
    assert batch * accumulation == rows
    mended = job("mended", rows=rows, batch=batch, gradientAccumulationSteps=accumulation, maxSteps=1)
    ended_well(train(mended, share), mended)


# Of fewer tokens the peak is that of loading the weights, before they are quantised.
@pytest.mark.parametrize("batch", [8, 24, 64])
def test_the_formula_tells_what_torch_allocates(job: Callable[..., Path], real_base: Path, batch: int) -> None:
    file = job("point", rows=2 * batch, batch=batch)
    events = ended_well(train(file), file)
    measured = of(events, "progress")[-1]["memoryBytes"]
    recipe = Recipe.model_validate(json.loads(file.read_text(encoding="utf-8"))["recipe"])
    plan = make_plan(recipe, "unsloth", look(), has_held_out=False)
    architecture = architecture_in(real_base)
    assert architecture is not None
    terms = memory_terms(Setup.of(recipe, plan, architecture, "cuda"), batch, LONG)
    estimate = sum(term.bytes for term in terms if term.name != "overhead")
    print(f"batch {batch} x {LONG}: measured {measured / 1e9:.3f} GB, formula {estimate / 1e9:.3f} GB")
    for term in terms:
        print(f"  {term.name}: {term.bytes / 1e9:.3f} GB")
    assert 0.85 < estimate / measured < 1.25
