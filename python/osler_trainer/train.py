"""One training from job file to merged model."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from . import machine
from .artifacts import artifact
from .backends.backend import Adapted, Backend, choose_backend
from .base_digests import BaseDigests
from .base_model import BaseModel
from .checkpoints import complete_checkpoints, only_trainer
from .dry_run import dry_run
from .environment import check_length, set_environment
from .errors import EXIT_STOPPED, BadJob, StopRequested, TrainerError
from .events import DatasetReady, EventWriter, Failed, Finished, Stage, Started, Stopped
from .export import write_settings, write_tokenizer
from .failures import Situation, explain, first_line
from .folders import atomic_folder
from .heartbeat import HEARTBEAT_SECONDS, HeartbeatThread, Pulse
from .job import TrainJob, read_job
from .memory import Setup, architecture_in
from .plan import Machine, Plan, make_plan
from .ranks import Ranks
from .reference import reference_after_training
from .rows import read_rows
from .sft import build_trainer, train
from .stop import StopSignal
from .template import ChatTemplate
from .tokens import IGNORED, EncodedRow, encode_rows, lengths, load_tokenizer, template_for


def train_command(job_file: Path, events: EventWriter, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> int:
    """Run the job; every end is an event and an exit code: 0, 1 failed, 2 bad job, 3 missing prerequisite, 130 stopped."""
    stop = StopSignal()
    stop.install()
    ranks = Ranks()
    ranks.die_with_parent()
    pulse = Pulse()
    with HeartbeatThread(events, pulse, heartbeat_seconds):
        return _run_job(job_file, events, stop, pulse, ranks)


def _run_job(job_file: Path, events: EventWriter, stop: StopSignal, pulse: Pulse, ranks: Ranks) -> int:
    job: TrainJob | None = None
    training: _Training | None = None
    try:
        job = read_job(job_file)
        if job.dry_run:
            return dry_run(job, events, stop, pulse) if ranks.is_main else 0
        job = job.model_copy(update={"threads": ranks.threads(job.threads)})
        with only_trainer(job.outputs) if ranks.is_main else nullcontext():
            ranks.watch(job.outputs)
            training = _Training(job, events, stop, pulse, ranks)
            return training.run()
    except StopRequested:
        if job is None or not ranks.has_failed(job.outputs):
            events.emit(Stopped(step=0, total_steps=0))
        return EXIT_STOPPED
    except Exception as error:  # the last line of defence: whatever a library raises becomes an event
        stop.mute()
        traceback.print_exc(file=sys.stderr)
        failure = explain(error, job, training.situation if training is not None else None)
        if job is None or ranks.claim_failure(job.outputs):
            if job is not None:
                events.speak_up()
            events.emit(Failed(reason=failure.reason, message=failure.message, next_step=failure.next_step))
        return failure.exit_code


@dataclass(frozen=True)
class _Prepared:
    """All that training needs except the model."""

    backend: Backend
    machine: Machine
    plan: Plan
    base: BaseModel
    tokenizer: Any
    template: ChatTemplate
    rows: list[EncodedRow]
    held_out: list[EncodedRow] | None


class _Training:
    """The stages of one run, in order."""

    def __init__(self, job: TrainJob, events: EventWriter, stop: StopSignal, pulse: Pulse, ranks: Ranks) -> None:
        self.job, self.events, self.stop, self.pulse, self.ranks = job, events, stop, pulse, ranks
        self.out = Path(job.output_dir)
        self.step, self.total_steps = 0, 0
        self.situation: Situation | None = None
        """Known once the rows are; what a failure for want of memory is explained with."""
        self.digests: BaseDigests | None = None
        """Of a base that this host fetched: the server cannot read that one."""

    def run(self) -> int:
        """Prepare, train, save, merge."""
        try:
            self._stage("preparing")
            ready = self._prepare()
            self.pulse.worked()
            checkpoint = self.ranks.from_main(self._checkpoint)
            adapted = ready.backend.adapt(self.job, ready.plan, ready.base)
            self.pulse.worked()
            self._tell_start(ready, adapted, checkpoint)
            trainer, watch = build_trainer(
                self.job,
                ready.plan,
                adapted.model,
                ready.tokenizer,
                self._trainable(ready.rows),
                ready.held_out,
                ready.machine.device.kind,
                self.events,
                self.stop,
                self.ranks,
                self.pulse,
            )
            self._stage("training")
            train(trainer, checkpoint, self.stop)
            self.step, self.total_steps = trainer.state.global_step, trainer.state.max_steps
            if self.stop.requested:
                raise StopRequested
            self.ranks.leave()
            if self.ranks.is_main:
                self._save(ready, trainer.accelerator.unwrap_model(adapted.model))
                self._merge(ready, adapted.model)
                self._reference(ready, adapted.model)
        except StopRequested:
            if not self.ranks.has_failed(self.job.outputs):
                self.events.emit(Stopped(step=self.step, total_steps=self.total_steps))
            return EXIT_STOPPED
        self.events.emit(
            Finished(
                steps=self.step,
                final_loss=watch.last_loss if watch.last_loss is not None else _logged_loss(trainer.state.log_history),
                train_seconds=watch.session_seconds,
                peak_memory_bytes=machine.peak_memory_bytes(ready.machine.device.kind),
            )
        )
        return 0

    def _prepare(self) -> _Prepared:
        job = self.job
        # Before torch, transformers and the Hub client read them.
        set_environment(job)
        backend = choose_backend(job.recipe.backend)
        backend.import_libraries()
        self.ranks.join()
        import torch

        torch.set_num_threads(job.threads)
        here = machine.look()
        plan = make_plan(job.recipe, backend.name, here, has_held_out=job.held_out_file is not None)
        for message in plan.notices:
            self.events.notice(message)
        rows = read_rows(Path(job.train_file))
        held_out = read_rows(Path(job.held_out_file)) if job.held_out_file is not None and plan.evaluates else None
        base = backend.find_base(job)
        if self.ranks.is_main and not Path(job.base_path).is_dir():
            self.digests = BaseDigests(base, self.events)
        check_length(job, base.folder)
        tokenizer = load_tokenizer(str(base.folder))
        template = template_for(tokenizer, Path(job.template_file))
        max_length, loss_on = job.recipe.base.max_length_tokens, job.recipe.trainer.loss_on
        encoded = encode_rows(rows, tokenizer, template, max_length, loss_on)
        architecture = architecture_in(base.folder)
        if architecture is not None and here.free_bytes is not None:
            setup = Setup.of(job.recipe, plan, architecture, here.device.kind)
            self.situation = Situation(setup, here.free_bytes, max(len(row.ids) for row in encoded))
        return _Prepared(
            backend=backend,
            machine=here,
            plan=plan,
            base=base,
            tokenizer=tokenizer,
            template=template,
            rows=encoded,
            held_out=encode_rows(held_out, tokenizer, template, max_length, loss_on) if held_out is not None else None,
        )

    def _tell_start(self, ready: _Prepared, adapted: Adapted, checkpoint: Path | None) -> None:
        job = self.job
        self.events.emit(
            Started(
                run_id=job.run_id,
                backend=ready.backend.name,
                pid=os.getpid(),
                versions=machine.versions(),
                device=ready.machine.device,
                resolved=ready.plan.resolved()
                | {
                    "loadedFrom": adapted.loaded_from,
                    "loadedRevision": ready.base.revision,
                    "kernels": adapted.kernels,
                    "maxLengthTokens": job.recipe.base.max_length_tokens,
                    "lossOn": job.recipe.trainer.loss_on,
                    "threads": job.threads,
                    "processes": self.ranks.count,
                    "padToken": ready.tokenizer.pad_token,
                    "templateSha256": ready.template.sha256,
                    "resumedFrom": str(checkpoint) if checkpoint is not None else None,
                    "trainableParameters": sum(p.numel() for p in adapted.model.parameters() if p.requires_grad),
                },
            )
        )
        self.events.emit(
            DatasetReady(
                rows=len(ready.rows),
                truncated_rows=sum(row.is_truncated for row in ready.rows),
                length_tokens=lengths(ready.rows),
                first_text=ready.rows[0].text,
            )
        )

    def _trainable(self, encoded: list[EncodedRow]) -> list[EncodedRow]:
        kept = [row for row in encoded if any(label != IGNORED for label in row.labels)]
        if not kept:
            raise BadJob("every row is cut before its response begins, so there is nothing to learn", "raise base.maxLengthTokens")
        if len(kept) < len(encoded):
            self.events.notice(f"{len(encoded) - len(kept)} rows are cut before their response begins and are left out")
        return kept

    def _checkpoint(self) -> Path | None:
        complete, incomplete = complete_checkpoints(self.job.outputs)
        if not self.job.resume:
            if complete or incomplete:
                aside = self.job.outputs.with_name(f"outputs-before-{int(time.time())}")
                aside.mkdir()
                for path in (*complete, *incomplete):
                    path.rename(aside / path.name)
                self.events.notice(f'resume is off: earlier checkpoints were moved to "{aside}"')
            return None
        for path in incomplete:
            self.events.notice(f'"{path.name}" is incomplete and is not used')
        return complete[-1] if complete else None

    def _stage(self, stage: Literal["preparing", "training", "saving", "merging", "reference"]) -> None:
        self.pulse.worked()
        self.events.emit(Stage(stage=stage))

    def _save(self, ready: _Prepared, model: Any) -> None:
        self._stage("saving")
        adapter = self.out / "adapter"
        with atomic_folder(adapter) as part:
            _save_adapter(self.job, model, part)
            write_tokenizer(ready.base.folder, ready.template.text, ready.tokenizer.pad_token, part)
        self.events.emit(artifact("adapter", adapter, self.pulse.worked))
        tokenizer_file = adapter / "tokenizer.json"
        if tokenizer_file.is_file():
            self.events.emit(artifact("tokenizer", tokenizer_file, self.pulse.worked))

    def _merge(self, ready: _Prepared, model: Any) -> None:
        self._stage("merging")
        if self.digests is not None:
            self.digests.wait()
            self.pulse.worked()
        merged = self.out / "merged"
        with atomic_folder(merged) as part:
            dtype = ready.backend.merge(self.job, ready.base, model, ready.tokenizer, self.out / "adapter", part, self.pulse.worked)
            write_settings(ready.base.folder, dtype, ready.tokenizer, part)
            write_tokenizer(ready.base.folder, ready.template.text, ready.tokenizer.pad_token, part)
        self.events.emit(artifact("merged", merged, self.pulse.worked))

    def _reference(self, ready: _Prepared, model: Any) -> None:
        self._stage("reference")
        try:
            folder = reference_after_training(self.job, model, is_patched=ready.backend.name == "unsloth")
            self.events.emit(artifact("reference", folder, self.pulse.worked))
        except Exception as error:  # the training is done and saved; the certificate makes its reference by itself then
            traceback.print_exc(file=sys.stderr)
            self.events.notice(f"no reference for the certificate was made: {first_line(str(error) or type(error).__name__)}")


def _save_adapter(job: TrainJob, model: Any, folder: Path) -> None:
    # With a Hub id in its configuration others can load the adapter; with the path of this machine they cannot.
    base = job.recipe.base
    if base.ref.count("/") == 1 and not Path(base.ref).exists():
        for config in model.peft_config.values():
            config.base_model_name_or_path = base.ref
            config.revision = base.revision
    for config in model.peft_config.values():
        # A set, written in another order by each process: the same adapter would have another checksum.
        if isinstance(config.target_modules, set):
            config.target_modules = sorted(config.target_modules)
    # "auto" would ask the Hub whether the vocabulary was resized.
    model.save_pretrained(str(folder), save_embedding_layers=False)
    # peft's empty model card; the project writes its own when it publishes.
    (folder / "README.md").unlink(missing_ok=True)


def _logged_loss(history: Sequence[dict[str, Any]]) -> float:
    losses = [float(entry["loss"]) for entry in history if "loss" in entry]
    if not losses:
        raise TrainerError("the training ended without a logged loss", "set trainer.loggingSteps to at most trainer.maxSteps")
    return losses[-1]
