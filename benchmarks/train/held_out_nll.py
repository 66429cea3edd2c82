"""Negative log-likelihood of each held-out row's thought and answer, given its prompt. One line of JSON on stdout.

python held_out_nll.py --model FOLDER --rows heldout.jsonl --template template.jinja --max-length 2048 --threads 2
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def main() -> None:
    """Measure one model; rows are tokenised as training does it, whole."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--template", type=Path, required=True)
    parser.add_argument("--max-length", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()

    import torch
    from transformers import AutoModelForCausalLM

    from osler_trainer.rows import read_rows
    from osler_trainer.tokens import IGNORED, encode_rows, load_tokenizer, template_for

    torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = load_tokenizer(str(options.model))
    encoded = encode_rows(read_rows(options.rows), tokenizer, template_for(tokenizer, options.template), options.max_length, "response")
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).to(device).eval()
    measured = []
    for row in encoded:
        if row.is_truncated:
            sys.exit(f"row {row.id} has {row.full_tokens} tokens, more than --max-length: its end would not be measured")
        ids = torch.tensor([row.ids], device=device)
        labels = torch.tensor(row.labels[1:], device=device)
        with torch.inference_mode():
            logits = model(ids).logits[0, :-1].float()
        nats = torch.nn.functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum").item()
        measured.append({"id": row.id, "tokens": int((labels != IGNORED).sum()), "nats": nats})
    versions = {"torch": torch.__version__, "device": torch.cuda.get_device_name() if device == "cuda" else "cpu"}
    print(json.dumps({"rows": measured, "versions": versions}))


if __name__ == "__main__":
    main()
