"""What base and merged model say in Python, for the export certificate to hold each GGUF against.

`reference.json` has the texts as token ids, the places that are compared, greedy outputs and figures; the distributions
at those places are in `reference.safetensors`: of each the likeliest tokens that leave less than a thousandth to all
others (`counts` says how many), so that any other distribution can be compared over {each of these, all others}.
"""

from __future__ import annotations

import gc
import json
import math
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .artifacts import sha256_of_file
from .base_model import find_base
from .errors import TrainerError
from .folders import atomic_folder
from .job import TrainJob
from .machine import free_bytes
from .merge import weight_files
from .rows import read_rows
from .tokens import encode_rows, load_tokenizer, template_for

MAX_REST = 1e-3
"""Probability that is left to all tokens that are not kept, at each place."""


@dataclass(frozen=True)
class Extent:
    """How much is read. The defaults keep the certificate of the 135M demo under a minute on two cores."""

    prompts: int = 8
    new_tokens: int = 64
    """Greedy tokens a prompt."""
    texts: int = 6
    text_tokens: int = 256
    """Texts are read so far."""
    places: int = 32
    """Distributions a text, evenly spread over thought and answer."""


@dataclass(frozen=True)
class _Prompt:
    id: str
    question: str
    text: str
    ids: list[int]


@dataclass(frozen=True)
class Text:
    """A row as it is trained, and after which of its tokens the next one's distribution is taken."""

    id: str
    ids: list[int]
    places: list[int]


def reference_after_training(job: TrainJob, trained: Any, is_patched: bool) -> Path:
    """The same for a model that was just trained, and how far merging onto the 16-bit base moved it from what it is in memory
    (a 4-bit base with the adapter beside it).

    `is_patched`: the backend has changed transformers' classes in this process, so that base and merged model are read in
    one of their own. Raises TrainerError and what `write_reference` raises.
    """
    in_memory = _read_trained(job, trained)
    if not is_patched:
        return write_reference(job, in_memory=in_memory)
    from safetensors.torch import save_file

    with tempfile.TemporaryDirectory(dir=job.output_dir, prefix=".reference-") as folder:
        job_file, read_file = Path(folder) / "job.json", Path(folder) / "in-memory.safetensors"
        job_file.write_text(job.model_dump_json(by_alias=True), encoding="utf-8")
        words = [sys.executable, "-m", "osler_trainer", "reference", "--job", str(job_file)]
        if in_memory is not None:
            save_file({"logprobs": in_memory}, str(read_file))
            words += ["--in-memory", str(read_file)]
        result = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        raise TrainerError(f"osler_trainer reference ended with {result.returncode}: {result.stdout[-500:]}", "read the trainer's log")
    return Path(job.output_dir) / "reference"


