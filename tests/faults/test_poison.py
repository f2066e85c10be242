"""A record that raises, kills its process, hangs or eats memory costs itself, and nobody else."""

import contextlib
from pathlib import Path

import pyarrow as pa
import pytest

from tests.faults.conftest import cluster, rejections
from zero_engine.run import run_pipeline
from zero_engine.write.validate import validate_dataset

pytestmark = pytest.mark.slow

REASONS = {"raises": "failed", "kills": "worker_died", "hangs": "timed_out", "eats": "out_of_memory"}
STAGES = {"reading": "read", "drawing": "render", "scoring": "score"}
LIMITS = {"shard_timeout_s": 3, "memory_limit": "700MB"}


def rows(out: str) -> dict[str, dict]:
    """Rows by id, without the fingerprint of the pipeline, which follows the limits."""
    found = {}
    for path in sorted(Path(out, "data").glob("data-*.arrow")):
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
            for row in reader.read_all().to_pylist():
                found[row["id"]] = {
                    key: value for key, value in row.items() if key not in ("pipeline", "source")
                }
    return found


@pytest.mark.parametrize("kind", REASONS)
def test_exactly_the_poisoned_record_is_rejected_with_attempts_and_exception(poisonable, make_run, kind):
    summary = run_pipeline(make_run(poison={2: f"POISON {kind} drawing"}, dask=LIMITS))
    (first, *others) = rejections(summary.out)
    assert first["stage"] == "render" and first["reason"].endswith(REASONS[kind]) and first["exception"]
    assert {r["trace_id"] for r in (first, *others)} == {"t2"}
    if kind != "raises":
        attempts = (
            3 if kind == "kills" else 2
        )  # the shard, then the record alone: twice where it could be chance
        assert others == [] and f"attempt {attempts}" in first["detail"] and first["record"]["id"] == "t2"


@pytest.mark.parametrize(
    "where",
    [
        "alone",
        *(pytest.param(name, marks=pytest.mark.soak) for name in ("one worker", "two workers")),
        "external",
    ],
)
def test_workers_survive_a_corpus_full_of_poison(poisonable, make_run, where):
    wanted = [(kind, stage) for kind in REASONS for stage in STAGES]
    poison = {3 * i + 1: f"POISON {kind} {stage}" for i, (kind, stage) in enumerate(wanted)}
    clean = run_pipeline(make_run("clean", records=3 * len(wanted)))
    with contextlib.ExitStack() as stack:
        dask = {**LIMITS, "workers": {"alone": 0, "one worker": 1}.get(where, 2)}
        if where == "external":
            dask["scheduler"] = stack.enter_context(cluster(2, poisonable)).address
        summary = run_pipeline(make_run("poisoned", records=3 * len(wanted), poison=poison, dask=dask))
    found = {}
    for r in rejections(summary.out):
        found[r["record"]["text"] if r["stage"] == "read" else r["trace_id"]] = (
            r["stage"],
            "failed" if r["reason"].endswith("failed") else r["reason"],
        )
    assert sorted(found.values()) == sorted((STAGES[stage], REASONS[kind]) for kind, stage in wanted)
    before, after = rows(clean.out), rows(summary.out)
    innocent = {f"t{i}" for i in range(3 * len(wanted)) if i not in poison}
    assert {name: before[name] for name in innocent} == {name: after[name] for name in innocent}
    assert all(check.ok for check in validate_dataset(summary.out))
