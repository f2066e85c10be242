"""Wrong uses of the command line, as people type them: each is one line, exit code 2, and says what to do."""

import errno
import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from zero_engine.cli import main
from zero_engine.run import run_pipeline

USES: list[tuple[str, str]] = [
    # commands and options that do not exist
    ("rnu PIPELINE", "No such command 'rnu'"),
    ("run PIPELINE --bogus", "No such option: --bogus"),
    ("run PIPELINE --candidates 3", "No such option: --candidates"),
    ("run PIPELINE --worker 2", "--workers"),
    ("models", ""),
    ("models chek nano", "No such command 'chek'"),
    ("train", ""),
    ("train dpo PIPELINE", "No such command 'dpo'"),
    # arguments that are missing, too many, or of the wrong kind
    ("run", "Missing argument 'PIPELINE'"),
    ("run PIPELINE PIPELINE", "unexpected extra argument"),
    ("run PIPELINE --limit", "--limit"),
    ("run PIPELINE --limit 0", "it must be greater than or equal to 1"),
    ("run PIPELINE --limit many", "it must be a valid integer"),
    ("preview PIPELINE -n 0", "it must be greater than or equal to 1"),
    ("inspect OUT -n 0", "it must be greater than or equal to 1"),
    ("status", "Missing argument 'OUT'"),
    ("export OUT --to parquet", "Missing option '--output'"),
    ("export OUT --output TMP/x", "Missing option '--to'"),
    ("eval nano", "Missing argument 'DATA'"),
    ("push OUT", "Missing argument 'REPO'"),
    ("run PIPELINE --output", "run: Option '--output' requires an argument. See zero-engine run --help"),
    # files and folders that are not there, or not what they should be
    ("run nowhere.yaml", "cannot read the file"),
    ("run TMP", "cannot read the file"),
    ("run DATA", "writes a pipeline"),
    ("run EMPTYYAML", "expected `key: value` lines, got nothing"),
    ("run BROKEN", "line 2"),
    ("run TRAINING", "this is a training file"),
    ("train sft PIPELINE", "this is a pipeline file"),
    ("train sft nowhere.yaml", "cannot read"),
    ("status nowhere", "No such file or directory. Check the path"),
    ("status TMP", "no run has written here"),
    ("validate nowhere", "not a finished zero-engine dataset"),
    ("validate TMP", "not a finished zero-engine dataset"),
    ("clean TMP", "no run has written here"),
    ("recover nowhere", "nowhere"),
    ("retry nowhere", "nowhere"),
    ("retry TMP", "not a finished zero-engine dataset"),
    ("inspect nowhere", "No such file or directory. Check the path"),
    ("report nowhere", "No such file or directory. Check the path"),
    ("export nowhere --to parquet --output TMP/x", "not a finished zero-engine dataset"),
    ("push nowhere me/mine --dry-run", "not a finished zero-engine dataset"),
    ("init nowhere.jsonl", "nowhere.jsonl"),
    ("init EMPTY", "EMPTY"),
    ("init DATA --write PIPELINE", "exists. Choose another with --write"),
    ("init DATA --write TMP/no/such/folder.yaml", "there is no folder"),
    ("parse PIPELINE --input nowhere.jsonl", "nowhere.jsonl"),
    ("run PIPELINE --input nowhere.jsonl", "nowhere.jsonl"),
    ("plan PIPELINE --input nowhere.jsonl", "nowhere.jsonl"),
    ("preview PIPELINE --input nowhere.jsonl", "nowhere.jsonl"),
    ("run PIPELINE --output DATA", "DATA"),
    ("run PIPELINE --output /proc/nope", "cannot be made"),
    ("run PIPELINE --output ftp://host/x", "cannot be written to"),
    ("run PIPELINE --output s3:/bucket/x", "an address has two slashes, as s3://bucket/folder"),
    ("run PIPELINE --output s3:bucket/x", "an address has two slashes, as s3://bucket/folder"),
    ("run PIPELINE --output ftp:/host/x", "an address has two slashes"),
    ("run PIPELINE --output ''", "output.path must be a path"),
    ("run PIPELINE --input ''", "input.path must be a path"),
    ("run PIPELINE --input BINARY --output TMP/b", "this is no text"),
    ("run PIPELINE --input TMP", "no data file in this folder"),
    ("init TMP", "no data file in this folder"),
    ("answer nano TMP", "no data file in this folder"),
    ("run PIPELINE --set input.path=[]", "input.path must be a path, or a list of at least one"),
    ("run TWICE", "line 2: the key name is there twice. Leave one of them"),
    ("run PIPELINE --set name=2024-01-01", "got the date 2024-01-01: quote it to make it text"),
    ("run PIPELINE --set name=", "name must be a valid string, got nothing"),
    ("run PIPELINE --set seed=1.5", "seed must be a valid integer, got 1.5"),
    ("run PIPELINE --scheduler tcp://127.0.0.1:99999", "must be an address with a port up to 65535"),
    ("init NOCOLUMNS", "Name theirs with --set input.columns.question=.. --set input.columns.rationale=.."),
    ("init DATA --set input.format=gsm9k", "there is no format 'gsm9k'"),
    ("answer nano ''", "data must be a path"),
    # a path that is empty, as of a variable that is not set, is not this folder
    ("export OUT --to parquet --output ''", "it must be a path, not an empty text"),
    ("inspect OUT --pictures ''", "it must be a path, not an empty text"),
    ("status ''", "it must be a path, not an empty text"),
    ("run PIPELINE --reuse ''", "it must be a path, not an empty text"),
    # names that the system refuses
    ("report OUT --page LONG.html", "File name too long. Check the path and its permissions"),
    ("init LONG", "File name too long. Check the path and its permissions"),
    ("models make-tasks --output LONG.jsonl", "File name too long. Check the path and its permissions"),
    ("models check LONG", "File name too long. Check the path and its permissions"),
    ("train sft TRAINING --output DATA", "is a file. Name a folder"),
    ("bootstrap ROUNDS --output DATA", "is a file. Name a folder"),
    # what would be replaced is none of ours
    ("report OUT --page OUT/manifest.json", "does not end in .html"),
    ("diff OUT OUT --page OUT/manifest.json", "does not end in .html"),
    ("preview PIPELINE --page PIPELINE", "does not end in .html"),
    ("plan PIPELINE --calibrate 4 --page PIPELINE", "does not end in .html"),
    ("init DATA --write DATA --overwrite", "does not end in .yaml"),
    ("models make-tasks --output PIPELINE", "does not end in .jsonl"),
    ("models check nano --picture DATA", "does not end in .png"),
    ("export OUT --to parquet --output DATA", "is a file. Choose a folder"),
    ("inspect OUT --pictures DATA", "is a file. Name a folder"),
    # options that would do nothing
    ("plan PIPELINE --page x.html", "give --calibrate N"),
    ("plan TRAINING --limit 3", "--limit is for pipelines"),
    ("validate OUT --config TRAINING", "--config goes with --for"),
    ("validate OUT --for sft --repair", "leave out --repair"),
    ("retry OUT --stage gaet", "Give one of read"),
    ("retry OUT --workers many", "--workers: workers must be a valid integer"),
    # addresses where only a local path can be written
    ("export OUT --to messages --output s3://bucket/x", "s3://bucket/x: only a run writes to an address"),
    ("answer nano DATA --output s3://bucket/x", "s3://bucket/x: only a run writes to an address"),
    ("eval nano DATA --output s3://bucket/x", "s3://bucket/x: only a run writes to an address"),
    ("train sft TRAINING --output gs://bucket/x", "gs://bucket/x: only a run writes to an address"),
    ("train sft TRAINING --set output=s3:/bucket/x", "s3://bucket/x: only a run writes to an address"),
    ("preview PIPELINE --page s3://bucket/x.html", "s3://bucket/x.html: only a run writes to an address"),
    ("report OUT --page s3://bucket/x.html", "s3://bucket/x.html: only a run writes to an address"),
    ("diff OUT OUT --page s3://bucket/x.html", "s3://bucket/x.html: only a run writes to an address"),
    ("inspect OUT --pictures s3://bucket/x", "s3://bucket/x: only a run writes to an address"),
    ("init DATA --write s3://bucket/x.yaml", "s3://bucket/x.yaml: only a run writes to an address"),
    (
        "models make-tasks --output s3://bucket/t.jsonl",
        "s3://bucket/t.jsonl: only a run writes to an address",
    ),
    ("models train-nano --output s3://bucket/x", "s3://bucket/x: only a run writes to an address"),
    ("run PIPELINE --reuse nowhere --output TMP/r", "nowhere"),
    # keys and values
    ("run PIPELINE --set render.guidance", "expected key=value"),
    ("run PIPELINE --set render.guidence=2", "Did you mean guidance?"),
    ("run PIPELINE --set render.candidates=-1", "render.candidates must be greater than or equal to 0"),
    ("run PIPELINE --set render.candidates=lots", "render.candidates"),
    ("run PIPELINE --set gate.on_reject=explode", "text_only"),
    ("run PIPELINE --set gate.min.beauty=1", "beauty"),
    ("run PIPELINE --set input.format=gsm9k", "gsm9k"),
    ("run PIPELINE --set render.generator=magic", "magic"),
    ("run PIPELINE --set render.generator=diffusion", "render.diffusion.model"),
    ("run PIPELINE --set render.generator=unified --set render.model=nowhere", "nowhere"),
    ("run PIPELINE --workers many", "dask.workers"),
    ("run PIPELINE --workers -1", "dask.workers must be at least 0"),
    ("run PIPELINE --workers 99999999", "dask.workers must be at most 1024 on one machine"),
    (
        "run PIPELINE --set score.names=likelihood",
        "score.names must be a list, as [one, two], got 'likelihood'",
    ),
    ("run PIPELINE --set gate.min=0.5", "gate.min must be keys with values, as {key: value}, got 0.5"),
    ("run PIPELINE --set gate=strict", "gate must be keys with values"),
    ("run PIPELINE --set output.image_format=jpeg", "must be 'png' or 'webp', got 'jpeg'"),
    ("run PIPELINE --set score.names=[beauty]", "gate.rank names the score 'likelihood'"),
    ("run PIPELINE --input /dev/null", "no records in /dev/null. Check input.path"),
    ("run PIPELINE --resume", "Possible options: --reuse"),
    ("inspect OUT --id nobody", "no trace 'nobody', neither kept nor rejected"),
    ("report OUT --reason nothing", "nothing was left out as 'nothing'"),
    ("bootstrap PIPELINE", "this is a pipeline file, for zero-engine run"),
    ("export OUT --to trl --output OUT", "is not empty and no export of ours"),
    ("run PIPELINE --set name=my/corpus", "name must be letters, digits, dots, - and _"),
    ("run PIPELINE --set .render=3", "expected key=value"),
    ("models check nano --device gpu", "device must be auto, cpu, cuda"),
    ("models check nano --device cuda:9", "GPUs here. Use auto or cpu"),
    ("train sft TRAINING --set render.guidance=3", "unknown key render"),
    ("train sft TRAINING --set steps=0", "steps"),
    ("train rl TRAINING", "loss must be"),
    ("validate OUT --for dpo", "dpo"),
    ("export OUT --to jpeg --output TMP/x", "Give one of parquet"),
    ("export OUT --to tokens --output TMP/x", "--model nano"),
    ("export OUT --to parquet --output TMP/x --template bare", "takes no --template"),
    ("schema nothing", "Give one of pipeline"),
    ("schema pipeline gates", "Give one of input"),
    ("schema scores gate", "has no sections"),
    ("examples nothing", "Give one of diffusion"),
    ("models check nowhere", "nowhere"),
    ("models eval-nano --kind cubes", "Give one of"),
    ("models make-tasks --output TMP/t.jsonl --split all", "--split must be one of"),
    ("models make-tasks --output TMP/no/t.jsonl", "there is no folder"),
    ("eval nowhere DATA", "nowhere"),
    ("answer nowhere DATA", "nowhere"),
    ("preview PIPELINE --page TMP/no/page.html", "there is no folder"),
    ("models check nano --picture TMP", "is a folder. Name a file in it"),
    ("eval nano DATA --output DATA", "is a file. Name a folder"),
    ("eval nano EMPTY --output TMP/ev", "no records in"),
    ("eval nano DATA --output TMP/ev", "--set format=gsm8k"),  # no trace of the first one is in the way
]


