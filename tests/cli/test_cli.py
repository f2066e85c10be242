"""The command line as people use it: exit codes, one-line errors, JSON on stdout."""

import json
from pathlib import Path

import pytest

from zero_engine.bundled import bundled_text

TEXT_ONLY = """\
name: cli
input: {{path: {input}, format: gsm8k, limit: 5}}
render: {{generator: none}}
output: {{path: {output}, rows_per_shard: 2}}
dask: {{workers: 0}}
"""


@pytest.fixture
def pipeline(repository: Path, tmp_path: Path) -> Path:
    path = tmp_path / "a pipeline.yaml"
    out = tmp_path / "out folder"
    path.write_text(TEXT_ONLY.format(input=repository / "examples/data/gsm8k.jsonl", output=out))
    return path


def test_parse_prints_steps_as_json_lines(call, pipeline):
    code, out, err = call("parse", pipeline)
    assert call("parse", pipeline, "--json")[:2] == (code, out)
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and len(rows) == 5 and "5 traces parsed, 0 rejected" in err
    assert set(rows[0]) == {"id", "question", "steps", "answer"}
    assert rows[0]["answer"] == "18" and len(rows[0]["steps"]) == 2


@pytest.mark.slow
def test_a_run_can_be_planned_made_checked_and_inspected(call, pipeline, tmp_path):
    out = tmp_path / "out folder"
    code, text, _ = call("plan", pipeline, "--json")
    assert code == 0 and json.loads(text)["to_draw"] == 3 and not out.exists()
    code, text, _ = call("run", pipeline, "--json")
    assert code == 0 and json.loads(text)["counts"]["rows"] == 5
    assert (out / "report.html").exists()
    code, text, _ = call("plan", pipeline, "--json")
    assert json.loads(text)["done"] == 3
    code, text, _ = call("status", out, "--json")
    assert code == 0 and json.loads(text)["state"] == "finished"
    code, text, _ = call("validate", out, "--json")
    assert code == 0 and json.loads(text)["ok"]
    code, text, _ = call("inspect", out, "--json", "-n", 2)
    rows = json.loads(text)["rows"]
    assert code == 0 and [row["answer"] for row in rows] == ["18", "3"]
    code, text, _ = call("inspect", out, "--id", rows[1]["id"])
    assert code == 0 and rows[1]["id"] in text


@pytest.mark.slow
def test_looking_ahead_writes_a_page_and_no_output_folder(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("my.yaml").write_text(bundled_text("gsm8k_nano"))
    code, text, _ = call("preview", "my.yaml", "-n", 1)
    assert code == 0 and "open preview.html" in text
    code, text, _ = call("plan", "my.yaml", "--calibrate", 1)
    assert code == 0 and "gate:" in text
    assert sorted(path.name for path in Path().iterdir()) == ["calibration.html", "my.yaml", "preview.html"]


@pytest.mark.slow
def test_the_counts_table_and_paths_end_a_run(call, pipeline, tmp_path):
    code, text, _ = call("run", pipeline, "--no-report")
    assert code == 0
    assert (
        "rows written" in text and "nothing drawn" in text and str(tmp_path / "out folder" / "data") in text
    )


def test_validate_fails_with_exit_code_1_on_a_damaged_file(call, pipeline, tmp_path):
    call("run", pipeline, "--no-report")
    victim = tmp_path / "out folder" / "data" / "data-00001.arrow"
    data = bytearray(victim.read_bytes())
    data[-200] ^= 1
    victim.write_bytes(data)
    code, text, err = call("validate", tmp_path / "out folder")
    assert code == 1 and "FAILED" in text and "data-00001.arrow" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "nowhere.yaml"], "nowhere.yaml: cannot read"),
        (["run", "PIPELINE", "--set", "render.guidence=2"], "Did you mean guidance?"),
        (["run", "PIPELINE", "--input", "nowhere.jsonl"], "nowhere.jsonl"),
        (["run", "PIPELINE", "--workers", "many"], "dask.workers"),
        (["run", "PIPELINE", "--output", "/proc/nope"], "/proc/nope: this folder cannot be made"),
        (["run", "PIPELINE", "--output", "/dev/null/x"], "/dev/null/x: this folder cannot be made"),
        (["run", "PIPELINE", "--output", "x" * 300], "cannot be made (File name too long)"),
        (["status", "nowhere"], "nowhere: No such file or directory. Check the path"),
        (["validate", "nowhere"], "nowhere: not a finished zero-engine dataset"),
        (["schema", "nothing"], "Give one of pipeline"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(call, pipeline, arguments, says):
    code, _, err = call(*(str(pipeline) if a == "PIPELINE" else a for a in arguments))
    assert code == 2 and says in err
    assert len(err.strip().splitlines()) == 1 and err.startswith("zero-engine: ")


def test_an_unknown_option_is_exit_code_2(call, pipeline):
    assert call("run", pipeline, "--bogus")[0] == 2


@pytest.mark.parametrize("name", ["pipeline", "trajectory", "trajectory.arrow", "formats", "scores"])
def test_contracts_can_be_printed(call, name):
    code, text, _ = call("schema", name)
    assert code == 0 and text.strip()


@pytest.mark.parametrize("command", [["--help"], ["run", "--help"], ["models", "--help"], ["--version"]])
def test_help_is_there(call, command):
    code, text, _ = call(*command)
    assert code == 0 and text.strip()


HOSTILE = "a\x1b]0;owned\x07\x1b[31m\u202e\x9b2J"
"""Sets the title of a terminal, its colour, the direction of text, and clears the screen."""


@pytest.mark.slow
def test_what_a_terminal_obeys_does_not_reach_it(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record = {
        "id": HOSTILE,
        HOSTILE: "x",
        "question": HOSTILE,
        "rationale": f"{HOSTILE} one.\nTwo.",
        "answer": HOSTILE,
    }
    lines = [record, {**record, "rationale": None}, {**record, "rationale": 3}]
    Path("x.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    Path("p.yaml").write_text(TEXT_ONLY.format(input="x.jsonl", output="out").replace("gsm8k", "generic"))
    for arguments in (
        ["parse", "p.yaml"],
        ["init", "x.jsonl"],
        ["init", "x.jsonl", "--overwrite", "--json"],
        ["run", "p.yaml"],
        ["plan", "p.yaml"],
        ["status", "out"],
        ["inspect", "out"],
        ["validate", "out", "--for", "sft"],
        ["export", "out", "--to", "trl", "--output", "trl"],
        ["push", "out", "a/b", "--dry-run"],
        ["parse", "p.yaml", "--set", f"input.columns.answer={json.dumps(HOSTILE + 'x')}"],
        ["run", "p.yaml", "--set", f"input.path={json.dumps(HOSTILE)}"],
        ["eval", "nano", "x.jsonl", "--set", f"format={json.dumps(HOSTILE)}"],
    ):
        code, out, err = call(*arguments)
        told = [char for char in out + err if char in "\x1b\x07\x9b\u202e"]
        assert code in (0, 1, 2) and not told, (arguments, out, err)
