"""Seconds a training step: our trainer beside the tutorial as a plain Unsloth script, and our peft backend, on one CUDA host.

    python benchmarks/train/step_time.py --job job.json --rounds 2 --out step-time.json

JOB is a trainer's job (runs/<id>/job.json) of preset `tutorial`. The arms take turns; a step is the mean over the steps after the
first logging, since the first steps compile kernels. A trainer is ended when training is over: merging is not timed here. The last line
is one JSON object with `ratio.stepTime`, ours over the plain script's, median over rounds with least and greatest.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

HERE = Path(__file__).parent
TRAINER = HERE.parents[1] / "python"


def plain(job: dict, steps: int) -> dict:
    """One run of the plain script; rows and base are the job's."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            str(HERE / "plain_unsloth.py"),
            "--model",
            job["basePath"],
            "--rows",
            job["trainFile"],
            "--steps",
            str(steps),
        ]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"plain_unsloth.py failed:\n{done.stderr[-3000:]}")
    result = json.loads(done.stdout.splitlines()[-1])
    return {
        "stepSeconds": per_step(result["logs"]),
        "peakMemoryBytes": result["peakMemoryBytes"],
        "versions": result["versions"],
        "device": result["device"],
    }


def ours(job: dict, steps: int, backend: str, logging_steps: int = 10) -> dict:
    """One run of the trainer up to the end of training."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = json.loads(json.dumps(job["recipe"]))
        recipe["backend"] = backend
        recipe["trainer"] |= {
            "maxSteps": steps,
            "loggingSteps": logging_steps,
            "epochs": None,
            "saveSteps": 10_000,
            "evalSteps": None,
            "earlyStopPatience": None,
            "keepBestCheckpoint": False,
        }
        file = Path(folder) / "job.json"
        file.write_text(json.dumps(job | {"recipe": recipe, "outputDir": folder, "resume": False}))
        environment = os.environ | {"PYTHONPATH": f"{TRAINER}:{os.environ.get('PYTHONPATH', '')}"}
        with (Path(folder) / "log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "osler_trainer", "train", str(file)], stdout=subprocess.PIPE, stderr=log, text=True, env=environment
            )
            logs, peak, failure = [], 0, None
            for line in process.stdout or ():
                event = json.loads(line)
                if event["type"] == "progress":
                    logs.append((event["step"], datetime.fromisoformat(event["at"]).timestamp()))
                    peak = event["memoryBytes"]
                failure = event if event["type"] == "failed" else failure
                if event == {**event, "type": "stage", "stage": "saving"}:
                    break
            process.kill()
            process.wait()
        if failure is not None or not logs:
            raise SystemExit(f"the trainer failed: {failure}\n{(Path(folder) / 'log').read_text()[-3000:]}")
    return {"stepSeconds": per_step(logs), "peakMemoryBytes": peak}


def per_step(logs: list) -> float:
    """Mean seconds a step from the first logging to the last."""
    (first, began), (last, ended) = logs[0], logs[-1]
    return (ended - began) / (last - first)


def cpu_name() -> str:
    """As the kernel tells it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def driver() -> str:
    """Version of NVIDIA's driver."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip().splitlines()[0]


def main() -> None:
    """Run the rounds and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--job", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--peft-steps", type=int, default=20, help="0: leave that arm out")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    job = json.loads(options.job.read_text())
    arms: dict[str, list[dict]] = {"ours": [], "plain": [], "peft": []}
    for number in range(options.rounds):
        for arm in ("plain", "ours") if number % 2 == 0 else ("ours", "plain"):
            result = plain(job, options.steps) if arm == "plain" else ours(job, options.steps, "unsloth")
            arms[arm].append(result)
            print(
                f"round {number + 1} {arm}: {result['stepSeconds']:.3f} s a step, peak {result['peakMemoryBytes'] / 1e9:.2f} GB", flush=True
            )
    if options.peft_steps > 0:
        arms["peft"].append(ours(job, options.peft_steps, "peft", logging_steps=5))
        print(f"peft: {arms['peft'][0]['stepSeconds']:.3f} s a step, peak {arms['peft'][0]['peakMemoryBytes'] / 1e9:.2f} GB", flush=True)
    ratios = [a["stepSeconds"] / b["stepSeconds"] for a, b in zip(arms["ours"], arms["plain"], strict=True)]
    summary = {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": {"cpu": cpu_name(), "cores": os.cpu_count(), "driver": driver()},
        "ratio": {"stepTime": round(statistics.median(ratios), 4), "least": round(min(ratios), 4), "greatest": round(max(ratios), 4)},
        "rounds": options.rounds,
        "steps": options.steps,
        "device": arms["plain"][0]["device"],
        "versions": arms["plain"][0]["versions"],
        "arms": {
            name: [{k: v for k, v in run.items() if k in ("stepSeconds", "peakMemoryBytes")} for run in runs] for name, runs in arms.items()
        },
    }
    options.out.write_text(json.dumps(summary, indent=2) + "\n")
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
