"""Makes parquet/*.parquet. Run with the trainer's environment: .venv/bin/python test/unit/core/rows/make-parquet.py"""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

folder = Path(__file__).parent / "parquet"
folder.mkdir(exist_ok=True)
rows = [
    {"n": 3, "list": ["a", "ü"], "struct": {"texts": ["x"], "year": None}, "empty": None, "time": None},
    {"n": None, "list": [], "struct": {"texts": ["y", "z"], "year": 2020}, "empty": None, "time": datetime(2026, 11, 24, tzinfo=UTC)},
]
schema = pa.schema(
    [
        ("n", pa.int64()),
        ("list", pa.list_(pa.string())),
        ("struct", pa.struct([("texts", pa.list_(pa.string())), ("year", pa.int64())])),
        ("empty", pa.string()),
        ("time", pa.timestamp("ms", tz="UTC")),
    ]
)
pq.write_table(pa.Table.from_pylist(rows, schema), folder / "nested.parquet", row_group_size=1)
pq.write_table(pa.table({"list": pa.array([[b"\xff\xfe"]], pa.list_(pa.binary()))}), folder / "nested-not-utf8.parquet")
