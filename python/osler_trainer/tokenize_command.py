"""The token ids that training uses, for the export certificate to compare with the server's."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .base_model import find_base
from .errors import BadJob, MissingPrerequisite
from .job import read_job
from .rows import TrainingRow, read_rows
from .tokens import encode_rows, load_tokenizer, template_for


def tokenize(options: argparse.Namespace) -> dict[str, Any]:
    """Ids of the job's rows (or of --rows-file), of --question prompts and of --text as it is.

    Returns {tokenizer: {bosId, eosId, padId, bosToken, eosToken, padToken}, templateSha256, rows: [{id, text, prompt,
    promptIds, ids, isTruncated}], prompts: [{question, text, ids}], texts: [{text, ids}]}. `ids` of a row are exactly
    those that are trained; no special token is added that the text does not write.
    """
    max_length = options.max_length
    rows: list[TrainingRow] = []
    if options.job is not None:
        job = read_job(options.job)
        base = str(find_base(job, with_weights=False).folder)
        template_file = options.template or Path(job.template_file)
        max_length = max_length or job.recipe.base.max_length_tokens
        rows = read_rows(Path(job.train_file))
    elif options.base is not None and options.template is not None:
        if not options.base.is_dir():
            raise MissingPrerequisite(f'the base folder "{options.base}" does not exist', "fetch or import the base model first")
        base, template_file = str(options.base), options.template
        rows = read_rows(options.rows_file) if options.rows_file is not None else []
    else:
        raise BadJob("nothing says which tokenizer to use", "give --job, or --base and --template")
    tokenizer = load_tokenizer(base)
    template = template_for(tokenizer, template_file)

    def ids(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    chosen = rows[: options.rows] if options.rows is not None else rows
    encoded = encode_rows(chosen, tokenizer, template, max_length or 1 << 30) if chosen else []
    prompts = [template.prompt(row.question) for row in chosen]
    questions = [(question, template.prompt(question)) for question in options.question]
    return {
        "tokenizer": {
            "bosToken": tokenizer.bos_token,
            "bosId": tokenizer.bos_token_id,
            "eosToken": tokenizer.eos_token,
            "eosId": tokenizer.eos_token_id,
            "padToken": tokenizer.pad_token,
            "padId": tokenizer.pad_token_id,
        },
        "templateSha256": template.sha256,
        "rows": [
            {"id": row.id, "text": row.text, "prompt": prompt, "promptIds": ids(prompt), "ids": row.ids, "isTruncated": row.is_truncated}
            for row, prompt in zip(encoded, prompts, strict=True)
        ],
        "prompts": [{"question": question, "text": text, "ids": ids(text)} for question, text in questions],
        "texts": [{"text": text, "ids": ids(text)} for text in options.text],
    }
