"""What the NVIDIA driver says of its devices, before torch is asked and whether or not torch can use them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

_TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class SmiDevice:
    """One device; bytes of its memory."""

    index: int
    name: str
    total_bytes: int
    used_bytes: int
    compute_capability: str


@dataclass(frozen=True)
class NvidiaSmi:
    """Driver and devices."""

    driver_version: str
    cuda_version: str | None
    """Newest CUDA version that the driver supports."""
    devices: tuple[SmiDevice, ...]

    def first_visible(self) -> SmiDevice | None:
        """The device that a process with this CUDA_VISIBLE_DEVICES takes for its first; None where it names none by number."""
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
        return next((device for device in self.devices if str(device.index) == visible), None)


def ask_nvidia_smi() -> NvidiaSmi | None:
    """None where there is no driver, or none that works."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    table = _output(
        [program, "--query-gpu=index,name,memory.total,memory.used,compute_cap,driver_version", "--format=csv,noheader,nounits"]
    )
    if table is None:
        return None
    lines = [[cell.strip() for cell in line.split(",")] for line in table.splitlines() if line.count(",") == 5]
    if not lines:
        return None
    banner = re.search(r"CUDA Version:\s*(\d+\.\d+)", _output([program]) or "")
    devices = tuple(
        SmiDevice(int(index), name, _mebibytes(total), _mebibytes(used), capability)
        for index, name, total, used, capability, _ in lines
        if index.isdecimal()
    )
    return NvidiaSmi(lines[0][5], banner.group(1) if banner else None, devices)


def _output(command: list[str]) -> str | None:
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout if result.returncode == 0 else None


def _mebibytes(text: str) -> int:
    # "[N/A]" on devices that share the machine's memory.
    return int(text) << 20 if text.isdecimal() else 0
