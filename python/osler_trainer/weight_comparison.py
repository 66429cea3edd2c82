"""Whether weights are what the training made of its base, tensor by tensor: the merged folder, and each GGUF made of it.

Tensors are mapped, not loaded, and compared in pieces that fit a core's cache, on all cores. Nothing here knows a limit
but that of a rounding: the certificate judges.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from .errors import BadJob, MissingPrerequisite, TrainerError
from .gguf_weights import FAR, GgufWeights
from .merge import adapter_pairs, weight_files

_PIECE_VALUES = 1 << 19
"""Four times faster on one core than pieces of 16 million, which go through memory at each operation."""
_HALF_STEP = {"torch.float16": 2.0**-11, "torch.bfloat16": 2.0**-8, "torch.float32": 2.0**-24}
"""Largest relative error of rounding to a format."""
_MAX_ROUNDINGS = 2.0
"""Another order of adding may move a value by one more rounding; what no addition explains is further off."""


class WeightFolder:
    """The tensors of a transformers folder, read one at a time."""

    def __init__(self, folder: Path) -> None:
        from safetensors import safe_open

        self._file_of: dict[str, Any] = {}
        for file in weight_files(folder):
            opened: Any = safe_open(str(file), framework="pt")
            for name in opened.keys():  # noqa: SIM118 - safe_open is no mapping
                self._file_of[name] = opened

    @property
    def names(self) -> set[str]:
        """All names."""
        return set(self._file_of)

    def get(self, name: str) -> Any:
        """One tensor as it is stored."""
        return self._file_of[name].get_tensor(name)


class AdapterFolder:
    """A LoRA adapter as peft saves it: its pairs and what B·A is multiplied with."""

    def __init__(self, folder: Path) -> None:
        from safetensors.torch import load_file

        try:
            config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
            self.pairs = adapter_pairs(load_file(str(folder / "adapter_model.safetensors")))
        except OSError as error:
            raise MissingPrerequisite(f'the adapter in "{folder}" cannot be read: {error}', "train or fetch it again") from error
        if not self.pairs:
            raise BadJob(f'"{folder}" holds no LoRA weights', "give the folder of an adapter that peft saved")
        rank = int(config["r"])
        self.scale = float(config["lora_alpha"]) / (rank**0.5 if config.get("use_rslora") else rank)
        self.targets = sorted(config["target_modules"])

    def update(self, name: str, rows: slice = slice(None)) -> Any:
        """What is added to one weight, or some rows of it: scale · B · A in fp32."""
        a, b = self.pairs[name]
        return self.scale * (b[rows].float() @ a.float())


def compare_weights(base: Path, adapter: Path, merged: Path, files: list[Path]) -> dict[str, Any]:
    """{adapter, merged, ggufs}: see the functions that make each. Raises MissingPrerequisite and BadJob."""
    before, learnt, after = WeightFolder(base), AdapterFolder(adapter), WeightFolder(merged)
    return {
        "adapter": describe_adapter(before, learnt),
        "merged": compare_merge(before, learnt, after),
        "ggufs": [compare_gguf(file, before, learnt, after) for file in files],
    }


def describe_adapter(base: WeightFolder, adapter: AdapterFolder) -> dict[str, Any]:
    """How many weights are targeted; which have an update of exactly zero, which are not finite, and which of the base
    that should be targeted are not.
    """
    import torch

    zero, not_finite = [], []
    for name, (a, b) in sorted(adapter.pairs.items()):
        if not (bool(torch.isfinite(a).all()) and bool(torch.isfinite(b).all())):
            not_finite.append(name)
        elif not bool(b.any()) or not bool(a.any()):
            zero.append(name)
    wanted = {name for name in base.names if any(name.endswith(f".{target}.weight") for target in adapter.targets)}
    return {
        "targeted": len(adapter.pairs),
        "scale": adapter.scale,
        "zero": zero,
        "notFinite": not_finite,
        "untouched": sorted(wanted - set(adapter.pairs)),
    }


def compare_merge(base: WeightFolder, adapter: AdapterFolder, merged: WeightFolder) -> dict[str, Any]:
    """What the merged folder holds against base + scale · B · A, and against the base where nothing is targeted.

    `unmerged`: the base's own bits though the update is more than a rounding. `wrong`: further than two roundings from
    the sum. `nil`: the update rounds to nothing, so that the base's bits are right. `changed`: not targeted, yet other
    bits. A tied output matrix that is written out counts as neither missing nor extra. `relativeUpdate` is how large the
    change is beside the weights; `updateShare` how much of scale · B · A the folder's number format let through (1 of an
    update that is large beside a rounding, less of a small one, null of none).
    """
    result: dict[str, Any] = {"unmerged": [], "wrong": [], "nil": [], "changed": [], "maxRoundings": 0.0, "untargeted": 0}
    sums = _Sums()
    with _cores() as on_all:
        for name in sorted(base.names & merged.names):
            before, after = base.get(name), merged.get(name)
            if before.shape != after.shape:
                result["wrong" if name in adapter.pairs else "changed"].append(name)
            elif name not in adapter.pairs:
                result["untargeted"] += 1
                if not all(on_all(partial(_is_kept, before, after), _pieces(before))):
                    result["changed"].append(name)
            else:
                parts = on_all(partial(_compare_sum, before, after, partial(adapter.update, name)), _pieces(before))
                is_nil, is_base = all(part.is_nil for part in parts), all(part.is_base for part in parts)
                roundings = max(part.roundings for part in parts)
                if is_nil:
                    result["nil"].append(name)
                if is_base and not is_nil:
                    result["unmerged"].append(name)
                elif not roundings <= _MAX_ROUNDINGS:
                    result["wrong"].append(name)
                else:
                    result["maxRoundings"] = max(result["maxRoundings"], roundings)
                for part in parts:
                    sums.add(part.sums)
    tied = {"lm_head.weight"}
    result["missing"] = sorted(base.names - merged.names - tied)
    result["extra"] = sorted(name for name in merged.names - base.names if not _is_tied(name, merged))
    result["relativeUpdate"] = (sums["change"] / sums["base"]) ** 0.5 if sums["base"] > 0 else 0.0
    result["updateShare"] = sums["along"] / sums["update"] if sums["update"] > 0 else None
    return result


def compare_gguf(file: Path, base: WeightFolder, adapter: AdapterFolder, merged: WeightFolder) -> dict[str, Any]:
    """What one GGUF file holds against the merged folder.

    `different`: tensors that are not the merged ones (in f32, f16, bf16 and q8_0 bit for bit; in a coarser format
    further off than that format explains); `untargetedDifferent` of `untargeted` say how many of them no adapter
    touches. `updateShare` is how much of the update the file holds: the projection of (file - base) on (merged - base)
    over all targeted weights; 1 merged, 0 the bare base, whatever the quantisation, since the noise of rounding has no
    direction. `updateShareError` is its standard error, from how that noise differs between rows. Both null where
    merged and base are the same, and in a layout that is not known here (`isKnownLayout` false). `problem` says why a
    file cannot be read at all.
    """
    result: dict[str, Any] = {
        "file": str(file),
        "problem": None,
        "architecture": "unknown",
        "isKnownLayout": False,
        "tensors": 0,
        "exact": 0,
        "different": [],
        "missing": [],
        "extra": [],
        "untargeted": 0,
        "untargetedDifferent": 0,
        "worst": None,
        "updateShare": None,
        "updateShareError": None,
    }
    try:
        weights = GgufWeights(file)
    except TrainerError as error:
        return result | {"problem": f"{error.message}. {error.next_step.capitalize()}."}
    result |= {"architecture": weights.architecture, "isKnownLayout": weights.is_known_layout}
    if not weights.is_known_layout:
        return result
    sums = _Sums()
    seen = set()
    with _cores() as on_all:
        for name in sorted(merged.names):
            place = weights.name_of(name)
            if place is None:
                if not _is_tied(name, merged):
                    result["missing"].append(name)
                continue
            seen.add(place)
            after = weights.arranged(place, merged.get(name))
            if tuple(after.shape) == weights.shape_of(place):
                is_targeted = name in adapter.pairs and name in base.names and base.get(name).shape == after.shape
                before = weights.arranged(place, base.get(name)) if is_targeted else None
                parts = on_all(partial(_compare_held, weights, place, before, after), _pieces(after))
            else:
                parts = [_Held(FAR, is_exact=False, is_same=False)]
            furthest = max(part.error for part in parts)
            result["tensors"] += 1
            result["exact"] += all(part.is_exact for part in parts)
            if name not in adapter.pairs:
                result["untargeted"] += 1
            if not all(part.is_same for part in parts):
                result["different"].append(name)
                result["untargetedDifferent"] += name not in adapter.pairs
            if result["worst"] is None or furthest > result["worst"]["error"]:
                result["worst"] = {"tensor": name, "type": weights.type_of(place), "error": furthest}
            for part in parts:
                sums.add(part.sums)
    result["extra"] = sorted(weights.names - seen - {"rope_freqs.weight"})
    if sums["update"] > 0:
        result["updateShare"] = 1 + sums["noise"] / sums["update"]
        result["updateShareError"] = sums["variance"] ** 0.5 / sums["update"]
    return result


@dataclass(frozen=True)
class _Summed:
    """Some rows of a targeted weight of the merged folder."""

    is_nil: bool
    is_base: bool
    roundings: float
    sums: dict[str, float]


@dataclass(frozen=True)
class _Held:
    """Some rows of a tensor of a GGUF file."""

    error: float
    is_exact: bool
    is_same: bool
    sums: dict[str, float] = field(default_factory=dict)


class _Sums(defaultdict[str, float]):
    """Sums by name, over all pieces."""

    def __init__(self) -> None:
        super().__init__(float)

    def add(self, more: dict[str, float]) -> None:
        for name, value in more.items():
            self[name] += value


def _is_kept(before: Any, after: Any, rows: slice) -> bool:
    return _same_bits(before[rows].to(after.dtype), after[rows])


def _compare_sum(before: Any, after: Any, update_of: Callable[[slice], Any], rows: slice) -> _Summed:
    was, update, stored = before[rows].float(), update_of(rows), after[rows]
    kept, expected = before[rows].to(after.dtype), was + update
    change = stored.float() - was
    return _Summed(
        is_nil=_same_bits(expected.to(after.dtype), kept),
        is_base=_same_bits(kept, stored),
        roundings=_roundings(expected, stored, float(was.abs().max())),
        sums={
            "base": _total(was * was),
            "change": _total(change * change),
            "along": _total(change * update),
            "update": _total(update * update),
        },
    )


def _compare_held(weights: GgufWeights, place: str, before: Any | None, after: Any, rows: slice) -> _Held:
    held, wanted = weights.values(place, rows), after[rows].float()
    error, is_exact, is_same = weights.compare(place, held, wanted)
    if before is None:
        return _Held(error, is_exact, is_same)
    update = wanted - before[rows].float()
    # One sum a row: a quantisation chooses its steps within a row, so rows err independently and values do not.
    noise = ((held - wanted) * update).sum(dim=-1).double()
    sums = {"noise": float(noise.sum()), "variance": float(noise.square().sum()), "update": _total(update * update)}
    return _Held(error, is_exact, is_same, sums)


def _total(values: Any) -> float:
    return float(values.sum(dim=-1).double().sum())


@contextmanager
def _cores() -> Iterator[Callable[[Callable[[slice], Any], Iterator[slice]], list[Any]]]:
    """Work on pieces, one a core at a time; results in the order of the pieces."""
    import torch

    threads = torch.get_num_threads()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    # A piece is one thread's: those of torch would wait for each other after each operation, and numpy has one alone.
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(cores or 1) as pool:
            yield lambda work, pieces: list(pool.map(work, pieces))
    finally:
        torch.set_num_threads(threads)


def _pieces(tensor: Any) -> Iterator[slice]:
    """Rows of about half a million values together."""
    values_a_row = max(1, tensor.numel() // max(1, tensor.shape[0]))
    step = max(1, _PIECE_VALUES // values_a_row)
    for start in range(0, tensor.shape[0], step):
        yield slice(start, start + step)


def _same_bits(left: Any, right: Any) -> bool:
    import torch

    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    kind = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[left.element_size()]
    return torch.equal(left.contiguous().view(kind), right.contiguous().view(kind))


def _roundings(expected: Any, stored: Any, largest: float) -> float:
    """Greatest distance in units of the format's own rounding error; a sum near zero keeps the error of its terms."""
    distance = (stored.float() - expected).abs()
    unit = expected.abs() * _HALF_STEP[str(stored.dtype)] + largest * 1e-6 + 2.0**-25
    return float((distance / unit).max())


def _is_tied(name: str, folder: WeightFolder) -> bool:
    """An output matrix that repeats the embeddings."""
    embeddings = "model.embed_tokens.weight"
    return name == "lm_head.weight" and embeddings in folder.names and _same_bits(folder.get(name), folder.get(embeddings))