def write_reference(job: TrainJob, extent: Extent = Extent(), in_memory: Any = None) -> Path:
    """Write the run's `reference/`, whole or not at all; returns it.

    `in_memory`: log-probabilities that the model in memory gave for the same texts. Held-out rows are read where the job
    has some, else rows of the training. Raises MissingPrerequisite and BadJob.
    """
    from safetensors.torch import save_file

    base, merged = find_base(job, with_weights=True).folder, Path(job.output_dir) / "merged"
    tokenizer = load_tokenizer(str(base))
    template = template_for(tokenizer, Path(job.template_file))
    rows = read_rows(Path(job.held_out_file or job.train_file))[: max(extent.prompts, extent.texts)]
    texts = _texts(rows[: extent.texts], tokenizer, template, extent)
    prompts = [_Prompt(row.id, row.question, text, _ids(tokenizer, text)) for row in rows for text in [template.prompt(row.question)]]
    trained_rows = read_rows(Path(job.train_file))[: extent.prompts]

    before, before_greedy, placement = _run(base, texts, prompts, tokenizer, extent)
    after, after_greedy, _ = _run(merged, texts, prompts, tokenizer, extent)
    reference = {
        "schemaVersion": 1,
        "runId": job.run_id,
        "isHeldOut": job.held_out_file is not None,
        "vocabulary": before.shape[1],
        "maxRest": MAX_REST,
        "computedIn": placement,
        "baseFiles": _digests(base),
        "mergedFiles": _digests(merged),
        "templateSha256": template.sha256,
        "bosId": tokenizer.bos_token_id,
        "eosId": tokenizer.eos_token_id,
        "rows": [
            {"id": row.id, "text": row.text, "ids": row.ids, "isTruncated": row.is_truncated}
            for row in encode_rows(trained_rows, tokenizer, template, job.recipe.base.max_length_tokens)
        ],
        "prompts": [asdict(prompt) for prompt in prompts[: extent.prompts]],
        "texts": [asdict(text) for text in texts],
        "arms": {
            "base": {"nll": nll(before, texts), "greedy": before_greedy},
            "merged": {"nll": nll(after, texts), "greedy": after_greedy},
        },
        "tuning": _distance(after, before),
        "inMemory": None if in_memory is None else _distance(after, in_memory) | {"nll": nll(in_memory, texts)},
    }
    tensors: dict[str, Any] = {}
    for arm, logprobs in (("base", before), ("merged", after)):
        tensors |= {f"{arm}.{name}": tensor for name, tensor in likeliest(logprobs).items()}
    target = Path(job.output_dir) / "reference"
    with atomic_folder(target) as part:
        save_file(tensors, str(part / "reference.safetensors"))
        text = json.dumps(reference, ensure_ascii=False, allow_nan=False)
        (part / "reference.json").write_text(text + "\n", encoding="utf-8")
    return target


def read(model: Any, texts: Sequence[Text]) -> Any:
    """Log-probabilities at all places of the texts, one after the other: fp32 on the CPU, places x vocabulary."""
    import torch

    parts = []
    was_training = bool(model.training)
    model.eval()
    with torch.no_grad():
        for text in texts:
            ids = torch.tensor([text.ids], device=next(model.parameters()).device)
            logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits[0]
            parts.append(logits[text.places].float().log_softmax(dim=-1).cpu())
    model.train(was_training)
    return torch.cat(parts)


def divergence(left: Any, right: Any) -> float:
    """Mean KL(left || right) over the places, in nats."""
    return float((left.exp() * (left - right)).nan_to_num(0.0).sum(dim=1).mean())


def nll(logprobs: Any, texts: Sequence[Text]) -> float:
    """Mean negative log-likelihood of the text's own next tokens, in nats."""
    targets = [text.ids[place + 1] for text in texts for place in text.places]
    return -float(logprobs[range(len(targets)), targets].mean())


def likeliest(logprobs: Any, max_rest: float = MAX_REST) -> dict[str, Any]:
    """Of each place the likeliest tokens that leave at most `max_rest` to all others, one place after the other:
    {counts, ids, logprobs}.
    """
    import torch

    values, ids = logprobs.sort(dim=1, descending=True)
    kept = (values.double().exp().cumsum(dim=1) < 1 - max_rest).sum(dim=1) + 1
    counts = kept.clamp(max=logprobs.shape[1])
    mask = torch.arange(logprobs.shape[1])[None, :] < counts[:, None]
    return {"counts": counts.to(torch.int32), "ids": ids[mask].to(torch.int32), "logprobs": values[mask].contiguous()}


def spread(first: int, last: int, count: int) -> list[int]:
    """At most `count` whole numbers from first to last, both among them, evenly spread."""
    total = last - first + 1
    if total <= count:
        return list(range(first, last + 1))
    return [first + round(index * (total - 1) / (count - 1)) for index in range(count)]


def _read_trained(job: TrainJob, model: Any, extent: Extent = Extent()) -> Any | None:
    """As `read`; None where a backend's own forward gives no logits: the figure stands beside the certificate and decides nothing."""
    tokenizer = load_tokenizer(str(find_base(job, with_weights=False).folder))
    rows = read_rows(Path(job.held_out_file or job.train_file))[: extent.texts]
    texts = _texts(rows, tokenizer, template_for(tokenizer, Path(job.template_file)), extent)
    # Unsloth leaves them out otherwise.
    os.environ["UNSLOTH_RETURN_LOGITS"] = "1"
    try:
        return read(model, texts)
    except Exception:  # whatever a patched forward raises
        traceback.print_exc(file=sys.stderr)
        return None
    finally:
        os.environ.pop("UNSLOTH_RETURN_LOGITS", None)


