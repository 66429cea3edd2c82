"""What the pre-flight tells: the pydantic twin of src/core/schema/preflight.ts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .contract import ContractModel, SchemaVersion
from .events import LengthTokens

_MAX_SAFE_INTEGER = 9007199254740991
_Count = Annotated[int, Field(ge=0, le=_MAX_SAFE_INTEGER)]

FindingLevel = Literal["error", "warning", "note"]
FindingCode = Literal[
    "deviceMissing",
    "driverTooOld",
    "deviceTooOld",
    "deviceTaken",
    "devicesTooFew",
    "packageMissing",
    "settingReplaced",
    "baseMissing",
    "dataInvalid",
    "rowsTruncated",
    "rowsWithoutResponse",
    "lengthUnused",
    "lengthBeyondBase",
    "memoryShort",
    "memoryTight",
    "memoryUnknown",
    "diskShort",
]


class Finding(ContractModel):
    """Something to mend, to look at or to know; `setting` is the recipe's field that mends it."""

    level: FindingLevel
    code: FindingCode
    message: str
    setting: str | None = None
    value: str | int | float | bool | None = None


class PreflightDevice(ContractModel):
    """The device that would train. Bytes are of device memory on CUDA, of RAM elsewhere."""

    kind: Literal["cpu", "cuda", "mps"]
    name: str
    total_bytes: _Count | None
    free_bytes: _Count | None
    driver_version: str | None = None
    driver_cuda_version: str | None = None
    torch_cuda_version: str | None = None
    compute_capability: str | None = None
    has_bf16: bool


class RowsReport(ContractModel):
    """Lengths of the training rows."""

    count: _Count
    length_tokens: LengthTokens
    truncated: _Count
    without_response: _Count


class MemoryTerm(ContractModel):
    """One thing that takes memory."""

    name: str
    bytes: _Count
    description: str


class MemoryReport(ContractModel):
    """The estimate for one device beside what is free."""

    terms: list[MemoryTerm]
    needed_bytes: _Count
    free_bytes: _Count | None
    largest_batch: _Count | None
    largest_length_tokens: _Count | None


class DiskStage(ContractModel):
    """What a stage leaves on disk."""

    name: Literal["checkpoints", "adapter", "merged", "gguf", "adapterGguf"]
    bytes: _Count
    description: str


class DiskReport(ContractModel):
    """What the run will write beside what is free."""

    stages: list[DiskStage]
    elsewhere: list[DiskStage]
    """Exports that another machine makes; not in `needed_bytes`."""
    needed_bytes: _Count
    free_bytes: _Count


class Preflight(ContractModel):
    """The one line that `preflight` prints."""

    schema_version: SchemaVersion = 1
    run_id: str
    backend: Literal["unsloth", "peft"] | None
    device: PreflightDevice
    device_count: _Count
    versions: dict[str, str]
    rows: RowsReport | None
    memory: MemoryReport | None
    disk: DiskReport | None
    findings: list[Finding]
