"""Reads what `tripword label` stores with other people's readers: a line of JSON each.

read_store.py FOLDER: found.sqlite, found.parquet, found.recordings.parquet and talk.scores.parquet, all of one run.
"""

import json
import pathlib
import sqlite3
import sys

import duckdb
import pyarrow.parquet

folder = pathlib.Path(sys.argv[1])


def tell(reader, **what):
    print(json.dumps({"reader": reader, **what}))


for name in ["found", "found.recordings", "talk.scores"]:
    table = pyarrow.parquet.read_table(folder / f"{name}.parquet")
    table.validate(full=True)
    kinds = {field.name: str(field.type) for field in table.schema}
    tell("pyarrow", table=name, n_rows=table.num_rows, kinds=kinds)
    rows = duckdb.sql(f"SELECT * FROM '{folder}/{name}.parquet'")
    tell("duckdb", table=name, n_rows=len(rows), kinds=dict(zip(rows.columns, map(str, rows.types))))

EVENTS = """SELECT path, channel, word, score, start_s, end_s, time_s, start_sample, end_sample, time_sample,
            detection_latency_ms, threshold, model, model_sha256 FROM """
RECORDINGS = """SELECT path, status, error, warnings, size_bytes, n_channels, sample_rate_hz, heard_s FROM """

base = sqlite3.connect(folder / "found.sqlite")
tell("sqlite", integrity=base.execute("PRAGMA integrity_check").fetchone()[0])
tell("sqlite", foreign_keys=base.execute("PRAGMA foreign_key_check").fetchall())
for table, query, sqlite_name in [("found", EVENTS, "found"), ("found.recordings", RECORDINGS, "recordings")]:
    of_sqlite = [list(row) for row in base.execute(query + sqlite_name)]
    of_duckdb = [list(row) for row in duckdb.sql(f"{query} '{folder}/{table}.parquet'").fetchall()]
    columns = [part.strip() for part in query.split("SELECT")[1].split("FROM")[0].split(",")]
    of_pyarrow = pyarrow.parquet.read_table(folder / f"{table}.parquet", columns=columns).to_pylist()
    of_pyarrow = [[row[column] for column in columns] for row in of_pyarrow]
    assert of_sqlite == of_duckdb == of_pyarrow, (of_sqlite, of_duckdb, of_pyarrow)
    for row in of_sqlite:
        tell("row", table=table, **dict(zip(columns, row)))
moments = [row[0] for row in duckdb.sql(f"SELECT labelled_at::TIMESTAMP FROM '{folder}/found.recordings.parquet'").fetchall()]
texts = [row[0] for row in base.execute("SELECT labelled_at FROM recordings ORDER BY id")]
assert [moment.isoformat(timespec="microseconds") + "Z" for moment in moments] == texts, (moments, texts)
# DuckDB asks both kinds at once, and the queries that people are shown work.
for query in (folder / "queries.sql").read_text().split(";"):
    if query.strip():
        tell("query", n_rows=len(base.execute(query).fetchall()))
for query in (folder / "queries-duckdb.sql").read_text().split(";"):
    if query.strip():
        tell("query", n_rows=len(duckdb.sql(query.replace("'found", f"'{folder}/found")).fetchall()))
