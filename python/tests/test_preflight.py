"""The pre-flight finds what would go wrong, and names the field that mends it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import PACKAGE, ROWS, JobMaker
from jsonschema import Draft202012Validator

from osler_trainer.nvidia_smi import NvidiaSmi, SmiDevice, ask_nvidia_smi
from osler_trainer.preflight import Circumstances, preflight
from osler_trainer.preflight_device import TorchCuda, device_findings
from osler_trainer.preflight_report import Finding
from osler_trainer.recipe import Recipe

SCHEMA = Draft202012Validator(json.loads((PACKAGE / "contract" / "preflight.schema.json").read_text(encoding="utf-8")))
GB = 10**9


@pytest.fixture
def look(make_job: JobMaker, tiny_base: Path) -> Callable[..., dict[str, Any]]:
    """look(known=…, settings of the job…) is the report as it is printed, checked against the contract."""

    def run(known: Circumstances | None = None, **settings: Any) -> dict[str, Any]:
        settings = {"basePath": str(tiny_base)} | settings
        settings["base"] = {"maxLengthTokens": 512, "loadIn4bit": False} | settings.get("base", {})
        report: dict[str, Any] = json.loads(preflight(make_job(**settings), known).model_dump_json(by_alias=True))
        SCHEMA.validate(report)
        return report

    return run


def found(report: dict[str, Any], code: str) -> dict[str, Any]:
    findings = [finding for finding in report["findings"] if finding["code"] == code]
    assert len(findings) == 1, report["findings"]
    return findings[0]


def test_a_job_that_fits_has_no_errors_and_all_figures(look: Any) -> None:
    report = look()
    assert [finding for finding in report["findings"] if finding["level"] == "error"] == []
    assert report["backend"] == "peft"
    assert report["device"]["kind"] == "cpu"
    assert 0 < report["device"]["freeBytes"] <= report["device"]["totalBytes"]
    assert report["rows"]["count"] == 2
    assert report["rows"]["truncated"] == report["rows"]["withoutResponse"] == 0
    assert report["memory"]["neededBytes"] == sum(term["bytes"] for term in report["memory"]["terms"])
    assert report["memory"]["largestBatch"] > 2
    assert [stage["name"] for stage in report["disk"]["stages"]][:4] == ["checkpoints", "adapter", "merged", "gguf"]
    assert report["disk"]["neededBytes"] == sum(stage["bytes"] for stage in report["disk"]["stages"])


def test_the_disk_estimate_is_near_what_a_training_writes(look: Any, make_job: JobMaker, tiny_base: Path, tmp_path: Path) -> None:
    from osler_trainer.events import EventWriter
    from osler_trainer.folders import folder_bytes
    from osler_trainer.train import train_command

    job = make_job(basePath=str(tiny_base), base={"maxLengthTokens": 512}, trainer={"maxSteps": 1})
    stages = {stage["name"]: stage["bytes"] for stage in look()["disk"]["stages"]}
    with (tmp_path / "events").open("w", encoding="utf-8") as events:
        assert train_command(job, EventWriter(events)) == 0
    weights = (tmp_path / "run" / "merged" / "model.safetensors").stat().st_size
    adapter = (tmp_path / "run" / "adapter" / "adapter_model.safetensors").stat().st_size
    room = 24 << 20
    assert stages["merged"] - room == pytest.approx(weights, rel=0.05)
    assert stages["adapter"] - room == pytest.approx(adapter, rel=0.2)
    assert stages["checkpoints"] > folder_bytes(tmp_path / "run" / "outputs")


def test_rows_that_are_cut_are_counted_and_the_length_that_keeps_them_named(look: Any) -> None:
    longest = look()["rows"]["lengthTokens"]["max"]
    report = look(base={"maxLengthTokens": 300})
    cut = found(report, "rowsTruncated")
    assert (cut["level"], cut["setting"], cut["value"]) == ("warning", "base.maxLengthTokens", longest)
    assert report["rows"]["truncated"] == 2
    report = look(base={"maxLengthTokens": 64})
    lost = found(report, "rowsWithoutResponse")
    assert (lost["level"], report["rows"]["withoutResponse"]) == ("error", 2)
    assert "nothing to learn" in lost["message"]
    assert report["findings"][0]["level"] == "error"


def test_a_length_that_no_row_uses_or_the_base_does_not_read_is_told(look: Any) -> None:
    unused = found(look(base={"maxLengthTokens": 1024}), "lengthUnused")
    assert unused["level"] == "note"
    assert unused["value"] % 64 == 0
    beyond = found(look(base={"maxLengthTokens": 2048}), "lengthBeyondBase")
    assert (beyond["level"], beyond["setting"], beyond["value"]) == ("error", "base.maxLengthTokens", 1024)


@pytest.mark.parametrize(
    ("free", "code", "setting"),
    [
        (300 * 10**6, "memoryShort", "base.ref"),
        (1_150 * 10**6, "memoryShort", "trainer.perDeviceBatchSize"),
    ],
)
def test_too_little_memory_names_what_fits(look: Any, monkeypatch: pytest.MonkeyPatch, free: int, code: str, setting: str) -> None:
    monkeypatch.setattr("osler_trainer.machine.free_bytes", lambda _: free)
    finding = found(look(trainer={"perDeviceBatchSize": 512, "gradientAccumulationSteps": 1}), code)
    assert (finding["level"], finding["setting"]) == ("error", setting)
    if setting == "trainer.perDeviceBatchSize":
        assert 1 <= finding["value"] < 512
        assert f"gradientAccumulationSteps {512 // finding['value']}" in finding["message"]


def test_a_full_disk_a_missing_base_and_bad_rows_are_errors(look: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    missing = look(basePath=str(tmp_path / "no-base"))
    assert found(missing, "baseMissing")["setting"] == "base.ref"
    assert missing["memory"] is missing["disk"] is missing["rows"] is None
    bad = look(rows=[ROWS[0], {"id": "row-2", "question": "", "thought": "x", "answer": "y"}])
    assert "line 2" in found(bad, "dataInvalid")["message"]
    assert bad["disk"] is not None
    monkeypatch.setattr("osler_trainer.disk.free_disk_bytes", lambda _: 1_000_000)
    full = found(look(), "diskShort")
    assert (full["level"], full["setting"]) == ("error", "output.ggufTypes")


def test_a_base_whose_weights_are_yet_to_come_is_enough_where_that_is_said(look: Any, tiny_base: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(tiny_base, bare, ignore=shutil.ignore_patterns("*.safetensors"))
    assert "has no weights" in found(look(basePath=str(bare)), "baseMissing")["message"]
    report = look(basePath=str(bare), known=Circumstances(has_weights=False))
    assert [finding for finding in report["findings"] if finding["level"] == "error"] == []
    assert report["memory"]["neededBytes"] == look()["memory"]["neededBytes"]


def test_exports_that_another_machine_makes_do_not_count_on_this_disk(look: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, shared = look()["disk"], look(known=Circumstances(exports_here=False))["disk"]
    assert whole["elsewhere"] == []
    assert [stage["name"] for stage in shared["stages"]] == ["checkpoints", "adapter", "merged"]
    assert shared["stages"] + shared["elsewhere"] == whole["stages"]
    assert shared["neededBytes"] == whole["neededBytes"] - sum(stage["bytes"] for stage in shared["elsewhere"])
    # Room for all but the exports.
    monkeypatch.setattr("osler_trainer.disk.free_disk_bytes", lambda _: shared["neededBytes"])
    assert found(look(), "diskShort")["setting"] == "output.ggufTypes"
    assert look(known=Circumstances(exports_here=False))["findings"] == []
    monkeypatch.setattr("osler_trainer.disk.free_disk_bytes", lambda _: shared["neededBytes"] - 1)
    full = found(look(known=Circumstances(exports_here=False)), "diskShort")
    assert full["setting"] is None
    assert "GGUF" not in full["message"]


def test_memory_that_runs_before_this_one_take_counts_as_free(look: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("osler_trainer.machine.free_bytes", lambda _: 300 * 10**6)
    assert found(look(), "memoryShort")["level"] == "error"
    report = look(known=Circumstances(is_busy=True))
    assert [finding["code"] for finding in report["findings"] if finding["code"].startswith("memory")] == []
    assert report["memory"]["freeBytes"] == report["device"]["totalBytes"]
    assert report["device"]["freeBytes"] == 300 * 10**6


def test_the_command_prints_one_line_and_a_bad_job_is_a_failed_event(make_job: JobMaker, tiny_base: Path) -> None:
    def command(job: Path) -> tuple[int, list[str]]:
        program = [sys.executable, "-m", "osler_trainer", "preflight", "--job", str(job)]
        result = subprocess.run(program, capture_output=True, text=True, check=False, timeout=120)
        return result.returncode, result.stdout.splitlines()

    code, lines = command(make_job(basePath=str(tiny_base), base={"maxLengthTokens": 512}))
    assert (code, len(lines)) == (0, 1)
    SCHEMA.validate(json.loads(lines[0]))
    job = make_job()
    job.write_text("{}", encoding="utf-8")
    code, lines = command(job)
    assert (code, [json.loads(line)["type"] for line in lines]) == (2, ["failed"])


# The device. What nvidia-smi and torch say is given; a fake nvidia-smi is asked below.

T4 = SmiDevice(0, "Tesla T4", 16 * GB, 0, "7.5")
SMI = NvidiaSmi("580.95.05", "13.0", (T4,))
CUDA = TorchCuda(is_available=True, built_for="13.0", device_count=1, capability=(7, 5), oldest_capability=(7, 5))
NO_CUDA = TorchCuda(is_available=False, built_for="13.0", device_count=1, capability=None, oldest_capability=None)


@pytest.fixture
def device(smoke: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Finding]]:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("osler_trainer.preflight_device.has_package", lambda _: True)

    def run(smi: NvidiaSmi | None, cuda: TorchCuda, backend: str = "unsloth", *, is_busy: bool = False, **trainer: Any) -> list[Finding]:
        recipe = smoke | {"backend": backend, "trainer": smoke["trainer"] | trainer}
        return device_findings(Recipe.model_validate_json(json.dumps(recipe)), smi, cuda, is_busy=is_busy)

    return run


def test_a_device_that_serves_has_no_findings(device: Any) -> None:
    assert device(SMI, CUDA) == []


def test_no_driver_is_an_error_for_unsloth_and_nothing_for_peft(device: Any) -> None:
    (finding,) = device(None, NO_CUDA)
    assert (finding.level, finding.code, finding.setting, finding.value) == ("error", "deviceMissing", "backend", "peft")
    assert device(None, NO_CUDA, backend="auto") == device(None, NO_CUDA, backend="peft") == []


def test_an_old_driver_is_named_with_what_torch_wants(device: Any) -> None:
    (finding,) = device(NvidiaSmi("535.183.01", "12.2", (T4,)), NO_CUDA, backend="auto")
    assert (finding.level, finding.code) == ("error", "driverTooOld")
    for part in ("535.183.01", "CUDA 12.2", "CUDA 13.0", "580.65.06 or newer"):
        assert part in finding.message


def test_a_device_that_torch_cannot_use_is_told_with_its_cause(device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    without = TorchCuda(is_available=False, built_for=None, device_count=1, capability=None, oldest_capability=None)
    assert "built without CUDA" in device(SMI, without)[0].message
    assert device(SMI, without)[0].level == "error"
    assert device(SMI, without, backend="auto")[0].level == "warning"
    assert "cannot use it" in device(SMI, NO_CUDA)[0].message
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES hides it" in device(SMI, NO_CUDA)[0].message


def test_an_old_taken_or_single_device_is_told(device: Any) -> None:
    old = TorchCuda(is_available=True, built_for="13.0", device_count=1, capability=(6, 1), oldest_capability=(7, 5))
    assert [(finding.level, finding.code) for finding in device(SMI, old)] == [("error", "deviceTooOld")]
    taken = NvidiaSmi("580.95.05", "13.0", (SmiDevice(0, "Tesla T4", 16 * GB, 9 * GB, "7.5"),))
    (finding,) = device(taken, CUDA)
    assert (finding.level, finding.code) == ("warning", "deviceTaken")
    assert "9.0 of 16.0 GB" in finding.message
    assert device(taken, CUDA, is_busy=True) == []
    (finding,) = device(SMI, CUDA, processes=2)
    assert (finding.level, finding.code, finding.value) == ("error", "devicesTooFew", 1)


def test_missing_packages_are_told(device: Any, monkeypatch: pytest.MonkeyPatch, smoke: dict[str, Any]) -> None:
    monkeypatch.setattr("osler_trainer.preflight_device.has_package", lambda _: False)
    smoke["base"]["loadIn4bit"] = True
    assert [(finding.level, finding.setting) for finding in device(SMI, CUDA)] == [("error", "backend"), ("warning", "base.loadIn4bit")]


_FAKE_SMI = """#!/bin/sh
case "$1" in
--query-gpu=*) printf '0, NVIDIA H100 80GB HBM3, 81559, 1024, 9.0, 580.95.05\\n1, NVIDIA H100 80GB HBM3, 81559, 4, 9.0, 580.95.05\\n' ;;
*) printf '| NVIDIA-SMI 580.95.05   Driver Version: 580.95.05   CUDA Version: 13.0 |\\n' ;;
esac
"""


def test_nvidia_smi_is_read_and_one_that_fails_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(_FAKE_SMI, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    smi = ask_nvidia_smi()
    assert smi is not None
    assert (smi.driver_version, smi.cuda_version, len(smi.devices)) == ("580.95.05", "13.0", 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    card = smi.first_visible()
    assert card is not None
    assert (card.index, card.used_bytes, card.compute_capability) == (1, 4 << 20, "9.0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-8f2e")
    assert smi.first_visible() is None
    program.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n", encoding="utf-8")
    assert ask_nvidia_smi() is None
    program.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ask_nvidia_smi() is None
