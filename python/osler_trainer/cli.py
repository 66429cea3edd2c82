"""`python -m osler_trainer`: train, preflight, import-gguf, tokenize, reference, compare-weights."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import __version__

_EXAMPLES = """examples:
  python -m osler_trainer train runs/20261124-1/job.json
  python -m osler_trainer preflight --job runs/20261124-1/job.json
  python -m osler_trainer import-gguf --gguf SmolLM2-135M-Instruct.Q4_1.gguf --out models/smollm2
  python -m osler_trainer tokenize --job runs/20261124-1/job.json --rows 8
  python -m osler_trainer tokenize --base models/smollm2 --template medical-cot.jinja --question "What is a Q-tip test?"

exit codes: 0 done, 1 failed, 2 bad job or usage, 3 prerequisite missing, 130 stopped"""


def parser() -> argparse.ArgumentParser:
    """The command line; torch is not needed to read it."""
    root = argparse.ArgumentParser(
        prog="osler_trainer",
        description="Osler's trainer. JSON goes to stdout, one object a line; logs go to stderr.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--version", action="version", version=__version__)
    commands = root.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="run a job; prints its events")
    train.add_argument("job", type=Path, help="TrainJob as JSON")
    before = commands.add_parser("preflight", help="tell whether a job would train here; prints a report")
    before.add_argument("--job", type=Path, required=True, help="TrainJob as JSON")
    before.add_argument("--without-weights", action="store_true", help="the base's folder holds no weights yet")
    before.add_argument("--export-elsewhere", action="store_true", help="GGUF files are made on another machine, on whose disk they count")
    before.add_argument("--busy", action="store_true", help="other runs train here, and will have ended when this one begins")
    convert = commands.add_parser("import-gguf", help="make a trainable folder of a GGUF file; prints a summary")
    convert.add_argument("--gguf", type=Path, required=True)
    convert.add_argument("--out", type=Path, required=True, help="folder to write; replaced whole if it exists")
    tokenize = commands.add_parser("tokenize", help="print the token ids that training uses")
    tokenize.add_argument("--job", type=Path, help="take base, template, rows and length from this job")
    tokenize.add_argument("--base", type=Path, help="folder with the tokenizer (instead of --job)")
    tokenize.add_argument("--template", type=Path, help="Jinja chat template (with --base)")
    tokenize.add_argument("--rows", type=int, default=None, help="only the first so many rows")
    tokenize.add_argument("--rows-file", type=Path, help="JSON Lines of TrainingRow (with --base)")
    tokenize.add_argument("--question", action="append", default=[], help="a question to render and tokenise as a prompt; may be repeated")
    tokenize.add_argument("--text", action="append", default=[], help="text to tokenise as it is; may be repeated")
    tokenize.add_argument("--max-length", type=int, default=None, help="cut rows after so many tokens (with --base)")
    reference = commands.add_parser("reference", help="read base and merged model for the export certificate; writes reference/")
    reference.add_argument("--job", type=Path, required=True)
    reference.add_argument("--prompts", type=int, default=None, help="prompts that are answered greedily; default 8")
    reference.add_argument("--texts", type=int, default=None, help="texts whose distributions are kept; default 6")
    reference.add_argument("--in-memory", type=Path, default=None, help="safetensors with what the model in memory gave")
    compare = commands.add_parser("compare-weights", help="compare merged model and GGUF files with base and adapter; prints a summary")
    for name in ("base", "adapter", "merged"):
        compare.add_argument(f"--{name}", type=Path, required=True)
    compare.add_argument("--gguf", type=Path, action="append", default=[], help="a file to compare; may be repeated")
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    options = parser().parse_args(arguments)
    from .errors import TrainerError
    from .events import EventWriter, Failed

    events = EventWriter.take_stdout()
    if options.command == "train":
        from .train import train_command

        return train_command(options.job, events)
    try:
        if options.command == "preflight":
            from .preflight import Circumstances, preflight

            known = Circumstances(has_weights=not options.without_weights, exports_here=not options.export_elsewhere, is_busy=options.busy)
            summary = preflight(options.job, known).model_dump(mode="json", by_alias=True)
        elif options.command == "import-gguf":
            from .gguf_import import import_gguf

            summary = import_gguf(options.gguf, options.out)
        elif options.command == "reference":
            summary = _reference(options)
        elif options.command == "compare-weights":
            from .weight_comparison import compare_weights

            summary = compare_weights(options.base, options.adapter, options.merged, options.gguf)
        else:
            from .tokenize_command import tokenize

            summary = tokenize(options)
    except TrainerError as error:
        traceback.print_exc(file=sys.stderr)
        events.emit(Failed(reason=error.reason, message=error.message, next_step=error.next_step))
        return error.exit_code
    events.write_line(json.dumps(summary, ensure_ascii=False))
    return 0


def _reference(options: argparse.Namespace) -> dict[str, Any]:
    from .job import read_job
    from .reference import Extent, write_reference

    changes = {name: value for name in ("prompts", "texts") if (value := getattr(options, name)) is not None}
    in_memory = None
    if options.in_memory is not None:
        from safetensors.torch import load_file

        in_memory = load_file(str(options.in_memory))["logprobs"]
    return {"reference": str(write_reference(read_job(options.job), Extent(**changes), in_memory))}
