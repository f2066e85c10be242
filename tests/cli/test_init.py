"""`zero-engine init`: from a file with unknown names to rows, and what it says where it cannot."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from zero_engine import load_pipeline
from zero_engine.cli.init import pipeline_text
from zero_engine.pipeline import Input
from zero_engine.read.proposal import propose

ROOT = Path(__file__).resolve().parent.parent.parent
UNKNOWN = [
    {"nr": i, "aufgabe": f"Anna hat {i} und kauft 2. Wie viele hat sie?", "weg": f"Sie hat {i}.\n{i} + 2 = {i + 2}.",
     "ergebnis": str(i + 2)}
    for i in range(1, 4)
]  # fmt: skip


def cli(folder: Path, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    code = "from zero_engine.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        capture_output=True,
        timeout=300,
        input=stdin,
        env=environment,
    )


def lines(records: list[Any]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


@pytest.mark.slow
def test_init_then_run_writes_rows_of_a_file_with_unknown_names(tmp_path: Path) -> None:
    (tmp_path / "meine daten.jsonl").write_bytes(lines(UNKNOWN))
    done = cli(tmp_path, "init", "meine daten.jsonl")
    assert done.returncode == 0, done.stderr
    said = done.stdout.decode()
    assert "question: Anna hat 1" in said and "answer:   3" in said and "wrote meine_daten.yaml" in said
    done = cli(
        tmp_path, "run", "meine_daten.yaml", "--workers", "0", "--json", "--set", "render.generator=none"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"]["rows"] == 3
    again = cli(tmp_path, "init", "meine daten.jsonl")
    assert again.returncode == 2 and b"meine_daten.yaml exists" in again.stderr


@pytest.mark.slow
def test_run_without_init_names_the_column_to_map(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(lines(UNKNOWN))
    pipeline = str(ROOT / "pipelines" / "text_only.yaml")
    for options in ([], ["--set", "input.format=generic"], ["--set", "input.format=think"]):
        done = cli(tmp_path, "run", pipeline, "--input", "x.jsonl", "--output", "out", *options)
        said = done.stderr.decode().strip()
        assert done.returncode == 2 and said.count("\n") == 0, said
        assert (
            "with input.columns={question: aufgabe, rationale: weg, answer: ergebnis}" in said
            and "zero-engine init" in said
        )
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("record", "columns"),
    [
        ({"Problem": "What is 1+1?", "Step by step reasoning": "One and one. Two, surely it is so.",
          "Final Answer": "2"},
         {"question": "Problem", "rationale": "Step by step reasoning", "answer": "Final Answer"}),
        ({"prompt": "What is 1+1?", "cot": "One and one makes two, as I see it.", "target": "2",
          "source": "made", "difficulty": 3},
         {"question": "prompt", "rationale": "cot", "answer": "target"}),
        ({"id": 7, "query": "1+1?", "gpt4_explanation": "One and one is two. " * 4, "label": "2"},
         {"question": "query", "rationale": "gpt4_explanation", "answer": "label"}),
        ({"q": "1+1?", "a": "2", "r": "One and one is two. That is all there is to it."},
         {"question": "q", "rationale": "r", "answer": "a"}),
        ({"input": {"question": "What is 1+1?"},
          "output": {"reasoning": "One and one is two, and so on.", "answer": "2"}},
         {"question": "input.question", "rationale": "output.reasoning", "answer": "output.answer"}),
    ],
)  # fmt: skip
def test_columns_are_guessed_by_name_and_value(
    record: dict[str, Any], columns: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "x.jsonl").write_bytes(lines([record]))
    proposal = propose(Input(path=str(tmp_path / "x.jsonl")))
    assert proposal.spec.format == "generic" and dict(proposal.spec.columns) == columns
    assert proposal.parsed is not None and proposal.parsed.answer == "2"


@pytest.mark.slow
def test_what_opening_needs_is_found_and_written(tmp_path: Path) -> None:
    rows = [{"question": "Où est-ce?", "rationale": "Là, où c’était.\nVoilà.", "answer": "là"}]
    (tmp_path / "a.json").write_bytes(json.dumps({"data": rows, "version": 1}).encode())
    (tmp_path / "b.jsonl").write_bytes(lines(rows).decode().encode("cp1252"))
    (tmp_path / "c" / "data").mkdir(parents=True)
    (tmp_path / "c" / "data" / "cot-00000-of-00001.jsonl").write_bytes(lines(rows))
    for name, key, value in (
        ("a.json", "field", "data"),
        ("b.jsonl", "encoding", "cp1252"),
        ("c", "split", "cot"),
    ):
        done = cli(tmp_path, "init", name, "--json")
        assert done.returncode == 0, done.stderr
        facts = json.loads(done.stdout)
        assert facts["input"][key] == value and facts["first_trace"]["answer"] == "là"
        written = yaml.safe_load((tmp_path / facts["pipeline"]).read_text())
        assert written["input"][key] == value
        load_pipeline(tmp_path / facts["pipeline"])


@pytest.mark.slow
def test_init_reads_stdin_and_says_what_it_cannot_find(tmp_path: Path) -> None:
    done = cli(tmp_path, "init", "-", stdin=lines(UNKNOWN))
    assert done.returncode == 0 and (tmp_path / "traces.yaml").exists(), done.stderr
    (tmp_path / "x.jsonl").write_bytes(lines([{"a": 1, "b": [2]}]))
    done = cli(tmp_path, "init", "x.jsonl")
    assert (
        done.returncode == 2
        and b"no question and rationale found in the columns a (number), b (list)" in done.stderr
    )


def test_a_corpus_with_pictures_for_its_steps_keeps_them(tmp_path: Path) -> None:
    """Thresholds for what nano draws leave every picture of an oracle out."""
    row = {"question": "q", "steps": ["One.", "Two."], "step_images": [None, "a.png"], "answer": "4"}
    bagel = {"image_list": ["a.png", "b.png"], "instruction_list": [["q"]], "output_text_list": ["One."]}
    for name, record, format in (
        ("own", row, "generic"),
        ("bagel", bagel, "bagel"),
        ("text", UNKNOWN[0], "generic"),
    ):
        (tmp_path / f"{name}.jsonl").write_bytes(lines([record]))
        given = name != "text"
        proposal = propose(Input(path=str(tmp_path / f"{name}.jsonl")))
        (tmp_path / f"{name}.yaml").write_text(pipeline_text(proposal, name))
        pipeline = load_pipeline(tmp_path / f"{name}.yaml")
        assert (proposal.given, pipeline.input.format, pipeline.render.given) == (given, format, "keep")
        assert (pipeline.render.candidates, bool(pipeline.gate.min)) == ((0, False) if given else (4, True))


@pytest.mark.parametrize(
    ("column", "value", "mapped"),
    [
        ("img", {"bytes": "iVBORw0KGgo=", "path": None}, {"image": "img"}),
        ("photo", "shots/a.png", {"image": "photo"}),
        ("reasoning_pics", [None, "shots/a.png"], {"step_images": "reasoning_pics"}),
        ("note", "see the shots", {}),
        ("steps_left", [1, 2], {}),
    ],
)
def test_pictures_under_a_name_of_their_own_are_found_by_what_they_hold(
    column: str, value: Any, mapped: dict[str, str], tmp_path: Path
) -> None:
    row = {
        "question": "What is there to be seen?",
        "steps": ["Look at it.", "Four."],
        "answer": "4",
        column: value,
    }
    (tmp_path / "x.jsonl").write_bytes(lines([row, row]))
    assert propose(Input(path=str(tmp_path / "x.jsonl"))).spec.columns == mapped


def test_what_the_user_says_of_a_file_is_not_guessed_again(tmp_path: Path) -> None:
    file = tmp_path / "foo.jsonl"
    file.write_bytes(
        lines([{"foo": "What is 2 + 2?", "bar": "It is 2 + 2 = 4.", "answer": "2 + 2 = 4 #### 4"}] * 2)
    )
    said = propose(Input(path=str(file), columns={"question": "foo", "rationale": "bar"}))
    assert said.spec.format == "generic" and said.parsed and said.parsed.steps[0].text == "It is 2 + 2 = 4."
    said = propose(Input(path=str(file), format="gsm8k", columns={"question": "foo"}))
    assert said.spec.format == "gsm8k" and said.parsed and said.parsed.answer == "4"
    assert propose(Input(path=str(file), format="messages")).problem
