"""Place the stages on processes: plan, submit, commit, resume.

The names are imported when they are used: a process that makes shards needs none of them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zero_engine.run.driver import run_pipeline
    from zero_engine.run.forecast import Forecast, plan_run
    from zero_engine.run.summary import Summary

__all__ = ["Forecast", "Summary", "plan_run", "run_pipeline"]
_PUBLIC = {"Forecast": "forecast", "Summary": "summary", "plan_run": "forecast", "run_pipeline": "driver"}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _PUBLIC:
        return getattr(import_module(f"zero_engine.run.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module 'zero_engine.run' has no attribute {name!r}")
