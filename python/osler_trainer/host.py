"""What Osler does on a host that it reaches by ssh: one request in, one reply out, nothing stays behind.

The server sends this very file, the request and its payload through the stdin of `python -I -S -c`, so that the host
needs sshd and Python alone, no version of it can be stale there, and neither secrets nor paths stand in an argument
list. It therefore imports the standard library only and keeps to what Python 3.7 can read: an old Python gets as far
as telling its version.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

MARKER = "OSLER-HOST-1"
"""Stands on a line of its own before the reply: a login script may print what it likes before it."""

_BLOCK = 1 << 20
_KEPT_TEXT = 4000
"""Characters of a trainer's log that tell why it failed."""
_LEFT_AFTER_SECONDS = 24 * 3600
_RECORD = "trainer.json"
# In a process of its own: this one runs without the environment's packages.
_FIND_MISSING = "import sys, importlib.util as u; print(*[n for n in sys.argv[1:] if u.find_spec(n) is None])"

_LOOK_AT_TORCH = "import torch; print(torch.__version__); torch.cuda.is_available() and print(torch.cuda.get_device_name(0))"


def main(request: dict[str, Any], stdin: IO[bytes], stdout: IO[bytes]) -> None:
    """Answer one request: the marker, a line of JSON, then raw bytes where the operation reads files."""
    os.umask(0o077)
    try:
        reply = _OPERATIONS[request["op"]](request, stdin)
    except OSError as error:
        kind = "diskFull" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "system"
        reply = {"error": kind, "message": f"{error.strerror}: {error.filename}" if error.filename else str(error)}
    parts = reply.pop("parts", [])
    stdout.write((MARKER + "\n" + json.dumps(reply) + "\n").encode())
    for file, offset, count in parts:
        _send(Path(file), offset, count, stdout)
    stdout.flush()


def _describe(request: dict[str, Any], stdin: IO[bytes]) -> dict[str, Any]:
    work_dir = _work_dir(request)
    work_dir.mkdir(parents=True, exist_ok=True)
    return {
        "python": list(sys.version_info[:3]),
        "missing": _output([sys.executable, "-c", _FIND_MISSING, *request["packages"]]).split(),
        "cores": _cores(),
        "freeBytes": shutil.disk_usage(work_dir).free,
        "gpus": _gpus(),
        "workDir": str(work_dir),
    }


def _torch(request: dict[str, Any], stdin: IO[bytes]) -> dict[str, Any]:
    """What a trainer would compute on here; importing torch takes some seconds."""
    lines = _output([sys.executable, "-c", _LOOK_AT_TORCH], timeout_seconds=120).splitlines()
    return {"torch": lines[0] if lines else None, "device": lines[1] if len(lines) > 1 else None}


def _state(request: dict[str, Any], stdin: IO[bytes]) -> dict[str, Any]:
    folder = Path(request["folder"])
    record = _record(folder)
    is_alive = record is not None and _is_alive(record["pid"], record["job"])
    return {
        "pid": record["pid"] if record is not None and is_alive else None,
        "startedAt": record["startedAt"] if record is not None and is_alive else None,
        "isSame": [_begins_with(folder / entry["name"], entry) for entry in request["files"]],
    }


def _upload_state(request: dict[str, Any], stdin: IO[bytes]) -> dict[str, Any]:
    """Whether a folder that is named by its content is here, and how much of its part is."""
    if Path(request["folder"]).is_dir():
        return {"isThere": True, "sizes": {}}
    return {"isThere": False, "sizes": _sizes(Path(request["part"]), request["files"])}


