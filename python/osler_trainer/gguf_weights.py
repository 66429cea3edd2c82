"""The tensors of a GGUF file under the names and in the order of transformers."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from .errors import BadJob, MissingPrerequisite

_KNOWN = frozenset({"llama", "qwen2", "qwen3"})
"""Architectures whose tensors the converter only renames, but for the rows of q and k in `llama`."""

FAR = 1e9
"""A distance beyond measure; JSON knows no infinity."""

_COARSE_LIMITS = {"Q4_0": 0.35, "Q4_1": 0.35, "Q4_K": 0.35, "Q5_0": 0.25, "Q5_1": 0.25, "Q5_K": 0.25, "Q6_K": 0.2}
"""Largest error within 32 neighbours, as a share of the largest value among them: twice what llama-quantize was seen to
make (0.15, 0.12, 0.09), and less than what the highest bit of one value is worth.
"""


class GgufWeights:
    """One file, mapped into memory. Raises MissingPrerequisite or BadJob where it is not to be read."""

    def __init__(self, file: Path) -> None:
        import gguf

        try:
            self._reader = _reader_class()(str(file))
        except OSError as error:
            raise MissingPrerequisite(f'the GGUF file "{file}" cannot be read: {error}', "export it again") from error
        except (ValueError, IndexError, UnicodeDecodeError, KeyError) as error:
            raise BadJob(f'"{file}" is no usable GGUF file: {error}', "export it again") from error
        self._tensors = {tensor.name: tensor for tensor in self._reader.tensors}
        self.architecture = str(self._field("general.architecture") or "unknown")
        kinds = {name: kind for kind, name in gguf.MODEL_ARCH_NAMES.items()}
        self.is_known_layout = self.architecture in _KNOWN
        if self.is_known_layout:
            self._names = gguf.get_tensor_name_map(kinds[self.architecture], int(self._field(f"{self.architecture}.block_count")))
            heads = int(self._field(f"{self.architecture}.attention.head_count"))
            self._heads = {"attn_q": heads, "attn_k": int(self._field(f"{self.architecture}.attention.head_count_kv") or heads)}

    @property
    def names(self) -> set[str]:
        """Names as the file has them."""
        return set(self._tensors)

    def name_of(self, name: str) -> str | None:
        """The file's name of a tensor of transformers, where it holds that one."""
        place = self._names.get_name(name, try_suffixes=(".weight", ".bias"))
        return place if place in self._tensors else None

    def type_of(self, place: str) -> str:
        """Its number format, such as Q8_0."""
        return str(self._tensors[place].tensor_type.name)

    def shape_of(self, place: str) -> tuple[int, ...]:
        """In the order of transformers."""
        return tuple(int(side) for side in reversed(self._tensors[place].shape))

    def arranged(self, place: str, weight: Any) -> Any:
        """A tensor of transformers with its rows in the file's order: llama.cpp turns neighbouring pairs of a head where
        transformers turns halves.
        """
        part = next((heads for stem, heads in self._heads.items() if self.architecture == "llama" and f".{stem}." in place), None)
        if part is None or weight.shape[0] % (2 * part) != 0:
            return weight
        return weight.reshape(part, 2, weight.shape[0] // part // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)

    def values(self, place: str, rows: slice) -> Any:
        """Those rows as fp32. Common formats by torch, on all cores; the others by gguf's own code."""
        import gguf
        import numpy
        import torch

        tensor, kind = self._tensors[place], self.type_of(place)
        # A copy, since torch takes no memory that may not be written.
        held = torch.from_numpy(numpy.array(tensor.data[rows]))
        if kind in {"F32", "F16"}:
            return held.float()
        if kind == "BF16":
            return held.view(torch.bfloat16).float()
        if kind == "Q8_0":
            blocks = held.reshape(-1, 34)
            step = blocks[:, :2].contiguous().view(torch.float16).float()
            return (blocks[:, 2:].contiguous().view(torch.int8).float() * step).reshape(len(held), -1)
        return torch.from_numpy(gguf.quants.dequantize(held.numpy(), tensor.tensor_type))

    def compare(self, place: str, held: Any, wanted: Any) -> tuple[float, bool, bool]:
        """(error, the same to the bit, the same as far as the format can tell) of values that the file holds and what they
        should be, in fp32. The error is the greatest distance within 32 neighbours as a share of the largest of them.
        """
        import torch

        kind = self.type_of(place)
        rounded = _rounded(wanted, kind)
        if rounded is not None:
            is_exact = torch.equal(held, rounded)
            return (0.0 if is_exact else _error(held, rounded)), is_exact, is_exact
        error = _error(held, wanted)
        return error, False, error <= _COARSE_LIMITS.get(kind, 0.0)

    def _field(self, key: str) -> Any:
        field = self._reader.get_field(key)
        return None if field is None else field.contents()


@cache
def _reader_class() -> Any:
    """GGUFReader with its map as a plain array. Each token of a vocabulary is a slice of it, and slices of a numpy.memmap take
    four times as long: 6.8 s in place of 1.6 s for 49 152 tokens.
    """
    import gguf
    import numpy

    class PlainReader(gguf.GGUFReader):  # type: ignore[misc]  # gguf has no types
        @property
        def data(self) -> Any:
            return self._plain

        @data.setter
        def data(self, mapped: Any) -> None:
            self._plain = mapped.view(numpy.ndarray)

    return PlainReader


def _rounded(values: Any, kind: str) -> Any | None:
    """What the converter's own format makes of fp32 values; None for formats that choose their steps by search."""
    import torch

    if kind == "F32":
        return values
    if kind in {"F16", "BF16"}:
        return values.to(torch.float16 if kind == "F16" else torch.bfloat16).float()
    if kind != "Q8_0":
        return None
    blocks = values.reshape(-1, 32)
    step = blocks.abs().amax(dim=1, keepdim=True) / 127
    scaled = blocks * torch.where(step == 0, 0.0, 1.0 / step)
    # Half away from zero, in the very steps of ggml's reference.
    size = scaled.abs()
    whole = size.floor()
    counts = torch.sign(scaled) * (whole + (2 * (size - whole)).floor())
    return (counts * step.to(torch.float16).float()).reshape(values.shape)


def _error(held: Any, wanted: Any) -> float:
    import torch

    width = 32 if wanted.numel() % 32 == 0 else 1
    distance = (held - wanted).abs().reshape(-1, width).amax(dim=1)
    largest = wanted.abs().reshape(-1, width).amax(dim=1)
    error = torch.where(distance == 0, 0.0, distance / largest)
    # A damaged scale may be no number at all.
    return float(torch.nan_to_num(error, nan=FAR, posinf=FAR).max())
