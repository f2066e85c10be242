"""The report's own gate (`assets/gate.js`) decides as `score.gate` does."""

from pathlib import Path

import pytest

from tests.report.data_pages import Script, about, by_python
from zero_engine.pipeline import Gate
from zero_engine.report import write_report

GATES = (
    Gate(min={"likelihood": -0.3}, max={"blank": 0.98}),
    Gate(min={"likelihood": -0.5, "my_plugin": 1.0}, max={}, min_pictures=2),
    Gate(min={"likelihood": -0.2, "sharpness": 0.1}, max={}, on_reject="drop_step"),
    Gate(min={"likelihood": -0.2}, max={"my_plugin": 1.4}, on_reject="drop_trace"),
    Gate(min={"likelihood": -0.4}, max={}, on_reject="drop_step"),
    Gate(min={"likelihood": -0.6}, max={}, on_reject="drop_trace", min_pictures=1),
    Gate(min={}, max={"likelihood": -0.4, "my_plugin": 1.5}, min_pictures=1),
    Gate(min={"likelihood": -0.7}, max={"likelihood": -0.2}, on_reject="drop_trace"),
    Gate(min={"readback": 0.5, "no_plugin": 1.0}, max={"blank": 0.5}),  # no drawing has the first two
    Gate(min={}, max={"readback": 0.5, "sharpness": 0.5}, on_reject="drop_step"),
)


@pytest.fixture
def script(dataset: Path):
    with Script(write_report(dataset)) as script:
        yield script


def test_counts_are_those_of_the_gate(dataset: Path, script: Script):
    for gate in GATES:
        found = script.judge(gate.model_dump(mode="json"))
        del found["traces"], found["passing"]
        assert found == by_python(dataset, [gate])[0], gate


def test_flips_are_what_lies_between_two_gates(dataset: Path, script: Script):
    told = about(dataset / "report.html")["gate"]
    lenient = {**told, "min": {"likelihood": -9}}
    counts = script.run(
        f"const [a, b] = [{told}, {lenient}].map((gate) => judge(data, gateOf(gate)));".replace(
            "None", "null"
        )
        + "const found = flips(a, b); return [a.kept, b.kept, found.gained.length, found.lost.length]"
    )
    assert counts[1] - counts[0] == counts[2] > 0 and counts[3] == 0


def test_rates_count_every_drawing_and_every_step(script: Script):
    gate = "gateOf({min: {likelihood: -0.4}, max: {}, rank: {}, on_reject: 'text_only', min_pictures: 0})"
    attempts, lengths = script.run(
        f"const j = judge(data, {gate}); return [byAttempt(data, j), byLength(data, j)]"
    )
    assert [row[1] for row in attempts] == [16, 16, 16]
    assert [row[:2] for row in lengths] == [["21 to 40 characters", 8], ["41 to 80 characters", 8]]


def test_a_histogram_of_few_values_has_a_bar_for_each_and_of_skewed_ones_a_logarithmic_scale(script: Script):
    told = script.run(
        "const h = (v) => histogram(sorted(Float32Array.from(v)));"
        "const many = Array.from({length: 99}, (_, i) => i);"
        "return [h([1, 0, 1, 1]), h(many.map((i) => -i / 99)), h(many.map((i) => -(10 ** (-i / 9))))]"
    )
    bars = [{"low": 0, "high": 0, "count": 1}, {"low": 1, "high": 1, "count": 3}]
    assert told[0] == {"kind": "values", "bars": bars}
    assert [one["kind"] for one in told[1:]] == ["linear", "logarithmic"]
    assert [sum(bar["count"] for bar in one["bars"]) for one in told] == [4, 99, 99]


def test_a_proposed_threshold_is_never_stricter_than_the_value_it_came_from(script: Script):
    low, high = script.run(
        "const v = [-0.01239, 0.5]; return [threshold(v, 0, true), threshold(v, 1, false)]"
    )
    assert low == -0.0124 and high == 0.5


def test_figures_show_what_a_threshold_can_tell_apart(script: Script):
    assert script.run("return [-0.0119, -0.0000137, 0, 1, 12345.6, NaN].map((v) => figure(v))") == [
        *("-0.0119", "-1.37e-5", "0", "1", "12,300", "–")
    ]
