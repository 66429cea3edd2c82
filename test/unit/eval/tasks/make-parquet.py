"""Makes rows/*.parquet of hub-rows.json, with the columns and types of the data sets on the Hub.

Run with the trainer's environment: .venv/bin/python test/unit/eval/tasks/make-parquet.py
"""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

here = Path(__file__).parent
text, texts = pa.string(), pa.list_(pa.string())
mmlu = [("question", text), ("subject", text), ("choices", texts), ("answer", pa.int64())]
schemas = {
    "medmcqa": [
        *((name, text) for name in ("id", "question", "opa", "opb", "opc", "opd")),
        ("cop", pa.int64()),
        *((name, text) for name in ("choice_type", "exp", "subject_name", "topic_name")),
    ],
    "pubmedqa": [
        ("pubid", pa.int32()),
        ("question", text),
        ("context", pa.struct([(name, texts) for name in ("contexts", "labels", "meshes", "reasoning_required_pred", "reasoning_free_pred")])),
        ("long_answer", text),
        ("final_decision", text),
    ],
    "mmlu_anatomy": mmlu,
    "mmlu_college_medicine": mmlu,
    "mmlu_pro": [
        ("question_id", pa.int64()),
        ("question", text),
        ("options", texts),
        ("answer", text),
        ("answer_index", pa.int64()),
        *((name, text) for name in ("cot_content", "category", "src")),
    ],
}
rows = json.loads((here / "hub-rows.json").read_text(encoding="utf-8"))
for name, fields in schemas.items():
    pq.write_table(pa.Table.from_pylist(rows[name], pa.schema(fields)), here / "rows" / f"{name}.parquet")
