"""A trainer that trains nothing: writes an adapter and a merged model of random bytes and tells of them, as the real one does."""

import hashlib
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path


def emit(type, **fields):
    print(json.dumps({"type": type, "at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"), **fields}), flush=True)


job = json.loads(Path(sys.argv[2]).read_text())
out = Path(job["outputDir"])
token = os.environ.get("HF_TOKEN", "")
emit("notice", message=f"HF_TOKEN {hashlib.sha256(token.encode()).hexdigest()}")
emit("notice", message=f"base {sorted(path.name for path in Path(job['basePath']).glob('*')) if job['basePath'].startswith('/') else job['basePath']}")
emit("notice", message=f"threads {job['threads']}")
for kind, files in {"adapter": ["adapter_model.safetensors", "tokenizer.json"], "merged": ["config.json", "parts/model-1.safetensors"]}.items():
    for name in files:
        file = out / kind / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(3_000_000 if name.endswith("safetensors") else 1000))
    listed = [
        {"path": name, "bytes": (out / kind / name).stat().st_size, "sha256": hashlib.sha256((out / kind / name).read_bytes()).hexdigest()}
        for name in files
    ]
    emit("artifact", kind=kind, path=str(out / kind), bytes=sum(file["bytes"] for file in listed), files=listed)
    if kind == "adapter":
        emit("artifact", kind="tokenizer", path=str(out / kind / files[1]), bytes=1000, files=[{**listed[1], "path": ""}])
if job["recipe"]["tracking"]["reportTo"]:
    tracking = out / "tracking" / "wandb"
    (tracking / "offline-run-1").mkdir(parents=True, exist_ok=True)
    (tracking / "offline-run-1" / "run-1.wandb").write_bytes(os.urandom(2_500_000))
    (tracking / ".hidden").write_text("not wanted")
    (tracking / "latest-run").unlink(missing_ok=True)
    (tracking / "latest-run").symlink_to("offline-run-1")
    (tracking / "debug.log").unlink(missing_ok=True)
    (tracking / "debug.log").symlink_to("/etc/hostname")
emit("finished", steps=1, finalLoss=1.0, trainSeconds=1.0, peakMemoryBytes=None)
