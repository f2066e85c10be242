"""Place the stages on processes: plan, submit, commit, resume."""

from zero_engine.run.driver import Summary, plan_run, run_pipeline

__all__ = ["Summary", "plan_run", "run_pipeline"]
