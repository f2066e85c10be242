"""Place the stages on processes: plan, submit, commit, resume."""

from zero_engine.run.driver import Summary, run_pipeline
from zero_engine.run.forecast import Forecast, plan_run

__all__ = ["Forecast", "Summary", "plan_run", "run_pipeline"]
