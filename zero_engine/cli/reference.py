"""docs/cli.md: every command with its arguments and options, from the commands themselves.

python -m zero_engine.cli.reference [--check] docs/cli.md
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from zero_engine.cli.app import app
from zero_engine.cli.options import say

INTRO = """\
# The command line

<!-- Generated from zero_engine/cli/ by `make schemas`. Edit the commands. -->

Facts go to stdout, progress to stderr. Exit codes: 0 done, 1 finished with a failed check, 2 wrong use or bad input,
130 interrupted. An option means the same in every command that has it. `zero-engine --install-completion` lets
bash, zsh or fish complete commands, options, formats, schema names, and keys and values of `--set`, in every terminal
that is opened after it.
"""


def commands(command: Any = None, path: str = "zero-engine") -> Iterator[tuple[str, Any]]:
    """Every command that does something, by the words that call it."""
    command = typer.main.get_command(app) if command is None else command
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, inner in command.commands.items():
        yield from commands(inner, f"{path} {name}")


def options(command: Any) -> Iterator[Any]:
    """The options of a command, without --help."""
    yield from (p for p in command.params if p.param_type_name == "option" and "--help" not in p.opts)


def page() -> str:
    """docs/cli.md."""
    return INTRO + "".join(f"\n{_section(path, command)}" for path, command in commands())


def _section(path: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    words = [_word(argument) for argument in arguments]
    needed = [
        f"{option.opts[0]} {option.metavar or 'VALUE'}" for option in options(command) if option.required
    ]
    usage = " ".join([path, *words, *needed, "[OPTIONS]"])
    parts = [f"## {path}", f"    {usage}", _text(command.help or "")]
    rows = [(f"`{_word(a)}`", _text(a.help or ""), "") for a in arguments]
    rows += [(_spelling(option), _text(option.help or ""), _default(option)) for option in options(command)]
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    parts.append("\n".join(["| | | default |", "| --- | --- | --- |", *lines]))
    return "\n\n".join(parts) + "\n"


def _word(argument: Any) -> str:
    name = (argument.metavar or argument.name).strip("[]{}").upper()
    return name if argument.required else f"[{name}]"


def _spelling(option: Any) -> str:
    if option.is_flag:
        return f"`{', '.join([*option.opts, *option.secondary_opts])}`"
    return f"`{', '.join(option.opts)} {option.metavar or 'VALUE'}`"


def _default(option: Any) -> str:
    if option.required:
        return "required"
    value = option.default
    if value is None or callable(value) or value == () or value is False:
        return ""
    if value is True:
        return f"`{option.opts[0]}`"
    return f"`{value}`"


def _text(text: str) -> str:
    return " ".join(text.split())


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with --check compare it; returns the exit code."""
    path = Path(next(argument for argument in arguments if argument != "--check"))
    text = page()
    if "--check" not in arguments:
        path.write_text(text, encoding="utf-8")
        return 0
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return 0
    say(f"{path} differs from the commands. Run python -m zero_engine.cli.reference {path}.")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
