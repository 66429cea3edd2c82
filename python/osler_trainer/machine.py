"""The machine at hand: device, versions, trackers. Torch is imported here, inside the functions."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import resource
import sys
from pathlib import Path

from .events import Device
from .plan import Machine
from .tracking import missing_reason

_PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "datasets",
    "accelerate",
    "tokenizers",
    "safetensors",
    "bitsandbytes",
    "unsloth",
    "unsloth_zoo",
)


def versions() -> dict[str, str]:
    """Versions of the packages that decide the result, those that are installed, with Python's."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def has_package(name: str) -> bool:
    """Whether `name` could be imported, without importing it."""
    return importlib.util.find_spec(name) is not None


def look() -> Machine:
    """The device that training will use and what it can do."""
    import torch

    device = Device(kind="cpu", name=_cpu_name(), memory_bytes=_ram_bytes())
    has_bf16 = True
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(torch.cuda.current_device())
        device = Device(kind="cuda", name=properties.name, memory_bytes=int(properties.total_memory))
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    elif torch.backends.mps.is_available():
        device = Device(kind="mps", name=_cpu_name(), memory_bytes=_ram_bytes())
    packages = {
        "wandb": has_package("wandb"),
        "trackio": has_package("trackio"),
        "tensorboard": has_package("tensorboard") or has_package("tensorboardX"),
    }
    missing = {tracker: missing_reason(tracker, installed) for tracker, installed in packages.items()}
    reasons = {tracker: reason for tracker, reason in missing.items() if reason is not None}
    trackers = frozenset(packages.keys() - reasons.keys())
    return Machine(device, has_bf16, has_package("bitsandbytes"), trackers, reasons, free_bytes(device.kind))


def free_bytes(kind: str) -> int | None:
    """Memory that is free now: of the current CUDA device, else RAM that can be had without swapping. None: not known."""
    if kind == "cuda":
        import torch

        free, total = torch.cuda.mem_get_info()
        # A share of the card, where this process was given one.
        return int(min(free, total * torch.cuda.get_per_process_memory_fraction()))
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return None
    limit = _group_free_bytes()
    return available if limit is None else min(available, limit)


def _group_free_bytes() -> int | None:
    # A container's own limit is often below the machine's RAM.
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="utf-8").strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="utf-8"))
        # The page cache is counted as used, but given up when it is wanted.
        cache = dict(line.split() for line in Path("/sys/fs/cgroup/memory.stat").read_text(encoding="utf-8").splitlines())
        return None if limit == "max" else max(0, int(limit) - used + int(cache.get("inactive_file", 0)))
    except (OSError, ValueError):
        return None


def peak_memory_bytes(kind: str) -> int | None:
    """Peak so far: memory that torch allocated on CUDA, resident set of the process elsewhere."""
    if kind == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts KiB, macOS bytes.
    return peak if sys.platform == "darwin" else peak * 1024


def _cpu_name() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "CPU"


def _ram_bytes() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None
