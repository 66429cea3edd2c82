"""What can be known before a training: device, rows, memory and disk, and everything that would go wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import machine
from .backends.backend import choose_backend
from .base_model import find_base
from .disk import disk_report
from .environment import check_length, set_environment
from .errors import BadJob, MissingPrerequisite, TrainerError
from .job import TrainJob, read_job
from .memory import Setup, architecture_in, largest_batch, largest_fit, largest_length, memory_terms
from .merge import weight_files
from .nvidia_smi import ask_nvidia_smi
from .plan import Machine, Plan, make_plan
from .preflight_device import ask_torch, describe_device, device_findings
from .preflight_report import DiskReport, Finding, FindingLevel, MemoryReport, Preflight, RowsReport
from .rows import read_rows
from .tokens import IGNORED, EncodedRow, encode_rows, lengths, load_tokenizer, template_for

_TIGHT_SHARE = 0.9
_MOST_LENGTH = 1 << 20
_LEVELS: tuple[FindingLevel, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Circumstances:
    """What whoever asks knows beside the job."""

    has_weights: bool = True
    """False: a base folder holds configuration and tokenizer alone, and its weights come when the run starts."""
    exports_here: bool = True
    """False: the GGUF files are made on the machine that fetches what was trained, and count on its disk."""
    is_busy: bool = False
    """Other runs train here now and will have ended when this one begins: what they take of the device counts as free."""


def preflight(job_file: Path, circumstances: Circumstances | None = None) -> Preflight:
    """Look at this machine and the job's files; trains nothing, loads no weights, writes nothing but a fetched Hub file.

    Raises BadJob and MissingPrerequisite where the job itself cannot be read; all else becomes findings.
    """
    job = read_job(job_file)
    known = circumstances or Circumstances()
    set_environment(job)
    # Before torch makes its own context on the device.
    smi = ask_nvidia_smi()
    cuda = ask_torch()
    here = machine.look()
    device = describe_device(here, smi, cuda)
    findings = device_findings(job.recipe, smi, cuda, is_busy=known.is_busy)
    backend = _backend(job)
    plan = _plan(job, backend or "peft", here, findings)
    base = _base(job, known, findings)
    encoded = _rows(job, base, findings) if base is not None else None
    memory: MemoryReport | None = None
    disk: DiskReport | None = None
    architecture = architecture_in(base) if base is not None else None
    if base is not None and architecture is None:
        message = "the base's config.json does not tell a dense Llama-like decoder, for which memory and disk can be estimated"
        findings.append(Finding(level="note", code="memoryUnknown", message=message))
    if plan is not None and architecture is not None:
        setup = Setup.of(job.recipe, plan, architecture, here.device.kind)
        free = device.total_bytes if known.is_busy else device.free_bytes
        memory = _memory(job, setup, free, encoded, findings)
        disk = _disk(job, setup, known, findings)
    return Preflight(
        run_id=job.run_id,
        backend=backend,
        device=device,
        device_count=cuda.device_count,
        versions=machine.versions(),
        rows=_rows_report(encoded) if encoded is not None else None,
        memory=memory,
        disk=disk,
        findings=sorted(findings, key=lambda finding: _LEVELS.index(finding.level)),
    )


def _backend(job: TrainJob) -> Literal["unsloth", "peft"] | None:
    try:
        return choose_backend(job.recipe.backend).name
    except MissingPrerequisite:
        # Told by the findings of the device.
        return None


def _plan(job: TrainJob, backend: Literal["unsloth", "peft"], here: Machine, findings: list[Finding]) -> Plan | None:
    try:
        plan = make_plan(job.recipe, backend, here, has_held_out=job.held_out_file is not None)
    except BadJob as error:
        findings.append(Finding(level="error", code="dataInvalid", message=_whole(error), setting=_setting(error.message)))
        return None
    findings += [Finding(level="note", code="settingReplaced", message=text, setting=_setting(text)) for text in plan.notices]
    return plan


def _base(job: TrainJob, known: Circumstances, findings: list[Finding]) -> Path | None:
    try:
        base = find_base(job, with_weights=False)
        if base.has_weights and known.has_weights:
            weight_files(base.folder)
    except MissingPrerequisite as error:
        findings.append(Finding(level="error", code="baseMissing", message=_whole(error), setting="base.ref"))
        return None
    try:
        check_length(job, base.folder)
    except TrainerError as error:
        most = re.search(r"at most (\d+) tokens", error.message)
        findings.append(
            Finding(
                level="error",
                code="lengthBeyondBase",
                message=_whole(error),
                setting="base.maxLengthTokens",
                value=int(most.group(1)) if most else None,
            )
        )
    return base.folder


def _rows(job: TrainJob, base: Path, findings: list[Finding]) -> list[EncodedRow] | None:
    try:
        rows = read_rows(Path(job.train_file))
        tokenizer = load_tokenizer(str(base))
        template = template_for(tokenizer, Path(job.template_file))
        # Labels of the response alone tell which rows lose it.
        encoded = encode_rows(rows, tokenizer, template, job.recipe.base.max_length_tokens, "response")
    except TrainerError as error:
        findings.append(Finding(level="error", code="dataInvalid", message=_whole(error)))
        return None
    findings += _length_findings(job, encoded)
    return encoded


def _length_findings(job: TrainJob, encoded: Sequence[EncodedRow]) -> list[Finding]:
    most, longest = job.recipe.base.max_length_tokens, max(row.full_tokens for row in encoded)
    without = _without_response(encoded)
    truncated = sum(row.is_truncated for row in encoded)
    found = []
    if truncated:
        message = f"{truncated} of {len(encoded)} rows are longer than {most} tokens and lose their end; the longest has {longest}"
        found.append(Finding(level="warning", code="rowsTruncated", message=message, setting="base.maxLengthTokens", value=longest))
    if without:
        message = f"{without} of {len(encoded)} rows are cut before their response begins" + (
            ", so there is nothing to learn" if without == len(encoded) else " and teach nothing"
        )
        level: FindingLevel = "error" if without == len(encoded) else "warning"
        found.append(Finding(level=level, code="rowsWithoutResponse", message=message, setting="base.maxLengthTokens", value=longest))
    if longest * 4 < most * 3:
        message = f"the longest row has {longest} tokens; a base.maxLengthTokens of {most} is not used, and takes no memory"
        found.append(
            Finding(level="note", code="lengthUnused", message=message, setting="base.maxLengthTokens", value=-(-longest // 64) * 64)
        )
    return found


def _rows_report(encoded: Sequence[EncodedRow]) -> RowsReport:
    return RowsReport(
        count=len(encoded),
        length_tokens=lengths(encoded),
        truncated=sum(row.is_truncated for row in encoded),
        without_response=_without_response(encoded),
    )


def _without_response(encoded: Sequence[EncodedRow]) -> int:
    return sum(all(label == IGNORED for label in row.labels) for row in encoded)


def _memory(job: TrainJob, setup: Setup, free: int | None, encoded: Sequence[EncodedRow] | None, findings: list[Finding]) -> MemoryReport:
    batch = job.recipe.trainer.per_device_batch_size
    # Batches are padded to their longest row, not to base.maxLengthTokens.
    length = max(len(row.ids) for row in encoded) if encoded else job.recipe.base.max_length_tokens
    terms = memory_terms(setup, batch, length)
    needed = sum(term.bytes for term in terms)
    if free is not None:
        findings += _memory_findings(job, setup, needed, free, length)
    return MemoryReport(
        terms=terms,
        needed_bytes=needed,
        free_bytes=free,
        largest_batch=largest_batch(free, setup, length) if free is not None else None,
        largest_length_tokens=largest_length(free, setup, batch, _MOST_LENGTH) if free is not None else None,
    )


def _memory_findings(job: TrainJob, setup: Setup, needed: int, free: int, length: int) -> list[Finding]:
    trainer = job.recipe.trainer
    batch, accumulation = trainer.per_device_batch_size, trainer.gradient_accumulation_steps
    story = f"batch {batch} x {length} tokens takes {needed / 1e9:.1f} GB by estimate, {free / 1e9:.1f} GB are free"
    if needed <= _TIGHT_SHARE * free:
        return []
    if needed <= free:
        return [Finding(level="warning", code="memoryTight", message=f"{story}: it may not fit")]
    fit = largest_fit(free, setup, batch, accumulation, length)
    if fit is None:
        is_4bit = setup.load_in_4bit or setup.device_kind != "cuda"
        message = f"{story}; not even one short row fits: " + (
            "choose a smaller base or a larger device" if is_4bit else "load the base in 4 bit, choose a smaller base or a larger device"
        )
        setting = "base.ref" if is_4bit else "base.loadIn4bit"
        return [Finding(level="error", code="memoryShort", message=message, setting=setting, value=None if is_4bit else True)]
    if fit.length < length:
        message = f"{story}; batch 1 x {fit.length} tokens fits, with trainer.perDeviceBatchSize 1"
        return [Finding(level="error", code="memoryShort", message=message, setting="base.maxLengthTokens", value=fit.length)]
    message = f"{story}; batch {fit.batch} fits, with trainer.gradientAccumulationSteps {fit.accumulation} for the same effective batch"
    return [Finding(level="error", code="memoryShort", message=message, setting="trainer.perDeviceBatchSize", value=fit.batch)]


def _disk(job: TrainJob, setup: Setup, known: Circumstances, findings: list[Finding]) -> DiskReport:
    report = disk_report(job.recipe, setup, Path(job.output_dir), exports_here=known.exports_here)
    if report.needed_bytes > report.free_bytes:
        stages = ", ".join(f"{stage.name} {stage.bytes / 1e9:.1f}" for stage in report.stages)
        message = (
            f"the run writes {report.needed_bytes / 1e9:.1f} GB ({stages}), {report.free_bytes / 1e9:.1f} GB are free on its disk: "
            "free some space"
        )
        if known.exports_here:
            message += ", or make fewer GGUF types"
        setting = "output.ggufTypes" if known.exports_here else None
        findings.append(Finding(level="error", code="diskShort", message=message, setting=setting))
    return report


def _whole(error: TrainerError) -> str:
    return f"{error.message}: {error.next_step}"


def _setting(text: str) -> str | None:
    found = re.search(r"\b(?:base|data|lora|trainer|tracking|output)\.[a-zA-Z0-9]+", text)
    return found.group(0) if found else None
