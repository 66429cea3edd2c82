"""A trainer that only answers questions: the report beside it, with what it was asked and what it sees in `versions`."""

import json
import os
import sys
from pathlib import Path

job_file = Path(sys.argv[sys.argv.index("--job") + 1])
job = json.loads(job_file.read_text())
if job["recipe"]["lora"]["randomState"] == 13:
    print("an unlucky number", file=sys.stderr)
    raise SystemExit(3)
report = json.loads((Path(__file__).parent / "report.json").read_text())
base = Path(job["basePath"])
report["versions"] = {
    "flags": " ".join(word for word in sys.argv[2:] if word.startswith("--")),
    "job": str(job_file),
    "base": " ".join(sorted(file.name for file in base.iterdir())) if base.is_dir() else job["basePath"],
    "rows": Path(job["trainFile"]).read_text(),
    "template": str(Path(job["templateFile"]).is_file()),
    "outputDir": job["outputDir"],
    "threads": str(job["threads"]),
    "token": os.environ.get("HF_TOKEN", ""),
    "arguments": " ".join(sys.argv),
}
print(json.dumps(report))
