"""Exports of many rows: MB/s and peak memory of each format, beside `datasets.to_parquet` on the same rows.

python benchmarks/exports.py [OUT] [ROWS] [FORMAT ...]     OUT is a dataset that a run wrote; its rows are repeated

Every measurement is a process of its own, so peak memory is that of one export. Memory-mapped pages of the source
count towards the peak that the system reports although they can be dropped at any time, so the anonymous part is
reported too.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from zero_engine.contracts.manifest import ShardEntry, ShardFile
from zero_engine.hashing import digest_file
from zero_engine.write.finish import finish_dataset
from zero_engine.write.manifest import read_manifest

PER_FILE = 10_000
DATASETS = {"to_parquet": None, "to_parquet, 100": 100}
"""datasets' own writer, uncompressed: with the row groups that it chooses, and with groups of 100 rows like ours."""
OF_IDS = ("tokens", "omni_r1", "twgi", "anole")


def main(source: str = "out/gsm8k_nano", rows: str = "100000", *formats: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        big = Path(folder) / "big"
        repeat(Path(source), big, int(rows))
        size = sum(path.stat().st_size for path in (big / "data").glob("*.arrow"))
        print(f"{int(rows):,} rows, {size / 1e6:,.0f} MB of Arrow")
        for name in formats or (*DATASETS, "parquet", "webdataset", "verl", "trl", "tokens"):
            code = [sys.executable, __file__, "--one", name, str(big), f"{folder}/{name}"]
            facts = json.loads(
                subprocess.run(code, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
            )
            speed = f"{size / 1e6 / facts['s']:5.0f} MB/s, {size / 1e6 / facts['cpu_s']:5.0f} MB a CPU second"
            memory = f"peak {facts['peak_mb']:,.0f} MB, anonymous {facts['anonymous_mb']:,.0f} MB"
            print(f"{name:20} {speed}, {facts['written_mb']:,.0f} MB out, {memory}")


def one(name: str, big: str, target: str) -> None:
    from zero_engine import open_dataset
    from zero_engine.write.export import export_dataset

    began, peak = time.perf_counter(), [0]
    watch(peak)
    if name in DATASETS:
        import datasets

        datasets.disable_progress_bars()
        Path(target).mkdir()
        open_dataset(big).to_parquet(f"{target}/all.parquet", batch_size=DATASETS[name])
    else:
        export_dataset(big, name, target, model="nano" if name in OF_IDS else None)
    took = time.perf_counter() - began
    written = sum(path.stat().st_size for path in Path(target).rglob("*") if path.is_file())
    facts = {
        "s": took,
        "cpu_s": time.process_time(),
        "written_mb": written / 1e6,
        "anonymous_mb": peak[0] / 1e6,
    }
    print(json.dumps({**facts, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3}))


def watch(peak: list[int]) -> None:
    """Note the most anonymous memory that this process has held."""
    import threading

    def look() -> None:
        while True:
            text = Path(f"/proc/{os.getpid()}/status").read_text()
            held = int(text.split("RssAnon:")[1].split()[0]) * 1024
            peak[0] = max(peak[0], held)
            time.sleep(0.05)

    threading.Thread(target=look, daemon=True).start()


def repeat(source: Path, big: Path, rows: int) -> None:
    """A dataset of `rows` rows: those of the source over and over, each with an id of its own."""
    manifest = read_manifest(source)
    tables = []
    for shard in manifest.shards:
        with pa.memory_map(str(source / shard.data.name)) as file:
            tables.append(pa.ipc.open_stream(file).read_all())
    table = pa.concat_tables(tables).combine_chunks()
    (big / "data").mkdir(parents=True)
    entries = []
    for index, start in enumerate(range(0, rows, PER_FILE)):
        count = min(PER_FILE, rows - start)
        path = big / "data" / f"data-{index:05d}.arrow"
        with pa.ipc.new_stream(path, table.schema) as file:
            for first in range(start, start + count, len(table)):
                part = table.slice(0, min(len(table), start + count - first))
                ids = pa.array([f"row-{first + place:08d}" for place in range(len(part))])
                file.write_table(part.set_column(0, table.schema.field(0), ids).combine_chunks())
        own = ShardFile(f"data/{path.name}", count, path.stat().st_size, digest_file(path))
        counts = {"records": count, "traces": count, "rows": count, "rejected_traces": 0}
        first = manifest.shards[0]
        entries.append(
            ShardEntry(index=index, first_row=start, records=count, digest=first.digest, keys=first.keys, counts=counts,
                       data=own)
        )  # fmt: skip
    counts = {"records": rows, "traces": rows, "rows": rows, "rejected_traces": 0}
    finish_dataset(big, manifest.model_copy(update={"shards": entries, "counts": counts}), {"counts": counts})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
