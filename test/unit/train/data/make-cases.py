"""Makes split-slice.cases.jsonl and parquet/*.parquet with the libraries whose results the tests compare with.

Run with the trainer's environment: .venv/bin/python test/unit/train/data/make-cases.py
"""

import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import ReadInstruction

here = Path(__file__).parent


def slice_cases() -> list[dict[str, object]]:
    """Slices with the rows that `datasets` takes of a split of `rows` rows, or null where it refuses them."""
    draw = random.Random(7)  # noqa: S311 - which sizes to try is no secret
    bounds = [
        "",
        "0",
        "1",
        "5",
        "-1",
        "-3",
        "-0",
        "99",
        "100",
        "1_000",
        "500",
        "10%",
        "33%",
        "50%",
        "100%",
        "-5%",
        "-50%",
        "-100%",
        "0%",
        "101%",
        "-101%",
        "1.5%",
        "_1",
    ]
    texts = {f"train[{a}:{b}]{r}" for a in bounds for b in bounds for r in ("",)}
    texts |= {
        f"train[{a}:{b}]({r})" for a in ("", "1%", "-7%", "5") for b in ("", "50%", "9") for r in ("closest", "pct1_dropremainder", "up")
    }
    texts |= {
        "train",
        "train[]",
        "train[5]",
        "train[:",
        "train[::2]",
        "train [0:5]",
        "",
        "a.b[:3]",
        "a-b[:3]",
        "train(closest)",
        "train[0:5] ",
    }
    cases: list[dict[str, object]] = []
    for text in sorted(texts):
        for rows in draw.sample([0, 1, 2, 7, 50, 99, 100, 150, 198, 1025, 19704], 2):
            try:
                [found] = ReadInstruction.from_spec(text).to_absolute({"train": rows, "a.b": rows})
                result: list[int] | None = [found.from_, max(found.from_, found.to)]
            except (ValueError, AssertionError):
                result = None
            cases.append({"split": text, "rows": rows, "taken": result})
    return cases


def write_parquet() -> None:
    """Ten rows in every form that a data set on the Hub may have, and files that cannot be trained on."""
    out = here / "parquet"
    out.mkdir(exist_ok=True)
    columns = (("Question", "q"), ("Complex_CoT", "t"), ("Response", "a"))
    rows = {name: [f"{letter}{i} \u2013 ü" for i in range(10)] for name, letter in columns}
    table = pa.table(rows)
    for codec in ("none", "snappy", "gzip", "zstd", "brotli", "lz4"):
        pq.write_table(table, out / f"{codec}.parquet", compression=codec, row_group_size=4)
    pq.write_table(table, out / "plain-v2.parquet", compression="zstd", use_dictionary=False, data_page_version="2.0", row_group_size=3)
    pq.write_table(table.cast(pa.schema([(name, pa.large_string()) for name in rows])), out / "large-string.parquet")
    pq.write_table(table.slice(0, 0), out / "empty.parquet")
    pq.write_table(table.set_column(0, "Question", pa.array(range(10), pa.int64())), out / "number.parquet")
    pq.write_table(table.set_column(1, "Complex_CoT", pa.array([["a", "b"]] * 10)), out / "list.parquet")
    pq.write_table(table.set_column(2, "Response", pa.array([{"text": "a", "n": 1}] * 10)), out / "struct.parquet")
    holes = [None if i in (3, 8) else " " if i == 5 else f"a{i}" for i in range(10)]
    pq.write_table(
        table.set_column(2, "Response", pa.array(holes)).append_column("id", pa.array(range(10))), out / "holes.parquet", row_group_size=4
    )
    broken = [b"\xff\xfe" if i == 6 else f"q{i}".encode() for i in range(10)]
    pq.write_table(table.set_column(0, "Question", pa.array(broken, pa.binary())), out / "not-utf8.parquet")


(here / "split-slice.cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in slice_cases()), encoding="utf-8")
write_parquet()