def _write(request: dict[str, Any], stdin: IO[bytes]) -> dict[str, Any]:
    """Files, one after the other in the payload; each is cut to `offset` first."""
    for entry in request["files"]:
        file = Path(entry["path"])
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as stream:
            # A request whose connection broke may still be writing what had arrived.
            fcntl.flock(stream, fcntl.LOCK_EX)
            if stream.seek(0, os.SEEK_END) < entry["offset"]:
                raise OSError(errno.EINVAL, "the file is shorter than was thought", str(file))
            stream.truncate(entry["offset"])
            left = entry["bytes"]
            while left > 0:
                block = stdin.read(min(_BLOCK, left))
                if not block:
                    # The connection was cut: what came is kept and the next try goes on from there.
                    stream.flush()
                    raise ConnectionAbortedError(errno.ECONNABORTED, "the upload was cut off")
                stream.write(block)
                left -= len(block)
            stream.flush()
            os.fsync(stream.fileno())
    return {}


def _publish(request: dict[str, Any], stdin: IO[bytes]) -> dict[str, Any]:
    """Check a part by its checksums and give it its name; files that are wrong are removed and named."""
    part, folder = Path(request["part"]), Path(request["folder"])
    bad = [entry["path"] for entry in request["files"] if not _is_whole(part / entry["path"], entry)]
    for path in bad:
        if (part / path).exists():
            (part / path).unlink()
    if not bad:
        if folder.is_dir():
            shutil.rmtree(str(part), ignore_errors=True)
        else:
            part.rename(folder)
    return {"bad": bad}


def _start(request: dict[str, Any], stdin: IO[bytes]) -> dict[str, Any]:
    """Start the trainer, or find the one that an earlier request started whose answer was lost."""
    folder = Path(request["folder"])
    work_dir = _work_dir(request)
    with _locked(work_dir / ".start.lock"):
        record = _record(folder)
        if record is not None and (record["token"] == request["token"] or _is_alive(record["pid"], record["job"])):
            return {"pid": record["pid"], "startedAt": record["startedAt"]}
        gpus = _free_gpus(work_dir, request["processes"])
        if gpus is None:
            return {"error": "busy", "message": "its GPUs are taken by other runs of Osler"}
        environment = {**os.environ, **request["environment"]}
        if gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        kept = {key: request[key] for key in ("token", "job", "startedAt")}

        def tell() -> None:
            # In the child, before it becomes the trainer: no trainer is ever without its record.
            _write_json(folder / _RECORD, {**kept, "pid": os.getpid(), "gpus": gpus})

        for name in (request["events"], request["log"]):
            _end_line(folder / name)
        with (folder / request["events"]).open("ab") as events, (folder / request["log"]).open("ab") as log:
            try:
                process = subprocess.Popen(
                    [sys.executable, *request["arguments"]],
                    stdin=subprocess.DEVNULL,
                    stdout=events,
                    stderr=log,
                    env=environment,
                    cwd=str(folder),
                    start_new_session=True,
                    preexec_fn=tell,  # noqa: PLW1509 - this process has one thread
                )
            except (OSError, subprocess.SubprocessError) as error:
                if (folder / _RECORD).exists():
                    (folder / _RECORD).unlink()
                return {"error": "system", "message": f"the trainer could not be started: {error}"}
    return {"pid": process.pid, "startedAt": request["startedAt"]}


def _poll(request: dict[str, Any], stdin: IO[bytes]) -> dict[str, Any]:
    """Whether the trainer runs, and what it has written: in this order, so that of a dead one nothing is missed."""
    is_alive = _is_alive(request["pid"], request["job"])
    return {**_read(request, stdin), "isAlive": is_alive}


def _preflight(request: dict[str, Any], stdin: IO[bytes]) -> dict[str, Any]:
    """Ask the trainer about a job, on the GPUs that it would get; the job's folder is removed after it."""
    work_dir = _work_dir(request)
    folder = Path(request["folder"])
    checks = work_dir / "checks"
    if folder.parent != checks:
        return {"error": "system", "message": f"{folder} is no folder of a check"}
    # Whose connection was cut before they were asked.
    for left in checks.glob("*"):
        if time.time() - left.stat().st_mtime > _LEFT_AFTER_SECONDS:
            shutil.rmtree(str(left), ignore_errors=True)
    gpus = _free_gpus(work_dir, request["processes"])
    environment = {**os.environ, **request["environment"]}
    if gpus:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    # The run will wait for those that hold them.
    busy = ["--busy"] if gpus is None and "--busy" not in request["arguments"] else []
    try:
        done = subprocess.run(
            [sys.executable, *request["arguments"], *busy],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            cwd=str(folder),
            timeout=request["timeoutSeconds"],
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"exitCode": None, "stdout": "", "stderr": str(error)}
    finally:
        shutil.rmtree(str(folder), ignore_errors=True)
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    stderr = done.stderr.decode("utf-8", "replace")[-_KEPT_TEXT:]
    return {"exitCode": done.returncode, "stdout": lines[-1] if lines else "", "stderr": stderr}


