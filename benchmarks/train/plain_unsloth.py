"""The tutorial as a plain Unsloth script, with nothing of ours, to hold the trainer's step time against.

    python plain_unsloth.py --model FOLDER --rows train.jsonl --steps 60

Prints one JSON object: seconds from start to training, the moments of its logs, peak memory that torch allocated, versions.
"""

import os

os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")
from unsloth import FastLanguageModel  # isort: skip # it patches what comes after it

import argparse
import json
import time
from importlib.metadata import version
from pathlib import Path

import torch
from datasets import Dataset
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

PROMPT = """Below is an instruction, followed by a question as its input. Write a response that answers the question completely.
Before answering, think about the question step by step, so that the answer rests on sound reasoning.

### Instruction:
You are a medical expert with advanced knowledge of clinical reasoning, diagnostics and treatment planning.
Answer the medical question below.

### Question:
{question}

### Response:
<think>
{thought}
</think>

{answer}"""


class LogTimes(TrainerCallback):
    """When each logging happened: [step, seconds]. Logging reads the loss from the card, so the steps before it are done."""

    def __init__(self) -> None:
        self.logs: list[tuple[int, float]] = []

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:
        """Called by the trainer."""
        if logs is not None and "loss" in logs:
            self.logs.append((state.global_step, time.monotonic()))


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--rows", required=True, help="JSON Lines with question, thought, answer")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--max-length", type=int, default=2048)
    options = parser.parse_args()
    began = time.monotonic()
    model, tokenizer = FastLanguageModel.from_pretrained(
        model_name=options.model, max_seq_length=options.max_length, dtype=None, load_in_4bit=True
    )
    model = FastLanguageModel.get_peft_model(
        model,
        r=16,
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        lora_alpha=16,
        lora_dropout=0,
        bias="none",
        use_gradient_checkpointing="unsloth",
        random_state=3407,
        use_rslora=False,
        loftq_config=None,
    )
    loaded = time.monotonic()
    rows = [json.loads(line) for line in Path(options.rows).read_text(encoding="utf-8").splitlines()]
    texts = [PROMPT.format(**{key: row[key] for key in ("question", "thought", "answer")}) + tokenizer.eos_token for row in rows]
    times = LogTimes()
    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=Dataset.from_dict({"text": texts}),
        callbacks=[times],
        args=SFTConfig(
            output_dir="outputs-plain",
            dataset_text_field="text",
            max_length=options.max_length,
            dataset_num_proc=2,
            packing=False,
            per_device_train_batch_size=2,
            gradient_accumulation_steps=4,
            warmup_steps=5,
            max_steps=options.steps,
            learning_rate=2e-4,
            bf16=torch.cuda.is_bf16_supported(),
            fp16=not torch.cuda.is_bf16_supported(),
            logging_steps=10,
            optim="adamw_8bit",
            weight_decay=0.01,
            lr_scheduler_type="linear",
            seed=3407,
            save_strategy="no",
            report_to="none",
        ),
    )
    result = trainer.train()
    print(
        json.dumps(
            {
                "loadSeconds": round(loaded - began, 2),
                "logs": times.logs,
                "peakMemoryBytes": torch.cuda.max_memory_allocated(),
                "loss": result.training_loss,
                "device": torch.cuda.get_device_name(),
                "versions": {name: version(name) for name in ("unsloth", "torch", "transformers", "trl", "peft", "bitsandbytes")},
            }
        )
    )


if __name__ == "__main__":
    main()