@pytest.fixture(scope="module")
def places(tmp_path_factory, repository: Path) -> dict[str, str]:
    """What the words in capitals stand for."""
    folder = tmp_path_factory.mktemp("uses")
    data = folder / "DATA.jsonl"
    lines = (repository / "examples/data/gsm8k.jsonl").read_text(encoding="utf-8").splitlines()[:3]
    data.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "EMPTY.jsonl").write_text("")
    (folder / "EMPTYYAML.yaml").write_text("")
    (folder / "BINARY.jsonl").write_bytes(bytes(range(256)) * 40)
    (folder / "BROKEN.yaml").write_text("input: {path: x}\n  output: [\n")
    (folder / "TWICE.yaml").write_text("name: a\nname: b\n")
    (folder / "NOCOLUMNS.jsonl").write_text('{"foo": "bar"}\n')
    (folder / "tmp").mkdir()
    document = {
        "name": "uses",
        "input": {"path": str(data), "format": "gsm8k"},
        "render": {"generator": "none"},
        "output": {"path": str(folder / "out"), "rows_per_shard": 2},
        "dask": {"workers": 0},
    }
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(document))
    training = {"output": str(folder / "t"), "data": {"path": str(folder / "out")}, "steps": 1}
    training |= {"loss": {"perception": 0}}
    (folder / "training.yaml").write_text(yaml.safe_dump(training))
    run_pipeline(document)
    return {
        "PIPELINE": str(folder / "pipeline.yaml"),
        "TRAINING": str(folder / "training.yaml"),
        "BROKEN": str(folder / "BROKEN.yaml"),
        "TWICE": str(folder / "TWICE.yaml"),
        "NOCOLUMNS": str(folder / "NOCOLUMNS.jsonl"),
        "ROUNDS": str(repository / "pipelines/rounds.yaml"),
        "LONG": "x" * 300,
        "LONG.html": f"{'x' * 300}.html",
        "LONG.jsonl": f"{'x' * 300}.jsonl",
        "DATA": str(data),
        "BINARY": str(folder / "BINARY.jsonl"),
        "EMPTYYAML": str(folder / "EMPTYYAML.yaml"),
        "EMPTY": str(folder / "EMPTY.jsonl"),
        "OUT": str(folder / "out"),
        "TMP": str(folder / "tmp"),
    }


