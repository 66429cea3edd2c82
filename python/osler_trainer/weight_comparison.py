"""Whether weights are what the training made of its base, tensor by tensor: the merged folder, and each GGUF made of it.

One tensor is in memory at a time, in pieces where it is large. Nothing here knows a limit but that of a rounding: the
certificate judges.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import BadJob, MissingPrerequisite, TrainerError
from .gguf_weights import FAR, GgufWeights
from .merge import adapter_pairs, weight_files

_PIECE_VALUES = 1 << 24
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

    def update(self, name: str) -> Any:
        """What is added to one weight, scale · B · A in fp32."""
        a, b = self.pairs[name]
        return self.scale * (b.float() @ a.float())


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
    bits. A tied output matrix that is written out counts as neither missing nor extra.
    """
    result: dict[str, Any] = {"unmerged": [], "wrong": [], "nil": [], "changed": [], "maxRoundings": 0.0, "untargeted": 0}
    before_squares = update_squares = 0.0
    for name in sorted(base.names & merged.names):
        before, after = base.get(name), merged.get(name)
        if before.shape != after.shape:
            result["wrong" if name in adapter.pairs else "changed"].append(name)
            continue
        kept = before.to(after.dtype)
        if name not in adapter.pairs:
            result["untargeted"] += 1
            if not _same_bits(kept, after):
                result["changed"].append(name)
            continue
        expected = before.float() + adapter.update(name)
        roundings = _roundings(expected, after, float(before.abs().max()))
        is_nil = _same_bits(expected.to(after.dtype), kept)
        if is_nil:
            result["nil"].append(name)
        if not is_nil and _same_bits(kept, after):
            result["unmerged"].append(name)
        elif not roundings <= _MAX_ROUNDINGS:
            result["wrong"].append(name)
        else:
            result["maxRoundings"] = max(result["maxRoundings"], roundings)
        before_squares += float(before.float().square().sum())
        update_squares += float((after.float() - before.float()).square().sum())
    tied = {"lm_head.weight"}
    result["missing"] = sorted(base.names - merged.names - tied)
    result["extra"] = sorted(name for name in merged.names - base.names if not _is_tied(name, merged))
    result["relativeUpdate"] = (update_squares / before_squares) ** 0.5 if before_squares > 0 else 0.0
    return result


def compare_gguf(file: Path, base: WeightFolder, adapter: AdapterFolder, merged: WeightFolder) -> dict[str, Any]:
    """What one GGUF file holds against the merged folder.

    `different`: tensors that are not the merged ones (in f32, f16, bf16 and q8_0 bit for bit; in a coarser format
    further off than that format explains); `untargetedDifferent` of `untargeted` say how many of them no adapter
    touches. `updateShare` is how much of the adapter's update the file holds: the projection of (file - base) on
    scale·B·A over all targeted weights; 1 merged, 0 the bare base, 2 merged twice, whatever the quantisation, since the
    noise of rounding has no direction. Null in a layout that is not known here (`isKnownLayout` false). `problem` says
    why a file cannot be read at all.
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
    }
    try:
        weights = GgufWeights(file)
    except TrainerError as error:
        return result | {"problem": f"{error.message}. {error.next_step.capitalize()}."}
    result |= {"architecture": weights.architecture, "isKnownLayout": weights.is_known_layout}
    if not weights.is_known_layout:
        return result
    along = squares = 0.0
    seen = set()
    for name in sorted(merged.names):
        place = weights.name_of(name)
        if place is None:
            if not _is_tied(name, merged):
                result["missing"].append(name)
            continue
        seen.add(place)
        verdict = _compare_tensor(weights, place, name, base, adapter, merged)
        result["tensors"] += 1
        result["exact"] += verdict["isExact"]
        if name not in adapter.pairs:
            result["untargeted"] += 1
        if not verdict["isSame"]:
            result["different"].append(name)
            result["untargetedDifferent"] += name not in adapter.pairs
        if result["worst"] is None or verdict["error"] > result["worst"]["error"]:
            result["worst"] = {"tensor": name, "type": verdict["type"], "error": verdict["error"]}
        along += verdict["along"]
        squares += verdict["squares"]
    result["extra"] = sorted(weights.names - seen - {"rope_freqs.weight"})
    result["updateShare"] = along / squares if squares > 0 else None
    return result


def _compare_tensor(
    weights: GgufWeights, place: str, name: str, base: WeightFolder, adapter: AdapterFolder, merged: WeightFolder
) -> dict[str, Any]:
    after = weights.arranged(place, merged.get(name))
    verdict: dict[str, Any] = {"type": weights.type_of(place), "isSame": True, "isExact": True, "error": 0.0, "along": 0.0, "squares": 0.0}
    if tuple(after.shape) != weights.shape_of(place):
        return verdict | {"isSame": False, "isExact": False, "error": FAR}
    is_targeted = name in adapter.pairs and name in base.names and base.get(name).shape == merged.get(name).shape
    if is_targeted:
        before = weights.arranged(place, base.get(name))
        update = weights.arranged(place, adapter.update(name))
    for rows in _pieces(after):
        held = weights.values(place, rows)
        error, is_exact, is_same = weights.compare(place, held, after[rows].float())
        verdict["error"] = max(verdict["error"], error)
        verdict["isExact"] = verdict["isExact"] and is_exact
        verdict["isSame"] = verdict["isSame"] and is_same
        if is_targeted:
            change = held - before[rows].float()
            verdict["along"] += float((change * update[rows]).double().sum())
            verdict["squares"] += float(update[rows].double().square().sum())
    return verdict


def _pieces(tensor: Any) -> Iterator[slice]:
    """Rows of about 16 million values together."""
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
