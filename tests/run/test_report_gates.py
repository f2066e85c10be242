"""What the report says of another gate is what a run with that gate counts."""

from pathlib import Path

import pytest

from tests.report.data_pages import Script, about
from zero_engine.pipeline import Gate
from zero_engine.report import write_report
from zero_engine.run import run_pipeline

GATES = (
    {"min": {"likelihood": -0.00002}, "max": {"blank": 0.98}, "min_pictures": 1},
    {"min": {"caption": -2.5, "readback": 0.5}, "max": {}, "on_reject": "drop_step"},
    {"min": {"readback": 0.5}, "max": {"duplicate": 0.9}, "on_reject": "drop_trace"},
    {"min": {}, "max": {"likelihood": -0.000001, "readback": 0.5}, "min_pictures": 1},
    {"min": {"likelihood": -0.001}, "max": {"likelihood": -0.000005, "caption": -2.0}, "min_pictures": 2},
)


@pytest.mark.slow
def test_figures_under_a_threshold_are_those_of_a_run_with_it(make_pipeline):
    names = ["likelihood", "caption", "blank", "duplicate", "readback"]
    first = run_pipeline(make_pipeline(score={"names": names}))
    page = write_report(first.out)
    with Script(page) as script:
        for wanted in GATES:
            gate = Gate.model_validate(wanted)
            said = script.judge(gate.model_dump(mode="json"))
            summary = run_pipeline(make_pipeline(score={"names": names}, gate=wanted))
            assert summary.drawn == 0
            reasons = {
                k.removeprefix("gate: "): n
                for k, n in summary.counts["reasons"].items()
                if k.startswith("gate: ")
            }
            told = {
                name: n
                for name, n in reasons.items()
                if name not in said["rejected"] and name != "step_rejected"
            }
            assert told == said["reasons"]
            assert summary.counts["rows"] == said["rows"] and summary.counts["pictures_kept"] == said["kept"]
            assert summary.counts["rejected_traces"] == sum(said["rejected"].values())
            found = about(write_report(Path(summary.out)))["found"]
            assert (found["rows"], found["kept"]) == (said["rows"], said["kept"])