def filled(word: str, places: dict[str, str]) -> str:
    name, slash, rest = word.partition("/")
    return places.get(name, name) + slash + rest


def test_there_are_sixty_of_them():
    assert len({use for use, _ in USES}) >= 60


@pytest.mark.parametrize(("use", "says"), USES, ids=[use for use, _ in USES])
def test_a_wrong_use_is_one_line_that_says_what_to_do(use, says, places, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    words = [filled(word.replace("'", ""), places) for word in use.split()]
    monkeypatch.setattr(sys, "argv", ["zero-engine", *words])
    with pytest.raises(SystemExit) as end:
        main()
    told = capsys.readouterr()
    assert end.value.code == 2, told
    lines = [line for line in told.err.splitlines() if line.startswith("zero-engine: ")]
    if says:
        assert len(lines) == 1 and filled(says, places) in lines[0], told.err
        assert len(lines[0]) > len("zero-engine: ") and "Traceback" not in told.err
    else:  # a group without a command prints its help
        assert "Usage: zero-engine" in told.out + told.err
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_facts_are_json_on_every_command_that_prints_some(places, monkeypatch, capsys):
    for use in ("plan PIPELINE", "status OUT", "schema", "schema pipeline", "schema formats", "schema scores",
                "schema trajectory", "examples", "examples gsm8k_nano", "validate OUT", "models list"):  # fmt: skip
        monkeypatch.setattr(sys, "argv", ["zero-engine", *(filled(w, places) for w in use.split()), "--json"])
        main()
        assert json.loads(capsys.readouterr().out), use


def test_a_command_to_type_is_one_that_a_shell_takes(places, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("my data").mkdir()
    monkeypatch.setattr(sys, "argv", ["zero-engine", "init", places["DATA"], "--write", "my data/my.yaml"])
    try:
        main()
    except SystemExit as ended:
        assert not ended.code
    assert "zero-engine run 'my data/my.yaml'" in capsys.readouterr().out


@pytest.mark.slow
def test_the_home_folder_is_found_in_a_file_as_in_a_shell(places, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "d\N{GRINNING FACE}.jsonl").write_bytes(Path(places["DATA"]).read_bytes())
    use = ["run", places["PIPELINE"], "--set", "output.path=~/o", "--input", "~/d\N{GRINNING FACE}.jsonl"]
    monkeypatch.setattr(sys, "argv", ["zero-engine", *use, "--no-report", "--json"])
    main()
    assert json.loads(capsys.readouterr().out)["out"] == str(tmp_path / "o")
    assert (tmp_path / "o/manifest.json").is_file()


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (RuntimeError("can't start new thread"), "ulimit -u"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "ulimit -u"),
        (OSError(errno.EMFILE, "Too many open files", "x"), "ulimit -n"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "Free some"),
        (MemoryError(), "no memory is left .MemoryError."),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory"),
            "no memory is left .DefaultCPUAllocator",
        ),
    ],
)
def test_a_limit_of_the_machine_is_one_line(error, advice, monkeypatch, capsys):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("zero_engine.run.status.folder_status", fail)
    monkeypatch.setattr(sys, "argv", ["zero-engine", "status", "x"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert ended.value.code == 2 and re.search(advice, said) and said.startswith("zero-engine: no ")


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr("zero_engine.run.status.folder_status", lambda *_: 1 / 0)
    monkeypatch.setattr(sys, "argv", ["zero-engine", "status", "x"])
    with pytest.raises(ZeroDivisionError):
        main()
