"""The house: what is declared is what is used, pinned and packaged, and the make targets exist."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from zero_engine.contracts.publish import documents

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DISTRIBUTION = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "yaml": "pyyaml",
    "math_verify": "math-verify",
}
"""Import name -> distribution, where they differ."""
OPTIONAL = {"train", "diffusion", "ocr", "s3"}
BROUGHT = {"typing_extensions", "psutil", "click", "packaging"}
"""Imported by us and always there, because a declared dependency cannot do without it."""
HOSTS = {"ipython"}
"""Imported by us only where we run inside it."""
ON_GPUS = {"triton"}
"""Imported by us only on a GPU, where torch brings it."""
TRAINER = {
    "__init__.py",
    "advantage.py",
    "checkpoint.py",
    "config.py",
    "data.py",
    "loop.py",
    "losses.py",
    "mixture.py",
    "rewards.py",
    "rl.py",
    "rollout.py",
    "sft.py",
    "stopping.py",
}
"""The files of `zero_engine/train` that train: all but those of JUDGING."""
JUDGING = {"asking.py", "evaluate.py", "judge.py", "outside.py"}
"""Those that ask and judge a model, or judge answers inside other trainers; no training imports them."""
TRAINER_LINES = 1900


def requirements(group: list[str]) -> dict[str, Requirement]:
    return {canonicalize_name(r.name): r for r in map(Requirement, group)}


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in found.items()}


def third_party(folder: Path) -> set[str]:
    names = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"zero_engine"}


@pytest.mark.slow
def test_every_import_of_the_package_is_declared():
    declared = set(requirements(PROJECT["project"]["dependencies"]))
    for extra, group in PROJECT["project"]["optional-dependencies"].items():
        declared |= set(requirements(group)) if extra in OPTIONAL else set()
    used = {canonicalize_name(DISTRIBUTION.get(name, name)) for name in third_party(ROOT / "zero_engine")}
    assert used - declared - {canonicalize_name(name) for name in BROUGHT | HOSTS | ON_GPUS} == set()


def test_every_declared_dependency_is_pinned_inside_its_range():
    pinned = pins()
    groups = [PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values()]
    for name, requirement in (item for group in groups for item in requirements(group).items()):
        assert name in pinned, f"{name} is not in constraints.txt"
        assert requirement.specifier.contains(pinned[name]), f"{requirement} excludes {pinned[name]}"


@pytest.mark.slow
def test_drawing_needs_no_extra():
    """`make demo` installs no extras, so nothing on the way to a drawing may import one."""
    core = set(requirements(PROJECT["project"]["dependencies"]))
    extras = PROJECT["project"]["optional-dependencies"].values()
    absent = {name.replace("-", "_") for group in extras for name in requirements(group)} - core
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(absent)!r}))\n"
        "from zero_engine.models import get_model\n"
        "from zero_engine.models.prompt import requests\n"
        "model = get_model('nano', device='cpu')\n"
        "print(model.decode(model.draw(requests(['3 + 4 = 7'], [0])).codes).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout == "(1, 64, 64, 3)\n", done.stderr


def test_constraints_are_exact_and_name_no_machine():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!]+", line), line
    assert len(pins()) == sum(not line.startswith("#") for line in lines)


def test_the_trainer_can_be_read_in_one_sitting():
    files = {
        path.name: path.read_text(encoding="utf-8") for path in (ROOT / "zero_engine/train").glob("*.py")
    }
    assert set(files) == TRAINER | JUDGING, "say of the new file whether it trains or judges"
    for name in TRAINER:
        found = re.findall(
            r"zero_engine\.train\.(\w+)", "".join(re.findall(r"^ *from .*", files[name], re.M))
        )
        assert not {f"{module}.py" for module in found} & JUDGING, f"{name} imports what judges"
    lines = sum(len(files[name].splitlines()) for name in TRAINER)
    assert lines < TRAINER_LINES, f"{lines} lines: move what does not train, or say it shorter"


def test_installed_package_is_zero_engine_alone():
    find = PROJECT["tool"]["setuptools"]["packages"]["find"]
    assert find["include"] == ["zero_engine", "zero_engine.*"]
    folders = {path.parent for path in (ROOT / "zero_engine").rglob("*.py")}
    assert [f for f in folders if not (f / "__init__.py").exists()] == [], "setuptools would leave it out"


def test_package_data_patterns_find_what_the_code_opens():
    data = PROJECT["tool"]["setuptools"]["package-data"]
    for package, patterns in data.items():
        folder = ROOT / package.replace(".", "/")
        assert any(path.is_file() for pattern in patterns for path in folder.glob(pattern)), package


def test_console_script_points_at_a_function():
    module, _, name = PROJECT["project"]["scripts"]["zero-engine"].partition(":")
    tree = ast.parse((ROOT / module.replace(".", "/") / "__init__.py").read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_make_has_the_targets_people_are_told_of():
    rules = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"setup", "demo", "test", "lint", "schemas", "bench", "clean"} <= set(rules)
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make test" in script and "make lint" in script


def test_hooks_run_installed_tools_only():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    assert all(hook["entry"].startswith(".venv/bin/") for hook in config["repos"][0]["hooks"])


def test_licence_texts_are_complete():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text and "END OF TERMS AND CONDITIONS" in text
    assert "Copyright (c) 2021 OpenAI" in (ROOT / "examples/data/README.md").read_text(encoding="utf-8")


def test_version_in_the_changelog_is_the_version_of_the_code():
    from zero_engine import __version__

    first = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert first and first.group(1) in (__version__, "Unreleased")


def test_pins_are_what_is_installed():
    """A test run on other versions says nothing about the pinned ones."""
    pinned, installed = pins(), {}
    for name in pinned:
        try:
            installed[name] = metadata.version(name).split("+")[0]
        except metadata.PackageNotFoundError:
            continue
    core = {"torch", "transformers", "datasets", "pyarrow", "numpy", "distributed"}
    assert {n: installed[n] for n in core} == {n: pinned[n] for n in core}


def test_the_hook_for_published_files_runs_where_they_come_from():
    """On every file that they are generated from, and on the generated ones."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0][
        "hooks"
    ]
    (pattern,) = [re.compile(hook["files"]) for hook in hooks if hook["id"] == "schemas"]
    sources = [*(ROOT / "zero_engine/contracts").glob("*.py"), ROOT / "zero_engine/pipeline.py"]
    published = [*(ROOT / "schemas").glob("*.json"), *(ROOT / "docs" / name for name in documents())]
    assert len(sources) > 4 and len(published) > 4
    for path in (*sources, *published):
        assert pattern.search(path.relative_to(ROOT).as_posix()), path
    assert not pattern.search("zero_engine/read/files.py")


def test_commands_print_through_what_hides_control_characters():
    for path in (ROOT / "zero_engine" / "cli").glob("*.py"):
        if path.name not in ("options.py", "app.py"):
            calls = re.findall(
                r"typer\.echo\(.*|(?<![\w.])print\((?!printable\().*", path.read_text(encoding="utf-8")
            )
            assert [call for call in calls if "{" in call and "printable(" not in call] == [], path.name
