"""The package's layers: imports go one way, the front door is light, and files stay readable.

errors, hashing, identity, images, model_files, model_blocks, progress, signals, statistics, world, wrapping, bundled ->
records -> config -> painter_sections -> sections, pipeline, contracts -> read, parse -> models -> families, painters ->
render, score -> nano -> write -> run -> report -> train -> bootstrap -> cli
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "zero_engine"
LAYERS = (
    (
        "batches",
        "bundled",
        "errors",
        "hashing",
        "identity",
        "images",
        "model_files",
        "model_blocks",
        "progress",
        "signals",
        "statistics",
        "world",
        "wrapping",
    ),
    ("records",),
    ("config",),
    ("painter_sections",),
    ("sections", "pipeline", "contracts"),
    ("read", "parse"),
    ("models",),
    ("families", "painters"),
    ("render", "score"),
    ("nano",),
    ("write",),
    ("run",),
    ("report",),
    ("train",),
    ("bootstrap",),
    ("cli",),
)
"""Lowest first. A part may import its own layer and those below."""
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
MAX_LINES = 350
HEAVY = ("torch", "transformers", "datasets", "pyarrow", "distributed", "dask", "cv2", "bokeh")

FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(module: str) -> str:
    """`zero_engine.read.files` -> `read`; the package itself -> ``."""
    return (*module.split("."), "")[1]


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Our own modules that a file imports anywhere in it, as (module, line)."""
    package = module_of(path) if path.name == "__init__.py" else module_of(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = (
                ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            )
            base = ".".join(piece for piece in (base, node.module) if piece)
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((name, node.lineno) for name in names if name.split(".")[0] == "zero_engine")


def test_every_part_has_a_place_in_the_layers():
    parts = {part_of(module_of(path)) for path in FILES} - {""}
    assert parts <= set(LEVEL), "give the new part a place in LAYERS"


def test_imports_go_one_way():
    wrong = []
    for path in FILES:
        mine = part_of(module_of(path))
        for module, line in imported(path) if mine else ():
            part = part_of(module)
            if LEVEL.get(part, 0) > LEVEL[mine]:
                wrong.append(f"{path}:{line}: {mine} must not import {part}")
    assert wrong == []


def test_the_world_imports_nothing_of_ours_but_hashing():
    for path in (PACKAGE / "world").rglob("*.py"):
        for module, line in imported(path):
            assert part_of(module) in ("world", "hashing"), f"{path}:{line}: world imports {module}"


def test_train_reads_datasets_only_through_open_dataset():
    for path in (PACKAGE / "train").rglob("*.py"):
        for module, line in imported(path):
            if part_of(module) == "write":
                allowed = ("zero_engine.write.open_dataset", "zero_engine.write.dataset")
                allowed += ("zero_engine.write.atomic",)  # writes files, and reads none
                assert module.startswith(allowed), f"{path}:{line}: train imports {module}"


def test_run_and_train_never_import_each_other():
    for one, other in (("run", "train"), ("train", "run")):
        for path in (PACKAGE / one).rglob("*.py"):
            for module, line in imported(path):
                assert part_of(module) != other, f"{path}:{line}: {one} imports {other}"


@pytest.mark.parametrize(
    "code",
    [
        "import zero_engine",
        "import zero_engine; zero_engine.load_pipeline('pipelines/gsm8k_nano.yaml')",
        "import sys; sys.argv = ['zero-engine', '--help']\nfrom zero_engine.cli import main\n"
        "try: main()\nexcept SystemExit: pass",
    ],
    ids=["import", "load_pipeline", "help"],
)
def test_front_door_imports_nothing_heavy(code: str):
    probe = f"{code}\nimport sys\nprint([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=PACKAGE.parent, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().splitlines()[-1] == "[]"


def test_a_long_file_says_why_at_its_top():
    long = [
        path
        for path in FILES
        if len(path.read_text(encoding="utf-8").splitlines()) > MAX_LINES
        and "one file because" not in note_of(path)
    ]
    assert long == [], "split it, or say in its docstring why it is one file because ..."


def test_every_module_opens_with_a_design_note():
    assert [path for path in FILES if path.stat().st_size and not note_of(path)] == []


def note_of(path: Path) -> str:
    """The module's docstring on one line."""
    return " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split())
