"""Shared fixtures: a job in a temporary folder, and a Llama small enough to train in a second."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"

PACKAGE = Path(__file__).parent.parent / "osler_trainer"
PRESETS = Path(__file__).parent.parent.parent / "src" / "train" / "presets"
TEMPLATE = PACKAGE / "templates" / "medical-cot.jinja"

ROWS = [
    {
        "id": "row-1",
        "question": "A patient loses urine on coughing, never at night. What would cystometry show?",
        "thought": "Leakage with effort points to the sphincter.\n\nThe detrusor is quiet.",
        "answer": "A normal residual volume and no involuntary contractions.",
    },
    {
        "id": "row-2",
        "question": "Which vitamin is missing when gums bleed and wounds heal slowly?",
        "thought": "Collagen needs hydroxylation, and that needs ascorbate.",
        "answer": "Vitamin C.",
    },
]


def read_preset(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PRESETS / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    """Trainings in this process set variables for their libraries; the next test must not find them."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def smoke() -> dict[str, Any]:
    """The smoke preset; skipped where the package is tested outside the repository."""
    if not PRESETS.is_dir():
        pytest.skip("src/train/presets is not beside python/")
    return read_preset("smoke")


JobMaker = Callable[..., Path]


@pytest.fixture
def make_job(tmp_path: Path, smoke: dict[str, Any]) -> JobMaker:
    """make_job(trainer={…}, base_path=…, rows=…) writes a job file and returns its path."""

    def make(
        rows: list[dict[str, str]] | None = None,
        held_out: list[dict[str, str]] | None = None,
        base: dict[str, Any] | None = None,
        lora: dict[str, Any] | None = None,
        trainer: dict[str, Any] | None = None,
        **job: Any,
    ) -> Path:
        recipe = smoke | {
            "base": smoke["base"] | (base or {}),
            "lora": smoke["lora"] | (lora or {}),
            "trainer": smoke["trainer"] | (trainer or {}),
        }
        write_rows(tmp_path / "train.jsonl", ROWS if rows is None else rows)
        if held_out is not None:
            write_rows(tmp_path / "held-out.jsonl", held_out)
        full = {
            "schemaVersion": 1,
            "runId": "test-run",
            "recipe": recipe,
            "basePath": str(tmp_path / "no-base"),
            "trainFile": str(tmp_path / "train.jsonl"),
            "heldOutFile": str(tmp_path / "held-out.jsonl") if held_out is not None else None,
            "templateFile": str(TEMPLATE),
            "outputDir": str(tmp_path / "run"),
            "threads": 2,
            "resume": False,
            "dryRun": False,
        } | job
        file = tmp_path / "job.json"
        file.write_text(json.dumps(full), encoding="utf-8")
        return file

    return make


def write_rows(file: Path, rows: list[dict[str, str]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


class Recorder(io.StringIO):
    """A stdout that parses its lines and can act on an event as it is written."""

    def __init__(self, on_event: Callable[[dict[str, Any]], None] | None = None) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []
        self._on_event = on_event

    def write(self, text: str) -> int:
        event = json.loads(text)
        self.events.append(event)
        if self._on_event is not None:
            self._on_event(event)
        return len(text)

    def told(self) -> list[dict[str, Any]]:
        """What happened, without the heartbeats, which come as time passes."""
        return [event for event in self.events if event["type"] != "heartbeat"]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """A training in this process takes over the signals; give them back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama (hidden 64, 2 layers, bf16) with a byte-level tokenizer whose pad token is its EOS token."""
    torch = pytest.importorskip("torch", reason="training needs requirements-cpu.txt")
    pytest.importorskip("trl", reason="training needs requirements-cpu.txt")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny-base")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        [text for row in ROWS for text in row.values()],
        trainers.BpeTrainer(
            vocab_size=300,
            special_tokens=["<s>", "</s>", "<unk>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>")
    fast.save_pretrained(str(folder))
    torch.manual_seed(7)
    model = LlamaForCausalLM(
        LlamaConfig(
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            vocab_size=len(fast),
            max_position_embeddings=1024,
            # Wide enough that an adapter can move the logits of the frozen head.
            initializer_range=0.15,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
        )
    )
    model.to(torch.bfloat16).save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="session")
def real_base() -> Path:
    """SmolLM2-135M-Instruct as import-gguf writes it, from OSLER_TEST_BASE."""
    name = os.environ.get("OSLER_TEST_BASE")
    if not name or not Path(name).is_dir():
        pytest.skip("OSLER_TEST_BASE does not name a folder with SmolLM2-135M-Instruct")
    return Path(name)
