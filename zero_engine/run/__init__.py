"""Place the stages on processes: plan, submit, commit, resume."""

from zero_engine.run.driver import run_pipeline
from zero_engine.run.forecast import Forecast, plan_run
from zero_engine.run.summary import Summary

__all__ = ["Forecast", "Summary", "plan_run", "run_pipeline"]
