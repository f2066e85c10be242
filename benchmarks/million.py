"""Read, parse and write a million traces with drawing switched off: speed, and memory of the driver.

    python benchmarks/million.py --json [--records 1000000] [--workers 2] [--rows-per-shard 1000]

The input is the bundled GSM8K traces repeated, ids made unique. The run is the command line in a
process of its own, whose resident memory is read every half second from /proc; "flat" compares the
median of the last quarter with that of the second quarter.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUNDLED = Path(__file__).resolve().parent.parent / "examples/data/gsm8k.jsonl"
PIPELINE = """\
name: million
input: {{path: {input}, format: gsm8k}}
render: {{generator: none}}
output: {{path: {output}, rows_per_shard: {rows_per_shard}}}
dask: {{workers: {workers}}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rows-per-shard", type=int, default=1000)
    parser.add_argument("--folder", help="where to work; a temporary folder by default")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        facts = measure(Path(folder), options)
    print(json.dumps(facts, indent=2) if options.json else _sentence(facts))


def measure(folder: Path, options: argparse.Namespace) -> dict:
    """Write the input, run it, watch it."""
    source, pipeline = folder / "million.jsonl", folder / "million.yaml"
    _write_input(source, options.records)
    pipeline.write_text(
        PIPELINE.format(
            input=source,
            output=folder / "out",
            rows_per_shard=options.rows_per_shard,
            workers=options.workers,
        )
    )
    command = [sys.executable, "-c", "from zero_engine.cli import main; main()", "run", str(pipeline)]
    started = time.monotonic()
    process = subprocess.Popen(
        [*command, "--json", "--no-report"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    resident_mb = []
    while process.poll() is None:
        resident_mb.append(_resident_mb(process.pid))
        time.sleep(0.5)
    wall_s = time.monotonic() - started
    summary = json.loads(process.stdout.read())
    quarter = max(1, len(resident_mb) // 4)
    return {
        "records": summary["counts"]["records"],
        "rows": summary["counts"]["rows"],
        "rejected": summary["counts"]["rejected_traces"],
        "workers": options.workers,
        "wall_s": round(wall_s, 1),
        "traces_per_s": round(summary["counts"]["records"] / wall_s),
        "driver_peak_mb": round(max(resident_mb)),
        "driver_second_quarter_mb": round(statistics.median(resident_mb[quarter : 2 * quarter])),
        "driver_last_quarter_mb": round(statistics.median(resident_mb[-quarter:])),
        "seconds": summary["seconds"],
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
    }


def _write_input(path: Path, records: int) -> None:
    lines = [json.loads(line) for line in BUNDLED.read_text(encoding="utf-8").splitlines()]
    with open(path, "w", encoding="utf-8") as file:
        for number in range(records):
            file.write(
                json.dumps({"id": f"gsm8k-{number}", **lines[number % len(lines)]}, ensure_ascii=False) + "\n"
            )


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _sentence(facts: dict) -> str:
    return (
        f"{facts['records']:,} traces in {facts['wall_s']} s: {facts['traces_per_s']:,} traces/s with "
        f"{facts['workers']} workers; driver at most {facts['driver_peak_mb']} MB "
        f"({facts['driver_second_quarter_mb']} MB in the second quarter, {facts['driver_last_quarter_mb']} in the last)"
    )


if __name__ == "__main__":
    main()