def _signal(request: dict[str, Any], stdin: IO[bytes]) -> dict[str, Any]:
    """SIGTERM to the trainer alone, or SIGKILL to all that it started; nothing where it has ended."""
    if _is_alive(request["pid"], request["job"]):
        try:
            if request["isKill"]:
                os.killpg(request["pid"], signal.SIGKILL)
            else:
                os.kill(request["pid"], signal.SIGTERM)
        except ProcessLookupError:
            pass
    return {}


def _read(request: dict[str, Any], stdin: IO[bytes]) -> dict[str, Any]:
    """Bytes of files from an offset on, at most `limit` of each."""
    parts = []
    for entry in request["files"]:
        file = Path(entry["path"])
        size = file.stat().st_size if file.is_file() else 0
        parts.append((str(file), entry["offset"], max(0, min(entry["limit"], size - entry["offset"]))))
    return {"counts": [count for _, _, count in parts], "parts": parts}


def _list(request: dict[str, Any], stdin: IO[bytes]) -> dict[str, Any]:
    """The files of a folder with their checksums, without hidden ones and links; none where there is no such folder."""
    root = Path(request["folder"])
    files = []
    for parent, folders, names in os.walk(str(root)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for file in (Path(parent) / name for name in names if not name.startswith(".")):
            if file.is_file() and not file.is_symlink():
                digest, size = hashlib.sha256(), 0
                with file.open("rb") as stream:
                    for block in iter(lambda: stream.read(_BLOCK), b""):
                        digest.update(block)
                        size += len(block)
                files.append({"path": file.relative_to(root).as_posix(), "bytes": size, "sha256": digest.hexdigest()})
    return {"files": files}


def _remove(request: dict[str, Any], stdin: IO[bytes]) -> dict[str, Any]:
    """Remove the folder of a run that has no trainer; absolute, or below the work folder. Tells whether there is none any more."""
    work_dir = _work_dir(request)
    folder = work_dir / request["folder"]
    record = _record(folder)
    is_run = folder.parent == work_dir / "runs" and folder.name != ".."
    if is_run and not (record is not None and _is_alive(record["pid"], record["job"])):
        shutil.rmtree(str(folder), ignore_errors=True)
    return {"isRemoved": not folder.exists()}


_OPERATIONS: dict[str, Callable[[dict[str, Any], IO[bytes]], dict[str, Any]]] = {
    "describe": _describe,
    "torch": _torch,
    "state": _state,
    "uploadState": _upload_state,
    "write": _write,
    "publish": _publish,
    "start": _start,
    "poll": _poll,
    "preflight": _preflight,
    "signal": _signal,
    "read": _read,
    "list": _list,
    "remove": _remove,
}


def _work_dir(request: dict[str, Any]) -> Path:
    work_dir: str = request["workDir"]
    return Path.home() / work_dir


def _sizes(folder: Path, files: list[str]) -> dict[str, int]:
    return {name: (folder / name).stat().st_size if (folder / name).is_file() else 0 for name in files}


def _is_whole(file: Path, entry: dict[str, Any]) -> bool:
    return file.is_file() and file.stat().st_size == entry["bytes"] and _begins_with(file, entry)


def _begins_with(file: Path, entry: dict[str, Any]) -> bool:
    digest = hashlib.sha256()
    left: int = entry["bytes"]
    if left > 0:
        if not file.is_file() or file.stat().st_size < left:
            return False
        with file.open("rb") as stream:
            while left > 0:
                block = stream.read(min(_BLOCK, left))
                if not block:
                    return False
                digest.update(block)
                left -= len(block)
    return bool(digest.hexdigest() == entry["sha256"])


def _record(folder: Path) -> dict[str, Any] | None:
    try:
        read: dict[str, Any] = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        return read
    except (OSError, ValueError):
        return None


def _write_json(file: Path, value: dict[str, Any]) -> None:
    temporary = file.with_name(f".{file.name}.tmp")
    temporary.write_text(json.dumps(value) + "\n", encoding="utf-8")
    temporary.replace(file)


def _is_alive(pid: int, job: str) -> bool:
    """Whether that very trainer runs; another process that was given its number later is not taken for it."""
    command = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self/cmdline").exists():
        try:
            text = command.read_bytes().decode("utf-8", "surrogateescape")
        except OSError:
            return False
    else:
        text = _output(["ps", "-ww", "-o", "command=", "-p", str(pid)])
    return "osler_trainer" in text and job in text


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    # A child that is not the trainer yet holds it too, until it is: the descriptor is closed on exec.
    with file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _free_gpus(work_dir: Path, wanted: int) -> list[str] | None:
    """GPUs that no other run holds, as many as wanted; none on a machine without; None where too few are left."""
    gpus = [gpu["index"] for gpu in _gpus()]
    if not gpus:
        return []
    for run in (work_dir / "runs").glob("*"):
        record = _record(run)
        if record is not None and _is_alive(record["pid"], record["job"]):
            gpus = [gpu for gpu in gpus if gpu not in record["gpus"]]
    return gpus[:wanted] if len(gpus) >= wanted else None


def _gpus() -> list[dict[str, str]]:
    lines = _output(["nvidia-smi", "--query-gpu=index,name,memory.total", "--format=csv,noheader"]).splitlines()
    rows = [[word.strip() for word in line.split(",")] for line in lines]
    found = [{"index": row[0], "name": row[1], "memory": row[2]} for row in rows if len(row) == 3]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return found if visible is None else [gpu for gpu in found if gpu["index"] in visible.split(",")]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _output(command: list[str], timeout_seconds: float = 20) -> str:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=timeout_seconds, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def _end_line(file: Path) -> None:
    """A trainer that was killed may have left half a line, which must not swallow the next one's first."""
    if file.is_file() and file.stat().st_size > 0:
        with file.open("rb+") as stream:
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                stream.write(b"\n")


def _send(file: Path, offset: int, count: int, stdout: IO[bytes]) -> None:
    if count == 0:
        return
    with file.open("rb") as stream:
        stream.seek(offset)
        while count > 0:
            block = stream.read(min(_BLOCK, count))
            if not block:
                raise OSError(errno.EIO, "the file became shorter", str(file))
            stdout.write(block)
            count -= len(block)


def supervise(folder: str, command: list[str]) -> int:
    """Run the trainer as a cluster's job; returns its exit code. A file `kill` in the folder ends it at once.

    The cluster signals every process of the job, so that a wish to stop reaches the trainer by itself.
    """
    # Not SIG_IGN, which the trainer would inherit.
    signal.signal(signal.SIGTERM, lambda *_: None)
    run = Path(folder)
    for name in ("events.jsonl", "trainer.log"):
        _end_line(run / name)
    with (run / "events.jsonl").open("ab") as events, (run / "trainer.log").open("ab") as log:
        trainer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=events, stderr=log, cwd=folder, start_new_session=True)
    while trainer.poll() is None:
        if (run / "kill").exists():
            os.killpg(trainer.pid, signal.SIGKILL)
            return 128 + signal.SIGKILL
        time.sleep(0.5)
    return trainer.returncode


if __name__ == "__main__":
    raise SystemExit(supervise(sys.argv[1], sys.argv[2:]))