def _texts(rows: Sequence[Any], tokenizer: Any, template: Any, extent: Extent) -> list[Text]:
    texts = []
    for row in encode_rows(rows, tokenizer, template, extent.text_tokens):
        # A prompt as long as that leaves its own last tokens to compare.
        first = min(row.prompt_tokens - 1, len(row.ids) - 2)
        texts.append(Text(row.id, row.ids, spread(max(0, first), len(row.ids) - 2, extent.places)))
    return texts


def _run(folder: Path, texts: Sequence[Text], prompts: list[_Prompt], tokenizer: Any, extent: Extent) -> tuple[Any, Any, dict[str, str]]:
    """(log-probabilities, greedy outputs, where it was computed) of the model in a folder."""
    import torch
    from transformers import AutoModelForCausalLM

    device, dtype = _placement(sum(file.stat().st_size for file in weight_files(folder)))
    kind = torch.float32 if dtype == "float32" else "auto"
    place = {"device_map": {"": device}} if device == "cuda" else {}
    model: Any = AutoModelForCausalLM.from_pretrained(str(folder), dtype=kind, local_files_only=True, **place)
    try:
        return (
            read(model, texts),
            _greedy(model, [prompt.ids for prompt in prompts[: extent.prompts]], tokenizer, extent.new_tokens),
            {"device": device, "dtype": dtype},
        )
    finally:
        del model
        gc.collect()
        if device == "cuda":
            torch.cuda.empty_cache()


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _placement(bytes16: int) -> tuple[str, str]:
    """fp32 wherever it fits, so that what is measured is the export's error and not the reference's."""
    import torch

    # After a training the page cache is full of weights, and counts as free: it is given up when it is wanted.
    free = {"cpu": free_bytes("cpu") or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")}
    if torch.cuda.is_available():
        free = {"cuda": free_bytes("cuda") or 0} | free
    for device, room in free.items():
        if 2.4 * bytes16 < room:
            return device, "float32"
        if device == "cuda" and 1.2 * bytes16 < room:
            return device, "16 bit"
    return "cpu", "16 bit"


def _greedy(model: Any, prompts: list[list[int]], tokenizer: Any, new_tokens: int) -> list[dict[str, Any]]:
    """The likeliest continuation of each prompt: {ids, text, ends}, `ends` being how many characters of the text stand
    for sure after each of its tokens.
    """
    import torch

    longest = max(len(ids) for ids in prompts)
    pad = tokenizer.pad_token_id
    ids = torch.tensor([[pad] * (longest - len(prompt)) + prompt for prompt in prompts], device=model.device)
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=model.device)
    with torch.no_grad():
        output = model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=new_tokens,
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,
            temperature=None,
            top_p=None,
            top_k=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=pad,
        )
    results = []
    for row in output[:, longest:].tolist():
        length = next((place + 1 for place, token in enumerate(row) if token == tokenizer.eos_token_id), len(row))
        written = row[:length]
        # A character's first bytes alone decode to the sign of replacement.
        pieces = [tokenizer.decode(written[: count + 1], clean_up_tokenization_spaces=False) for count in range(length)]
        results.append({"ids": written, "text": pieces[-1], "ends": [len(piece.rstrip("\ufffd")) for piece in pieces]})
    return results


def _distance(left: Any, right: Any) -> dict[str, float]:
    same = (left.argmax(dim=1) == right.argmax(dim=1)).float().mean()
    kl = divergence(left, right)
    return {"kl": kl if math.isfinite(kl) else 1e9, "sameTop": float(same)}


def _digests(folder: Path) -> list[dict[str, Any]]:
    return [{"path": file.name, "bytes": file.stat().st_size, "sha256": sha256_of_file(file)} for file in weight_files(folder)]
