"""Parsing: how well steps are found, and how fast.

Boundary F1 is counted as `shared/tools/boundary_f1.py` counts it, on traces whose steps are known from
their source, joined by a line break, a blank line or a blank, with one automatic setting for all.
Speeds are of one core, as processor time: read_chunk (JSON decoding and column map) and parse_trace
(segmentation and answer) over GSM8K, best of several passes.

    python benchmarks/parsing.py [--shared ../shared] [--json]
"""

import argparse
import gc
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zero_engine.parse import parse_trace, segment
from zero_engine.pipeline import Input, Parse
from zero_engine.read import iter_chunks, read_chunk, read_traces
from zero_engine.records import Source, Trace

JOINED = [
    ("gsm8k", "\n"),
    ("gsm8k", "\n\n"),
    ("gsm8k", " "),
    ("prm800k", "\n"),
    ("prm800k", "\n\n"),
    ("prm800k", " "),
    ("strategyqa", "\n"),
    ("strategyqa", " "),
]
LONG_TRACE = "nasty-010"
PASSES = 5
ROWS_PER_CHUNK = 64


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--shared", type=Path, default=Path(__file__).resolve().parent.parent.parent / "shared"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    data = options.shared / "data"
    result: dict[str, Any] = {"boundary_f1": {}, **speeds(data / "gsm8k" / "test.jsonl")}
    for corpus, joiner in JOINED:
        result["boundary_f1"][f"{corpus} {joiner!r}"] = round(
            boundary_f1(data / "gold" / f"{corpus}.jsonl", joiner), 4
        )
    result["long_trace"] = long_trace(data / "nasty.jsonl")
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for name, f1 in result["boundary_f1"].items():
        print(f"boundary F1  {name:18s} {f1:.3f}")
    for name in ("read_per_s", "parse_per_s", "read_and_parse_per_s"):
        print(f"{name:24s} {result[name]:>10,.0f} traces/s, one core, {result['traces']} GSM8K traces")
    long = result["long_trace"]
    print(f"{long['chars']:,} characters in {long['seconds'] * 1000:.1f} ms, {long['steps']} steps")


def boundary_f1(gold_path: Path, joiner: str) -> float:
    """F1 of the boundaries that `segment` finds in gold steps joined to one text."""
    hit = either = 0
    for line in gold_path.open(encoding="utf-8"):
        steps = json.loads(line)["steps"]
        want, have = _boundaries(steps), _boundaries(segment(joiner.join(steps))[0])
        hit, either = hit + 2 * len(want & have), either + len(want) + len(have)
    return hit / max(1, either)


def speeds(corpus: Path) -> dict[str, float]:
    """Traces a second of reading, of parsing, and of both one after the other."""
    spec, parse = Input(path=str(corpus), format="gsm8k"), Parse()
    chunks = list(iter_chunks(spec, ROWS_PER_CHUNK))
    traces = [trace for trace in read_traces(spec) if isinstance(trace, Trace)]

    def both() -> None:
        for chunk in chunks:
            for item in read_chunk(chunk, spec):
                if isinstance(item, Trace):
                    parse_trace(item, parse)

    read_s = _best(lambda: [len(read_chunk(chunk, spec)) for chunk in chunks])
    parse_s = _best(lambda: [parse_trace(trace, parse) for trace in traces])
    return {
        "traces": len(traces),
        "read_per_s": len(traces) / read_s,
        "parse_per_s": len(traces) / parse_s,
        "read_and_parse_per_s": len(traces) / _best(both),
    }


def long_trace(nasty: Path) -> dict[str, float]:
    """The longest real rationale at hand: time to cut all of it."""
    cases = (json.loads(line) for line in nasty.open(encoding="utf-8"))
    rationale = next(case for case in cases if case["id"] == LONG_TRACE)["record"]["rationale"]
    trace = Trace("long", "q", rationale, None, Source("nasty", str(nasty), 0))
    seconds = _best(lambda: parse_trace(trace, Parse(max_steps=100_000)))
    return {"chars": len(rationale), "seconds": seconds, "steps": len(segment(rationale)[0])}


def _best(run: Callable[[], object]) -> float:
    times = []
    for _ in range(PASSES):
        gc.collect()
        started = time.process_time()
        run()
        times.append(time.process_time() - started)
    return min(times)


def _boundaries(steps: list[str]) -> set[int]:
    position, found = 0, set()
    for step in steps[:-1]:
        position += len(re.sub(r"\s|<<[^<>]*>>", "", step))
        found.add(position)
    return found


if __name__ == "__main__":
    main()
