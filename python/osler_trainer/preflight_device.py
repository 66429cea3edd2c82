"""The device that would train, and what is wrong with it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .machine import has_package
from .nvidia_smi import NvidiaSmi, SmiDevice
from .plan import Machine
from .preflight_report import Finding, FindingLevel, PreflightDevice
from .recipe import Recipe

# Oldest Linux driver of each CUDA generation: its minor versions run on it too (CUDA Toolkit release notes, table of drivers).
_OLDEST_DRIVERS = {"11": "450.80.02", "12": "525.60.13", "13": "580.65.06"}
_TAKEN_SHARE = 0.05


@dataclass(frozen=True)
class TorchCuda:
    """What torch can do with CUDA here."""

    is_available: bool
    built_for: str | None
    """CUDA version; None: built without."""
    device_count: int
    capability: tuple[int, int] | None
    oldest_capability: tuple[int, int] | None
    """Lowest that this build of torch has code for."""


def ask_torch() -> TorchCuda:
    """Imports torch."""
    import torch

    is_available = torch.cuda.is_available()
    built = [arch.removeprefix("sm_").rstrip("af") for arch in torch.cuda.get_arch_list() if arch.startswith("sm_")] if is_available else []
    oldest = min((int(number) for number in built if number.isdecimal()), default=None)
    return TorchCuda(
        is_available=is_available,
        built_for=torch.version.cuda,
        device_count=torch.cuda.device_count() if is_available else 1,
        capability=torch.cuda.get_device_capability(0) if is_available else None,
        oldest_capability=divmod(oldest, 10) if oldest is not None else None,
    )


def describe_device(here: Machine, smi: NvidiaSmi | None, cuda: TorchCuda) -> PreflightDevice:
    """The report's part; the driver's figures where torch would count its own context in."""
    card = smi.first_visible() if smi is not None and here.device.kind == "cuda" else None
    free = card.total_bytes - card.used_bytes if card is not None and card.total_bytes else here.free_bytes
    return PreflightDevice(
        kind=here.device.kind,
        name=here.device.name,
        total_bytes=here.device.memory_bytes,
        free_bytes=free,
        driver_version=smi.driver_version if smi is not None else None,
        driver_cuda_version=smi.cuda_version if smi is not None else None,
        torch_cuda_version=cuda.built_for,
        compute_capability=f"{cuda.capability[0]}.{cuda.capability[1]}" if cuda.capability is not None else None,
        has_bf16=here.has_bf16,
    )


def device_findings(recipe: Recipe, smi: NvidiaSmi | None, cuda: TorchCuda, *, is_busy: bool = False) -> list[Finding]:
    """Every reason why this device would not train the recipe, or not as it says; a busy one is taken by runs that end before."""
    found = [*_missing_packages(recipe, cuda)]
    if not cuda.is_available:
        found += _no_cuda(recipe, smi, cuda)
    else:
        found += _too_old(cuda)
        found += [] if is_busy else _taken(smi.first_visible() if smi is not None else None)
    if recipe.trainer.processes > cuda.device_count:
        found.append(
            Finding(
                level="error",
                code="devicesTooFew",
                message=f"trainer.processes is {recipe.trainer.processes}, and {cuda.device_count} device is to be seen here"
                if cuda.device_count == 1
                else f"trainer.processes is {recipe.trainer.processes}, and {cuda.device_count} devices are to be seen here",
                setting="trainer.processes",
                value=cuda.device_count,
            )
        )
    return found


def _missing_packages(recipe: Recipe, cuda: TorchCuda) -> list[Finding]:
    found = []
    if recipe.backend == "unsloth" and not has_package("unsloth"):
        message = "the backend unsloth is not installed: install python/requirements-cuda.txt as it says, or use peft"
        found.append(Finding(level="error", code="packageMissing", message=message, setting="backend", value="peft"))
    if cuda.is_available and recipe.base.load_in_4bit and not has_package("bitsandbytes"):
        message = (
            "bitsandbytes is not installed, so the base is loaded in 16 bit, which takes four times the memory: pip install bitsandbytes"
        )
        found.append(Finding(level="warning", code="packageMissing", message=message, setting="base.loadIn4bit", value=False))
    return found


def _no_cuda(recipe: Recipe, smi: NvidiaSmi | None, cuda: TorchCuda) -> list[Finding]:
    # peft trains on the CPU too, if that is what was meant; a device that is there but cannot be used was not.
    is_needed = recipe.backend == "unsloth"
    if smi is None:
        if not is_needed:
            return []
        message = "the backend unsloth needs a CUDA device, and there is no NVIDIA driver here: train on a host with one, or use peft"
        return [Finding(level="error", code="deviceMissing", message=message, setting="backend", value="peft")]
    level: FindingLevel = "error" if is_needed else "warning"
    names = ", ".join(device.name for device in smi.devices)
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in {"", "-1"}:
        message = f"{names} is here, but CUDA_VISIBLE_DEVICES hides it: unset it for the trainer"
        return [Finding(level=level, code="deviceMissing", message=message)]
    if cuda.built_for is None:
        message = (
            f"{names} is here, but this torch was built without CUDA: install python/requirements-cuda.txt from the index that it names"
        )
        return [Finding(level=level, code="deviceMissing", message=message)]
    oldest = _OLDEST_DRIVERS.get(cuda.built_for.split(".")[0])
    if oldest is not None and _numbers(smi.driver_version) < _numbers(oldest):
        supports = f", which supports CUDA {smi.cuda_version}" if smi.cuda_version else ""
        message = (
            f"the NVIDIA driver is {smi.driver_version}{supports}; torch was built for CUDA {cuda.built_for}, which wants driver {oldest} "
            "or newer: update the driver, or install a torch for the driver's CUDA version"
        )
        return [Finding(level="error", code="driverTooOld", message=message)]
    message = f"nvidia-smi sees {names}, but torch (CUDA {cuda.built_for}) cannot use it: try python -c 'import torch; torch.cuda.init()'"
    return [Finding(level=level, code="deviceMissing", message=message)]


def _too_old(cuda: TorchCuda) -> list[Finding]:
    if cuda.capability is None or cuda.oldest_capability is None or cuda.capability >= cuda.oldest_capability:
        return []
    (major, minor), (least, most) = cuda.capability, cuda.oldest_capability
    message = (
        f"the device's compute capability is {major}.{minor}, and this torch has code for {least}.{most} and newer: use a newer device"
    )
    return [Finding(level="error", code="deviceTooOld", message=message)]


def _taken(card: SmiDevice | None) -> list[Finding]:
    if card is None or card.used_bytes <= max(1 << 30, _TAKEN_SHARE * card.total_bytes):
        return []
    message = (
        f"{card.used_bytes / 1e9:.1f} of {card.total_bytes / 1e9:.1f} GB of {card.name} are taken by other processes, such as an engine "
        "that serves from it: nvidia-smi tells which"
    )
    return [Finding(level="warning", code="deviceTaken", message=message)]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
