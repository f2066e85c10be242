"""The `zero-engine` command: thin typer commands over the package's public functions.

Exit codes: 0 done, 1 finished with a failed check, 2 bad usage or input, 130 interrupted. A user's
mistake is one line on stderr, without a traceback. Facts go to stdout, progress to stderr; every
command that prints facts has `--json`.
"""

import os
import sys


def main() -> None:
    """Entry point of the console script."""
    from zero_engine.cli.app import app
    from zero_engine.errors import ZeroEngineError, printable

    try:
        app()
    except ZeroEngineError as error:
        print(f"zero-engine: {printable(str(error), one_line=True)}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("zero-engine: interrupted.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # `zero-engine parse ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
