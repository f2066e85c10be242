"""What the documents say exists, and what they show runs."""

import re
import shlex
from pathlib import Path

import pytest
import typer.core
import typer.main
import yaml

from zero_engine import load_pipeline
from zero_engine.bootstrap.config import load_bootstrap
from zero_engine.cli.ahead import training_kind
from zero_engine.pipeline import Pipeline, parse_config
from zero_engine.train.config import load_training
from zero_engine.train.evaluate import Evaluation

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "examples/data/README.md",
    "docs/exports.md",
    "docs/measured.md",
    "docs/pipeline.md",
    "docs/training.md",
    "docs/cli.md",
)
PATH = re.compile(r"(?:zero_engine|pipelines|schemas|examples|benchmarks|tests|docs)/[\w./-]*")
COMMAND = re.compile(r"(?:^ {4,}|`)(zero-engine [a-z][^`\n]*)", re.MULTILINE)
IGNORED = {"out", "work", "build", "dist", "shared"}


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_worth_of_a_score_stands_in_one_place():
    """AUCs are measured once and lie in `SCORES`; any other text names docs/scores.md instead of a figure."""
    weights = "zero_engine/models/nano/weights/README.md"
    figure = re.compile(r"AUC[^.\n]{0,60}\b0?\.\d\d|\(0?\.\d\d\)")
    assert [name for name in (*DOCUMENTS, weights) if figure.search(text_of(name))] == []


def code_blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_named_paths_exist(name: str):
    for path in PATH.findall(text_of(name)):
        assert (ROOT / path.rstrip(".")).exists(), f"{name} names {path}"


def test_the_answer_to_where_is_it_is_in_two_files_at_most():
    """ARCHITECTURE's table names them by their paths in the package."""
    table = text_of("ARCHITECTURE.md").partition("## Where is it?")[2].partition("\n## ")[0]
    answers = [row.split("|")[2] for row in table.splitlines() if row.startswith("| ") and "`" in row]
    assert len(answers) >= 14
    for answer in answers:
        paths = re.findall(r"`([\w/]+\.py)`", answer)
        assert 1 <= len(paths) <= 2, answer
        assert all((ROOT / "zero_engine" / path).is_file() for path in paths), answer


@pytest.mark.parametrize("name", DOCUMENTS)
def test_named_make_targets_exist(name: str):
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    named = re.findall(r"(?:^ {4}|`)make ([a-z-]+)", text_of(name), re.MULTILINE)
    assert set(named) <= targets


@pytest.mark.parametrize("name", DOCUMENTS)
def test_named_commands_and_options_exist(name: str):
    for line in COMMAND.findall(text_of(name)):
        words = shlex.split(line.split("#")[0].split("|")[0].replace("...", ""))[1:]
        command = command_tree()
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        assert not hasattr(command, "commands") or not words, f"{name}: {line}: no such command"
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert {w.split("=")[0] for w in words if w.startswith("-")} <= known, f"{name}: {line}"


def test_the_readme_is_short_and_names_every_page():
    readme = text_of("README.md")
    assert len(readme.splitlines()) <= 150
    assert [page.name for page in (ROOT / "docs").iterdir() if f"docs/{page.name}" not in readme] == []


def test_the_documented_pipeline_is_valid():
    (document,) = code_blocks(text_of("docs/pipeline.md"), "yaml")
    pipeline = parse_config(Pipeline, yaml.safe_load(document), where="docs/pipeline.md")
    assert pipeline.name == "my-corpus"


@pytest.mark.parametrize("path", sorted((ROOT / "pipelines").glob("*.yaml")), ids=lambda path: path.name)
def test_every_pipeline_and_training_file_loads(path: Path):
    keys = yaml.safe_load(path.read_text(encoding="utf-8")).keys()
    if kind := training_kind(path):
        load_training(path, kind)
    elif "draw" in keys:
        load_bootstrap(path)
    elif "input" in keys:
        load_pipeline(path)
    else:
        document = {**yaml.safe_load(path.read_text(encoding="utf-8")), "data": "x", "output": "y"}
        parse_config(Evaluation, document, where=str(path))


def test_demo_pipeline_explains_every_section_and_reads_the_bundled_data():
    pipeline = load_pipeline(ROOT / "pipelines/gsm8k_nano.yaml")
    document = yaml.safe_load(text_of("pipelines/gsm8k_nano.yaml"))
    assert set(document) == set(Pipeline.model_fields)
    assert (ROOT / pipeline.input.path).is_file()


@pytest.mark.parametrize("name", ["README.md", "docs/pipeline.md", "docs/training.md"])
def test_documented_python_is_valid_and_uses_public_names(name: str):
    import zero_engine

    for block in code_blocks(text_of(name), "python"):
        compile(block, name, "exec")
        for names in re.findall(r"^from zero_engine import (.+)$", block, re.MULTILINE):
            assert set(names.split(", ")) <= set(zero_engine.__all__)


def test_the_documented_tree_is_the_tree():
    tree = text_of("ARCHITECTURE.md").split("## The tree")[1].split("\n\n")[1]
    entries = [line[4:].split()[0] for line in tree.splitlines()]
    inside = {e for e, line in zip(entries, tree.splitlines(), strict=True) if line.startswith(" " * 6)}
    outside = set(entries) - inside
    package = [p for p in (ROOT / "zero_engine").iterdir() if is_shown(p)]
    assert inside == {p.name + "/" * p.is_dir() for p in package if p.name not in ("__init__.py", "py.typed")}
    assert outside == {p.name + "/" for p in ROOT.iterdir() if p.is_dir() and is_shown(p)}


def is_shown(path: Path) -> bool:
    """Ours to explain: neither hidden, nor made by a tool or a run, nor an empty folder's marker."""
    made = path.name.startswith((".", "__pycache__")) or path.suffix == ".egg-info" or path.name in IGNORED
    return not made and (path.is_file() or any(p.stat().st_size for p in path.rglob("*.*") if p.is_file()))


def command_tree() -> typer.core.TyperGroup:
    from zero_engine.cli.app import app

    return typer.main.get_command(app)
