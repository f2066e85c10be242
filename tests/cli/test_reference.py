"""The command line as a whole: its page, its options, its completion, and the Python beside it."""

import inspect
import re
from collections import defaultdict
from pathlib import Path

import pytest

from zero_engine.cli import completion
from zero_engine.cli.reference import commands, options, page
from zero_engine.cli.schema import keys_of, model_named


def test_the_page_is_the_commands(repository: Path):
    assert (repository / "docs/cli.md").read_text(encoding="utf-8") == page(), "run make schemas"


def test_an_option_means_the_same_wherever_it_is():
    """One help text for a name. What differs by the kind of file, or by what a command makes, is listed here."""
    by_name = defaultdict(set)
    for _, command in commands():
        for option in options(command):
            by_name[option.opts[0]].add((option.metavar, option.is_flag, option.help))
    varied = {
        "--set": "keys of another file",
        "--output": "a folder, and for make-tasks a file",
        "--model": "what it is asked for",
        "--template": "-",
        "-n": "how many of what the command shows",
        "--overwrite": "rows, or a pipeline file",
        "--pictures": "saved, or written with tasks",
        "--config": "-",
        "--page": "what the page shows",
        "--reason": "of rejections, or of what a report shows",
        "--seed": "of what is made, or of which traces are shown",
    }
    different = {name: told for name, told in by_name.items() if len(told) > 1 and name not in varied}
    assert different == {}
    for name in varied:
        assert len({(metavar, flag) for metavar, flag, _ in by_name[name]}) <= 2, name


def test_every_command_and_option_has_a_help_text_that_ends_as_a_sentence():
    for path, command in commands():
        assert command.help and command.help.strip().endswith("."), path
        for option in options(command):
            assert option.help and option.help.rstrip().endswith((".", "?")), f"{path} {option.opts[0]}"


def test_a_training_does_not_advertise_what_it_refuses():
    for path, command in commands():
        (told,) = [o.help for o in options(command) if "--set" in o.opts] or [""]
        if path.startswith("zero-engine train"):
            key = told.split("--set ")[1].split("=")[0]
            assert key in dict(keys_of(model_named(path.split()[-1]))), told
        if path == "zero-engine bootstrap":
            (example,) = re.findall(r"--set (\S+)=\d", told)
            assert completion.complete_set("rounds")(example) == [f"{example}="] and "schema rounds" in told


def test_the_shell_completes_keys_values_and_names():
    assert "render.guidance=" in completion.complete_set("pipeline")("render.gui")
    assert completion.complete_set("pipeline")("gate.on_reject=drop") == [
        "gate.on_reject=drop_step",
        "gate.on_reject=drop_trace",
    ]
    assert "input.format=gsm8k" in completion.complete_set("pipeline")("input.format=gs")
    assert "optimiser.learning_rate=" in completion.complete_set("sft")("optimiser.l")
    assert "draw.gate.on_reject=" in completion.complete_set("rounds")("draw.gate.on")
    assert "train.steps=" in completion.complete_set("rounds")("train.st")
    assert "parquet" in completion.complete_export("par") and "scores" in completion.complete_schema("sc")
    assert completion.complete_example("gsm8k_n") == ["gsm8k_nano"]


def test_every_key_of_a_pipeline_is_explained():
    for name in ("pipeline",):
        missing = [key for key, field in keys_of(model_named(name)) if not field.description and "." in key]
        assert set(missing) <= {"output.path"}


def test_the_package_exports_what_python_needs():
    import zero_engine
    from zero_engine import Pipeline, errors, load_pipeline, open_dataset, run_pipeline

    assert errors.ZeroEngineError and open_dataset.__doc__
    config = load_pipeline({"input": {"path": "my.jsonl"}, "output": {"path": "out/mine"}}, ["seed=3"])
    assert isinstance(config, Pipeline) and config.seed == 3
    assert repr(config) == "Pipeline(zero-engine: my.jsonl -> out/mine, 4 drawings a step by nano)"
    for name in zero_engine.__all__:
        assert getattr(zero_engine, name) is not None
    assert all(
        word in inspect.getdoc(run_pipeline) for word in ("progress", "Returns", "Raises", "dictionary")
    )


def test_bash_which_cuts_words_at_an_equals_sign_gets_the_rest_of_a_value():
    words = ["zero-engine", "run", "x.yaml", "--set"]
    for typed, held in (
        (["input.format", "=", "gs"], "input.format="),
        (["a.b", "="], "a.b="),
        (["gate.m"], ""),
    ):
        whole = [*words, "".join(typed)]
        assert completion.joined([*words, *typed], 3 + len(typed)) == (whole, 4, held)
    assert completion.joined(words, 4) == ([*words, ""], 4, "")


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("zero-engine run my.yaml --set render.gui", "compadd -S '' -- 'render.guidance='"),
        ("zero-engine run my.yaml --set score.names=[like", "compadd -- 'score.names=[likelihood'"),
        ("zero-engine export out --to t", "compadd -- 'trl' 'tokens' 'twgi'"),
        ("zero-engine run my", "_files"),
    ],
)
def test_zsh_writes_no_blank_behind_a_key_and_names_files_where_nothing_else_fits(
    typed, code, call, monkeypatch
):
    monkeypatch.setenv("_ZERO_ENGINE_COMPLETE", "complete_zsh")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", typed)
    assert call()[1].strip() == code


def test_zsh_shows_what_commands_do(call, monkeypatch):
    monkeypatch.setenv("_ZERO_ENGINE_COMPLETE", "complete_zsh")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "zero-engine exa")
    assert call()[1].strip().startswith("""_arguments '*: :(("examples":"List the pipeline""")


def test_bash_is_told_to_write_no_blank_behind_a_key():
    from typer import _completion_shared

    completion.keep_keys_open()
    completion.keep_keys_open()
    script = _completion_shared.get_completion_script(prog_name="z", complete_var="_Z_COMPLETE", shell="bash")
    assert script.count("[[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace") == 1


def test_scores_are_completed_in_the_gate_and_in_the_list_of_scores():
    complete = completion.complete_set("pipeline")
    assert complete("gate.min.like") == ["gate.min.likelihood="] and "gate.max.blank=" in complete(
        "gate.max."
    )
    assert complete("score.names=[blank,cap") == ["score.names=[blank,caption"]
